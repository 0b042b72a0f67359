//! The verbs that look: what they print and the codes they end with.

use super::fake::*;
use seawall::control::api::*;
use seawall::core::measure::Unit;
use std::time::Duration;

#[tokio::test]
async fn get_takes_several_selects_by_labels_and_prints_what_is_wanted_of_each() {
    let fake = two();
    fake.change(|w| w.list.items[1].metadata.labels.clear());
    let place = Place::live(&fake).await;
    for (words, out) in [
        ("get pg main shop-eu -o name", "postgres/main\npostgres/shop-eu\n"),
        ("get pg/shop-eu postgres/main -o name", "postgres/main\npostgres/shop-eu\n"),
        ("get postgres,redis -o name", "postgres/main\npostgres/shop-eu\n"),
        ("get -l team=shop -o name", "postgres/main\n"),
        ("get all -l !team -o name", "postgres/shop-eu\n"),
        (
            "get pg -o custom-columns=WHO:.metadata.name,PORT:{.status.endpoint.hostPort}",
            "WHO      PORT\nmain     5433\nshop-eu  -\n",
        ),
        ("get pg --no-headers -o custom-columns=N:.metadata.name", "main\nshop-eu\n"),
    ] {
        let ran = place.run(words).await;
        assert_eq!((ran.code, ran.out.as_str()), (0, out), "{words}: {}", ran.err);
    }
    let ran = place.run("get pg --show-labels").await;
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(
        lines[0].ends_with("LABELS") && lines[1].ends_with("team=shop") && lines[2].ends_with('-'),
        "{ran:?}"
    );
    let ran = place.run("get pg --no-headers").await;
    assert!(ran.out.starts_with("main ") && ran.out.lines().count() == 2, "{ran:?}");
    let ran = place.run("get pg/main pg/gone -o name").await;
    assert!(
        ran.code == 1 && ran.out == "postgres/main\n" && ran.err.contains("postgres/gone not found"),
        "{ran:?}"
    );
    for wrong in ["get pg,redis main", "get pg/main -l team=shop", "get pg -o custom-columns=x", "get -l a(b"]
    {
        assert_eq!(place.run(wrong).await.code, 1, "{wrong}");
    }
}

#[tokio::test]
async fn events_are_those_that_were_asked_for() {
    let fake = Fake::with(|w| {
        let mut normal = event(1, "postgres/main");
        normal.kind = seawall::core::event::EventType::Normal;
        let mut new = event(3, "postgres/main");
        new.last_seen = jiff::Timestamp::now().to_string();
        w.events = vec![normal, event(2, "postgres/main"), new];
    });
    let place = Place::live(&fake).await;
    for (words, sequences) in [
        ("events -o json", vec![1, 2, 3]),
        ("events -o json --types Warning", vec![2, 3]),
        ("events -o json --types normal,warning --tail 2", vec![2, 3]),
        ("events -o json --since 1h", vec![3]),
        ("events -o json --tail 0", vec![]),
        ("events postgres main -o json --tail 1", vec![3]),
    ] {
        let ran = place.run(words).await;
        let found: Vec<serde_json::Value> = serde_json::from_str(&ran.out).unwrap();
        let found: Vec<u64> = found.iter().map(|event| event["sequence"].as_u64().unwrap()).collect();
        assert_eq!(found, sequences, "{words}");
    }
    assert_eq!(place.run("events --types Bad").await.code, 1);
    assert!(place.run("events --tail 1").await.out.contains("message 3"));
}

