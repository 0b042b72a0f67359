//! What an image is: found out from the image itself, never from its name. Pure.

use super::collation::Libraries;
use crate::core::names::label;
use crate::core::seen::SeenImage;
use crate::core::text::quoted;
use crate::workload::image::{Facts, Image, Unfit, leaves_room_for};
use serde::{Deserialize, Serialize};

/// Tools that make continuous archiving possible, by where images keep them.
pub const TOOLS: [(&str, &[&str]); 3] = [
    ("wal-g", &["/usr/local/bin/wal-g", "/usr/bin/wal-g"]),
    ("pgbackrest", &["/usr/bin/pgbackrest", "/usr/local/bin/pgbackrest"]),
    ("pg_auto_failover", &["/usr/bin/pg_autoctl", "/usr/local/bin/pg_autoctl"]),
];

/// A file of the directory that we lay files into before the start.
const OUR_FILES: &str = super::desired::PASSWORD_FILE;

/// What was read from inside the image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// `/etc/passwd`, empty when it has none.
    pub passwd: String,
    /// Names out of [`TOOLS`] that were found.
    pub tools: Vec<String>,
    /// What the image's package database says of the order of text.
    pub libraries: Libraries,
    /// What `postgres --version` printed; only asked when nothing else tells the version.
    pub version_output: Option<String>,
    /// Whether it has the directory for scripts that run at the end of its initialisation.
    pub init_scripts: bool,
    /// Where the server's program is.
    pub server: Option<String>,
    /// Major and catalog version that the programs were built for.
    pub built_for: Option<(u32, u32)>,
    /// Whether its server finds the library that counts statements.
    pub statements: bool,
}

/// An image that can run a Postgres object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageFacts {
    #[serde(flatten)]
    pub work: Image,
    pub major: u32,
    pub managed: bool,
    pub capabilities: Vec<String>,
    pub pgdata: String,
    /// The postgres user inside.
    pub uid: u64,
    pub gid: u64,
    /// What sorts text in it.
    #[serde(default)]
    pub libraries: Libraries,
    /// Whether its initialisation ends with the scripts in a directory for them.
    #[serde(default)]
    pub init_scripts: bool,
    /// `YYYYMMDDN`: its servers start on data of this catalog version alone. `None`: not found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<u32>,
    /// Whether it has the library that counts statements: a server that is to preload what is not there never starts.
    #[serde(default)]
    pub statements: bool,
}

impl Facts for ImageFacts {
    const KEY: &'static str = "image/4";

    fn image(&self) -> &Image {
        &self.work
    }

    fn image_mut(&mut self) -> &mut Image {
        &mut self.work
    }
}

impl ImageFacts {
    /// Where in the volume its servers look for data; empty: at the volume's root.
    #[must_use]
    pub fn data_path(&self) -> Option<String> {
        below(&self.pgdata, &self.work.mount_path)
    }
}

/// The part of `path` below `root`; empty for `root` itself.
#[must_use]
pub fn below(path: &str, root: &str) -> Option<String> {
    let rest = path.trim_end_matches('/').strip_prefix(root.trim_end_matches('/'))?;
    if rest.is_empty() { Some(String::new()) } else { rest.strip_prefix('/').map(str::to_owned) }
}

fn no_postgres(detail: &str) -> Unfit {
    Unfit(format!(
        "it contains no PostgreSQL server ({detail}); use an image that keeps the official image's contract"
    ))
}

fn other_contract(found: &str, missing: &str) -> Unfit {
    Unfit(format!(
        "it has {found}, but {missing}. Seawall needs what the official image promises: a user named postgres, and an entry point that makes the database on an empty PGDATA with POSTGRES_USER, POSTGRES_DB and POSTGRES_PASSWORD_FILE"
    ))
}

/// Whether the environment already says the major version.
#[must_use]
pub fn major_of_env(image: &SeenImage) -> Option<u32> {
    let text = image.env.get("PG_MAJOR").or_else(|| image.env.get("PG_VERSION"))?;
    leading_number(text)
}

fn leading_number(text: &str) -> Option<u32> {
    let digits: String = text.trim().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|n| *n > 0)
}

/// `postgres (PostgreSQL) 17.6 (Debian 17.6-1)` → 17
#[must_use]
pub fn major_of_output(output: &str) -> Option<u32> {
    let (_, rest) = output.split_once("(PostgreSQL)")?;
    leading_number(rest)
}

