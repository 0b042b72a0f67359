//! A lost or damaged store is rebuilt from what the engine still has: same data, same ports, new passwords.

use crate::harness::{Sea, catalog, condition, manifest, postgres, text};
use crate::kinds::{Kind, tests};
use std::fs;
use std::path::PathBuf;

tests!(
    a_lost_store_is_rebuilt_with_data_ports_and_new_passwords,
    a_damaged_store_is_kept_aside_and_rebuilt,
    with_the_key_file_lost_records_stay_and_passwords_are_made_anew,
);

/// What `recover` says; `words` confirms.
fn recover(sea: &Sea, words: Option<&str>) -> std::process::Output {
    let mut command = sea.command();
    command.args(["recover", "--manifests"]).arg(&sea.manifests);
    if let Some(words) = words {
        command.args(["--confirm", words]);
    }
    command.output().unwrap()
}

/// Shows first, then confirms; returns what was shown.
pub fn recovered(sea: &Sea) -> String {
    let shown = recover(sea, None);
    assert_eq!(shown.status.code(), Some(1), "{}", text(&shown));
    let shown = text(&shown);
    let words = shown.split_once("recover --confirm ").expect(&shown).1.split_whitespace().next().unwrap();
    let wrong = recover(sea, Some(&format!("{words}x")));
    assert_eq!(wrong.status.code(), Some(1), "{}", text(&wrong));
    let done = recover(sea, Some(words));
    assert!(done.status.success(), "{}", text(&done));
    shown
}

fn aside(sea: &Sea) -> Vec<PathBuf> {
    let entries = fs::read_dir(&sea.data).unwrap().map(|e| e.unwrap().path());
    entries.filter(|p| p.file_name().unwrap().to_string_lossy().starts_with("store.damaged-")).collect()
}

fn a_lost_store_is_rebuilt_with_data_ports_and_new_passwords(kind: &dyn Kind) {
    let mut sea = Sea::start_of(kind);
    let a = &kind.object("a");
    let b = &kind.object("b");
    let kept = &kind.object("kept");
    let named = |user: &str, base: &str| kind.spec(&kind.owned_by(user, base));
    sea.put(a, &kind.spec(&format!("{}, resources: {{memory: 256Mi}}", kind.owned_by("owner", "shop"))));
    sea.put(b, &kind.spec_of(kind.another_version(), ""));
    sea.put(kept, &named("keeper", "hoard"));
    for (name, number) in [(a, 1), (b, 2), (kept, 3)] {
        sea.ready(name);
        sea.keep(name, number);
    }
    let (port_a, port_b) = (sea.host_port(a), sea.host_port(b));
    let (old_a, old_b, old_kept) = (sea.password(a), sea.password(b), sea.password(kept));
    let owner = |sea: &Sea, name: &str| {
        let at = sea.login(name);
        (at.username, at.database)
    };
    let (owner_a, owner_kept) = (owner(&sea, a), owner(&sea, kept));
    assert_eq!((owner_a.0.as_str(), owner_kept.0.as_str()), ("owner", "keeper"));
    let container_a = sea.inspect(a)["Id"].clone();
    let uid = sea.object(a)["metadata"]["uid"].clone();
    sea.ok(&["stop", b]);
    sea.until(b, "stopped", |_| sea.inspect(b)["State"]["Status"] == "exited");
    sea.remove("kept.yaml");
    sea.until(kept, "retained", |_| sea.containers().len() == 2);

    let running = recover(&sea, None);
    assert!(text(&running).contains(&format!("process {}", sea.pid())), "{}", text(&running));
    sea.stop();
    fs::remove_dir_all(&sea.data).unwrap();

    // A start notices that the containers belong to another store, and names the way out.
    let refused = sea.command().args(["run", "--once", "--manifests"]).arg(&sea.manifests).output().unwrap();
    let words = text(&refused);
    assert!(words.contains("Lost store, lost key") && !words.contains("seawall recover"), "{words}");

    let shown = recovered(&sea);
    for part in [
        format!("{a}: container {} (running, port {port_a})", sea.container(a)),
        format!("{b}: container {} (stopped, port {port_b})", sea.container(b)),
        format!("{kept}: volume {}, no manifest", sea.volume(kept)),
        "new password".to_owned(),
    ] {
        assert!(shown.contains(&part), "{part}: {shown}");
    }

    sea.run();
    let status = sea.ready(a);
    assert_eq!(status["container"]["id"], container_a, "the server went on running");
    assert_eq!(sea.object(a)["metadata"]["uid"], uid);
    assert_eq!(sea.host_port(a), port_a);
    assert_eq!(sea.kept(a), [1]);
    let new_a = sea.password(a);
    assert_ne!(new_a, old_a);
    assert_eq!(owner(&sea, a), owner_a);
    assert!(sea.lets_in(a, &new_a));
    assert!(!sea.lets_in(a, &old_a), "the old password still works");
    let events = sea.ok(&["events"]);
    for reason in ["StoreRecovered", "Recovered", kind.reset_by_recovery()] {
        assert!(events.contains(reason), "{reason}: {events}");
    }
    assert!(!events.contains(&new_a) && !shown.contains(&new_a));

    assert_eq!(sea.inspect(b)["State"]["Status"], "exited", "stopped on purpose stays stopped");
    sea.ok(&["start", b]);
    sea.ready(b);
    assert_eq!(sea.host_port(b), port_b);
    assert_eq!(sea.kept(b), [2]);
    assert!(!sea.lets_in(b, &old_b));

    // The retained volume: back with its manifest, on the same data.
    sea.write("kept.yaml", &manifest(kept, "", &named("keeper", "hoard")));
    sea.until(kept, "Ready", |s| condition(s, "Ready").0 == "True");
    assert_eq!(sea.kept(kept), [3]);
    assert_eq!(owner(&sea, kept), owner_kept);
    assert!(!sea.lets_in(kept, &old_kept));
    assert_eq!(sea.volumes().len(), 3);
    assert_eq!(sea.containers().len(), 3, "no throw-away container is left");
}

