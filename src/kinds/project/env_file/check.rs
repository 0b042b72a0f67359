//! From the user's words to an env file with no illegal value. Pure.

use crate::core::names::Name;
use crate::core::path;
use crate::core::text::{NAME, shown};
use crate::manifest::load::looks_like_a_manifest;
use crate::manifest::scalar::Text;
use crate::workload::check::Found;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Mode of a file whose manifest says none.
const MODE: u32 = 0o600;
/// Longest name of a file, in bytes: a temporary one beside it has a longer one, and 255 is the most.
const LONGEST_NAME: usize = 200;
/// Longest path, in bytes.
const LONGEST_PATH: usize = 1_000;
/// A file with the variables of the environment, for applications that something else runs (compose, systemd).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvFileSpec {
    /// From the directory of the manifests, or absolute; below a directory that `--env-file-root` allows, by default that of the
    /// manifests.
    #[schemars(example = &"./shop.env")]
    pub path: Text,
    /// Who may read it; by default `"0600"`: the user that Seawall runs as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"0600")]
    pub mode: Option<Text>,
}

/// The same with no illegal value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvFile {
    /// Without `.` and `..`; absolute, or from the directory of the manifests.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
}

/// Checks the env file at `at` in the document; `known`: those of environments before it.
pub fn check(
    spec: &EnvFileSpec,
    at: &str,
    known: &BTreeMap<Name, EnvFile>,
    found: &mut Found<'_>,
) -> Option<EnvFile> {
    let path = checked_path(&spec.path.0).map_err(|why| found.add(&path::field(at, "path"), why)).ok();
    let mode = spec.mode.as_ref().map_or(Ok(MODE), |mode| checked_mode(&mode.0));
    let mode = mode.map_err(|why| found.add(&path::field(at, "mode"), why)).ok();
    let file = EnvFile { path: path?, mode: mode? };
    if let Some((name, _)) = known.iter().find(|(_, other)| other.path == file.path) {
        found.add(
            &path::field(at, "path"),
            format!("is the file of environment {name}, too: give it another"),
        );
        return None;
    }
    Some(file)
}

fn checked_path(text: &str) -> Result<String, String> {
    let path = Path::new(text);
    if text.is_empty() {
        return Err("is empty: give the path of a file, like ./shop.env".to_owned());
    }
    if text.chars().any(char::is_control) || text.len() > LONGEST_PATH {
        return Err(format!("is no path: at most {LONGEST_PATH} bytes, and nothing that cannot be printed"));
    }
    if path.components().any(|step| step == Component::ParentDir) {
        return Err(
            "has .. in it: give an absolute path, or one below the directory of the manifests".to_owned()
        );
    }
    let Some(name) = path.file_name().filter(|_| !text.ends_with('/') && !text.ends_with("/.")) else {
        return Err("is the path of a directory: add the name of a file, like shop.env".to_owned());
    };
    if name.len() > LONGEST_NAME {
        return Err(format!("has a name of {} bytes; at most {LONGEST_NAME} are allowed", name.len()));
    }
    if looks_like_a_manifest(text) {
        let name = shown(&name.to_string_lossy(), NAME);
        return Err(format!("{name} is the name of a manifest: give it another, like shop.env"));
    }
    // Without the dots.
    let steps: PathBuf = path.components().filter(|step| *step != Component::CurDir).collect();
    Ok(steps.to_string_lossy().into_owned())
}

