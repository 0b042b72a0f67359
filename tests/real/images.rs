//! Images that people have and that are not what a manifest needs: said before anything is stopped, with
//! what is there and what is missing. What runs goes on with the image in use.

use crate::harness::{Sea, condition, docker, text, wait_for};
use crate::kinds::{Kind, tests};
use crate::lifecycle::TestImage;
use serde_json::Value;

tests!(
    what_is_no_image_or_cannot_be_had_leaves_the_server_looked_after,
    a_line_of_the_catalog_moves_one_database_after_another_and_stops_at_the_first_that_fails,
);

fn id(sea: &Sea, name: &str) -> Value {
    sea.inspect(name)["Id"].clone()
}

#[test]
fn another_place_or_catalog_version_of_the_data_is_blocked_before_the_stop() {
    let elsewhere =
        TestImage::build("data-elsewhere", "FROM seawall/postgres:18\nENV PGDATA=/var/lib/postgresql/data\n");
    // As a pre-release would be: the programs were built for other system catalogs.
    let beta = TestImage::build(
        "beta",
        "FROM seawall/postgres:18\n\
         RUN sed -i 's/PG_18_[0-9]\\{9\\}/PG_18_202505071/' /usr/lib/postgresql/18/bin/postgres /usr/lib/postgresql/18/bin/pg_checksums\n",
    );
    let sea = Sea::start();
    sea.postgres("a", "{version: '18'}");
    let first = sea.ready("a");
    sea.sql("a", "CREATE TABLE t AS SELECT 42 AS n");
    let container = id(&sea, "a");
    for (image, reason, words) in [
        (&elsewhere, "DataElsewhere", "the data lies at 18/docker"),
        (&beta, "CatalogVersionChange", "take 202505071 alone"),
    ] {
        sea.postgres("a", &format!("{{image: '{}', parameters: {{work_mem: 8MB}}}}", image.0));
        let why = sea.until_condition("a", "Degraded", "True", reason);
        assert!(why.contains(words) && why.contains("Nothing was touched"), "{why}");
        assert_eq!(sea.condition("a", "Ready").0, "True");
        wait_for("the parameter", || (sea.sql("a", "SHOW work_mem") == "8MB").then_some(()));
        // Also one that was killed comes back with the image in use.
        let started = sea.inspect("a")["State"]["StartedAt"].clone();
        docker(&["kill", &sea.container("a")]);
        wait_for("the repair", || {
            let state = sea.inspect("a")["State"].clone();
            (state["Running"] == true && state["StartedAt"] != started).then_some(())
        });
        sea.until_condition("a", "Ready", "True", "LoginSucceeded");
        assert_eq!(id(&sea, "a"), container, "{reason}");
        assert_eq!(sea.sql("a", "SELECT n FROM t"), "42");
    }
    sea.postgres("a", "{version: '18b'}");
    let after = sea.ready("a");
    assert_eq!(after["server"]["systemIdentifier"], first["server"]["systemIdentifier"]);
    assert_eq!(sea.sql("a", "SELECT n FROM t"), "42");
}

#[test]
fn a_server_under_another_contract_is_said_with_what_is_missing() {
    let other = TestImage::build(
        "other",
        "FROM seawall/postgres:17\n\
         RUN mkdir -p /opt/bitnami/postgresql && cp -r /usr/lib/postgresql/17/bin /opt/bitnami/postgresql/bin \
         && rm -rf /usr/lib/postgresql/17/bin/postgres && sed -i 's/^postgres:/pg:/' /etc/passwd\n\
         ENV PG_MAJOR= PG_VERSION= BITNAMI_APP_NAME=postgresql PATH=/opt/bitnami/postgresql/bin:/usr/bin:/bin\n\
         USER 1001\n",
    );
    let empty = TestImage::build("no-server", "FROM seawall/not-postgres:test\nENV PG_MAJOR=18\n");
    let sea = Sea::start();
    sea.postgres("other", &format!("{{image: '{}'}}", other.0));
    let why = sea.until_condition("other", "Degraded", "True", "ImageUnfit");
    assert!(why.contains("it has PostgreSQL 17 (/opt/bitnami/postgresql/bin/postgres), but"), "{why}");
    assert!(why.contains("no user named postgres in /etc/passwd (it runs as user \"1001\")"), "{why}");
    sea.postgres("empty", &format!("{{image: '{}'}}", empty.0));
    let why = sea.until_condition("empty", "Degraded", "True", "ImageUnfit");
    assert!(why.contains("PG_MAJOR 18, but there is no program named postgres"), "{why}");
    assert_eq!(sea.containers(), Vec::<String>::new(), "nothing was made");
}