fn a_damaged_store_is_kept_aside_and_rebuilt(kind: &dyn Kind) {
    let mut sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec(""));
    sea.ready(a);
    sea.keep(a, 7);
    let (port, old, store) = (sea.host_port(a), sea.password(a), store_of(&sea));
    sea.stop();
    let db = sea.data.join("store/db");
    let bytes = fs::read(&db).unwrap();
    fs::write(&db, vec![0x5a; bytes.len()]).unwrap();
    let refused = sea.command().args(["run", "--once", "--manifests"]).arg(&sea.manifests).output().unwrap();
    let refused = text(&refused);
    assert!(refused.contains("damaged") && refused.contains("seawall recover"), "{refused}");

    let shown = recovered(&sea);
    assert!(shown.contains("damaged"), "{shown}");
    let kept = aside(&sea);
    assert_eq!(kept.len(), 1);
    assert_eq!(fs::read(kept[0].join("store/db")).unwrap(), vec![0x5a; bytes.len()]);

    sea.run();
    sea.ready(a);
    assert_eq!((sea.host_port(a), store_of(&sea)), (port, store));
    assert_eq!(sea.kept(a), [7]);
    assert!(!sea.lets_in(a, &old));
    // Nothing is wrong any more: nothing to recover, and nothing is touched.
    sea.stop();
    let again = text(&recover(&sea, None));
    assert!(again.contains("nothing to recover"), "{again}");
    assert_eq!(aside(&sea).len(), 1);
}

fn with_the_key_file_lost_records_stay_and_passwords_are_made_anew(kind: &dyn Kind) {
    let mut sea = Sea::start_of(kind);
    let a = &kind.object("a");
    sea.put(a, &kind.spec(""));
    sea.ready(a);
    sea.keep(a, 7);
    let (port, old) = (sea.host_port(a), sea.password(a));
    sea.stop();
    fs::remove_file(sea.data.join("encryption_key")).unwrap();
    let refused = sea.command().args(["run", "--once", "--manifests"]).arg(&sea.manifests).output().unwrap();
    // Bringing it back comes first; what gives the passwords up is for who reads on.
    let said = text(&refused);
    assert!(said.contains("Lost store, lost key") && !said.contains("seawall recover"), "{said}");
    assert!(!sea.data.join("encryption_key").exists(), "a new key was made silently");

    let shown = recovered(&sea);
    assert!(shown.contains("make a new key file"), "{shown}");
    sea.run();
    sea.ready(a);
    assert_eq!(sea.kept(a), [7]);
    assert_eq!(sea.host_port(a), port);
    assert!(!sea.lets_in(a, &old));
    let events = sea.ok(&["events", a]);
    assert!(events.contains("Created") && events.contains("Recovered"), "the old events stay: {events}");
}

#[test]
fn recover_refuses_what_it_cannot_know() {
    let mut sea = Sea::start();
    let nothing = Sea::new();
    let said = text(&recover(&nothing, None));
    assert!(said.contains("no container and no volume"), "{said}");
    sea.postgres("a", "{version: '18'}");
    sea.ready("a");
    sea.stop();
    fs::remove_dir_all(&sea.data).unwrap();
    sea.write("a.yaml", &postgres("a", "{version: '18', nonsense: 1}"));
    let shown = text(&recover(&sea, None));
    assert!(shown.contains("correct its manifest first"), "{shown}");
    let words = shown.split_once("recover --confirm ").unwrap().1.split_whitespace().next().unwrap();
    let said = recover(&sea, Some(words));
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said).contains("nonsense"), "{}", text(&said));
    assert!(!sea.data.join("store").exists());

    // Containers of two stores under one installation: each is named with its own words.
    let volume = format!("{}-postgres-other-data", sea.installation);
    let label = |key: &str, value: &str| format!("seawall.dev/{key}={value}");
    let labels = [
        label("installation", &sea.installation),
        label("store", "00000000000000aa"),
        label("kind", "Postgres"),
        label("name", "other"),
    ];
    let mut arguments = vec!["volume", "create"];
    for l in &labels {
        arguments.extend(["--label", l]);
    }
    arguments.push(&volume);
    sea.docker(&arguments);
    let shown = text(&recover(&sea, None));
    assert_eq!(shown.matches("recover --confirm recover-").count(), 2, "{shown}");
    assert!(shown.contains("take over store id 00000000000000aa"), "{shown}");

    // Without manifests nothing is taken for removed: the prune guard and its words come first.
    fs::remove_file(sea.manifests.join("a.yaml")).unwrap();
    sea.docker(&["volume", "rm", &volume]);
    fs::remove_file(sea.manifests.join("catalog.yaml")).unwrap();
    let shown = recovered(&sea);
    assert!(shown.contains("it has no manifests"), "{shown}");
    sea.run();
    sea.until("a", "guarded", |_| sea.ok(&["prune"]).contains("postgres/a"));
    assert_eq!(sea.inspect("a")["State"]["Running"], true);
    sea.write("catalog.yaml", &catalog());
    sea.write("a.yaml", &postgres("a", "{version: '18'}"));
    sea.ready("a");
}

fn store_of(sea: &Sea) -> String {
    fs::read_to_string(sea.data.join("store.id")).unwrap().split(' ').next().unwrap().to_owned()
}