#[tokio::test]
async fn get_prints_kubectls_table() {
    let place = Place::live(&two()).await;
    let table = "\
NAME     READY  STATUS    VERSION  PORT  MEMORY  AGE
main     True   Ready     18.6     5433  512Mi   40d
shop-eu  False  NotReady  18       -     512Mi   40d
";
    for words in ["get", "get all", "get postgres", "get pg"] {
        let ran = place.run(words).await;
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, table, ""), "{words}");
    }
    for words in ["get postgres/main", "get pg main"] {
        assert_eq!(place.run(words).await.out.lines().count(), 2, "{words}");
    }
    let wide = place.run("get -o wide").await.out;
    let lines: Vec<&str> = wide.lines().collect();
    assert!(
        lines[0].ends_with("IMAGE                MANAGED  CPUS  CONTAINER         RESTARTS  MESSAGE"),
        "{wide}"
    );
    assert!(
        lines[1].ends_with(
            "seawall/postgres:18  true     1.5   postgres-main     0         logged in as appuser"
        ),
        "{wide}"
    );
    assert!(
        lines[2].ends_with("no\\u{1b}[2J route\\nto host"),
        "what a terminal would obey is gone: {wide:?}"
    );
}

#[tokio::test]
async fn several_kinds_have_a_table_each() {
    let fake = two();
    fake.change(|w| {
        let mut catalog = view("built-in", "True", "Valid", "");
        catalog.kind = "ImageCatalog".into();
        w.list.items.insert(0, catalog);
    });
    let place = Place::live(&fake).await;
    assert_eq!(
        place.run("get").await.out,
        "\
NAME              READY  STATUS    VERSION  PORT  MEMORY  AGE
postgres/main     True   Ready     18.6     5433  512Mi   40d
postgres/shop-eu  False  NotReady  18       -     512Mi   40d

NAME                   READY  STATUS  AGE
imagecatalog/built-in  True   Ready   40d
"
    );
    assert_eq!(
        place.run("get -o name").await.out,
        "imagecatalog/built-in\npostgres/main\npostgres/shop-eu\n"
    );
}

#[tokio::test]
async fn get_in_other_forms() {
    let place = Place::live(&two()).await;
    assert_eq!(place.run("get pg -o name").await.out, "postgres/main\npostgres/shop-eu\n");
    let json: ObjectView = serde_json::from_str(&place.run("get pg/main -o json").await.out).unwrap();
    assert_eq!((json.kind.as_str(), json.metadata.name.as_str()), ("Postgres", "main"));
    let list: serde_json::Value = serde_json::from_str(&place.run("get -o json").await.out).unwrap();
    assert_eq!((list["kind"].as_str(), list["items"].as_array().unwrap().len()), (Some("List"), 2));
    let yaml: serde_yaml::Value = serde_yaml::from_str(&place.run("get pg/main -o yaml").await.out).unwrap();
    assert_eq!(yaml["status"]["server"]["version"].as_str(), Some("18.6"));
    for (template, want) in [
        ("{.status.endpoint.hostPort}", "5433"),
        ("{.status.conditions[?(@.type==\"Ready\")].status}", "True"),
        ("{.status.nothing}", ""),
    ] {
        let form = format!("jsonpath={template}");
        assert_eq!(place.run_words(&["get", "pg/main", "-o", &form]).await.out, want, "{template}");
    }
    let names = place.run("get -o jsonpath={.items[*].metadata.name}").await.out;
    assert_eq!(names, "main shop-eu");
    for bad in ["get -o xml", "get -o jsonpath={range}", "get nothing", "get pg/Main", "get a b c", "explode"]
    {
        assert_eq!(place.run(bad).await.code, 1, "{bad}: 2 is for plan");
    }
}

#[tokio::test]
async fn get_says_what_concerns_no_single_object() {
    let fake = two();
    let place = Place::live(&fake).await;
    let ran = place.run("get pg/none").await;
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.starts_with("error: postgres/none not found"), "{}", ran.err);
    fake.change(|w| {
        w.list.guard = Some("4 of 5 manifests are gone".into());
        w.list.engine_down =
            Some("the Docker engine does not answer since 12:00:00: connection refused".into());
        w.list.problems = vec![problem(); 7];
    });
    let ran = place.run("get").await;
    assert_eq!(ran.code, 3);
    assert_eq!(ran.out.lines().count(), 3, "the table is still only a table");
    for words in [
        "4 of 5 manifests are gone",
        "warning: the Docker engine does not answer since 12:00:00: connection",
        "7 problems",
        "  shop.yaml:7:3: spec.verson: unknown field: version",
        "2 more",
    ] {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
    fake.change(|w| w.list = ObjectList::default());
    let ran = place.run("get").await;
    assert_eq!((ran.code, ran.err.as_str()), (0, "No objects found.\n"));
}