fn what_is_no_image_or_cannot_be_had_leaves_the_server_looked_after(kind: &dyn Kind) {
    let sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec(""));
    sea.ready(a);
    sea.keep(a, 42);
    for (image, hint) in [
        ("a:b:c", "did you mean a:b-c?"),
        ("postgres@18", "did you mean postgres:18?"),
        ("Postgres:18", "did you mean postgres:18?"),
    ] {
        sea.put(a, &kind.spec_with_image(image, ""));
        sea.until(a, "the words", |s| condition(s, "Degraded").2.contains(hint));
        assert_eq!(sea.condition(a, "Ready").0, "True", "{image}");
    }
    // Nobody listens there: 127.0.0.0/8 never leaves the host.
    sea.put(a, &kind.spec_with_image("127.0.0.1:9/nobody/postgres:18", "resources: {memory: 300Mi}"));
    let why = sea.until_condition(a, "Degraded", "True", "ImagePullFailed");
    assert!(why.contains("127.0.0.1:9/nobody/postgres:18"), "{why}");
    wait_for("the cap", || (sea.inspect(a)["HostConfig"]["Memory"] == 300 << 20).then_some(()));
    docker(&["rm", "-f", &sea.container(a)]);
    sea.event("ContainerCreated", "re-create on volume");
    sea.until_condition(a, "Ready", "True", "LoginSucceeded");
    assert_eq!(sea.kept(a), [42]);
}

fn a_line_of_the_catalog_moves_one_database_after_another_and_stops_at_the_first_that_fails(kind: &dyn Kind) {
    let [image, next] = kind.versions().map(|version| kind.image(version));
    let broken = TestImage::build(
        &kind.object("follows-nobody"),
        &format!("FROM {image}\nENTRYPOINT [\"sh\", \"-c\", \"echo no such luck; exit 3\"]\n"),
    );
    let names = ["a", "b", "c"].map(|name| kind.object(name));
    let names = names.each_ref().map(String::as_str);
    let sea = Sea::start_of(kind);
    for name in names {
        sea.put(name, &kind.spec(""));
    }
    let first = names.map(|name| sea.ready(name)["image"]["id"].clone());
    let moves = |to: &str| {
        sea.write("catalog.yaml", &kind.catalog("local").replace(&format!("'{image}'"), &format!("'{to}'")))
    };

    moves(&broken.0);
    let refused = wait_for("one that went back", || {
        let refused = |name: &&str| sea.condition(name, "Degraded").1 == "ImageRefused";
        names.into_iter().find(refused)
    });
    for name in names.into_iter().filter(|name| *name != refused) {
        let why = sea.until_condition(name, "Degraded", "True", "RolloutStopped");
        assert!(why.contains(&format!("{refused} did not come back")), "{why}");
        assert_eq!(sea.condition(name, "Ready").0, "True");
    }

    moves(&next);
    // 2: there is something to do.
    let plan = text(&sea.cli(&["plan", sea.manifests.to_str().unwrap()]));
    assert!(plan.contains("2 more to go after it, 1 at a time") || plan.contains("goes first"), "{plan}");
    let mut most_down = 0;
    wait_for("all moved", || {
        // In one answer: one that is back and the next that went are not two that are down.
        let listed = sea.cli(&["get", &kind.kind().to_lowercase(), "-o", "json"]);
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
        let all: Vec<&Value> =
            listed["items"].as_array().unwrap().iter().map(|item| &item["status"]).collect();
        let down = all.iter().filter(|status| condition(status, "Ready").0 != "True").count();
        most_down = most_down.max(down);
        (down == 0 && all.iter().all(|status| !first.contains(&status["image"]["id"]))).then_some(())
    });
    assert_eq!(most_down, 1);
}
