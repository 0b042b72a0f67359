//! Images of a private registry, pulled with what `docker login` left for the operator's user. The registry is
//! on this machine: the engine speaks plain HTTP to 127.0.0.0/8.

use crate::harness::{Sea, docker, image, text, wait_for};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// What a registry has of one image, and who asked for it.
struct Shelf {
    manifest: String,
    blobs: BTreeMap<String, PathBuf>,
    logins: Mutex<Vec<String>>,
    full: AtomicBool,
    /// It does not hand out what the image is made of until this is over; `asked`: somebody wants it.
    held: AtomicBool,
    asked: AtomicBool,
}

/// `team/db:1`, for whom "operator:right password" opens.
struct Registry {
    address: String,
    shelf: Arc<Shelf>,
    _files: tempfile::TempDir,
}

/// "operator:right password" in base64, as curl and every registry have it.
const RIGHT: &str = "b3BlcmF0b3I6cmlnaHQgcGFzc3dvcmQ=";
/// "operator:other password".
const WRONG: &str = "b3BlcmF0b3I6b3RoZXIgcGFzc3dvcmQ=";

fn digest(path: &Path) -> String {
    let made = std::process::Command::new("sha256sum").arg(path).output().unwrap();
    assert!(made.status.success(), "{}", text(&made));
    format!("sha256:{}", &String::from_utf8_lossy(&made.stdout)[..64])
}

impl Registry {
    fn of(image: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let script = r#"set -e; docker save "$2" | tar x -C "$1""#;
        let made = std::process::Command::new("bash")
            .args(["-o", "pipefail", "-c", script, "sh"])
            .arg(files.path())
            .arg(image)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", text(&made));
        let saved = fs::read(files.path().join("manifest.json")).unwrap();
        let saved: serde_json::Value = serde_json::from_slice(&saved).unwrap();
        let mut blobs = BTreeMap::new();
        let mut blob = |name: &serde_json::Value, kind: &str| {
            let path = files.path().join(name.as_str().unwrap());
            let (digest, size) = (digest(&path), fs::metadata(&path).unwrap().len());
            blobs.insert(digest.clone(), path);
            serde_json::json!({"mediaType": kind, "size": size, "digest": digest})
        };
        // Another image than the one that is here: the engine has to ask for it.
        let config = files.path().join(saved[0]["Config"].as_str().unwrap());
        let mut text: serde_json::Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
        text["config"]["Labels"]["test"] = files.path().to_str().unwrap().into();
        fs::write(&config, text.to_string()).unwrap();
        let config = blob(&saved[0]["Config"], "application/vnd.docker.container.image.v1+json");
        let layers: Vec<_> = saved[0]["Layers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|layer| blob(layer, "application/vnd.docker.image.rootfs.diff.tar.gzip"))
            .collect();
        let manifest = serde_json::json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
        let shelf = Arc::new(Shelf {
            manifest: manifest.to_string(),
            blobs,
            logins: Mutex::default(),
            full: AtomicBool::new(false),
            held: AtomicBool::new(false),
            asked: AtomicBool::new(false),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let served = Arc::clone(&shelf);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shelf = Arc::clone(&served);
                std::thread::spawn(move || shelf.answer(stream));
            }
        });
        Self { address, shelf, _files: files }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let tag = format!("{}/team/db:1", self.address);
        let _ = std::process::Command::new("docker").args(["rmi", &tag]).output();
    }
}

impl Shelf {
    /// One request: whatever goes wrong ends in the engine's own words.
    fn answer(&self, mut stream: TcpStream) -> Option<()> {
        let mut first = [0];
        if stream.peek(&mut first).ok()? != 1 || first[0] == 0x16 {
            return None; // a TLS greeting
        }
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
        let request = lines.next()?.ok()?;
        let path = request.split(' ').nth(1)?.to_owned();
        let mut login = String::new();
        for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
            if let Some((name, value)) = line.split_once(": ")
                && name.eq_ignore_ascii_case("authorization")
            {
                login = value.to_owned();
            }
        }
        let mut head = |status: &str, more: &str, length: u64| {
            write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{more}\r\n")
                .ok()
        };
        if self.full.load(Ordering::Relaxed) {
            head("429 Too Many Requests", "", 0)?;
        } else if login != format!("Basic {RIGHT}") {
            if !login.is_empty() {
                self.logins.lock().unwrap().push(login);
            }
            let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
            let more = "WWW-Authenticate: Basic realm=\"team\"\r\nContent-Type: application/json\r\n";
            head("401 Unauthorized", more, body.len() as u64)?;
            stream.write_all(body.as_bytes()).ok()?;
        } else if path.contains("/manifests/") {
            head("200 OK", &format!("Content-Type: {MANIFEST}\r\n"), self.manifest.len() as u64)?;
            if !request.starts_with("HEAD") {
                stream.write_all(self.manifest.as_bytes()).ok()?;
            }
        } else if let Some(blob) = path.rsplit('/').next().and_then(|digest| self.blobs.get(digest)) {
            // Only what no other image has: an engine waits for a layer that another pull is getting.
            let own = fs::metadata(blob).ok()?.len() < 100_000;
            self.asked.fetch_or(own, Ordering::Relaxed);
            while own && self.held.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
            }
            head("200 OK", "", fs::metadata(blob).ok()?.len())?;
            std::io::copy(&mut fs::File::open(blob).ok()?, &mut stream).ok()?;
        } else {
            head("200 OK", "", 0)?;
        }
        Some(())
    }
}