/// # Errors
/// When the image cannot run PostgreSQL.
pub fn facts(image: &SeenImage, contents: &Contents) -> Result<ImageFacts, Unfit> {
    let by_output = || contents.version_output.as_deref().and_then(major_of_output);
    let built = contents.built_for.map(|(major, _)| major);
    let Some(major) = major_of_env(image).or(built).or_else(by_output) else {
        let detail = match &contents.server {
            Some(path) => format!("{path} is there and does not tell its version"),
            None => format!("no PG_MAJOR in its environment and {NO_PROGRAM}"),
        };
        return Err(no_postgres(&detail));
    };
    let Some(server) = &contents.server else {
        let detail = format!("its environment says PG_MAJOR {major}, but there is {NO_PROGRAM}");
        return Err(no_postgres(&detail));
    };
    if major < 13 {
        return Err(Unfit(format!("it holds PostgreSQL {major}; Seawall needs 13 or newer")));
    }
    let (uid, gid) = user_ids(&contents.passwd).ok_or_else(|| {
        other_contract(&format!("PostgreSQL {major} ({server})"), &no_such_user(image, contents))
    })?;
    // Since 18 the official image keeps data in a directory per major, with the volume above it.
    let default_pgdata = if major >= 18 {
        format!("/var/lib/postgresql/{major}/docker")
    } else {
        "/var/lib/postgresql/data".to_owned()
    };
    let pgdata = image.env.get("PGDATA").filter(|p| p.starts_with('/')).map_or(default_pgdata, str::to_owned);
    let inside = |volume: &&String| pgdata == **volume || pgdata.starts_with(&format!("{volume}/"));
    let mount_path =
        image.volumes.iter().filter(inside).max_by_key(|v| v.len()).cloned().unwrap_or_else(|| {
            if major >= 18 && pgdata.starts_with("/var/lib/postgresql/") {
                "/var/lib/postgresql".to_owned()
            } else {
                pgdata.clone()
            }
        });
    leaves_room_for(image, OUR_FILES, "the server's password and parameters")?;
    let mut extra_volumes: Vec<String> =
        image.volumes.iter().filter(|v| **v != mount_path).cloned().collect();
    extra_volumes.sort();
    let mut capabilities: Vec<String> = match image.labels.get(label::CAPABILITIES) {
        Some(list) => list.split(',').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect(),
        None => contents.tools.clone(),
    };
    capabilities.sort();
    capabilities.dedup();
    let archives = |c: &String| c == "wal-g" || c == "pgbackrest";
    let managed = match image.labels.get(label::MANAGED) {
        Some("true") => true,
        Some(_) => false,
        None => capabilities.iter().any(archives),
    };
    Ok(ImageFacts {
        work: Image {
            id: image.id.clone(),
            digest: image.digests.first().cloned(),
            mount_path,
            extra_volumes,
            cmd: image.cmd.clone(),
        },
        major,
        managed,
        capabilities,
        pgdata,
        uid,
        gid,
        libraries: contents.libraries.clone(),
        init_scripts: contents.init_scripts,
        catalog: contents.built_for.filter(|(built, _)| *built == major).map(|(_, catalog)| catalog),
        statements: contents.statements,
    })
}

const NO_PROGRAM: &str = "no program named postgres in its PATH or the usual places";

/// What is said of an image whose server has another user.
fn no_such_user(image: &SeenImage, contents: &Contents) -> String {
    let user = image.user.split(':').next().unwrap_or_default();
    let runs = match user {
        "" | "0" | "root" => String::new(),
        user => format!(" (it runs as user {})", quoted(user)),
    };
    let place = if contents.passwd.is_empty() { "and no /etc/passwd" } else { "in /etc/passwd" };
    let bitnami = image.env.iter().any(|(key, _)| key.starts_with("BITNAMI_"));
    let whose =
        if bitnami { "; Bitnami's images take POSTGRESQL_… variables and paths of their own" } else { "" };
    format!("there is no user named postgres {place}{runs}{whose}")
}

