//! What is measured on the local engine.

use crate::engine::Engine;
use crate::{
    AT_ONCE, HOUR, IMAGE, cpu, installation, line, manifest, median, ms, object, ratios, seconds, until,
};
use seawall::control::operator::Times;
use seawall::core::quantity::Bytes;
use seawall::core::resource::Caps;
use seawall::core::seen::LiveUpdate;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Another build of the image, for updates.
const OTHER: &str = "seawall/postgres:18b";

impl Engine {
    /// All in turn, three times: a start takes as long as the disk and the kernel let it. An image that is seen for
    /// the first time is looked into, and its first server proves that it starts again: that is once for an image, so
    /// services of an image that is known are measured by themselves.
    pub async fn provisioning(&self) {
        self.provision("port: none", "port: none", false, false).await;
        self.provision("default spec", "database: app", true, false).await;
        self.provision("default spec, known image", "database: app", true, true).await;
    }

    async fn provision(&self, what: &str, spec: &str, publish: bool, known: bool) {
        let names = self.names();
        let spec = format!("{{image: '{IMAGE}', {spec}}}");
        let (mut raws, mut runs, mut starts, mut readies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..3 {
            let raw = installation();
            let begun = Instant::now();
            self.raw(&raw, &names, publish).await;
            raws.push(begun.elapsed());
            self.clean(&raw).await;
            if publish {
                let run = installation();
                let begun = Instant::now();
                self.docker_run(&run, &names).await;
                runs.push(begun.elapsed());
                self.clean(&run).await;
            }
            let every = Duration::from_millis(5);
            let mut bench = self.bench(Times::default());
            if known {
                let first = ["first".to_owned()];
                bench.write("first.yaml", &manifest("first", &spec));
                bench.drive();
                bench.until_ready(&first, every).await;
            }
            // One rename brings them all, as one commit does.
            let all: Vec<String> = names.iter().map(|name| manifest(name, &spec)).collect();
            let begun = Instant::now();
            bench.write("all.yaml", &all.join("---\n"));
            if !known {
                bench.drive();
            }
            bench.until_happened(&names, "ContainerStarted", every).await;
            starts.push(begun.elapsed());
            bench.until_ready(&names, every).await;
            readies.push(begun.elapsed());
            bench.stop().await;
            self.clean(&bench.installation).await;
        }
        let head = format!("provisioning {}, {what}", names.len());
        line(&format!("{head}: the same calls raw, {AT_ONCE} at a time"), seconds(median(raws.clone())), "");
        line(&format!("{head}: manifests to all started"), seconds(median(starts.clone())), "");
        line(&format!("{head}: ratio to the raw calls"), ratios(&starts, &raws), "≤ 1.05");
        if publish {
            line(&format!("{head}: docker run, {AT_ONCE} at a time"), seconds(median(runs.clone())), "");
            line(&format!("{head}: ratio to docker run"), ratios(&starts, &runs), "≤ 1.1");
        }
        line(&format!("{head}: manifests to all Ready"), seconds(median(readies)), "");
    }

    pub async fn sweep(&self) {
        let names = self.names();
        let times = Times { sweep: Duration::from_secs(1), look: HOUR, ..Times::default() };
        let mut bench = self.running(times, &names, &format!("{{image: '{IMAGE}'}}")).await;
        sleep(Duration::from_secs(5)).await;
        let records = bench.store.records("").expect("records");
        let before = cpu(std::process::id());
        sleep(Duration::from_secs(30)).await;
        let used = cpu(std::process::id()) - before;
        let writes = usize::from(bench.store.records("").expect("records") != records);
        bench.stop().await;
        self.clean(&bench.installation).await;
        let all = names.len();
        line(&format!("sweep of {all} unchanged: CPU, probes included"), ms(used / 30), "≤ 10 ms at 40");
        line(&format!("sweep of {all} unchanged: store changed"), writes, "0");
    }

    pub async fn repair(&self) {
        let raw_installation = installation();
        let raw = self.raw(&raw_installation, &["raw".to_owned()], false).await.remove(0);
        let mut bench =
            self.running(Times::default(), &["p".to_owned()], &format!("{{image: '{IMAGE}'}}")).await;
        let name = bench.installation.container(&object("p"));
        let (mut starts, mut backs) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            kill(&raw);
            let begun = Instant::now();
            self.docker.start(&raw).await.expect("a start");
            starts.push(begun.elapsed());
            let seen = self.docker.inspect(&name).await.ok().flatten().expect("a container");
            kill(&name);
            backs.push(
                until("back", Duration::from_millis(3), async || {
                    let now = self.docker.inspect(&name).await.ok().flatten();
                    now.is_some_and(|c| c.state.as_str() == "running" && c.started_at != seen.started_at)
                })
                .await,
            );
            bench.until_ready(&["p".to_owned()], Duration::from_millis(50)).await;
        }
        bench.stop().await;
        self.clean(&bench.installation).await;
        self.clean(&raw_installation).await;
        line("killed: raw start (median of 5)", ms(median(starts.clone())), "");
        line("killed: running again (median of 5)", ms(median(backs.clone())), "");
        line("killed: more than raw", ms(median(backs).saturating_sub(median(starts))), "≤ 100 ms");
    }

