//! The two files that a server starts with: redis.conf and users.acl. Pure. Passwords are in them as hashes alone, and a
//! value of the manifest can never become a directive.
//!
//! The mode of persistence must not change by a new file and a restart: with `appendonly yes` and no append-only file Redis
//! starts empty beside a full dump.rdb and then overwrites it, and with `appendonly no` it reads an old dump.rdb beside a
//! newer append-only file. It is changed in the running server, and the file follows when that is done.

use crate::core::quantity::Bytes;
use crate::core::text::shown;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

/// Where the files lie. They are root's, mode 0440, of the group that the server runs as, in a directory of root's: the
/// server reads them, and neither CONFIG REWRITE nor ACL SAVE can make them say something else.
pub const CONFIG: &str = "/etc/seawall/redis.conf";
pub const USERS: &str = "/etc/seawall/users.acl";
pub const PORT: u16 = 6379;
/// Where the official image has its volume.
pub const DATA: &str = "/data";
/// The user that Seawall logs in as.
pub const ADMIN: &str = "seawall";

/// What the owner of a whole server may do: everything but what reaches beyond its data. `INFO` is what client libraries
/// look at before they work.
const OWNER: &str = "~* &* +@all -@admin -@dangerous +info +keys +flushdb +flushall +sort +sort_ro";

/// What of the data outlives a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Persistence {
    /// Everything up to a second before a crash: an append-only file.
    #[default]
    Aof,
    /// Snapshots, as often as the parameter `save` says.
    Rdb,
    /// Nothing.
    None,
}

/// What happens when `maxmemory` is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EvictionPolicy {
    /// Writes fail; nothing is lost.
    #[default]
    Noeviction,
    AllkeysLru,
    AllkeysLfu,
    AllkeysRandom,
    VolatileLru,
    VolatileLfu,
    VolatileRandom,
    VolatileTtl,
}

impl EvictionPolicy {
    /// As Redis writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Noeviction => "noeviction",
            Self::AllkeysLru => "allkeys-lru",
            Self::AllkeysLfu => "allkeys-lfu",
            Self::AllkeysRandom => "allkeys-random",
            Self::VolatileLru => "volatile-lru",
            Self::VolatileLfu => "volatile-lfu",
            Self::VolatileRandom => "volatile-random",
            Self::VolatileTtl => "volatile-ttl",
        }
    }
}

/// SHA-256 of a password, as Redis keeps it. Ours are long and random, so that nothing can be told from it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash(String);

impl Hash {
    #[must_use]
    pub fn of(password: &[u8]) -> Self {
        use sha2::{Digest, Sha256};
        Self(Sha256::digest(password).iter().map(|b| format!("{b:02x}")).collect())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Hash {
    /// Not in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(…)")
    }
}

/// The owner's name: one word of the users' file, and none of those that have a meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserName(String);

impl UserName {
    /// # Errors
    /// When it is no such name, in a whole sentence.
    pub fn parse(name: &str) -> Result<Self, String> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() || name.len() > 63 || !name.chars().all(legal) {
            return Err("a user's name is 1 to 63 letters, digits, dashes, dots and underscores".to_owned());
        }
        match name {
            "default" => Err("\"default\" is the user of whoever gives no name; it is off".to_owned()),
            ADMIN => Err(format!("{ADMIN:?} is the user that Seawall itself logs in as")),
            name => Ok(Self(name.to_owned())),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What redis.conf depends on.
pub struct FileInput<'a> {
    pub object: &'a str,
    /// Where the volume is mounted.
    pub data: &'a str,
    pub persistence: Persistence,
    pub eviction: EvictionPolicy,
    /// `None`: as much as there is.
    pub maxmemory: Option<Bytes>,
    /// Judged, in their normal form.
    pub parameters: &'a BTreeMap<String, String>,
}

/// Every directive with its value: what is in the file, and what CONFIG GET should say.
#[must_use]
pub fn settings(input: &FileInput<'_>) -> BTreeMap<String, String> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let (appendonly, save) = match input.persistence {
        Persistence::Aof => ("yes", ""),
        Persistence::Rdb => ("no", "3600 1 300 100 60 10000"),
        Persistence::None => ("no", ""),
    };
    let mut all = BTreeMap::from([pair("appendfsync", "everysec"), pair("save", save)]);
    all.extend(input.parameters.clone());
    all.extend([
        pair("aclfile", USERS),
        pair("appendonly", appendonly),
        pair("bind", "* -::*"),
        pair("dir", input.data),
        pair("maxmemory", &input.maxmemory.map_or(0, |bytes| bytes.0).to_string()),
        pair("maxmemory-policy", input.eviction.as_str()),
        pair("port", &PORT.to_string()),
        // Who gets in is decided by the users' file.
        pair("protected-mode", "no"),
    ]);
    all
}

/// The text of redis.conf. The same input gives the same bytes.
#[must_use]
pub fn file(input: &FileInput<'_>) -> String {
    let object = shown(input.object, 200);
    let mut text =
        format!("# Written by Seawall from the manifest of {object}. Changes made here are undone.\n");
    for (name, value) in settings(input) {
        let _ = writeln!(text, "{name} {}", quoted(&value));
    }
    text
}

/// The text of users.acl. A user with two hashes has two passwords, one with none cannot log in.
#[must_use]
pub fn users(admin: &[Hash], owner: &UserName, of_owner: &[Hash]) -> String {
    let mut text = "user default off resetpass resetchannels -@all\n".to_owned();
    for (name, hashes, rules) in [(ADMIN, admin, "~* &* +@all"), (owner.as_str(), of_owner, OWNER)] {
        let hashes: String = hashes.iter().map(|hash| format!("#{hash} ")).collect();
        let _ = writeln!(text, "user {name} on {hashes}{rules}");
    }
    text
}

/// One word of redis.conf whatever is in it: as `sdssplitargs` of Redis reads it.
fn quoted(value: &str) -> String {
    let mut out = String::from("\"");
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=b'~' => out.push(char::from(byte)),
            byte => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(parameters: &BTreeMap<String, String>) -> FileInput<'_> {
        FileInput {
            object: "redis/cache",
            data: DATA,
            persistence: Persistence::Aof,
            eviction: EvictionPolicy::AllkeysLru,
            maxmemory: Some(Bytes(100 << 20)),
            parameters,
        }
    }

