//! The operator as a machine: what it does about every drift, loss and failure of the engine, without
//! Docker or PostgreSQL.

pub mod of;
pub mod rig;

use crate::plan_goldens::{Case, container, facts_of};
use rig::{PASSWD, Rig, engine, image, object};
use seawall::control::api::Api;
use seawall::control::operator::Times;
use seawall::core::condition::{ConditionType as C, Truth};
use seawall::core::names::Installation;
use seawall::core::quantity::Bytes;
use seawall::core::seen::{ContainerState, EngineInfo, Usage};
use seawall::docker::Docker;
use seawall::kinds::postgres::client::SqlError;
use seawall::kinds::postgres::collation::{Collations, InDatabase, Mismatch, Named};
use seawall::kinds::postgres::fake_server::BAD_VALUE;
use seawall::kinds::postgres::world::Weak;
use seawall::store::Store;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const MAIN: &str = "{version: '18', database: appdb, username: appuser}";
const CONTAINER: &str = "postgres-main";
const VOLUME: &str = "postgres-main-data";
const NETWORK: &str = "seawall";
const PARAMETERS: &str = "/etc/seawall/postgresql.conf";

async fn settled() -> Rig {
    let rig = Rig::start(&[("main", MAIN)]);
    rig.ready("main").await;
    rig
}

#[tokio::test(start_paused = true)]
async fn a_manifest_becomes_a_ready_server() {
    let rig = settled().await;
    let c = rig.container("main").unwrap();
    assert_eq!((c.state, c.restart_policy.as_str()), (ContainerState::Running, "always"));
    assert_eq!(rig.fake.inventory(), [CONTAINER, VOLUME, NETWORK]);
    let file = rig.fake.file(CONTAINER, "/etc/seawall/password").unwrap().unwrap();
    assert!(file.content.is_empty(), "emptied after initdb");
    let plan = rig.plan("main").await;
    assert!(plan.steps.is_empty() && plan.waiting.is_empty() && plan.blocked.is_empty(), "{plan:?}");
    let mirror = || std::fs::read_to_string(rig.data("status/postgres/main.yaml")).unwrap_or_default();
    rig.until("mirrored", || mirror().contains("LoginSucceeded").then_some(())).await;
    let password = rig.password("main").await;
    assert!(password.len() >= 28);
    for line in rig.operator.export().await.unwrap() {
        assert!(!line.contains(&password));
    }
}