    pub async fn caps(&self) {
        let raw_installation = installation();
        let raw = self.raw(&raw_installation, &["raw".to_owned()], false).await.remove(0);
        let mut bench =
            self.running(Times::default(), &["p".to_owned()], &format!("{{image: '{IMAGE}'}}")).await;
        let name = bench.installation.container(&object("p"));
        let (mut updates, mut lives) = (Vec::new(), Vec::new());
        for mib in [512u64, 768, 1024, 1280, 1536] {
            let caps = Caps { memory: Some(Bytes(mib << 20)), ..Caps::default() };
            let begun = Instant::now();
            let change = LiveUpdate { caps: Some(caps), restart: None };
            self.docker.update(&raw, &change).await.expect("an update");
            updates.push(begun.elapsed());
            sleep(Duration::from_millis(2_500)).await;
            bench.write(
                "p.yaml",
                &manifest("p", &format!("{{image: '{IMAGE}', resources: {{memory: {mib}Mi}}}}")),
            );
            // From rest, as a person saves: the engine takes a second to tell use again.
            lives.push(
                until("live", Duration::from_millis(3), async || {
                    let now = self.docker.inspect(&name).await.ok().flatten();
                    now.is_some_and(|c| c.caps == caps)
                })
                .await,
            );
        }
        bench.stop().await;
        self.clean(&bench.installation).await;
        self.clean(&raw_installation).await;
        line("cap: raw update (median of 5)", ms(median(updates.clone())), "");
        line("cap: manifest saved to cap live (median of 5)", ms(median(lives.clone())), "");
        line("cap: more than raw", ms(median(lives).saturating_sub(median(updates))), "≤ 300 ms");
    }

    /// A cap change of one more while all others are made anew by one line of a catalog, beside the same update raw.
    pub async fn rollout(&self) {
        let names = self.names();
        let raw_installation = installation();
        let raw = self.raw(&raw_installation, &["raw".to_owned()], false).await.remove(0);
        let catalog = |image: &str| {
            format!(
                "apiVersion: seawall.dev/v1\nkind: ImageCatalog\nmetadata: {{name: bench}}\nspec: {{engine: postgres, images: \
                 {{bench: {{image: '{image}'}}}}, maxConcurrent: {}}}\n",
                names.len()
            )
        };
        let mut bench = self.bench(Times::default());
        bench.write("catalog.yaml", &catalog(IMAGE));
        for name in &names {
            bench.write(&format!("{name}.yaml"), &manifest(name, "{version: bench}"));
        }
        let spec = |mib: u64| manifest("q", &format!("{{image: '{IMAGE}', resources: {{memory: {mib}Mi}}}}"));
        bench.write("q.yaml", &spec(256));
        bench.drive();
        let all: Vec<String> = names.iter().cloned().chain(["q".to_owned()]).collect();
        bench.until_ready(&all, Duration::from_millis(100)).await;
        let one = bench.installation.container(&object("q"));
        bench.write("catalog.yaml", &catalog(OTHER));
        let begun = Instant::now();
        until("under way", Duration::from_millis(10), async || !bench.are_ready(&names).await).await;
        let (mut updates, mut lives) = (Vec::new(), Vec::new());
        let mut mib = 512u64;
        while !bench.are_ready(&names).await {
            mib += 64;
            let caps = Caps { memory: Some(Bytes(mib << 20)), ..Caps::default() };
            let change = LiveUpdate { caps: Some(caps), restart: None };
            // From rest, as a person saves.
            sleep(Duration::from_secs(1)).await;
            let start = Instant::now();
            self.docker.update(&raw, &change).await.expect("an update");
            updates.push(start.elapsed());
            bench.write("q.yaml", &spec(mib));
            lives.push(
                until("live", Duration::from_millis(10), async || {
                    let now = self.docker.inspect(&one).await.ok().flatten();
                    now.is_some_and(|c| c.caps == caps)
                })
                .await,
            );
        }
        let took = begun.elapsed();
        bench.until_ready(&all, Duration::from_millis(100)).await;
        bench.stop().await;
        self.clean(&bench.installation).await;
        self.clean(&raw_installation).await;
        let head = format!("rollout of {} ({}, {} cap changes)", names.len(), seconds(took), lives.len());
        let most = |list: &[Duration]| list.iter().max().copied().unwrap_or_default();
        line(
            &format!("{head}: raw update, median and most"),
            ms(median(updates.clone())),
            &ms(most(&updates)),
        );
        line(&format!("{head}: cap live, median and most"), ms(median(lives.clone())), &ms(most(&lives)));
        line(
            &format!("{head}: more than raw"),
            ms(median(lives).saturating_sub(median(updates))),
            "≤ 300 ms",
        );
    }
}

fn kill(container: &str) {
    let done = Command::new("docker").args(["kill", container]).stdout(Stdio::null()).status();
    assert!(done.is_ok_and(|s| s.success()), "docker kill {container}");
}