#[tokio::test]
async fn colours_only_where_they_are_wanted() {
    let mut place = Place::live(&two()).await;
    assert!(!place.run("get").await.out.contains('\u{1b}'));
    place.colour = true;
    let out = place.run("get").await.out;
    assert!(out.contains("\u{1b}[32mReady\u{1b}[0m     18.6"), "{out:?}");
    assert!(out.contains("\u{1b}[31mNotReady\u{1b}[0m  18  "), "{out:?}");
    assert!(!place.run("get -o yaml").await.out.contains('\u{1b}'));
}

#[tokio::test]
async fn watching_prints_what_changed() {
    let fake = two();
    let place = Place::live(&fake).await;
    let change = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        fake.change(|w| {
            w.list.items[1] = view("shop-eu", "True", "LoginSucceeded", "");
            w.list.revision += 1;
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        // The operator fails: that ends the watch.
        fake.change(|w| w.error = Some(ApiError::new(ErrorCode::Internal, "gone", "")));
        fake.change(|w| w.list.revision += 1);
    };
    let (ran, ()) = tokio::join!(place.run("get -w"), change);
    assert_eq!(ran.code, 1);
    let rows: Vec<&str> = ran.out.lines().skip(3).collect();
    assert_eq!(
        rows,
        ["shop-eu  True   Ready     18.6     5433  512Mi   40d"],
        "aligned with the first table"
    );
    let offline = Place::offline(FakeBackend { offline: Some(two()), ..FakeBackend::default() });
    let ran = offline.run("get -w").await;
    assert!(ran.code == 1 && ran.err.contains("watching needs a running operator"), "{}", ran.err);
}

#[tokio::test]
async fn the_store_answers_when_no_operator_does() {
    let place = Place::offline(FakeBackend { offline: Some(two()), ..FakeBackend::default() });
    assert_eq!(place.run("get pg/main -o name").await.out, "postgres/main\n");
    let nothing = Place::offline(FakeBackend::default()).run("get").await;
    assert_eq!((nothing.code, nothing.err.as_str()), (1, "error: there is no store\n  seawall run\n"));
    let locked = Place::offline(FakeBackend { locked: true, ..FakeBackend::default() });
    let ran = locked.run("get").await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("process 4711 holds the store"), "{}", ran.err);
    // An operator that just starts holds the store before it answers.
    let begin = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        locked.start(&two()).await;
    };
    let (ran, ()) = tokio::join!(locked.run("get pg/main -o name"), begin);
    assert_eq!(ran.out, "postgres/main\n");
}

#[tokio::test]
async fn a_password_is_shown_only_when_asked_for() {
    let place = Place::live(&two()).await;
    for form in ["text", "url", "env", "json"] {
        let plain = place.run(&format!("connection pg/main -o {form}")).await;
        assert!(plain.code == 0 && !plain.out.contains(PASSWORD), "{form}");
        let revealed = place.run(&format!("connection pg/main --reveal -o {form}")).await;
        assert!(revealed.out.contains(PASSWORD), "{form}: {}", revealed.out);
    }
    let text = place.run("connection pg/main").await.out;
    let (headline, rest) = text.split_once("\n\n").unwrap();
    assert!(headline.starts_with("postgres/main accepts logins (LoginSucceeded for "), "{headline}");
    assert_eq!(
        rest,
        "\
Username:  appuser
Database:  appdb
Password:  ****

From this machine:
  postgresql://appuser:****@127.0.0.1:5433/appdb
From containers on network seawall:
  postgresql://appuser:****@postgres-main:5432/appdb

With the password: seawall connection postgres/main --reveal
Straight in:       seawall psql main
"
    );
    let url = place.run("connection pg/main -o url").await.out;
    assert_eq!(url, "postgresql://appuser@127.0.0.1:5433/appdb\n");
    let env = place.run("connection pg/main -o env").await.out;
    assert!(env.contains("PGPORT=5433\n") && !env.contains("PGPASSWORD"), "{env}");
}

