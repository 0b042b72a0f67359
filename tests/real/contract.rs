//! The real engine does what the contract says. Everything made here carries the label
//! `seawall.dev/installation` of its case and is removed before and after it, also when it fails.

#[path = "../common/contract.rs"]
mod suite;

use seawall::docker::{BollardDocker, Docker};
use std::process::Command;
use std::sync::Arc;
use suite::World;

const IMAGE: &str = "seawall/not-postgres:test";

/// Removes a case's objects with the engine's own client, which works in a panic too.
struct Cleanup(String);

impl Cleanup {
    fn run(&self) {
        let filter = format!("label=seawall.dev/installation={}", self.0);
        for (list, remove) in [
            (&["ps", "-aq", "--no-trunc"][..], &["rm", "-f"][..]),
            (&["volume", "ls", "-q"], &["volume", "rm"]),
            (&["network", "ls", "-q", "--no-trunc"], &["network", "rm"]),
        ] {
            let found = Command::new("docker").args(list).args(["--filter", &filter]).output().unwrap();
            let found = String::from_utf8_lossy(&found.stdout).into_owned();
            let ids: Vec<&str> = found.split_whitespace().collect();
            if !ids.is_empty() {
                let _ = Command::new("docker").args(remove).args(&ids).output();
            }
        }
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        self.run();
    }
}

macro_rules! on_the_engine {
    ($($case:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
            async fn $case() {
                let installation = format!("swc{}-{}", std::process::id(), stringify!($case).replace('_', "-"));
                let cleanup = Cleanup(installation.clone());
                cleanup.run();
                let docker: Arc<dyn Docker> = Arc::new(BollardDocker::connect(None).unwrap());
                let world = World { docker, fake: None, installation, image: IMAGE.to_owned(), image_with_volume: "seawall/postgres:18".to_owned() };
                suite::$case(&world).await;
            }
        )*
    };
}
suite::cases!(on_the_engine);

#[tokio::test]
async fn an_engine_that_is_not_there_is_unavailable() {
    for address in ["unix:///none/such.sock", "/none/such.sock", "tcp://127.0.0.1:1"] {
        let docker = BollardDocker::connect(Some(address)).unwrap();
        let error = docker.info().await.unwrap_err();
        assert!(error.is_unavailable(), "{address}: {error:?}");
    }
    assert!(BollardDocker::connect(Some("ssh://host")).is_err());
}

/// What an object with several containers will call them: a dash would collide with an object of that name, and no
/// object's name has a dot. The longest name is longer than one label of DNS, and none of its labels is.
#[test]
fn a_name_with_a_dot_resolves_and_meets_no_other() {
    let installation = format!("swc{}-dotted-name", std::process::id());
    let cleanup = Cleanup(installation.clone());
    cleanup.run();
    let label = format!("seawall.dev/installation={installation}");
    let docker = |arguments: &[&str]| Command::new("docker").args(arguments).output().unwrap();
    let network = format!("{installation}-network");
    let made = docker(&["network", "create", "--label", &label, &network]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let pid = std::process::id();
    let longest = format!("{:x<12}-postgres-{}.node-1", format!("c{pid}"), "n".repeat(40));
    let names = [format!("c{pid}-x.node-1"), format!("c{pid}-x-node-1"), longest];
    for name in &names {
        let image = ["--entrypoint", "sleep", "seawall/postgres:17", "600"];
        let run = ["run", "-d", "--label", &label, "--network", &network, "--name", name];
        let made = docker(&[&run[..], &image].concat());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    let mut found = std::collections::BTreeSet::new();
    for name in &names {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let address = docker(&["inspect", "-f", format, name]).stdout;
        let address = String::from_utf8(address).unwrap().trim().to_owned();
        let asked = docker(&["exec", &names[0], "getent", "hosts", name]).stdout;
        assert_eq!(
            String::from_utf8(asked).unwrap().split_whitespace().next(),
            Some(address.as_str()),
            "{name}"
        );
        found.insert(address);
    }
    assert_eq!(found.len(), names.len());
    let none = docker(&["exec", &names[0], "getent", "hosts", &format!("c{pid}-x")]);
    assert!(!none.status.success(), "the part before the dot is no name");
    // Its volumes have two: with one, that of what an image keeps at /node-1-data is called so.
    let volumes = [format!("c{pid}-x..node-1-data"), format!("c{pid}-x.node-1-data")];
    for volume in &volumes {
        let made = docker(&["volume", "create", "--label", &label, volume]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mount = format!("{volume}:/v");
        let run = ["run", "--rm", "--label", &label, "-v", &mount, "--entrypoint", "sh"];
        let write = ["seawall/postgres:17", "-c", "ls /v; echo \"$0\" >\"/v/$0\"", volume];
        let wrote = docker(&[&run[..], &write].concat());
        assert!(wrote.status.success(), "{}", String::from_utf8_lossy(&wrote.stderr));
        assert_eq!(String::from_utf8_lossy(&wrote.stdout), "", "each is empty when it is new");
    }
    let listed = docker(&["volume", "ls", "-q", "--filter", &format!("label={label}")]).stdout;
    let mut listed: Vec<String> =
        String::from_utf8_lossy(&listed).split_whitespace().map(str::to_owned).collect();
    listed.sort();
    assert_eq!(listed, volumes);
}