#[test]
fn a_private_image_is_pulled_with_the_login_of_the_operators_user() {
    let registry = Registry::of(&image("18"));
    let home = tempfile::tempdir().unwrap();
    let config = |text: String| fs::write(home.path().join("config.json"), text).unwrap();
    let helper = home.path().join("docker-credential-seawall-test");
    let answer = r#"read server; [ "$server" = ADDRESS ] || { echo credentials not found in native keychain; exit 1; }
        echo '{"ServerURL":"x","Username":"operator","Secret":"right password"}'"#;
    fs::write(&helper, format!("#!/bin/sh\n{}\n", answer.replace("ADDRESS", &registry.address))).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", home.path().display(), std::env::var("PATH").unwrap());
    let mut sea = Sea::new();
    sea.run_with(&[("DOCKER_CONFIG", home.path().to_str().unwrap()), ("PATH", &path)]);
    let says = |sea: &Sea, needle: &str| {
        let status = sea.until("a", needle, |s| {
            let (_, reason, words) = crate::harness::condition(s, "Ready");
            reason == "ImagePullFailed" && words.contains(needle)
        });
        assert!(status.to_string().contains(&registry.address), "{status}");
    };

    sea.postgres("a", &format!("{{image: '{}/team/db:1'}}", registry.address));
    says(&sea, &format!("run `docker login {}` as the operator's user", registry.address));
    config(format!(r#"{{"auths": {{"{}": {{"auth": "{WRONG}"}}}}}}"#, registry.address));
    says(&sea, "log in again");
    let tried = registry.shelf.logins.lock().unwrap().clone();
    assert!(!tried.is_empty() && tried.iter().all(|login| *login == format!("Basic {WRONG}")), "{tried:?}");
    config(format!(r#"{{"credHelpers": {{"{}": "none-such"}}}}"#, registry.address));
    says(&sea, "credential helper docker-credential-none-such: No such file");
    registry.shelf.full.store(true, Ordering::Relaxed);
    says(&sea, "limits how often it is asked");
    registry.shelf.full.store(false, Ordering::Relaxed);
    config(format!(r#"{{"credHelpers": {{"{}": "seawall-test"}}}}"#, registry.address));
    sea.ready("a");
    assert_eq!(sea.sql("a", "SELECT 1"), "1");
    assert!(docker(&["image", "ls", "-q", &format!("{}/team/db:1", registry.address)]).len() > 4);

    // What the registry got is nowhere to be read.
    for out in [sea.log(), sea.ok(&["events"]), sea.object("a").to_string(), sea.ok(&["export"])] {
        for secret in [RIGHT, WRONG, "right password", "other password"] {
            assert!(!out.contains(secret), "{secret}: {out}");
        }
    }
}

#[test]
fn a_pull_under_way_holds_nobody_up_and_survives_a_killed_operator() {
    let registry = Registry::of(&image("18"));
    let home = tempfile::tempdir().unwrap();
    let login = format!(r#"{{"auths": {{"{}": {{"auth": "{RIGHT}"}}}}}}"#, registry.address);
    fs::write(home.path().join("config.json"), login).unwrap();
    registry.shelf.held.store(true, Ordering::Relaxed);
    let environment = [("DOCKER_CONFIG", home.path().to_str().unwrap())];
    let mut sea = Sea::new();
    sea.run_with(&environment);
    let spec = format!("{{image: '{}/team/db:1'}}", registry.address);
    sea.postgres("a", &spec);
    sea.postgres("b", &spec);
    wait_for("the pull to be under way", || registry.shelf.asked.load(Ordering::Relaxed).then_some(()));
    sea.postgres("c", "{version: '18'}");
    sea.ready("c");
    for name in ["a", "b"] {
        let (_, _, words) = sea.condition(name, "Progressing");
        assert!(words.starts_with("pull image"), "{name}: {words}");
    }
    sea.kill();
    registry.shelf.held.store(false, Ordering::Relaxed);
    sea.run_with(&environment);
    sea.ready("a");
    sea.ready("b");
}