#[tokio::test]
async fn the_owner_of_an_object_is_shown_as_kubectl_has_it() {
    let fake = two();
    fake.change(|w| {
        let meta = &mut w.list.items[0].metadata;
        meta.source.clear();
        meta.owner_references = vec![OwnerReference {
            api_version: "seawall.dev/v1".into(),
            kind: "ImageCatalog".into(),
            name: "s".into(),
            uid: "u-s".into(),
            controller: true,
        }];
    });
    let place = Place::live(&fake).await;
    let out = place.run("describe pg/main").await.out;
    assert!(
        out.contains("Owner:     imagecatalog/s\nManifest:  none: its owner made it (generation 3)"),
        "{out}"
    );
    let owner = place.run("get pg/main -o jsonpath={.metadata.ownerReferences[0].name}").await.out;
    assert_eq!(owner, "s");
    assert!(!place.run("get pg/shop-eu -o yaml").await.out.contains("ownerReferences"));
    fake.change(|w| w.list.items[0].metadata.owner_references[0].controller = false);
    let out = place.run("describe pg/main").await.out;
    assert!(out.contains("imagecatalog/s (wants it no longer)\nManifest:  no manifest holds it"), "{out}");
}

#[tokio::test]
async fn describe_tells_the_worst_first() {
    let fake = two();
    fake.change(|w| {
        w.events = (1..=12).map(|n| event(n, "postgres/shop-eu")).collect();
        w.events.push(event(13, "postgres/main"));
    });
    let place = Place::live(&fake).await;
    let out = place.run("describe pg/shop-eu").await.out;
    let order = [
        "Name:      postgres/shop-eu",
        "Status:    NotReady for 40d: no\\u{1b}[2J route\\nto host",
        "Manifest:  shop.yaml:3 (generation 3)",
        "Wrong now:\n  Ready=False LoginFailed for 40d\n    no\\u{1b}[2J route\\nto host",
        "Connect:",
        "Container:\n  name          postgres-shop-eu",
        "Runtime:\n  CONTAINER         IS       RESTARTS  EXIT  OOM KILLED  OOM KILLS  LAST END              LIMITS DRIFT\n",
        "  postgres-shop-eu  running  2         -     false       1          2026-01-01T00:00:00Z  false\n",
        "Image:",
        "Resources:",
        "  applied  memory 512Mi, cpus 1.5",
        "Credentials:",
        "Conditions:\n  Degraded=False AsExpected",
        "ContinuousArchiving=False NotConfigured",
        "Spec:\n  version: '18'",
        "Events:\n  FIRST SEEN",
        "message 3\n",
        "message 12\n",
    ];
    let mut at = 0;
    for words in order {
        at += out.get(at..).and_then(|rest| rest.find(words)).unwrap_or_else(|| panic!("{words}:\n{out}"));
    }
    assert!(!out.contains("message 2\n") && !out.contains("message 13"), "the last ten of its own: {out}");
    assert!(!place.run("describe pg/main").await.out.contains("Wrong now"));
    assert_eq!(place.run("describe pg/none").await.code, 1);
}

