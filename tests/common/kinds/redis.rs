//! Redis as the suites have it. Its image keeps the official image's contract itself, so there is no other to test with.

use super::{Ask, ByHand, Deadly, FakeDrift, FakeRefusal, Fakes, Kind, Login, Parameter, words};
use seawall::kinds::redis::client::RedisError;
use seawall::kinds::redis::fake_server::Run;
use serde_json::Value;
use std::time::Duration;

pub struct Redis;
pub static KIND: Redis = Redis;

/// Changes a file that only root may, and only after it made it writable.
fn edit(container: &str, file: &str, expression: &str) -> Vec<String> {
    let script = format!(
        "f=/etc/seawall/{file} && new=$(sed '{expression}' $f) && chmod 0640 $f && printf '%s\\n' \"$new\" >$f"
    );
    words(&["exec", "-u", "0", container, "sh", "-c", &script])
}

impl Kind for Redis {
    fn kind(&self) -> &'static str {
        "Redis"
    }

    fn versions(&self) -> [&'static str; 2] {
        ["8", "8b"]
    }

    fn catalogued(&self) -> &'static [&'static str] {
        &["8", "8b"]
    }

    fn image(&self, version: &str) -> String {
        format!("seawall/redis:{version}")
    }

    fn official(&self) -> &'static [(&'static str, &'static str)] {
        &[("debian8", "seawall/redis:8")]
    }

    fn user(&self) -> &'static str {
        "redis"
    }

    fn not_in_image(&self) -> &'static str {
        "contains no Redis server"
    }

    fn port(&self) -> u16 {
        6379
    }

    fn data(&self) -> (&'static str, &'static str) {
        ("/data", "appendonlydir")
    }

    fn is_server(&self, arguments: &str) -> bool {
        arguments.starts_with("redis-server")
    }

    /// In its container: this host need not have one. Its password is in its environment. A login alone goes by the
    /// published port, as an application's does.
    fn client(&self, at: &Login, ask: Ask<'_>) -> (Vec<(&'static str, String)>, Vec<String>) {
        let environment = vec![("REDISCLI_AUTH", at.password.clone())];
        if matches!(ask, Ask::Login) {
            let script = format!(
                "exec 3<>/dev/tcp/127.0.0.1/{} && printf 'AUTH {} %s\\r\\nPING\\r\\n' \"$REDISCLI_AUTH\" >&3 && read -r a <&3 && read -r b <&3 && [ \"$a $b\" = $'+OK\\r +PONG\\r' ]",
                at.port, at.username
            );
            return (environment, words(&["timeout", "5", "bash", "-c", &script]));
        }
        let cli = format!("redis-cli --user {}", at.username);
        let script = match ask {
            Ask::Login => String::new(),
            // Answered when it is on the disk.
            Ask::Keep(n) => {
                format!("[ \"$(printf 'RPUSH kept {n}\\nWAITAOF 1 0 10000\\n' | {cli} | sed -n 2p)\" = 1 ]")
            }
            Ask::Kept => format!("{cli} -e LRANGE kept 0 -1"),
            // What is kept is on the disk.
            Ask::Flush => format!("{cli} -e PING"),
            Ask::Wait => format!("{cli} -e BLPOP nothing 0"),
            Ask::Parameter("hz") => {
                format!("{cli} -e INFO server | sed -n 's/\\r$//; s/^configured_hz://p'")
            }
            // Nothing tells the owner how many there are.
            Ask::Parameter("databases") => format!("{cli} -e SELECT 24 >/dev/null && echo 32 || echo 16"),
            Ask::Parameter(other) => panic!("{other}: how does its owner read it?"),
        };
        let client = ["docker", "exec", "-e", "REDISCLI_AUTH", &at.container, "sh", "-c", &script];
        (environment, words(&client))
    }

    fn live(&self) -> Parameter {
        Parameter { name: "hz", values: ["20", "30"] }
    }

    fn at_start(&self) -> Vec<Parameter> {
        vec![Parameter { name: "databases", values: ["16", "32"] }]
    }

    fn refused(&self) -> (&'static str, &'static str) {
        ("locale-collate: nowhere", "locale-collate")
    }

    fn deadly(&self) -> Deadly {
        // A parameter that nobody knows can be of a module, in an image of one's own.
        let of = format!("image: '{}'", self.image("8"));
        Deadly { annotations: "", of, parameters: "no-such-thing: 1", words: "no-such-thing" }
    }

    /// The owner's, and then that nobody of ours is let in, and anybody else is.
    fn lock_outs(&self, container: &str) -> Vec<ByHand> {
        let other = format!("/^user app /s/#[0-9a-f]*/#{}/", "0".repeat(64));
        let everybody = "1s/.*/user default on nopass ~* \\&* +@all/;2,$d";
        let locked = |how: &str| vec![edit(container, "users.acl", how), words(&["restart", container])];
        vec![
            ByHand {
                commands: locked(&other),
                reason: "PasswordReset",
                cause: "users, passwords or rules are not what they should be",
            },
            // Only a start reads the file again.
            ByHand { commands: locked(everybody), reason: "ServerRestarted", cause: "own login was refused" },
        ]
    }

    fn parameter_file(&self) -> &'static str {
        "/etc/seawall/redis.conf"
    }

    fn edit_file(&self, container: &str, value: &str) -> ByHand {
        let expression = format!("s/^{} .*/{} {value}/", self.live().name, self.live().name);
        ByHand {
            commands: vec![edit(container, "redis.conf", &expression), words(&["restart", container])],
            reason: "ParametersSet",
            cause: "the running server has others",
        }
    }

    fn last_words(&self) -> [&'static str; 2] {
        ["User requested shutdown", "Redis is now ready to exit, bye bye"]
    }

    fn spent_secret(&self) -> Option<&'static str> {
        // Its files have hashes alone.
        None
    }

    /// Only a start reads Seawall's own.
    fn reset_by_recovery(&self) -> &'static str {
        "ServerRestarted"
    }

    fn owned_by(&self, user: &str, _: &str) -> String {
        format!("username: {user}")
    }

    fn older(&self) -> (&'static str, &'static str) {
        ("7", "data of Redis 8")
    }

    fn fake_drifts(&self) -> Vec<FakeDrift> {
        const OTHER: &str = "on #00 +@all ~* &*";
        vec![
            FakeDrift {
                name: "password changed",
                drift: |fakes, container| {
                    let change = |run: &mut Run| run.users.insert("appuser".to_owned(), OTHER.to_owned());
                    fakes.redis.change(container, change).flatten().unwrap();
                },
                back: |fakes, container| {
                    fakes.redis.change(container, |run| run.users["appuser"] != OTHER) == Some(true)
                },
                reason: "PasswordReset",
                words: "users, passwords or rules are not what they should be",
            },
            FakeDrift {
                name: "parameter set by hand",
                drift: |fakes, container| {
                    let change = |run: &mut Run| run.config.insert("appendfsync".into(), "always".into());
                    fakes.redis.change(container, change).flatten().unwrap();
                },
                back: |fakes, container| {
                    fakes.redis.change(container, |run| run.config["appendfsync"] == "everysec") == Some(true)
                },
                reason: "ParametersSet",
                words: "the running server has others",
            },
        ]
    }

    fn fake_data(&self, _: &Fakes, _: &str) -> String {
        String::new()
    }

    fn fake_files(&self) -> &'static [&'static str] {
        &["/data/appendonlydir/appendonly.aof.manifest"]
    }

    fn fake_hang(&self, fakes: &Fakes, container: &str) {
        fakes.redis.set_answer(container, Some(RedisError::Hung));
    }

    fn fake_refusals(&self) -> Vec<FakeRefusal> {
        vec![
            |fakes, c, words| fakes.redis.set_answer(c, Some(RedisError::Refused(words))),
            |fakes, c, words| fakes.redis.set_answer(c, Some(RedisError::LoginRefused(words))),
            |fakes, c, words| fakes.redis.set_answer(c, Some(RedisError::Failed(words))),
            |fakes, c, words| fakes.redis.set_answer(c, Some(RedisError::Loading(words))),
            |fakes, c, words| fakes.redis.set_answer(c, Some(RedisError::PersistenceBroken(words))),
            |fakes, c, words| {
                fakes.redis.set_answer(c, Some(RedisError::TurnedAway("TooManyConnections", words)))
            },
        ]
    }

    fn fake_slow(&self, fakes: &Fakes, container: &str, pause: Duration) {
        fakes.redis.set_slow(container, pause);
    }

    fn fake_probes(&self, fakes: &Fakes, container: &str) -> u64 {
        fakes.redis.probes(container)
    }

    fn fake_begin(&self, fakes: &Fakes, container: &str) -> (&'static str, &'static str) {
        let words = "LOADING Redis is loading the dataset in memory";
        fakes.redis.set_answer(container, Some(RedisError::Loading(words.to_owned())));
        ("Loading", words)
    }

    fn fake_answer(&self, fakes: &Fakes, container: &str) {
        fakes.redis.set_answer(container, None);
    }

    fn identifier(&self, _: &Value) -> Value {
        // Redis has none: data is told from other data by what is in it.
        Value::Null
    }
}
