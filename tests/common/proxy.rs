//! A proxy before a Docker engine, as people put one there: it answers what its rule refuses, and hands on the rest. Without
//! an engine behind it, it is one of few words.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// From `METHOD PATH` (without what follows the `?`) to the whole answer; `None` hands the request on.
pub type Rule = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

#[derive(Clone)]
pub struct Proxy {
    pub socket: PathBuf,
    seen: Arc<Mutex<Vec<String>>>,
    rule: Arc<Mutex<Arc<Rule>>>,
}

impl Proxy {
    pub fn start(socket: &Path, engine: Option<&Path>, rule: Rule) -> Self {
        let proxy = Self {
            socket: socket.to_owned(),
            seen: Arc::default(),
            rule: Arc::new(Mutex::new(Arc::new(rule))),
        };
        let listener = UnixListener::bind(socket).unwrap();
        let (one, engine) = (proxy.clone(), engine.map(Path::to_owned));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (one, engine) = (one.clone(), engine.clone());
                std::thread::spawn(move || one.serve(client, engine));
            }
        });
        proxy
    }

    pub fn address(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    pub fn rules(&self, rule: Rule) {
        *self.rule.lock().unwrap() = Arc::new(rule);
    }

    /// Requests so far, each once, in order of appearance.
    pub fn seen(&self) -> Vec<String> {
        let mut all = Vec::new();
        for one in self.seen_whole() {
            let one = one.split('?').next().unwrap().to_owned();
            if !all.contains(&one) {
                all.push(one);
            }
        }
        all
    }

    /// All of them, with what follows their `?`.
    pub fn seen_whole(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// One request a connection.
    fn serve(&self, mut client: UnixStream, engine: Option<PathBuf>) {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match client.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        let mut words = text.split(' ');
        let whole = format!("{} {}", words.next().unwrap(), words.next().unwrap());
        let request = whole.split('?').next().unwrap().to_owned();
        self.seen.lock().unwrap().push(whole);
        // A rule may take its time: over each request alone.
        let rule = Arc::clone(&self.rule.lock().unwrap());
        let refused = rule(&request);
        if let Some(answer) = refused {
            let _ = client.write_all(answer.as_bytes());
            let _ = client.shutdown(Shutdown::Write);
            let _ = std::io::copy(&mut client, &mut std::io::sink());
            return;
        }
        let Some(mut engine) = engine.and_then(|path| UnixStream::connect(path).ok()) else { return };
        engine.write_all(&head).unwrap();
        let (mut from, mut to) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let _ = std::io::copy(&mut engine, &mut client);
        let _ = client.shutdown(Shutdown::Both);
    }
}

/// A whole answer that no engine gave.
pub fn raw(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Whether the path has a version of the API: what a strict proxy asks for.
pub fn versioned(request: &str) -> bool {
    let path = request.split(' ').nth(1).unwrap_or_default();
    path.strip_prefix("/v1.")
        .and_then(|rest| rest.split('/').next())
        .is_some_and(|minor| (2..=3).contains(&minor.len()) && minor.bytes().all(|b| b.is_ascii_digit()))
}
