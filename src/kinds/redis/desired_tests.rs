//! The two files, to the byte.

use super::*;

fn files(parameters: &[(&str, &str)]) -> Files {
    Files {
        object: "redis/cache".to_owned(),
        persistence: Persistence::Aof,
        eviction: "allkeys-lru".to_owned(),
        maxmemory: 100 << 20,
        parameters: parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
    }
}

#[test]
fn the_file_is_stable_and_what_is_ours_stays_ours() {
    let given =
        [("hz", "20"), ("maxmemory", "1"), ("appendfsync", "always"), ("dir", "/etc"), ("save", "1 1")];
    assert_eq!(
        files(&given).text(),
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
    let text = |persistence, given: &[(&str, &str)]| Files { persistence, ..files(given) }.text();
    let rdb = text(Persistence::Rdb, &[]);
    assert!(rdb.contains("appendonly \"no\"") && rdb.contains("save \"3600 1 300"), "{rdb}");
    assert!(text(Persistence::Rdb, &given).contains("save \"1 1\""));
    assert!(text(Persistence::None, &given).contains("save \"\""));
}

#[test]
fn no_value_becomes_a_directive() {
    for (value, want) in [
        ("", r#""""#),
        ("a b", r#""a b""#),
        ("a\"b\\c", r#""a\"b\\c""#),
        ("x\nrequirepass y", r#""x\x0arequirepass y""#),
        ("x\r\0\t\u{7f}", r#""x\x0d\x00\x09\x7f""#),
        ("é", r#""\xc3\xa9""#),
    ] {
        assert_eq!(quoted(value), want, "{value:?}");
    }
}

#[test]
fn users_have_hashes_alone() {
    let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(
        users_file(users("abc", "app", "abc")),
        format!(
            "user default resetpass resetchannels off -@all\n\
             user seawall resetpass resetchannels on #{hex} +@all ~* &*\n\
             user app resetpass resetchannels on #{hex} {OWNER}\n"
        )
    );
}

#[test]
fn maxmemory_follows_the_cap() {
    assert_eq!(maxmemory(None), 0);
    assert_eq!(maxmemory(Some(Bytes(100 << 20))), 60 << 20);
    assert!(maxmemory(Some(Bytes(u64::MAX))) < u64::MAX);
    assert_eq!(
        (word(Persistence::None), word(super::super::spec::EvictionPolicy::VolatileTtl)),
        ("none".into(), "volatile-ttl".into())
    );
}