#[tokio::test]
async fn events_are_listed_and_watched() {
    let fake = Fake::with(|w| w.events = vec![event(1, "postgres/main"), event(2, "operator")]);
    let place = Place::live(&fake).await;
    assert_eq!(
        place.run("events").await.out,
        "\
FIRST SEEN  LAST SEEN  COUNT  TYPE     REASON    OBJECT         MESSAGE
40d         40d        2      Warning  Repaired  postgres/main  message 1
40d         40d        2      Warning  Repaired  operator       message 2
"
    );
    for words in ["events pg/main", "events --for pg/main", "events --for=postgres/main"] {
        assert_eq!(place.run(words).await.out.lines().count(), 2, "{words}");
    }
    assert_eq!(place.run("events pg/none").await.err, "No events found.\n");
    let more = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        fake.change(|w| w.events.push(event(3, "postgres/main")));
        fake.change(|w| w.list.revision += 1);
        tokio::time::sleep(Duration::from_millis(200)).await;
        fake.change(|w| w.error = Some(ApiError::new(ErrorCode::Internal, "gone", "")));
        fake.change(|w| w.list.revision += 1);
    };
    let (ran, ()) = tokio::join!(place.run("events pg/main -w"), more);
    let messages: Vec<&str> = ran.out.lines().skip(1).filter_map(|l| l.split("  ").last()).collect();
    assert_eq!(messages, ["message 1", "message 3"], "{}", ran.out);
}

#[tokio::test]
async fn top_says_of_what_each_figure_is_a_part() {
    let fake = Fake::with(|w| w.top = used());
    let place = Place::live(&fake).await;
    let table = "\
NAME           CPU          CPU%          MEMORY      MEMORY%       BLOCK R/W   NETWORK IN/OUT
app/web.a      -            -             -           -             -           -
postgres/main  0.250 / 0.5  50.0% of cap  48Mi / 2Gi  2.3% of host  0/s 1.5Ki/s  3Mi/s 0Ki/s
";
    let squeezed = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let ran = place.run("top").await;
    assert_eq!((ran.code, squeezed(&ran.out)), (0, squeezed(table)), "{}", ran.out);
    // What goes on inside stands behind it, where it is known.
    let advice = Advice { verdict: Verdict::Raise, wanted: "1Gi".to_owned(), ..Advice::default() };
    let keep = Advice { wanted: "0.5".to_owned(), ..Advice::default() };
    fake.change(|w| {
        w.recommend.items.push(Recommendation {
            object: "postgres/main".to_owned(),
            memory: Some(advice),
            cpus: Some(keep),
            ..Recommendation::default()
        });
    });
    let wide = "\
CONNECTIONS SIZE WAL CACHE HIT TX/S OLDEST TX RECOMMENDED
- - - - - - -
7 / 100 22Mi 0 - 1.2 3m20s memory 1Gi";
    let ran = place.run("top -o wide").await;
    let want: Vec<_> = squeezed(table).iter().zip(wide.lines()).map(|(a, b)| format!("{a} {b}")).collect();
    assert_eq!((ran.code, squeezed(&ran.out)), (0, want), "{}", ran.out);
    place.run("top pg/main").await;
    assert!(fake.calls().contains(&"top postgres/main".to_owned()));
    let told: TopList = serde_json::from_str(&place.run("top -o json").await.out).unwrap();
    assert_eq!(told, used());
    // Again and again, until somebody ends it.
    let watched = tokio::time::timeout(Duration::from_secs(9), place.run("top -w")).await;
    assert!(watched.is_err(), "it goes on");
    assert_eq!(fake.calls().iter().filter(|call| *call == "top ").count(), 5, "each five seconds");
    fake.change(|w| w.top = TopList::default());
    assert!(place.run("top").await.err.contains("No containers found."));
}

fn over_time() -> HistoryView {
    let point = |n: i64| Point { at: n * 300, mean: f64::from(1 << 20), max: f64::from(1 << 21) };
    let series = |name: &str, unit, points: Vec<i64>| {
        SeriesView::of(name.to_owned(), unit, points.into_iter().map(point).collect())
    };
    HistoryView {
        object: "postgres/main".to_owned(),
        from: 0,
        to: 3600,
        step: 300,
        series: vec![
            series("archive_backlog", Unit::Count, vec![0]),
            series("wal_bytes", Unit::Bytes, vec![0, 1, 5]),
        ],
    }
}