    #[test]
    fn the_file_is_stable_and_what_is_ours_stays_ours() {
        let parameters = BTreeMap::from(
            [("hz", "20"), ("maxmemory", "1"), ("appendfsync", "always"), ("dir", "/etc")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        assert_eq!(
            file(&input(&parameters)),
            "# Written by Seawall from the manifest of redis/cache. Changes made here are undone.\n\
             aclfile \"/etc/seawall/users.acl\"\n\
             appendfsync \"always\"\n\
             appendonly \"yes\"\n\
             bind \"* -::*\"\n\
             dir \"/data\"\n\
             hz \"20\"\n\
             maxmemory \"104857600\"\n\
             maxmemory-policy \"allkeys-lru\"\n\
             port \"6379\"\n\
             protected-mode \"no\"\n\
             save \"\"\n"
        );
        let rdb = FileInput { persistence: Persistence::Rdb, maxmemory: None, ..input(&parameters) };
        let text = file(&rdb);
        assert!(text.contains("appendonly \"no\"") && text.contains("save \"3600 1 300"), "{text}");
        assert!(text.contains("maxmemory \"0\""), "{text}");
    }

    #[test]
    fn no_value_becomes_a_directive() {
        for (value, want) in [
            ("", r#""""#),
            ("a b", r#""a b""#),
            ("it's", r#""it's""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("x\nrequirepass y", r#""x\x0arequirepass y""#),
            ("x\r\0\t\u{7f}", r#""x\x0d\x00\x09\x7f""#),
            ("é", r#""\xc3\xa9""#),
            ("\" \"", r#""\" \"""#),
        ] {
            assert_eq!(quoted(value), want, "{value:?}");
        }
        let none = BTreeMap::new();
        let object = FileInput { object: "x\nloadmodule /y", ..input(&none) };
        assert!(!file(&object).lines().any(|line| line.starts_with("loadmodule")));
    }

    #[test]
    fn users_have_hashes_alone() {
        let hash = Hash::of(b"abc");
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((hash.to_string().as_str(), format!("{hash:?}").as_str()), (hex, "Hash(…)"));
        let owner = UserName::parse("app").unwrap();
        assert_eq!(
            users(std::slice::from_ref(&hash), &owner, &[hash.clone(), hash.clone()]),
            format!(
                "user default off resetpass resetchannels -@all\n\
                 user seawall on #{hex} ~* &* +@all\n\
                 user app on #{hex} #{hex} {OWNER}\n"
            )
        );
        assert!(users(&[], &owner, &[]).contains("user app on ~*"), "no password is none that fits");
        for bad in ["", "default", "seawall", "a b", "a\nuser x on nopass", "#", "é", &"a".repeat(64)] {
            assert!(UserName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn words_are_those_of_the_manifest() {
        for (policy, word) in
            [(EvictionPolicy::Noeviction, "noeviction"), (EvictionPolicy::VolatileTtl, "volatile-ttl")]
        {
            assert_eq!((serde_json::to_value(policy).unwrap(), policy.as_str()), (word.into(), word));
        }
        assert_eq!(serde_json::to_value(Persistence::None).unwrap(), "none");
    }
}
