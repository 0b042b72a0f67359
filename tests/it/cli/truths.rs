//! What the command line says is so: which manifests are meant, that there are none, what of a table is old.

use super::fake::*;
use seawall::cli::backend::Validated;

#[tokio::test]
async fn a_flag_and_an_argument_name_the_same_manifests_and_a_file_what_it_names() {
    let fake = Fake::default();
    let place = Place::live(&fake).await;
    std::fs::create_dir(place.dir.path().join("m")).unwrap();
    std::fs::write(place.dir.path().join("m/x.yaml"), "1").unwrap();
    let sent = |fake: &Fake| fake.calls().last().unwrap().clone();
    for words in ["plan m", "plan --manifests m", "--manifests m plan", "plan m --manifests other"] {
        assert_eq!(place.run(words).await.code, 0, "{words}");
        assert_eq!(sent(&fake), r#"plan Some({"x.yaml": "1"})"#, "{words}");
    }
    assert!(place.run("plan --manifests nowhere").await.err.contains("there is no directory"));
    place.run("plan").await;
    assert_eq!(sent(&fake), "plan None");
    assert_eq!(place.run("plan m/x.yaml").await.code, 0);
    let file = place.dir.path().join("m/x.yaml");
    assert_eq!(sent(&fake), format!(r#"plan_beside {{{:?}: "1"}}"#, file.display().to_string()));
    std::fs::write(&file, [0xff]).unwrap();
    assert!(place.run("plan m/x.yaml").await.err.contains("valid UTF-8"));
    std::fs::write(&file, " ".repeat((1 << 20) + 1)).unwrap();
    assert!(place.run("plan m/x.yaml").await.err.contains("more than 1 MiB"));
}

#[tokio::test]
async fn a_directory_without_manifests_is_not_well() {
    let place = Place::offline(FakeBackend::default());
    let ran = place.run("validate .").await;
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.starts_with("error: there is no manifest in "), "{ran:?}");
    let validated = Validated { files: 1, ..Validated::default() };
    let place = Place::offline(FakeBackend { validated, ..FakeBackend::default() });
    let ran = place.run("validate .").await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "ok: 0 objects in 1 file\n"));
}

#[tokio::test]
async fn running_once_fails_on_a_wrong_path_and_shows_what_was_looked_at() {
    let old = view(
        "old",
        "Unknown",
        "NotLookedAt",
        "not looked at since the operator started; Ready was True before",
    );
    let fake = Fake::with(|w| w.list.items = vec![main_view(), old]);
    let place = Place::offline(FakeBackend { offline: Some(fake), ..FakeBackend::default() });
    let ran = place.run("run --once --manifests nowhere").await;
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("there are no manifests in ") && ran.err.contains("nowhere"), "{ran:?}");
    let ran = place.run("run --once --manifests .").await;
    let rows: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("postgres/")).collect();
    assert!(rows.len() == 2 && rows[0].starts_with("postgres/main ") && rows[0].contains("18.6"), "{ran:?}");
    assert!(rows[1].starts_with("postgres/old is not Ready: NotLookedAt: "), "{ran:?}");
    assert_eq!(ran.code, 1);
}

#[tokio::test]
async fn a_connection_is_written_as_docker_reads_it_and_for_its_network() {
    let place = Place::live(&Fake::default()).await;
    let of = async |words: &str| place.run(&format!("connection pg/main {words}")).await.out;
    assert!(of("-o env").await.contains("PGHOST=127.0.0.1\nPGPORT=5433\n"));
    let network = of("-o env --network").await;
    assert!(network.contains("PGHOST=postgres-main\nPGPORT=5432\n"), "{network}");
    assert!(network.contains("DATABASE_URL=postgresql://appuser@postgres-main:5432/appdb\n"), "{network}");
    assert_eq!(of("-o url --network").await, "postgresql://appuser@postgres-main:5432/appdb\n");
    let docker = of("-o docker --reveal").await;
    assert!(docker.contains("PGHOST=postgres-main\n"), "{docker}");
    assert!(docker.contains(&format!("PGPASSWORD={PASSWORD}\n")), "{docker}");
}
