//! The operator of another machine: by flag, by variable, by a login; over TLS or on this machine; and what is done only there.

use super::fake::*;
use crate::http::listen::{Server, file, start};
use seawall::core::access::{Permission, Role};
use seawall::http::tls;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// What may be done by it is what it says, as `Keeper` has it.
fn token(role: Role) -> String {
    role.permissions().into_iter().map(Permission::as_str).collect::<Vec<_>>().join("+")
}

/// A home, and nothing else around a command.
struct Home {
    place: Place,
    fake: Fake,
    server: Server,
}

impl Home {
    async fn new(tls: bool) -> Self {
        Self::with(tls.then(|| [file("server.pem"), file("server.key")])).await
    }

    /// Certificate and key.
    async fn with(tls: Option<[PathBuf; 2]>) -> Self {
        let config = tls.map(|[certificate, key]| tls::server_config(&certificate, &key).unwrap());
        let fake = two();
        let server = start(&fake, config, false).await;
        Self { place: Place::offline(FakeBackend::default()), fake, server }
    }

    fn path(&self) -> &str {
        self.place.dir.path().to_str().unwrap()
    }

    fn login_file(&self) -> PathBuf {
        self.place.dir.path().join(".seawall/login.json")
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.at)
    }

    fn token_file(&self, token: &str) {
        fs::write(self.place.dir.path().join("token"), format!("{token}\n")).unwrap();
    }

    async fn run(&self, more: &[(&str, &str)], words: &str) -> Ran {
        let mut variables = vec![("HOME", self.path())];
        variables.extend(more);
        self.place.run_with(&variables, &words.split_whitespace().collect::<Vec<_>>()).await
    }

    async fn login(&self, token: &str) -> Ran {
        self.token_file(token);
        self.run(&[], &format!("login {} --token-file token", self.url())).await
    }
}

#[tokio::test]
async fn a_login_is_proved_and_kept_for_its_owner_and_commands_go_there_until_logout() {
    let home = Home::new(false).await;
    assert!(home.run(&[], "get").await.err.contains("there is no store"), "nobody is there yet");
    let ran = home.login(&token(Role::Viewer)).await;
    let says = format!("logged in to {}: operator 9.9.9, installation default\n", home.url());
    assert_eq!((ran.code, ran.out), (0, says));
    let about = fs::metadata(home.login_file()).unwrap();
    assert_eq!(about.permissions().mode() & 0o777, 0o600);
    assert_eq!(home.login_file().parent().unwrap().read_dir().unwrap().count(), 1, "nothing else is left");
    let ran = home.run(&[], "get postgres").await;
    assert!(ran.code == 0 && ran.out.contains("shop-eu") && ran.err.is_empty(), "{ran:?}");
    let ran = home.run(&[], "version").await;
    assert!(ran.out.contains(&format!("operator  9.9.9 at {} (process 42", home.url())), "{ran:?}");
    let ran = home.run(&[], "wait postgres/main --for=condition=Ready --timeout=5s").await;
    assert_eq!(ran.out, "postgres/main condition met\n");
    // Its words are the operator's own, also about who may do what.
    let ran = home.run(&[], "restart postgres/main").await;
    assert!(ran.code == 1 && ran.err.contains("it needs ExternalServicesWrite"), "{ran:?}");
    let calls = home.fake.calls().len();
    for (variables, words) in
        [(&[][..], &["get", "--data", "elsewhere"][..]), (&[("SEAWALL_DATA", "elsewhere")], &["get"])]
    {
        let all: Vec<_> = [("HOME", home.path())].into_iter().chain(variables.iter().copied()).collect();
        let ran = home.place.run_with(&all, words).await;
        assert!(ran.err.contains("there is no store"), "a data directory is one of this machine: {ran:?}");
    }
    assert_eq!(home.fake.calls().len(), calls);
    let ran = home.run(&[], "logout").await;
    assert_eq!(ran.out, format!("logged out of {}\n", home.url()));
    assert!(!home.login_file().exists());
    assert!(home.run(&[], "get").await.err.contains("there is no store"));
    assert_eq!(home.run(&[], "logout").await.err, "nobody is logged in\n");
}

