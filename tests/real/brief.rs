//! The commands of the product brief, one after the other, on the real engine.

use crate::harness::{Sea, text};
use serde_json::Value;

/// The image that the brief's version means, which nothing here can pull.
const IMAGE: &str = "postgres:18-alpine";

/// Its name stands for a local image as long as this lives, where nobody has it.
struct Named<'a>(&'a Sea, bool);

impl<'a> Named<'a> {
    fn new(sea: &'a Sea) -> Self {
        let is_there = !sea.docker(&["images", "-q", IMAGE]).trim().is_empty();
        if !is_there {
            sea.docker(&["tag", "seawall/official:18", IMAGE]);
        }
        Self(sea, !is_there)
    }
}

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if self.1 {
            self.0.docker(&["rmi", IMAGE]);
        }
    }
}

#[test]
fn the_commands_of_the_brief_do_what_it_says() {
    let sea = Sea::start();
    let _named = Named::new(&sea);
    let (name, password) = ("my-database", "The0nePasswordOfTheTest");
    let secret = format!("password={password}");
    let create = [
        "services",
        "create",
        "-t",
        "postgres",
        "-n",
        name,
        "-s",
        "version=18-alpine",
        "-s",
        "database=appdb",
        "-s",
        "username=appuser",
        "-s",
        &secret,
        "-y",
    ];
    // Without a terminal it never asks: what is missing is told.
    let missing = sea.cli(&create[..8]);
    assert_eq!(missing.status.code(), Some(2), "{}", text(&missing));
    assert!(text(&missing).contains("-s database=… -s username=… -s password=…"), "{}", text(&missing));
    let made = sea.ok(&create);
    assert!(made.ends_with("postgres/my-database is Ready\n"), "{made}");

    let list: Value = serde_json::from_str(&sea.ok(&["services", "list", "--json"])).unwrap();
    let (id, status) = (list[0]["id"].to_string(), &list[0]["status"]);
    assert_eq!((status, &list[0]["docker_image"]), (&"running".into(), &IMAGE.into()));
    let run = |verb: &str, more: &[&str]| sea.ok(&[&["services", verb, "--id", &id], more].concat());
    let shown = run("show", &[]);
    let url = format!("postgresql://appuser:****@{}:5432/appdb", sea.container(name));
    assert!(shown.contains(&url) && !shown.contains(password), "{shown}");
    assert!(run("show", &["--reveal"]).contains(password));
    assert_eq!(sea.sql(name, "SELECT current_user || ' ' || current_database()"), "appuser appdb");

    sea.write("shop.yaml", "apiVersion: seawall.dev/v1\nkind: Project\nmetadata: {name: shop}\nspec: {environments: {production: {}}}\n");
    sea.ok(&["wait", "project/shop", "--for=condition=Ready", "--timeout=60s"]);
    let project = sea.object("project/shop")["metadata"]["id"].to_string();
    let linked = sea.ok(&["services", "link", "--id", &id, "--project-id", &project]);
    assert!(linked.contains("is Ready\nshop/production finds POSTGRES_"), "{linked}");
    let env = sea.ok(&["services", "env", "--id", &id, "--project-id", &project]);
    assert!(
        env.contains("POSTGRES_DB=shop_production\n") && env.contains("POSTGRES_PASSWORD=****\n"),
        "{env}"
    );
    sea.ok(&["link", "test", "link/shop-production-my-database"]);
    let taken = sea.cli(&["services", "remove", "--id", &id, "-f"]);
    assert!(!taken.status.success() && text(&taken).contains("is referred to by"), "{}", text(&taken));
    sea.ok(&["services", "unlink", "--id", &id, "-p", "shop"]);
    assert_eq!(run("projects", &["--json"]).trim(), "[]");

    assert!(run("stop", &[]).ends_with("is stopped\n"));
    assert_eq!(sea.inspect(name)["State"]["Running"], false);
    assert!(run("start", &[]).ends_with("is Ready\n"));
    let limited = run("resources", &["--memory", "256", "--swap", "64"]);
    assert!(limited.contains("applied"), "{limited}");
    let caps = sea.inspect(name)["HostConfig"].clone();
    assert_eq!((&caps["Memory"], &caps["MemorySwap"]), (&(256 << 20).into(), &(320 << 20).into()));
    let other = "An0therPasswordOfTheTest";
    assert!(run("update", &["-s", &format!("password={other}")]).ends_with("is Ready\n"));
    assert_eq!(sea.password(name), other);
    assert_eq!(sea.sql(name, "SELECT 1"), "1");
    assert!(run("upgrade", &["-v", "seawall/official:18b"]).ends_with("is Ready\n"));
    let image = sea.docker(&["image", "inspect", "-f", "{{.Id}}", "seawall/official:18b"]);
    assert_eq!(sea.inspect(name)["Config"]["Image"], image.trim());

    let kept = sea.cli(&["services", "remove", "--id", &id]);
    assert_eq!(kept.status.code(), Some(2), "{}", text(&kept));
    assert!(run("remove", &["-f"]).ends_with("postgres/my-database deleted\n"));
    assert!(!sea.docker(&["volume", "ls", "-q"]).contains(&sea.volume(name)));
    assert_eq!(sea.ok(&["services", "list", "--json"]).trim(), "[]");
    let audit = sea.ok(&["audit"]);
    assert!(audit.contains("PasswordRevealed") && !audit.contains(password), "{audit}");
    assert!(!sea.log().contains(password));
}
