//! What it costs to look at servers that nobody uses: the program itself as a process of its own, on the local engine, and its
//! servers, which are measured once more after it has ended.

use crate::engine::Engine;
use crate::program::Program;
use crate::{IMAGE, cpu, line, manifest, ms, resident_mb, setting};
use seawall::core::names::{Installation, label};
use std::time::Duration;
use tokio::time::sleep;

/// Until everything was looked at that is looked at seldom, and each login was proven anew.
const SETTLES: Duration = Duration::from_secs(75);
/// What health is read after, and what a round of figures over time is.
const LOOK: Duration = Duration::from_secs(30);

impl Engine {
    pub async fn idle(&self) {
        let time = Duration::from_secs(setting("SEAWALL_BENCH_SECONDS", 60) as u64);
        let (mut program, names) = (Program::new(), self.names());
        program.start();
        sleep(Duration::from_secs(10)).await;
        let before = cpu(program.pid());
        sleep(time).await;
        let alone = (cpu(program.pid()) - before, resident_mb(program.pid()));
        for name in &names {
            let spec = format!("{{image: '{IMAGE}', resources: {{memory: 128Mi}}}}");
            program.write(&format!("{name}.yaml"), &manifest(name, &spec));
        }
        program.until_ready("postgres", names.len()).await;
        sleep(SETTLES).await;
        let before = (cpu(program.pid()), self.of_servers(&program.installation).await);
        sleep(time).await;
        let used = cpu(program.pid()) - before.0;
        let servers = self.of_servers(&program.installation).await.saturating_sub(before.1);
        let resident = resident_mb(program.pid());
        let (most, mean) = spread(&program).await;
        program.stop();
        sleep(Duration::from_secs(5)).await;
        let before = self.of_servers(&program.installation).await;
        sleep(time).await;
        let unwatched = self.of_servers(&program.installation).await.saturating_sub(before);
        self.clean(&program.installation).await;
        let all = names.len();
        let each = |cpu: Duration| ms(cpu.mul_f64(LOOK.as_secs_f64() / time.as_secs_f64() / all as f64));
        let share = |cpu: Duration| format!("{:.2} %", cpu.as_secs_f64() / time.as_secs_f64() * 100.0);
        let head = format!("{all} services idle for {time:?}");
        line(&format!("{head}: CPU of one core"), share(used), "< 2 % at 200");
        line("of that without any service", share(alone.0), "");
        let more = used.saturating_sub(alone.0);
        line(&format!("{head}: CPU each 30 s, for each"), each(more), "≤ 5 ms");
        let more = servers.saturating_sub(unwatched);
        let detail = format!("≤ 10 ms ({} with us, {} without)", each(servers), each(unwatched));
        line(&format!("{head}: CPU of its server for us, each 30 s"), each(more), &detail);
        line(&format!("{head}: probes in one second, most and mean"), format!("{most}; {mean:.1}"), "");
        line(
            &format!("{head}: resident"),
            format!("{resident:.1} MB"),
            &format!("≤ 60 MB at 200 ({:.1} MB without any)", alone.1),
        );
    }

    /// CPU time of all containers so far.
    async fn of_servers(&self, installation: &Installation) -> Duration {
        let ours = [(label::INSTALLATION, installation.as_str())];
        let mut sum = 0;
        for container in self.docker.list(&ours).await.expect("a list") {
            let kernels = self.docker.cgroup(&container.id).await;
            let sample = match kernels {
                None => self.docker.sample(&container.id).await.expect("an answer"),
                seen => seen,
            };
            sum += sample.map_or(0, |sample| sample.cpu_nano);
        }
        Duration::from_nanos(sum)
    }
}

/// By what it tells monitoring each second.
async fn spread(program: &Program) -> (u64, f64) {
    let (mut most, first) = (0, program.probes());
    let mut last = first;
    for _ in 0..LOOK.as_secs() {
        sleep(Duration::from_secs(1)).await;
        let now = program.probes();
        most = most.max(now - last);
        last = now;
    }
    (most, (last - first) as f64 / LOOK.as_secs_f64())
}
