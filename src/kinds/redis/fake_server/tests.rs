//! The fake server is what its files say, and what a test makes of it.

use super::*;
use crate::core::desired::{DesiredContainer, Hardening, RestartPolicy};
use crate::core::pairs::Pairs;
use crate::core::resource::Caps;
use crate::core::seen::SeenImage;
use crate::docker::{Docker, FileToPut};
use crate::kinds::redis::config::{EvictionPolicy, FileInput, Persistence, UserName};
use zeroize::Zeroizing;

async fn started() -> (Arc<FakeDocker>, FakeServers, String) {
    let docker = Arc::new(FakeDocker::new());
    docker.add_image(SeenImage {
        id: "sha256:redis".into(),
        tags: vec!["redis:8".into()],
        digests: vec![],
        env: [("REDIS_VERSION", "8.0.6")].into_iter().collect(),
        labels: Pairs::default(),
        volumes: vec![config::DATA.into()],
        architecture: "amd64".into(),
        user: String::new(),
        stop_signal: String::new(),
        cmd: vec!["redis-server".into()],
        entrypoint: vec!["docker-entrypoint.sh".into()],
    });
    docker.create_network("net", &BTreeMap::new()).await.unwrap();
    let desired = DesiredContainer {
        name: "redis-cache".into(),
        image: "redis:8".into(),
        env: BTreeMap::new(),
        command: vec!["redis-server".into(), config::CONFIG.into()],
        entrypoint: vec![],
        labels: BTreeMap::new(),
        mounts: vec![],
        network: Some("net".into()),
        aliases: vec![],
        ports: vec![],
        caps: Caps::default(),
        restart: RestartPolicy::No,
        stop_signal: None,
        stop_timeout: None,
        hardening: Hardening {
            no_new_privileges: true,
            only_capabilities: Some(vec![]),
            pids_limit: 64,
            init: true,
            user: Some("redis".into()),
        },
        shm_size: None,
    };
    let id = docker.create(&desired).await.unwrap();
    let parameters = BTreeMap::from([("hz".to_owned(), "20".to_owned())]);
    let conf = config::file(&FileInput {
        object: "redis/cache",
        data: config::DATA,
        persistence: Persistence::Aof,
        eviction: EvictionPolicy::Noeviction,
        maxmemory: None,
        parameters: &parameters,
    });
    let users = config::users(
        &[Hash::of(b"admin")],
        &UserName::parse("app").unwrap(),
        &[Hash::of(b"a"), Hash::of(b"b")],
    );
    put(&docker, &id, config::CONFIG, &conf).await;
    put(&docker, &id, config::USERS, &users).await;
    docker.start(&id).await.unwrap();
    (Arc::clone(&docker), FakeServers::new(docker), id)
}

async fn put(docker: &FakeDocker, id: &str, path: &str, text: &str) {
    let content = Zeroizing::new(text.as_bytes().to_vec());
    docker
        .put_files(id, &[FileToPut { path: path.into(), mode: 0o440, uid: 0, gid: 999, content }])
        .await
        .unwrap();
}

fn target(docker: &FakeDocker, id: &str, user: &str) -> Target {
    let seen = docker.seen(id).unwrap();
    Target {
        host: seen.networks[0].ip.parse().unwrap(),
        port: config::PORT,
        username: user.to_owned(),
        epoch: format!("{id} {}", seen.started_at),
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_is_what_its_files_say_from_its_start_on() {
    let (docker, servers, id) = started().await;
    let admin = target(&docker, &id, config::ADMIN);
    let session = servers.login(&admin, &Secret::from("admin")).await.unwrap();
    let facts = session.probe(&["hz", "save", "timeout"], &["app", "default", "nobody"]).await.unwrap();
    let config: Vec<(&str, &str)> = facts.config.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(config, [("dir", "/data"), ("hz", "20"), ("save", ""), ("timeout", "0")]);
    assert!(facts.saves.carries(Persistence::Aof) && facts.ping.is_ok());
    assert_eq!(
        (facts.users["app"].hashes.len(), facts.users["default"].on, facts.users.len()),
        (2, false, 2)
    );
    for (user, password, fits) in [
        ("app", "a", true),
        ("app", "b", true),
        ("app", "c", false),
        ("default", "", false),
        ("x", "a", false),
    ] {
        let login = servers.login(&target(&docker, &id, user), &Secret::from(password)).await;
        assert_eq!(matches!(login, Err(RedisError::LoginRefused(_))), !fits, "{user} {password}");
    }
    assert_eq!(servers.logins(), 6);

    session.config_set(&[("hz".to_owned(), "30".to_owned())]).await.unwrap();
    let error = session.config_set(&[("databases".to_owned(), "1".to_owned())]).await.unwrap_err();
    assert!(error.to_string().contains("immutable"), "{error}");
    put(&docker, &id, config::USERS, &config::users(&[], &UserName::parse("app").unwrap(), &[])).await;
    assert_eq!(session.probe(&[], &["app"]).await.unwrap().users["app"].hashes.len(), 2, "not read yet");
    session.load_users().await.unwrap();
    let facts = session.probe(&["hz"], &["app"]).await.unwrap();
    assert_eq!((facts.config["hz"].as_str(), facts.users["app"].hashes.len()), ("30", 0));

    // Another start: by the files again, and another session.
    docker.stop(&id, Duration::from_secs(1)).await.unwrap();
    assert!(matches!(session.probe(&[], &[]).await, Err(RedisError::Refused(_))));
    docker.start(&id).await.unwrap();
    assert!(matches!(servers.answers(&admin).await, Err(RedisError::Refused(_))), "of another start");
    assert!(servers.change("redis-cache", |server| assert_eq!(server.config["hz"], "20")));
}

#[tokio::test(start_paused = true)]
async fn a_test_makes_of_a_server_what_it_likes() {
    let (docker, servers, id) = started().await;
    let admin = target(&docker, &id, config::ADMIN);
    let session = servers.login(&admin, &Secret::from("admin")).await.unwrap();
    let broken = RedisError::PersistenceBroken("MISCONF".to_owned());
    assert!(servers.change("redis-cache", |server| server.ping = Err(broken.clone())));
    assert_eq!(session.probe(&[], &[]).await.unwrap().ping, Err(broken));
    servers.set_slow("redis-cache", Duration::from_secs(60));
    assert_eq!(servers.answers(&admin).await, Err(RedisError::Hung(TIMEOUT)));
    servers.set_slow("redis-cache", Duration::ZERO);
    let refused = RedisError::Refused("connection reset".to_owned());
    servers.set_answer("redis-cache", Some(refused.clone()));
    assert_eq!(session.probe(&[], &[]).await, Err(refused));
    servers.set_answer("redis-cache", None);
    session.snapshot().await.unwrap();
    session.end_sessions("app").await.unwrap();
    assert_eq!(session.probe(&[], &[]).await.unwrap().saves.rdb_count, Some(1));
    assert!(!servers.change("nobody", |_| ()));
}