fn user_ids(passwd: &str) -> Option<(u64, u64)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some("postgres") {
            return None;
        }
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\npostgres:x:999:998::/var/lib/postgresql:/bin/sh\n";

    fn image(env: &[(&str, &str)], labels: &[(&str, &str)], volumes: &[&str]) -> SeenImage {
        SeenImage {
            id: "sha256:1".into(),
            tags: vec![],
            digests: vec![],
            env: env.iter().copied().collect(),
            labels: labels.iter().copied().collect(),
            volumes: volumes.iter().map(|v| (*v).to_owned()).collect(),
            architecture: "amd64".into(),
            user: String::new(),
            stop_signal: String::new(),
            cmd: vec!["postgres".into()],
            entrypoint: vec![],
        }
    }
    fn contents(tools: &[&str], version: Option<&str>) -> Contents {
        Contents {
            passwd: PASSWD.into(),
            tools: tools.iter().map(|t| (*t).to_owned()).collect(),
            version_output: version.map(str::to_owned),
            init_scripts: true,
            server: Some("/usr/local/bin/postgres".to_owned()),
            ..Contents::default()
        }
    }

    #[test]
    fn volume_follows_the_image() {
        for (env, volumes, want_mount, want_pgdata) in [
            (
                vec![("PG_MAJOR", "18"), ("PGDATA", "/var/lib/postgresql/18/docker")],
                vec!["/var/lib/postgresql"],
                "/var/lib/postgresql",
                "/var/lib/postgresql/18/docker",
            ),
            (
                vec![("PG_MAJOR", "17"), ("PGDATA", "/var/lib/postgresql/data")],
                vec!["/var/lib/postgresql/data"],
                "/var/lib/postgresql/data",
                "/var/lib/postgresql/data",
            ),
            (vec![("PG_MAJOR", "18")], vec![], "/var/lib/postgresql", "/var/lib/postgresql/18/docker"),
            (vec![("PG_MAJOR", "16"), ("PGDATA", "/data/pg")], vec!["/other"], "/data/pg", "/data/pg"),
        ] {
            let got = facts(&image(&env, &[], &volumes), &contents(&[], None)).unwrap();
            assert_eq!((got.work.mount_path.as_str(), got.pgdata.as_str()), (want_mount, want_pgdata));
            assert_eq!((got.uid, got.gid), (999, 998));
        }
    }

    #[test]
    fn managed_is_found_out() {
        let env = [("PG_MAJOR", "18")];
        for (labels, tools, managed, capabilities) in [
            (vec![], vec![], false, vec![]),
            (vec![], vec!["wal-g"], true, vec!["wal-g"]),
            (vec![], vec!["pg_auto_failover"], false, vec!["pg_auto_failover"]),
            (
                vec![(label::MANAGED, "true"), (label::CAPABILITIES, "pgbackrest, pg_auto_failover")],
                vec![],
                true,
                vec!["pg_auto_failover", "pgbackrest"],
            ),
            (vec![(label::MANAGED, "false")], vec!["pgbackrest"], false, vec!["pgbackrest"]),
        ] {
            let got = facts(&image(&env, &labels, &[]), &contents(&tools, None)).unwrap();
            assert_eq!(got.managed, managed, "{labels:?} {tools:?}");
            assert_eq!(got.capabilities, capabilities);
        }
    }

    fn unfit(found: Result<ImageFacts, Unfit>, words: &str) -> bool {
        found.is_err_and(|why| why.to_string().contains(words))
    }

    #[test]
    fn what_cannot_run_is_said() {
        let no_env = image(&[], &[], &[]);
        let by_binary = contents(&[], Some("postgres (PostgreSQL) 17.6 (Debian 17.6-1)"));
        assert_eq!(facts(&no_env, &by_binary).unwrap().major, 17);
        assert!(unfit(facts(&no_env, &contents(&[], None)), "no PostgreSQL server"));
        let pg = image(&[("PG_MAJOR", "18")], &[], &[]);
        assert!(unfit(facts(&pg, &Contents::default()), "no PostgreSQL server"));
        let by_build = Contents { built_for: Some((17, 202_406_281)), ..contents(&[], None) };
        let got = facts(&no_env, &by_build).unwrap();
        assert_eq!((got.major, got.catalog), (17, Some(202_406_281)));
        let other = facts(&pg, &by_build).unwrap();
        assert_eq!((other.major, other.catalog), (18, None), "programs of another major tell nothing");
        let old = image(&[("PG_MAJOR", "9.6")], &[], &[]);
        assert!(unfit(facts(&old, &contents(&[], None)), "it holds PostgreSQL 9; "));
    }

    #[test]
    fn a_server_under_another_contract_is_said_with_what_is_missing() {
        let users = |passwd: &str| Contents {
            passwd: passwd.into(),
            server: Some("/opt/bitnami/postgresql/bin/postgres".into()),
            built_for: Some((17, 202_406_281)),
            ..Contents::default()
        };
        let mut bitnami = image(&[("BITNAMI_APP_NAME", "postgresql"), ("APP_VERSION", "17.6.0")], &[], &[]);
        bitnami.user = "1001".into();
        let mut other = image(&[("PG_MAJOR", "17")], &[], &[]);
        other.user = "pg:pg".into();
        let plain = image(&[("PG_MAJOR", "17")], &[], &[]);
        let root = "root:x:0:0:root:/root:/bin/sh\n";
        let no_user = "there is no user named postgres";
        for (image, passwd, missing) in [
            (&bitnami, root, " in /etc/passwd (it runs as user \"1001\"); Bitnami's images"),
            (&other, "pg:x:70:70::/:/bin/sh\n", " in /etc/passwd (it runs as user \"pg\")."),
            (&plain, "", " and no /etc/passwd."),
        ] {
            let why = facts(image, &users(passwd)).unwrap_err().to_string();
            assert!(
                why.starts_with("it has PostgreSQL 17 (/opt/bitnami/postgresql/bin/postgres), but "),
                "{why}"
            );
            assert!(why.contains(&format!("{no_user}{missing}")), "{why}");
            assert!(why.contains("POSTGRES_PASSWORD_FILE"), "{why}");
        }
        let only_named = Contents { server: None, ..contents(&[], None) };
        let why = facts(&plain, &only_named).unwrap_err().to_string();
        assert!(
            why.contains("its environment says PG_MAJOR 17, but there is no program named postgres"),
            "{why}"
        );
    }

    #[test]
    fn the_place_in_the_volume() {
        for (path, root, want) in [
            ("/a/b", "/a", Some("b")),
            ("/a/b/", "/a/", Some("b")),
            ("/a", "/a", Some("")),
            ("/ab", "/a", None),
            ("/x", "/a", None),
        ] {
            assert_eq!(below(path, root).as_deref(), want, "{path} {root}");
        }
    }
}