#[tokio::test]
async fn what_opens_nothing_is_not_kept_and_not_told() {
    let home = Home::new(false).await;
    for wrong in ["SecretOfNoUse", "", "two words"] {
        let ran = home.login(wrong).await;
        assert!(ran.code == 1 && !ran.err.contains("SecretOfNoUse"), "{ran:?}");
        assert!(!home.login_file().exists());
    }
    home.token_file("SecretOfNoUse");
    for url in ["http://db.example:7080", "db.example", "ftp://db.example", "https://db.example/x"] {
        assert_eq!(home.run(&[], &format!("login {url} --token-file token")).await.code, 1, "{url}");
    }
    let ran = home.run(&[("SEAWALL_SERVER", "http://db.example"), ("SEAWALL_TOKEN", "x")], "get").await;
    assert!(ran.code == 1 && ran.err.contains("to everybody on the way: write https://"), "{ran:?}");
    let ran = home.run(&[], "login http://127.0.0.1:1 --token-file token").await;
    assert!(ran.err.contains("no operator on http://127.0.0.1:1") && ran.err.contains("--listen"), "{ran:?}");
    assert_eq!(home.fake.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_login_that_others_may_read_or_that_is_none_is_refused() {
    let home = Home::new(false).await;
    home.login(&token(Role::Viewer)).await;
    let path = home.login_file();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let ran = home.run(&[], "get").await;
    assert!(ran.code == 1 && ran.err.contains("chmod 600"), "{ran:?}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "{\"server\": \"SecretOfNoUse\"}").unwrap();
    let ran = home.run(&[], "get").await;
    assert!(ran.err.contains("it is no login") && !ran.err.contains("SecretOfNoUse"), "{ran:?}");
    assert_eq!(home.run(&[], "schema").await.code, 0, "who asks nobody needs none");
    assert_eq!(home.run(&[], "logout").await.code, 0);
    let ran = home.login(&token(Role::Viewer)).await;
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[tokio::test]
async fn a_server_is_also_named_by_flag_or_variable_and_a_token_goes_to_no_other() {
    let home = Home::new(false).await;
    let (url, viewer) = (home.url(), token(Role::Viewer));
    let set = [("SEAWALL_SERVER", url.as_str()), ("SEAWALL_TOKEN", viewer.as_str())];
    assert_eq!(home.run(&set, "get postgres").await.code, 0);
    assert_eq!(home.run(&set[1..], &format!("get --server {url}")).await.code, 0);
    let ran = home.run(&set[..1], "get").await;
    assert!(ran.code == 1 && ran.err.contains("there is no token for"), "{ran:?}");
    let ran = home.run(&set, "get --data elsewhere").await;
    assert!(ran.err.contains("there is no store"), "a flag wins over a variable: {ran:?}");
    assert_eq!(home.run(&[], &format!("get --server {url} --data x")).await.code, 1, "one of the two");
    // Somebody's files say nothing about who is shown a token.
    fs::write(home.place.dir.path().join("seawall.yaml"), format!("server: {url}\n")).unwrap();
    assert!(home.run(&set[1..], "get").await.err.contains("unknown key \"server\""));
    fs::remove_file(home.place.dir.path().join("seawall.yaml")).unwrap();
    home.login(&viewer).await;
    let calls = home.fake.calls().len();
    let ran = home.run(&[("SEAWALL_TOKEN", "SecretOfNoUse")], "get postgres").await;
    assert_eq!(ran.code, 0, "the login has its own: {ran:?}");
    assert!(home.fake.calls().len() > calls);
    let ran = home.run(&[("SEAWALL_SERVER", "http://127.0.0.1:1")], "get").await;
    assert!(ran.err.contains("there is no token for http://127.0.0.1:1"), "{ran:?}");
}

#[tokio::test]
async fn over_tls_only_whom_an_authority_vouches_for_is_shown_the_token() {
    let home = Home::new(true).await;
    let (url, ca) = (format!("https://localhost:{}", home.server.at.port()), file("ca.pem"));
    home.token_file(&token(Role::Admin));
    let login = format!("login {url} --token-file token");
    let ran = home.run(&[], &login).await;
    assert!(ran.err.contains("certificate") && ran.err.contains("--ca-file FILE"), "{ran:?}");
    let (ca, key) = (ca.to_str().unwrap(), file("server.key"));
    let ran = home.run(&[], &format!("{login} --ca-file {}", key.to_str().unwrap())).await;
    assert!(ran.err.contains("holds no certificate in PEM"), "{ran:?}");
    let other =
        format!("login https://127.0.0.2:{} --token-file token --ca-file {ca}", home.server.at.port());
    assert_eq!(home.run(&[], &other).await.code, 1, "it vouches for another name");
    assert_eq!(home.fake.calls(), Vec::<String>::new());
    let ran = home.run(&[("SEAWALL_CA_FILE", ca)], &login).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = home.run(&[], "logs postgres/main --tail 2").await;
    assert!(ran.out.starts_with("Some(2) line\n") && ran.err.contains("the log ended early"), "{}", ran.err);
    let ran = home.run(&[], "connection postgres/main --reveal").await;
    assert!(
        ran.out.contains(PASSWORD) && ran.out.contains(&format!("From the machine of {url}:")),
        "{ran:?}"
    );
    let ran = home.run(&[], "connection postgres/main -o url").await;
    assert!(ran.err.contains("not of this one"), "{ran:?}");
}

#[tokio::test]
async fn a_certificate_as_openssl_makes_it_is_refused_in_words() {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/cli/tls");
    let [certificate, key] = ["authority.pem", "authority.key"].map(|name| here.join(name));
    let home = Home::with(Some([certificate.clone(), key])).await;
    home.token_file(&token(Role::Admin));
    let port = home.server.at.port();
    let (words, ca) =
        (format!("login https://localhost:{port} --token-file token"), certificate.to_str().unwrap());
    let ran = home.run(&[("SEAWALL_CA_FILE", ca)], &words).await;
    assert!(ran.code == 1 && ran.err.contains("-addext basicConstraints=critical,CA:FALSE"), "{ran:?}");
}

#[tokio::test]
async fn what_needs_the_machine_says_so() {
    let home = Home::new(false).await;
    fs::create_dir(home.place.dir.path().join("manifests")).unwrap();
    home.login(&token(Role::Admin)).await;
    home.fake.change(|w| w.calls.clear());
    for words in ["doctor", "recover", "exec shop/production -- true"] {
        let ran = home.run(&[], words).await;
        assert!(
            ran.code == 1 && ran.err.contains("works on the machine of the operator"),
            "{words}: {ran:?}"
        );
        assert!(ran.err.contains("seawall logout, or give --data DIR"), "{words}: {ran:?}");
    }
    let ran = home.run(&[], &format!("doctor --server {}", home.url())).await;
    assert!(ran.err.contains("leave out --server"), "{ran:?}");
    assert_eq!(home.fake.calls(), Vec::<String>::new());
    // Its port here is another database, or none.
    let ran = home.run(&[("PATH", "/usr/bin:/bin")], "psql main").await;
    assert!(ran.code == 1 && ran.err.contains("ssh -L 5433:127.0.0.1:5433 HOST"), "{ran:?}");
    assert!(!home.fake.calls().iter().any(|call| call.ends_with("true")), "nothing was revealed");
}
