//! Redis as the suites have it. Its image keeps the official image's contract itself, so there is no other to test with.

use super::{Ask, ByHand, Kind, Login, Parameter, words};
use serde_json::Value;

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
        let commands = match ask {
            Ask::Login => String::new(),
            // Answered when it is on the disk.
            Ask::Keep(n) => format!("RPUSH kept {n}\\nWAITAOF 1 0 10000"),
            Ask::Kept => "LRANGE kept 0 -1".to_owned(),
            // What is kept is on the disk.
            Ask::Flush => "PING".to_owned(),
            Ask::Wait => "BLPOP nothing 0".to_owned(),
            Ask::Parameter("hz") => "INFO server".to_owned(),
            // Nothing tells the owner how many there are.
            Ask::Parameter("databases") => "SELECT 24".to_owned(),
            Ask::Parameter(other) => panic!("{other}: how is it read by the owner?"),
        };
        let login = format!("redis-cli -e --user {}", at.username);
        let read = match ask {
            Ask::Parameter("hz") => format!("{login} | sed -n 's/\\r$//; s/^configured_hz://p'"),
            Ask::Parameter(_) => format!("{login} >/dev/null && echo 32 || echo 16"),
            _ => login,
        };
        let script = format!("printf '{commands}\\n' | {read}");
        let client = ["docker", "exec", "-e", "REDISCLI_AUTH", &at.container, "sh", "-c", &script];
        (environment, words(&client))
    }

    fn live(&self) -> Parameter {
        Parameter { name: "hz", values: ["20", "30"] }
    }

    fn at_start(&self) -> Parameter {
        Parameter { name: "databases", values: ["16", "32"] }
    }

    fn refused(&self) -> (&'static str, &'static str) {
        ("locale-collate: nowhere", "locale-collate")
    }

    fn deadly(&self) -> (&'static str, String, &'static str) {
        // A parameter that nobody knows can be of a module, in an image of one's own.
        ("", format!("image: '{}'", self.image("8")), "no-such-thing: 1")
    }

    /// The owner's, and then Seawall's own too.
    fn lock_outs(&self, container: &str) -> Vec<ByHand> {
        let other = format!("s/#[0-9a-f]*/#{}/", "0".repeat(64));
        let locked = |which: &str| {
            vec![edit(container, "users.acl", &format!("{which}{other}")), words(&["restart", container])]
        };
        vec![
            ByHand {
                commands: locked("/^user app /"),
                reason: "PasswordReset",
                cause: "users, passwords or rules are not what they should be",
            },
            // Nobody of ours gets in, so only a start reads the file.
            ByHand { commands: locked(""), reason: "ServerRestarted", cause: "own login was refused" },
        ]
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

    fn identifier(&self, _: &Value) -> Value {
        // Redis has none: data is told from other data by what is in it.
        Value::Null
    }
}