#[tokio::test(start_paused = true)]
async fn other_data_under_an_object_is_not_ready_until_it_was_meant() {
    let rig = settled().await;
    assert!(rig.servers.replace_data(CONTAINER, "42"));
    assert!(rig.servers.drop_database(CONTAINER, "appdb"));
    let why = rig.reason("main", C::Degraded, "DifferentCluster").await;
    assert!(why.contains("its system identifier is 42, this object's is 7000000000000000001"), "{why}");
    assert!(why.contains("seawall.dev/accept-cluster: \"42\""), "{why}");
    assert_eq!(rig.condition("main", C::Ready).unwrap().status, Truth::False);
    // Not a database is made in it, and what it is named does not become what is remembered.
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(rig.condition("main", C::Degraded).unwrap().reason, "DifferentCluster");
    rig.manifest_with("main", "'seawall.dev/accept-cluster': '41'", MAIN);
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(rig.condition("main", C::Degraded).unwrap().reason, "DifferentCluster");
    rig.manifest_with("main", "'seawall.dev/accept-cluster': '42'", MAIN);
    rig.until("meant", || {
        rig.condition("main", C::Degraded).is_none_or(|c| c.reason != "DifferentCluster").then_some(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_login_that_proves_nothing_is_a_condition_and_never_sets_passwords_again_and_again() {
    for (weak, resets) in [
        (Weak::ClearText, 0),
        (Weak::NoPassword, 0),
        (Weak::Other("GSSAPI"), 0),
        // Stored as MD5 it can be mended from here: once.
        (Weak::Md5, 1),
    ] {
        let rig = settled().await;
        rig.servers.set_answer(CONTAINER, Some(SqlError::Weak(weak)));
        // Also the kept session ends.
        rig.fake.drift_kill(CONTAINER).unwrap();
        let why = rig.reason("main", C::Degraded, "AuthenticationWeak").await;
        assert!(why.starts_with(&weak.to_string()), "{why}");
        assert!(
            why.contains(
                "-e PGDATABASE=appdb postgres-main psql -X -U appuser -c 'SELECT pg_catalog.pg_reload_conf()'"
            ),
            "{why}"
        );
        let ready = rig.condition("main", C::Ready).unwrap();
        assert_eq!((ready.status, ready.reason.as_str()), (Truth::False, "AuthenticationWeak"));
        rig.let_pass(Duration::from_secs(600)).await;
        let set: u64 = rig.events().iter().filter(|e| e.reason == "PasswordReset").map(|e| e.count).sum();
        assert_eq!(set, resets, "{weak:?}: {:#?}", rig.events());
        rig.servers.set_answer(CONTAINER, None);
        rig.ready("main").await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_sorts_text_otherwise_waits_for_consent_and_then_says_what_to_build_again() {
    let dpkg = |version: &str| format!("Package: libc6\nStatus: install ok installed\nVersion: {version}\n");
    let fake = engine();
    fake.add_image_file("local/postgres:18", "/var/lib/dpkg/status", dpkg("2.36-9").as_bytes());
    fake.add_image_file("local/postgres:18b", "/var/lib/dpkg/status", dpkg("2.41-12").as_bytes());
    let mut rig = Rig::new(fake, Times::default());
    rig.manifest("main", MAIN);
    rig.drive();
    rig.ready("main").await;
    let by_c = Collations { mismatched: Vec::new(), providers: Some("c".to_owned()) };
    rig.servers.set_collations(CONTAINER, by_c.clone());
    rig.fake.drift_kill(CONTAINER).unwrap();
    rig.until("learnt", || rig.said("ContainerStarted", "killed").then_some(())).await;
    rig.ready("main").await;
    let before = rig.container("main").unwrap().id;
    rig.manifest("main", "{version: '18b', database: appdb, username: appuser}");
    let why = rig.reason("main", C::Degraded, "CollationChange").await;
    assert!(
        why.contains("glibc 2.36 → glibc 2.41") && why.contains("spec.acceptCollationChange: true"),
        "{why}"
    );
    assert_eq!(rig.container("main").unwrap().id, before, "what serves goes on serving");
    assert_eq!(rig.condition("main", C::Ready).unwrap().status, Truth::True);

    let mismatch =
        Mismatch { database: "appdb".to_owned(), built_with: "2.36".to_owned(), now: "2.41".to_owned() };
    rig.servers.set_collations(CONTAINER, Collations { mismatched: vec![mismatch], ..by_c.clone() });
    let accepted = "{version: '18b', database: appdb, username: appuser, acceptCollationChange: true}";
    rig.manifest("main", accepted);
    let why = rig.reason("main", C::Degraded, "CollationVersionMismatch").await;
    assert!(why.contains("-d appdb -c 'REINDEX DATABASE \"appdb\"'"), "{why}");
    rig.until("switched", || rig.container("main").filter(|c| c.id != before).map(drop)).await;
    rig.ready("main").await;
    assert_eq!(rig.condition("main", C::Degraded).unwrap().reason, "CollationVersionMismatch");
    rig.servers.set_collations(CONTAINER, by_c);
    rig.until("built again", || rig.condition("main", C::Degraded).is_none().then_some(())).await;
    // The consent was for this change; what is in force now is what the next one is compared with.
    rig.manifest("main", "{version: '18b', database: appdb, username: appuser}");
    rig.let_pass(Duration::from_secs(60)).await;
    rig.ready("main").await;
    assert!(rig.condition("main", C::Degraded).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_column_that_names_a_collation_counts_like_a_database() {
    let dpkg = |version: &str| format!("Package: libc6\nStatus: install ok installed\nVersion: {version}\n");
    let fake = engine();
    fake.add_image_file("local/postgres:18", "/var/lib/dpkg/status", dpkg("2.36-9").as_bytes());
    fake.add_image_file("local/postgres:18b", "/var/lib/dpkg/status", dpkg("2.41-12").as_bytes());
    let mut rig = Rig::new(fake, Times::default());
    rig.servers
        .set_collations(CONTAINER, Collations { providers: Some(String::new()), ..Collations::default() });
    let named = |mismatched: Vec<Named>| {
        vec![InDatabase { database: "shop".to_owned(), providers: "c".to_owned(), mismatched }]
    };
    rig.servers.set_columns(CONTAINER, named(Vec::new()));
    rig.manifest("main", MAIN);
    rig.drive();
    rig.ready("main").await;
    let (before, logins) = (rig.container("main").unwrap().id, rig.servers.logins());
    rig.let_pass(Duration::from_secs(1_300)).await;
    assert_eq!(rig.servers.logins(), logins, "no database is asked without a reason");
    rig.manifest("main", "{version: '18b', database: appdb, username: appuser}");
    rig.reason("main", C::Degraded, "CollationChange").await;
    assert_eq!(rig.container("main").unwrap().id, before);

    let own = Named { collation: "\"public\".\"own\"".into(), built_with: "2.36".into(), now: "2.41".into() };
    rig.servers.set_columns(CONTAINER, named(vec![own]));
    rig.manifest("main", "{version: '18b', database: appdb, username: appuser, acceptCollationChange: true}");
    let why = rig.reason("main", C::Degraded, "CollationVersionMismatch").await;
    assert!(
        why.contains(
            "-d shop -c 'REINDEX DATABASE \"shop\"' -c 'ALTER COLLATION \"public\".\"own\" REFRESH VERSION'"
        ),
        "{why}"
    );
    // Also after a restart of both: it is remembered that somebody has to build them again.
    rig.leave().await;
    rig.fake.drift_kill(CONTAINER).unwrap();
    rig.check_and_restart().await;
    rig.ready("main").await;
    assert_eq!(rig.condition("main", C::Degraded).unwrap().reason, "CollationVersionMismatch");
    rig.servers.set_columns(CONTAINER, named(Vec::new()));
    rig.until("built again", || rig.condition("main", C::Degraded).is_none().then_some(())).await;
    let logins = rig.servers.logins();
    rig.let_pass(Duration::from_secs(1_300)).await;
    assert_eq!(rig.servers.logins(), logins, "and no longer asked for");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_database_is_not_made_again_empty() {
    let rig = settled().await;
    assert!(rig.servers.drop_database(CONTAINER, "appdb"));
    let why = rig.reason("main", C::Degraded, "DatabaseMissing").await;
    assert!(why.contains("an empty one was not made"), "{why}");
    assert_eq!(rig.condition("main", C::Ready).unwrap().status, Truth::False);
    rig.manifest("main", "{version: '18', database: other, username: appuser}");
    rig.ready("main").await;
    assert!(rig.said("DatabaseCreated", "never seen before"));
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_fails_backs_off_and_ends_as_stalled_until_the_image_is_there() {
    let rig = Rig::start(&[("main", "{version: remote}")]);
    let why = rig.reason("main", C::Stalled, "NoProgress").await;
    assert!(why.contains("10 passes") && why.contains("pull access denied"), "{why}");
    let pulls = rig.fake.call_log()["pull"];
    assert!((10..=11).contains(&pulls), "{pulls} pulls: one a pass, with back-off");
    let remote = image("remote/postgres:18", 18, 9);
    rig.fake.add_image(remote.clone());
    rig.fake.add_image_file("remote/postgres:18", "/etc/passwd", PASSWD);
    rig.fake.add_image_file("remote/postgres:18", "/usr/bin/postgres", b"\0PG_18_202506291\0");
    rig.fake.remove_image("remote/postgres:18");
    rig.fake.add_remote_image(remote);
    rig.ready("main").await;
    assert!(rig.condition("main", C::Stalled).is_none());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_acted_on_before_the_store_has_it() {
    let mut rig = Rig::new(engine(), Times::default());
    rig.manifest("main", MAIN);
    rig.store.fail_writes(true);
    rig.drive();
    rig.let_pass(Duration::from_secs(60)).await;
    assert_eq!(rig.fake.writes(), 0, "not even a record: {:?}", rig.fake.call_log());
    rig.store.fail_writes(false);
    rig.ready("main").await;

    // A new object whose password or port cannot be kept: no container, no volume of it.
    let rig = settled().await;
    rig.manifest("other", MAIN);
    rig.until("known", || rig.view("other").map(|_| rig.store.fail_writes(true))).await;
    rig.let_pass(Duration::from_secs(60)).await;
    let kept = rig.store.get("secret/postgres/other").unwrap().is_some();
    assert!(kept || rig.container("other").is_none(), "a container without a kept password");
    rig.store.fail_writes(false);
    rig.ready("other").await;
    assert_eq!(rig.fake.inventory().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn forty_unchanged_services_cost_one_list_call_a_sweep_and_no_write() {
    let names: Vec<String> = (0..40).map(|n| format!("p{n:02}")).collect();
    let manifests: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), MAIN)).collect();
    let rig = Rig::start(&manifests);
    for name in &names {
        rig.ready(name).await;
    }
    // What each look finds anew is shown, and written nowhere.
    let all = || {
        let mut all = rig.all();
        for sampled in ["walHealth", "monitoring"] {
            all.iter_mut().for_each(|view| drop(view.status.as_object_mut().unwrap().remove(sampled)));
        }
        all
    };
    // By the second look all disks are seen.
    rig.let_pass(Duration::from_secs(60)).await;
    let before: Vec<_> = all();
    let records = rig.store.records("").unwrap();
    rig.fake.reset_calls();
    let logins = rig.servers.logins();
    rig.let_pass(Duration::from_secs(300)).await;
    let calls = BTreeMap::from([("list", 10), ("volumes", 10), ("events", 10)]);
    assert_eq!(rig.fake.call_log(), calls, "10 sweeps in 300 s");
    assert_eq!(rig.servers.logins(), logins, "probes use the kept sessions");
    assert_eq!(all(), before);
    assert!(rig.store.records("").unwrap() == records, "nothing was written, not even the same");
}

#[tokio::test(start_paused = true)]
async fn a_watcher_is_woken_by_a_change_and_otherwise_at_its_limit() {
    let rig = settled().await;
    rig.let_pass(Duration::from_secs(60)).await;
    let revision = rig.operator.objects().await.unwrap().revision;
    let begun = tokio::time::Instant::now();
    assert_eq!(rig.operator.watch(revision, 5_000).await.unwrap(), revision);
    assert!(begun.elapsed() >= Duration::from_secs(5));
    let operator = rig.operator.clone();
    let watching = tokio::spawn(async move { operator.watch(revision, 30_000).await.unwrap() });
    rig.fake.drift_kill(CONTAINER).unwrap();
    assert!(watching.await.unwrap() > revision);
    assert!(rig.operator.watch(0, 30_000).await.unwrap() > revision, "at once when it is newer");
}

#[tokio::test(start_paused = true)]
async fn an_emptied_directory_removes_nothing_until_it_is_confirmed() {
    let rig = Rig::start(&[("a", MAIN), ("b", MAIN), ("c", MAIN)]);
    for name in ["a", "b", "c"] {
        rig.ready(name).await;
    }
    for name in ["a", "b", "c"] {
        rig.remove(name);
    }
    rig.until("guarded", || rig.said("PruneGuard", "3 of 4 manifests").then_some(())).await;
    rig.let_pass(Duration::from_secs(120)).await;
    assert_eq!(rig.fake.inventory().len(), 7);
    rig.reason("a", C::Degraded, "PruneGuard").await;
    for name in ["a", "b", "c"] {
        rig.manifest(name, MAIN);
    }
    rig.until("lifted", || rig.said("PruneGuardLifted", "").then_some(())).await;
    for name in ["a", "b", "c"] {
        rig.ready(name).await;
    }
    for name in ["a", "b", "c"] {
        rig.remove(name);
    }
    std::fs::remove_file(rig.path("catalog.yaml")).unwrap();
    rig.until("guarded again", || rig.said("PruneGuard", "has no manifests").then_some(())).await;
    let prune = rig.operator.prune().await.unwrap();
    assert_eq!(prune.would_remove.len(), 4);
    assert!(rig.operator.confirm_prune("yes").await.is_err(), "the words must fit the set");
    rig.operator.confirm_prune(&prune.confirm).await.unwrap();
    for name in ["a", "b", "c"] {
        rig.reason(name, C::Ready, "Retained").await;
        rig.until("gone", || rig.container(name).is_none().then_some(())).await;
    }
    assert_eq!(rig.fake.inventory(), ["postgres-a-data", "postgres-b-data", "postgres-c-data", NETWORK]);
}

#[tokio::test(start_paused = true)]
async fn services_made_at_once_never_get_one_port() {
    let names: Vec<String> = (0..24).map(|n| format!("p{n}")).collect();
    let manifests: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), MAIN)).collect();
    let rig = Rig::start(&manifests);
    let mut ports = BTreeSet::new();
    for name in &names {
        rig.ready(name).await;
        assert!(ports.insert(rig.container(name).unwrap().published[0].host), "{name} has another's port");
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_that_somebody_else_took_is_skipped_when_automatic_and_said_when_pinned() {
    let rig = Rig::start(&[("pinned", "{version: '18', port: 7777}")]);
    rig.ready("pinned").await;
    rig.fake.hold_port(7778);
    rig.manifest("taken", "{version: '18', port: 7778}");
    let why = rig.reason("taken", C::Ready, "PortTaken").await;
    assert!(why.contains("7778"), "{why}");
    rig.manifest("twice", "{version: '18', port: 7777}");
    let why = rig.reason("twice", C::Degraded, "PortConflict").await;
    assert!(why.contains("7777 belongs to postgres/pinned"), "{why}");
    rig.fake.free_port(7778);
    rig.ready("taken").await;

    for port in 5432..5532 {
        rig.fake.hold_port(port);
    }
    rig.manifest("auto", MAIN);
    rig.ready("auto").await;
    assert!(rig.container("auto").unwrap().published[0].host >= 5532);
}

#[tokio::test(start_paused = true)]
async fn the_port_of_a_stopped_container_of_another_installation_is_not_free() {
    let fake = engine();
    let others = 5432..5452u16;
    for port in others.clone() {
        let Case { mut identity, spec, memory, .. } = Case::settled();
        identity.installation = Installation::parse("other").unwrap();
        identity.object = object(&format!("p{port}"));
        let mut facts = facts_of("aa", 18);
        facts.work.id = image("local/postgres:18", 18, 1).id;
        let made = container(&identity, &spec, &facts, &memory, Some(port));
        fake.create(&made).await.unwrap();
    }
    let mut rig = Rig::new(fake, Times::default());
    rig.manifest("main", MAIN);
    rig.drive();
    rig.ready("main").await;
    let port = rig.container("main").unwrap().published[0].host;
    assert!(!others.contains(&port), "{port}");
    assert!(!rig.said("PortReserved", "taken"), "not found out by trying: {:?}", rig.events());
}

#[tokio::test(start_paused = true)]
async fn once_does_not_give_up_while_another_automatic_port_can_be_tried() {
    let rig = Rig::start(&[]);
    // Free for who looks, taken when the container starts: as when two choose at the same moment.
    for port in 5432..5444 {
        rig.fake.hold_port(port);
    }
    rig.manifest("main", MAIN);
    rig.until("known", || rig.view("main")).await;
    let objects = seawall::control::settle::settled(&rig.operator, Duration::from_secs(600)).await;
    assert!(objects.items.iter().all(|o| o.status["conditions"][0]["status"] == "True"), "{objects:?}");
    assert!(rig.container("main").unwrap().published[0].host >= 5444);
}

#[tokio::test(start_paused = true)]
async fn the_engine_is_asked_once_for_the_memory_in_use_where_there_is_room_for_a_command() {
    for (cap, shown, asked) in [("256Mi", false, 1), ("110Mi", false, 2), ("110Mi", true, 1)] {
        let rig = settled().await;
        if shown {
            rig.fake.show_cgroups();
        }
        let usage = Usage { memory: Bytes(100 << 20), unreclaimable: Bytes(100 << 20), memory_limit: None };
        rig.fake.set_usage(CONTAINER, usage).unwrap();
        rig.fake.reset_calls();
        let spec =
            format!("{{version: '18', database: appdb, username: appuser, resources: {{memory: {cap}}}}}");
        rig.manifest("main", &spec);
        rig.until(cap, || rig.said("ResourcesUpdated", cap).then_some(())).await;
        assert_eq!(rig.fake.call_log()["usage"], asked, "{cap}: a second answer takes the engine a second");
    }
}

#[tokio::test(start_paused = true)]
async fn parameters_reach_a_running_server_and_a_refused_one_leaves_it_running() {
    let rig = settled().await;
    let before = rig.container("main").unwrap();
    let with = |more: &str| {
        rig.manifest("main", &format!("{{version: '18', database: appdb, username: appuser, {more}}}"))
    };
    let file = || {
        String::from_utf8(rig.fake.file(CONTAINER, PARAMETERS).unwrap().unwrap().content.to_vec()).unwrap()
    };
    with("parameters: {work_mem: 16MB}");
    rig.until("written", || (file().contains("work_mem = '16MB'") && rig.is_ready("main")).then_some(()))
        .await;
    assert_eq!(rig.container("main").unwrap().started_at, before.started_at, "by a reload");
    // What needs no server to be known is a problem of the manifest; what is in force stays.
    with("parameters: {work_mem: lots}");
    let why = rig.reason("main", C::Degraded, "ManifestBroken").await;
    assert!(why.contains("spec.parameters.work_mem: work_mem must be 64kB to 2147483647kB"), "{why}");
    assert!(rig.is_ready("main") && !file().contains("lots"));
    with(&format!("parameters: {{timezone: {BAD_VALUE}}}"));
    let why = rig.reason("main", C::Degraded, "ParameterRejected").await;
    assert!(why.contains("invalid value for parameter"), "{why}");
    assert_eq!(rig.condition("main", C::Ready).unwrap().status, Truth::True);
    assert!(file().contains("16MB"));
    with("restartPolicy: Manual, parameters: {max_connections: 50}");
    let why = rig.reason("main", C::PendingRestart, "ParametersChanged").await;
    assert!(why.contains("max_connections") && why.contains("Manual"), "{why}");
    rig.let_pass(Duration::from_secs(60)).await;
    assert_eq!(rig.container("main").unwrap().started_at, before.started_at);
    with("restartPolicy: Auto, parameters: {max_connections: 50}");
    rig.reason("main", C::PendingRestart, "NoneWaiting").await;
    let after = rig.container("main").unwrap();
    assert!(after.id == before.id && after.started_at != before.started_at);
}

/// Neither a smaller host nor a rule that is newer than a manifest leaves its server unattended.
#[tokio::test(start_paused = true)]
async fn what_is_in_force_is_looked_after_on_a_smaller_host() {
    let mut rig = settled().await;
    rig.manifest(
        "main",
        "{version: '18', database: appdb, username: appuser, resources: {memory: 8Gi, cpus: 3}}",
    );
    rig.until("capped", || rig.container("main").and_then(|c| c.caps.cpus)).await;
    rig.settled("with its caps").await;
    let id = rig.container("main").unwrap().id;
    rig.leave().await;
    let info = rig.fake.info().await.unwrap();
    rig.fake.set_info(EngineInfo { cpus: 2, memory: 4 << 30, ..info });
    rig.restart();
    let why = rig.reason("main", C::Degraded, "ManifestBroken").await;
    assert!(
        why.contains("8Gi is more than the 4Gi of memory that this host has; write 4Gi or less"),
        "{why}"
    );
    let said: Vec<String> = rig.problems().iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|p| p.contains("3 CPUs are more than the 2 this host has")), "{said:?}");
    rig.ready("main").await;
    rig.fake.remove(&id).await.unwrap();
    rig.until("made again", || rig.container("main").filter(|c| c.id != id).map(|_| ())).await;
    rig.ready("main").await;
    let caps = rig.container("main").unwrap().caps;
    assert_eq!(caps.memory, Some(Bytes(4 * Bytes::GI)), "all that there is");
}
