//! What PostgreSQL's own servers know of their parameters: one table a major, made from a real server by
//! `deploy/settings.sh` and held to it by `tests/real/settings.rs`.
//!
//! Pure. It must never be edited by hand, and says nothing of parameters with a dot, which belong to extensions.

use crate::core::image_ref::ImageReference;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Major → what `deploy/settings.sh` printed.
pub const TEXTS: [(u32, &str); 2] =
    [(17, include_str!("settings/17.tsv")), (18, include_str!("settings/18.tsv"))];

static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    TEXTS
        .iter()
        .map(|(major, text)| Table {
            major: *major,
            settings: text
                .lines()
                .filter_map(|line| Setting::read(line).map(|s| (s.name.to_ascii_lowercase(), s)))
                .collect(),
        })
        .collect()
});

/// What kind of values a parameter takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    Bool,
    Integer {
        min: i64,
        max: i64,
    },
    Real {
        min: f64,
        max: f64,
    },
    Enum {
        told: Vec<&'static str>,
        further: Vec<&'static str>,
    },
    /// Anything; what it means is the server's to judge.
    Text,
}

/// One parameter of one major.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// As PostgreSQL writes it: `DateStyle`.
    pub name: &'static str,
    pub kind: Type,
    /// `kB`, `8kB`, `ms`…; empty when its values have none.
    pub unit: &'static str,
    /// It tells something of the server and can never be set.
    pub read_only: bool,
}

impl Setting {
    fn read(line: &'static str) -> Option<Self> {
        let fields: Vec<&'static str> = line.split('\t').collect();
        let [name, kind, unit, context, min, max, told, further] = fields[..] else { return None };
        let read_only = context == "internal";
        let list = |text: &'static str| text.split(',').collect();
        let kind = match kind {
            // Its range is that of this very server.
            _ if read_only => Type::Text,
            "bool" => Type::Bool,
            "integer" => Type::Integer { min: min.parse().ok()?, max: max.parse().ok()? },
            "real" => Type::Real { min: min.parse().ok()?, max: max.parse().ok()? },
            "enum" => Type::Enum {
                told: list(told),
                further: if further.is_empty() { Vec::new() } else { list(further) },
            },
            "string" => Type::Text,
            _ => return None,
        };
        Some(Self { name, kind, unit, read_only })
    }
}

/// The parameters of one major.
pub struct Table {
    pub major: u32,
    /// By names in lower case.
    settings: BTreeMap<String, Setting>,
}

impl Table {
    /// `name` in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.settings.get(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.settings.values().map(|setting| setting.name)
    }

    #[must_use]
    pub fn of(major: u32) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.major == major)
    }

    /// Every table, by major.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &TABLES
    }
}

/// What is known of the server that parameters are for, before anybody has seen its image.
#[derive(Clone, Copy)]
pub enum Known {
    /// `spec.version`: PostgreSQL's own names of this major, and no others.
    Version(&'static Table),
    /// The tag of `spec.image` begins with this major. A fork may have names of its own, but what it shares with
    /// PostgreSQL means the same.
    Tag(&'static Table),
    /// Neither, or a major without a table.
    Nothing,
}

impl Known {
    /// By what the manifest names. A version of the catalog that is no number goes by its image.
    #[must_use]
    pub fn of(version: Option<&str>, image: Option<&ImageReference>) -> Self {
        let tag = || image.and_then(|image| tag(image.as_str())).map(|tag| tag.trim_start_matches("pg"));
        match version.map(major) {
            Some(Some(major)) => Table::of(major).map_or(Self::Nothing, Self::Version),
            _ => tag().and_then(major).and_then(Table::of).map_or(Self::Nothing, Self::Tag),
        }
    }

    /// The tables that a value must satisfy one of.
    #[must_use]
    pub fn tables(self) -> &'static [Table] {
        match self {
            Self::Version(table) | Self::Tag(table) => std::slice::from_ref(table),
            Self::Nothing => Table::all(),
        }
    }
}

/// `17-alpine`, `17.2`, `18b` → the number they begin with.
fn major(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok())
}

fn tag(reference: &str) -> Option<&str> {
    let name = reference.split('@').next()?;
    name.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_every_table_is_read() {
        for (major, text) in TEXTS {
            let table = Table::of(major).unwrap();
            let lines = text.lines().filter(|line| !line.starts_with('#')).count();
            assert_eq!(table.settings.len(), lines, "{major}");
            assert!(lines > 350, "{major}: {lines}");
            for name in ["work_mem", "timezone", "datestyle", "shared_buffers"] {
                assert!(table.get(name).is_some(), "{major}: {name}");
            }
            // What the judgement goes by: an enumeration that tells what it also takes, and a range.
            let commit = table.get("synchronous_commit").unwrap();
            assert!(
                matches!(&commit.kind, Type::Enum { further, .. } if further.contains(&"yes")),
                "{commit:?}"
            );
            assert_eq!(table.get("work_mem").unwrap().kind, Type::Integer { min: 64, max: 2_147_483_647 });
            assert!(table.get("server_version").unwrap().read_only);
        }
    }

    #[test]
    fn the_major_is_told_by_the_version_or_by_the_tag() {
        for (version, image, want) in [
            (Some("18"), "x/y:1", "version 18"),
            (Some("18b"), "x/y", "version 18"),
            (Some("17.2"), "x/y", "version 17"),
            (Some("17-alpine"), "x/y", "version 17"),
            // There is no table of it: as if nothing was known.
            (Some("16"), "postgres:17", "nothing"),
            (Some("180"), "postgres:18", "nothing"),
            (Some("latest"), "postgres:17", "tag 17"),
            (None, "postgres:17-alpine", "tag 17"),
            (None, "postgres:17.2", "tag 17"),
            (None, "localhost:17/postgres", "nothing"),
            (
                None,
                "localhost:17/postgres:18@sha256:0000000000000000000000000000000000000000000000000000000000000000",
                "tag 18",
            ),
            (None, "pgvector/pgvector:pg17", "tag 17"),
            (None, "timescale/timescaledb:2.17.2-pg17", "nothing"),
            (None, "postgres", "nothing"),
            (None, "postgres:latest", "nothing"),
        ] {
            let got = match Known::of(version, Some(&ImageReference::parse(image).unwrap())) {
                Known::Version(table) => format!("version {}", table.major),
                Known::Tag(table) => format!("tag {}", table.major),
                Known::Nothing => "nothing".to_owned(),
            };
            assert_eq!(got, want, "{version:?} {image}");
        }
    }
}
