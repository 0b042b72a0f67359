//! The order of text comes from the C library and from ICU, not from PostgreSQL. An index that was built
//! with one version of them is searched in the order of another after the image changed, and silently
//! misses rows. Here is what tells it before and after. Pure; must never call a change harmless that is
//! not known to be.

use crate::core::text::in_shell;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Databases that a message names; the server tells no more.
pub const MOST: usize = 20;

/// What sorts text in an image, as its package database says; `None`: it has none that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Libraries {
    /// `glibc 2.41`; a new patch of a package is none of these.
    pub libc: Option<String>,
    /// `ICU 76`
    pub icu: Option<String>,
}

/// A package: name and version, without an epoch and without what the distribution added.
fn packages(text: &str, name: &'static str, version: &'static str) -> impl Iterator<Item = (String, String)> {
    text.split("\n\n").filter_map(move |paragraph| {
        let field = |key: &str| paragraph.lines().find_map(|l| l.strip_prefix(key)).map(str::trim);
        // Removed packages stay in the list with another state.
        if field("Status:").is_some_and(|s| !s.ends_with(" installed")) {
            return None;
        }
        let version = field(version)?;
        let version = version.split_once(':').map_or(version, |(_, v)| v);
        Some((field(name)?.to_owned(), version.split('-').next().unwrap_or_default().to_owned()))
    })
}

impl Libraries {
    /// From `/var/lib/dpkg/status` (Debian) and `/lib/apk/db/installed` (Alpine), each empty when it is
    /// not there. Of several ICUs in one image nobody can tell here which one sorts.
    #[must_use]
    pub fn of(dpkg: &str, apk: &str) -> Self {
        let mut found = Self::default();
        let all = packages(dpkg, "Package:", "Version:").chain(packages(apk, "P:", "V:"));
        let mut several = false;
        for (name, version) in all {
            let digits = |prefix: &str| {
                name.strip_prefix(prefix).filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
            };
            let major = version.split('.').next().unwrap_or_default();
            match name.as_str() {
                "libc6" => found.libc = Some(format!("glibc {version}")),
                "musl" => found.libc = Some("musl".to_owned()),
                "icu-libs" => found.icu = Some(format!("ICU {major}")),
                _ => {
                    if let Some(major) = digits("libicu") {
                        several |= found.icu.replace(format!("ICU {major}")).is_some();
                    }
                }
            }
        }
        if several {
            found.icu = None;
        }
        found
    }

    /// What sorts differently in `new`, in words. `providers` are those whose order some database goes
    /// by: `c` and `i` as in `pg_database`; `None`: not known, so it may be any.
    #[must_use]
    pub fn changed(&self, new: &Self, providers: Option<&str>) -> Option<String> {
        let used = |provider| providers.is_none_or(|p| p.contains(provider));
        let pairs = [('c', &self.libc, &new.libc), ('i', &self.icu, &new.icu)];
        pairs.into_iter().find_map(|(provider, old, new)| match (old, new) {
            (Some(old), Some(new)) if old != new && used(provider) => Some(format!("{old} → {new}")),
            _ => None,
        })
    }
}

/// A database whose indexes were built with another version than the server has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub database: String,
    pub built_with: String,
    pub now: String,
}

/// What a server said about the order of its databases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collations {
    pub mismatched: Vec<Mismatch>,
    /// Providers with a version that some database goes by; `None`: the server cannot tell (before 15).
    pub providers: Option<String>,
}

/// A collation that a column or an index names, and whose version is another one than recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Schema and name, quoted as in SQL.
    pub collation: String,
    pub built_with: String,
    pub now: String,
}

/// What one database says about the collations that its columns and indexes name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InDatabase {
    pub database: String,
    /// Their providers, as in [`Collations`].
    pub providers: String,
    pub mismatched: Vec<Named>,
}

/// What all databases of a server say about that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Columns {
    #[default]
    NotAsked,
    /// Nobody could tell; why.
    Unknown(String),
    Asked(Vec<InDatabase>),
}