#[tokio::test]
async fn history_lists_what_there_is_and_draws_one() {
    let fake = Fake::with(|w| w.history = over_time());
    let place = Place::live(&fake).await;
    let list = place.run("history pg/main").await;
    let words: Vec<Vec<&str>> = list.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["METRIC", "LAST", "MIN", "MAX", "KNOWN"]);
    assert_eq!(words[2], ["wal_bytes", "1Mi", "1Mi", "2Mi", "15m", "of", "60m"], "{}", list.out);
    assert!(fake.calls().contains(&"history postgres/main all 21600".to_owned()), "{:?}", fake.calls());
    fake.change(|w| drop(w.history.series.remove(0)));
    let drawn = place.run("history pg/main --metric wal_bytes --since 1h").await;
    assert!(fake.calls().contains(&"history postgres/main wal_bytes 3600".to_owned()));
    assert!(
        drawn.out.starts_with("postgres/main wal_bytes, every 5m\n  2Mi ┤") || drawn.out.contains("2Mi ┤"),
        "{}",
        drawn.out
    );
    assert!(drawn.out.ends_with("min 1Mi   max 2Mi   last 1Mi at 1970-01-01T00:25:00Z\n"), "{}", drawn.out);
    assert!(drawn.out.lines().all(|line| line.chars().count() <= 80), "{}", drawn.out);
    let csv = place.run("history pg/main --metric wal_bytes -o csv").await.out;
    let want = "time,object,metric,mean,max\n1970-01-01T00:00:00Z,postgres/main,wal_bytes,1048576,2097152\n";
    assert!(csv.starts_with(want) && csv.lines().count() == 4, "{csv}");
    let told: HistoryView = serde_json::from_str(&place.run("history pg/main -o json").await.out).unwrap();
    assert_eq!(told.series.len(), 1);
    fake.change(|w| w.history.series.clear());
    let none = place.run("history pg/main").await;
    assert!(
        none.code == 1 && none.err.contains("nothing is known of postgres/main in the last 6h"),
        "{none:?}"
    );
    assert!(place.run("history pg/main --metric a&b=c").await.code == 1);
}

#[tokio::test]
async fn recommend_prints_yaml_with_its_reasons_and_what_it_cannot_say_yet() {
    let advice = |verdict, now: Option<&str>, wanted: &str| Advice {
        verdict,
        now: now.map(str::to_owned),
        wanted: wanted.to_owned(),
        why: "peak 300Mi x 1.25".to_owned(),
    };
    let item = |object: &str, memory| Recommendation {
        object: object.to_owned(),
        known_seconds: 6 * 86_400,
        memory,
        ..Recommendation::default()
    };
    let lower = advice(Verdict::Lower, Some("512Mi"), "384Mi");
    let items = vec![
        Recommendation {
            made_by: Some("project/shop".to_owned()),
            yaml: "resources:\n  memory: 384Mi  # why\n".to_owned(),
            ..item("app/shop-production-web", Some(lower.clone()))
        },
        Recommendation {
            yaml: "resources:\n  memory: 384Mi  # why\n".to_owned(),
            ..item("postgres/a", Some(lower))
        },
        item("postgres/b", Some(advice(Verdict::Keep, Some("512Mi"), "448Mi"))),
        Recommendation { known_seconds: 7200, ..item("redis/c", None) },
    ];
    let fake = Fake::with(|w| w.recommend = RecommendList { items });
    let place = Place::live(&fake).await;
    let want = "\
# app/shop-production-web, by 6d of use
# in the manifest of project/shop, where it has this application
resources:
  memory: 384Mi  # why

# postgres/a, by 6d of use
spec:
  resources:
    memory: 384Mi  # why

# postgres/b, by 6d of use
# keep memory 512Mi: peak 300Mi x 1.25

# redis/c: too early: at most 120m of use are known, a day is the least
";
    let ran = place.run("recommend").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, want));
    place.run("recommend pg/a").await;
    assert!(fake.calls().contains(&"recommend postgres/a".to_owned()));
    let told: RecommendList = serde_json::from_str(&place.run("recommend -o json").await.out).unwrap();
    assert_eq!(told.items.len(), 4);
    fake.change(|w| w.recommend.items.clear());
    assert!(place.run("recommend").await.err.contains("No containers found."));
}