fn checked_mode(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let octal = !digits.is_empty() && digits.len() <= 5 && digits.bytes().all(|c| (b'0'..b'8').contains(&c));
    let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| octal && *mode <= 0o777);
    let mode = mode.ok_or_else(|| format!("{} is no mode: write \"0600\"", shown(text, NAME)))?;
    if mode & 0o022 != 0 {
        return Err(format!(
            "with {mode:04o} others could change it: write \"0640\" for a group that reads it"
        ));
    }
    if mode & 0o400 == 0 || mode & 0o111 != 0 {
        return Err(format!("{mode:04o} is not the mode of a file that is read: write \"0600\" or \"0640\""));
    }
    Ok(mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::names::{Kind, ObjectRef};
    use crate::core::problem::Place;
    use crate::core::resource::{Document, Metadata};
    use serde_json::json;

    #[test]
    fn a_path_is_one_file_that_is_no_manifest() {
        for (path, want) in [
            ("./shop.env", Ok("shop.env")),
            ("web/./.env", Ok("web/.env")),
            ("/srv//shop/./x.env", Ok("/srv/shop/x.env")),
            ("", Err("is empty")),
            (".", Err("of a directory")),
            ("web/", Err("of a directory")),
            ("web/.", Err("of a directory")),
            ("/", Err("of a directory")),
            ("../shop.env", Err("has .. in it")),
            ("/srv/manifests/../x", Err("has .. in it")),
            ("a\nb", Err("cannot be printed")),
            ("shop.yaml", Err("name of a manifest")),
            ("shop.YML", Err("name of a manifest")),
            ("env.json", Err("name of a manifest")),
            (&"x".repeat(201), Err("at most 200")),
            (&"x/".repeat(600), Err("at most 1000")),
        ] {
            match (checked_path(path), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{path}"),
                (Err(why), Err(want)) => assert!(why.contains(want), "{path}: {why}"),
                (got, _) => panic!("{path}: {got:?}"),
            }
        }
    }

    #[test]
    fn a_mode_lets_others_read_and_nothing_else() {
        for (mode, want) in [
            ("0600", Ok(0o600)),
            ("640", Ok(0o640)),
            ("0o644", Ok(0o644)),
            ("0400", Ok(0o400)),
            ("0620", Err("others could change it")),
            ("0666", Err("others could change it")),
            ("0700", Err("not the mode of a file")),
            ("0200", Err("not the mode of a file")),
            ("04600", Err("is no mode")),
            ("0680", Err("is no mode")),
            ("+600", Err("is no mode")),
            ("rw-------", Err("is no mode")),
            ("", Err("is no mode")),
        ] {
            match (checked_mode(mode), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{mode}"),
                (Err(why), Err(want)) => assert!(why.contains(want), "{mode}: {why}"),
                (got, _) => panic!("{mode}: {got:?}"),
            }
        }
    }

    #[test]
    fn each_problem_is_at_its_place_and_no_two_environments_have_one_file() {
        let name = Name::parse("shop").unwrap();
        let document = Document {
            object: ObjectRef::new(Kind::Project, name.clone()),
            metadata: Metadata { name, labels: BTreeMap::default(), annotations: BTreeMap::default() },
            spec: json!({}),
            place: Place { file: "a.yaml".into(), line: 1, column: 1 },
            places: Default::default(),
        };
        let mut found = Found::new(&document);
        let mut known = BTreeMap::new();
        for (environment, path, mode) in [
            ("a", "./x.env", None),
            ("b", "x.env", None),
            ("c", "y.env", Some("777")),
            ("d", "..", Some("1")),
        ] {
            let mode = mode.map(|mode: &str| Text(mode.to_owned()));
            let spec = EnvFileSpec { path: Text(path.to_owned()), mode };
            if let Some(file) = check(&spec, environment, &known, &mut found) {
                known.insert(Name::parse(environment).unwrap(), file);
            }
        }
        let file = EnvFile { path: "x.env".to_owned(), mode: 0o600 };
        assert_eq!(known, BTreeMap::from([(Name::parse("a").unwrap(), file)]));
        let words: Vec<String> = found.problems.iter().map(|p| format!("{} {}", p.path, p.what)).collect();
        assert!(words[0].starts_with("b.path is the file of environment a, too"), "{words:?}");
        let places: Vec<&str> = found.problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(places, ["b.path", "c.mode", "d.path", "d.mode"]);
    }
}