impl Columns {
    /// Providers by which anything on this server is sorted, with those that its databases go by; `None`: it may be any.
    #[must_use]
    pub fn providers(&self, of_databases: Option<&str>) -> Option<String> {
        let Columns::Asked(all) = self else { return None };
        Some(all.iter().fold(of_databases?.to_owned(), |known, one| known + &one.providers))
    }

    #[must_use]
    pub fn mismatched(&self) -> &[InDatabase] {
        match self {
            Columns::Asked(all) => all,
            Columns::NotAsked | Columns::Unknown(_) => &[],
        }
    }

    /// Whether every database was asked and none has anything to build again.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        matches!(self, Columns::Asked(all) if all.iter().all(|one| one.mismatched.is_empty()))
    }
}

/// What is wrong and what to do, for the condition.
#[must_use]
pub fn in_words(
    mismatched: &[Mismatch],
    columns: &[InDatabase],
    container: &str,
    owner: &str,
) -> Option<String> {
    // Database → what has to be told of it, in the order of their names.
    let mut wrong: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for m in mismatched {
        let name = format!("\"{}\"", m.database.replace('"', "\"\""));
        let refresh = format!("ALTER DATABASE {name} REFRESH COLLATION VERSION");
        wrong.entry(&m.database).or_default().push(refresh);
    }
    for one in columns {
        for named in &one.mismatched {
            let refresh = format!("ALTER COLLATION {} REFRESH VERSION", named.collation);
            wrong.entry(&one.database).or_default().push(refresh);
        }
    }
    let of_database = mismatched.first().map(|m| (&m.now, &m.built_with));
    let of_column = || columns.iter().flat_map(|one| &one.mismatched).next().map(|n| (&n.now, &n.built_with));
    let (now, built_with) = of_database.or_else(of_column)?;
    let names: Vec<String> = wrong.keys().take(MOST).map(|database| format!("{database:?}")).collect();
    let commands: Vec<String> = wrong
        .iter()
        .take(MOST)
        .map(|(database, refresh)| {
            let name = format!("\"{}\"", database.replace('"', "\"\""));
            let statements =
                std::iter::once(format!("REINDEX DATABASE {name}")).chain(refresh.iter().cloned());
            let statements: Vec<String> = statements.map(|sql| format!("-c {}", in_shell(&sql))).collect();
            // psql takes a name with a sign of these for a whole connection string.
            let (variable, option) = if database.contains(['=', ':']) {
                (format!("-e {} ", in_shell(&format!("PGDATABASE={database}"))), String::new())
            } else {
                (String::new(), format!("-d {} ", in_shell(database)))
            };
            format!(
                "docker exec -u postgres {variable}{container} psql -X -v ON_ERROR_STOP=1 -U {} {option}{}",
                in_shell(owner),
                statements.join(" "),
            )
        })
        .collect();
    Some(format!(
        "text sorts by version {now} here, and the indexes of {} were built with {built_with}: a search by them can miss rows. \
         Build them again, which locks each table meanwhile: {}. An index that refuses tells of rows that should not be there twice",
        names.join(", "),
        commands.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "Package: libc-bin\nStatus: install ok installed\nVersion: 2.41-12\n\n\
        Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.41-12+deb13u1\n\n\
        Package: libicu72\nStatus: deinstall ok config-files\nVersion: 72.1-3\n\n\
        Package: libicu76\nStatus: install ok installed\nVersion: 76.1-4\n";
    const ALPINE: &str = "C:Q1\nP:musl\nV:1.2.5-r9\n\nC:Q1\nP:icu-libs\nV:76.1-r1\n";

    fn libraries(libc: &str, icu: &str) -> Libraries {
        let some = |t: &str| Some(t.to_owned()).filter(|t| !t.is_empty());
        Libraries { libc: some(libc), icu: some(icu) }
    }

    #[test]
    fn an_image_tells_what_sorts_in_it() {
        for (dpkg, apk, want) in [
            (DEBIAN, "", libraries("glibc 2.41", "ICU 76")),
            ("", ALPINE, libraries("musl", "ICU 76")),
            ("", "", Libraries::default()),
            ("nonsense", "\n\n\n", Libraries::default()),
            ("Package: libc6\nVersion: 1:2.36-9", "", libraries("glibc 2.36", "")),
            ("Package: libicu72\nVersion: 72.1\n\nPackage: libicu76\nVersion: 76.1", "", libraries("", "")),
            ("Package: libicu-dev\nVersion: 72.1", "", libraries("", "")),
        ] {
            assert_eq!(Libraries::of(dpkg, apk), want, "{dpkg:?} {apk:?}");
        }
    }

    #[test]
    fn only_a_change_that_somebody_sorts_by_counts() {
        let old = libraries("glibc 2.36", "ICU 72");
        for (new, providers, want) in [
            (libraries("glibc 2.36", "ICU 72"), None, None),
            (libraries("glibc 2.41", "ICU 72"), None, Some("glibc 2.36 → glibc 2.41")),
            (libraries("glibc 2.41", "ICU 76"), Some("c"), Some("glibc 2.36 → glibc 2.41")),
            (libraries("glibc 2.41", "ICU 76"), Some("i"), Some("ICU 72 → ICU 76")),
            (libraries("glibc 2.41", "ICU 76"), Some(""), None),
            (libraries("glibc 2.41", "ICU 72"), Some("i"), None),
            (libraries("musl", "ICU 72"), Some("c"), Some("glibc 2.36 → musl")),
            // Nobody can tell beforehand: what the server says afterwards does.
            (libraries("", ""), None, None),
        ] {
            assert_eq!(old.changed(&new, providers).as_deref(), want, "{new:?} {providers:?}");
        }
        assert_eq!(Libraries::default().changed(&old, None), None);
    }

    #[test]
    fn the_commands_work_as_they_are_printed() {
        let mismatch = |database: &str| Mismatch {
            database: database.to_owned(),
            built_with: "2.36".to_owned(),
            now: "2.41".to_owned(),
        };
        let named = Named {
            collation: r#""pg_catalog"."de-x-icu""#.to_owned(),
            built_with: "153.112".to_owned(),
            now: "153.120".to_owned(),
        };
        let columns = |database: &str| InDatabase {
            database: database.to_owned(),
            providers: "i".to_owned(),
            mismatched: vec![named.clone()],
        };
        let databases = [mismatch("app"), mismatch("o'd \"x\"")];
        let words = in_words(&databases, &[columns("app")], "postgres-a", "app").unwrap();
        let first = r#"docker exec -u postgres postgres-a psql -X -v ON_ERROR_STOP=1 -U app -d app -c 'REINDEX DATABASE "app"' -c 'ALTER DATABASE "app" REFRESH COLLATION VERSION' -c 'ALTER COLLATION "pg_catalog"."de-x-icu" REFRESH VERSION'; "#;
        assert!(words.contains(first), "{words}");
        let second = r#"-d 'o'\''d "x"' -c 'REINDEX DATABASE "o'\''d ""x"""' -c"#;
        assert!(words.contains(second), "{words}");
        let clean = InDatabase { database: "app".to_owned(), ..InDatabase::default() };
        assert_eq!(in_words(&[], &[clean], "c", "o"), None);
        let words = in_words(&[], &[columns("only")], "c", "o").unwrap();
        assert!(
            words.contains("by version 153.120 here, and the indexes of \"only\" were built with 153.112"),
            "{words}"
        );
        assert!(!words.contains("ALTER DATABASE"), "{words}");
    }

    #[test]
    fn what_was_not_asked_may_be_anything() {
        let one = |providers: &str| InDatabase { providers: providers.to_owned(), ..InDatabase::default() };
        for (columns, databases, want) in [
            (Columns::NotAsked, Some("c"), None),
            (Columns::Unknown("down".into()), Some("c"), None),
            (Columns::Asked(vec![]), None, None),
            (Columns::Asked(vec![one(""), one("i")]), Some("c"), Some("ci")),
            (Columns::Asked(vec![one("")]), Some(""), Some("")),
        ] {
            assert_eq!(columns.providers(databases).as_deref(), want, "{columns:?}");
        }
    }
}
