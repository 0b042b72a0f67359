//! Images and programs that cannot serve as an application: what is said of each, and that it is said of no other.

use crate::apps::project;
use crate::harness::{Sea, condition, docker, text, wait_for};
use crate::secrets::sealed;
use std::process::Command;

/// Built of this, and gone with it.
struct Image(String);

impl Image {
    fn new(sea: &Sea, name: &str, file: &str) -> Self {
        let (tag, dir) = (format!("seawall/{name}-{}:test", sea.installation), sea.root().join(name));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("Dockerfile"), file).unwrap();
        let built =
            Command::new("docker").args(["build", "-q", "-t", &tag, "."]).current_dir(&dir).output().unwrap();
        assert!(built.status.success(), "{}", text(&built));
        Self(tag)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rmi", "-f", &self.0]).output();
    }
}

#[test]
fn an_image_without_what_it_is_started_by_is_said_of_its_application_alone() {
    let sea = Sea::start();
    let empty = Image::new(&sea, "empty", "FROM scratch\nCOPY Dockerfile /\n");
    let user = Image::new(&sea, "user", "FROM seawall/base:trixie\nUSER nosuch\nCMD [\"sleep\", \"600\"]\n");
    let base = "image: 'seawall/base:trixie'";
    // Sealed to somebody else's Seawall.
    sea.ok(&["keys", "public"]);
    let theirs = Sea::start().ok(&["keys", "public"]);
    let place = "project/shop:environments.production.apps.sealed.env.KEY";
    let letter = sealed(&sea, place, "sk_live_of_the_shop", &["--to", theirs.trim()]);
    let rows = [
        ("entry", format!("image: '{}'", empty.0), "EngineRefused", "o command specified"),
        ("user", format!("image: '{}'", user.0), "EngineRefused", "unable to find user nosuch"),
        (
            "sealed",
            format!("{base}, command: ['sleep', '600'], env: {{KEY: {{valueFrom: {{sealed: '{letter}'}}}}}}"),
            "SecretUnreadable",
            "of another installation",
        ),
        ("program", format!("{base}, command: ['/no/such']"), "CrashLoop", "exited with code 127"),
        ("ends", format!("{base}, command: ['true']"), "CrashLoop", "exited with code 0"),
        (
            "port",
            format!(
                "{base}, command: ['sleep', '600'], healthCheck: {{tcp: {{port: 3000}}, graceSeconds: 3}}"
            ),
            "Unhealthy",
            "port 3000: Connection refused",
        ),
    ];
    let well = format!("well: {{{base}, command: ['sleep', '600']}}");
    let all: Vec<String> = rows.iter().map(|(name, spec, ..)| format!("{name}: {{{spec}}}")).collect();
    sea.write("shop.yaml", &project(&format!("{well}, {}", all.join(", "))));
    for (name, _, reason, words) in &rows {
        let app = format!("app/shop-production-{name}");
        // Between two deaths it says how it died before.
        wait_for(&format!("{name}: {reason} {words}"), || {
            let ready = condition(&sea.status(&app), "Ready");
            (ready.0 == "False" && ready.1 == *reason && ready.2.contains(words)).then_some(())
        });
    }
    sea.until_condition("app/shop-production-well", "Ready", "True", "Healthy");
    let words = sea.condition("project/shop", "Ready");
    assert_eq!(words.0, "False", "{words:?}");
    // Mended, each of them serves.
    let mended: Vec<String> =
        rows.iter().map(|(name, ..)| format!("{name}: {{{base}, command: ['sleep', '600']}}")).collect();
    sea.write("shop.yaml", &project(&format!("{well}, {}", mended.join(", "))));
    for (name, ..) in &rows {
        sea.until_condition(&format!("app/shop-production-{name}"), "Ready", "True", "Healthy");
    }
    assert!(docker(&["ps", "--format", "{{.Names}}"]).contains(&format!("{}-app-", sea.installation)));
}
