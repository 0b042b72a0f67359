//! From the user's words to a link with no illegal value. Pure; reports all problems at once.

use super::spec::{CredentialsSpec, KeysSpec, LinkSpec, RotationSpec};
use crate::core::desired::stable_hash;
use crate::core::duration::duration;
use crate::core::names::{Kind, Name, ObjectRef};
use crate::core::path;
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::text::{NAME, quoted, shown};
use crate::workload::check::{Found, annotated};
use crate::workload::schedule::Schedule;
use crate::workload::spec::DeletionPolicySpec;
use std::collections::BTreeSet;
use std::time::Duration;

/// Longest name of a database that is made up.
const LONGEST: usize = 63;
/// Longest prefix of variables.
const LONGEST_PREFIX: usize = 40;
/// For how long an old password lets in when it is still used.
const GRACE: Duration = Duration::from_secs(3_600);
/// No service needs more.
const MOST_EXTENSIONS: usize = 100;

/// A Link whose every field is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub service: ObjectRef,
    pub project: ObjectRef,
    pub environment: Name,
    /// Empty with `instance`: it is the service's.
    pub database: String,
    /// The manifest names the database: it is shared with other links that name it, too.
    pub shares: bool,
    /// Its applications log in as the user of the service itself, and nothing is made for it.
    pub instance: bool,
    pub prefix: String,
    /// It gets at all keys of its service, as the only link of that.
    pub all_keys: bool,
    pub extensions: BTreeSet<String>,
    pub connection_limit: Option<u32>,
    /// The database goes with it.
    pub deletes: bool,
    /// And the user agreed to that by name.
    pub delete_confirmed: bool,
    /// When its password is rotated by itself.
    pub schedule: Option<Schedule>,
    /// For how long an old password still lets in.
    pub grace: Duration,
    /// `seawall.dev/paused`.
    pub paused: bool,
}

impl Checked {
    /// The manifest says that the database may go with it, and the user agreed by name.
    #[must_use]
    pub fn given_up(&self) -> bool {
        self.deletes && self.delete_confirmed
    }
}

/// The database of an environment, if the manifest names none: `<project>_<environment>`, in lower case, with `_` for `-`. Two
/// pairs of names that would become the same text get a hash each, and so does what had to be cut.
#[must_use]
pub fn database(project: &Name, environment: &Name) -> String {
    let (project, environment) = (project.as_str(), environment.as_str());
    let name = format!("{project}_{environment}").replace('-', "_");
    let is_plain = !project.contains('-') && !environment.contains('-');
    if is_plain && name.len() <= LONGEST {
        return name;
    }
    let hash = &stable_hash(&format!("{project}/{environment}"))[..8];
    // Names of objects are ASCII.
    let start: String = name.chars().take(LONGEST - 1 - hash.len()).collect();
    format!("{start}_{hash}")
}

/// Checks one document whose shape already follows the schema.
///
/// # Errors
/// With every problem found, each at its own place.
pub fn check(document: &Document) -> Result<Checked, Vec<Problem>> {
    let spec: LinkSpec = serde_json::from_value(document.spec.clone())
        .map_err(|e| vec![Problem::new(document.place_of("spec"), "spec", shown(&e.to_string(), NAME))])?;
    let mut found = Found::new(document);
    annotated(&mut found);
    let service =
        spec.service.0.parse::<ObjectRef>().map_err(|e| found.add("spec.service", e.to_string())).ok();
    let mut name =
        |path: &str, text: &str| Name::parse(text).map_err(|e| found.add(path, e.to_string())).ok();
    let project = name("spec.project", &spec.project.0);
    let environment = name("spec.environment", &spec.environment.0);
    for (index, extension) in spec.extensions.iter().enumerate().take(MOST_EXTENSIONS) {
        if let Some(why) = no_extension(&extension.0) {
            found.add(&path::item("spec.extensions", index), why);
        }
    }
    if spec.extensions.len() > MOST_EXTENSIONS {
        found.add("spec.extensions", format!("at most {MOST_EXTENSIONS} extensions are made"));
    }
    if spec.connection_limit == Some(0) {
        found.add("spec.connectionLimit", "with 0 nobody gets in; leave it out for no limit");
    }
    let (schedule, grace) = rotation(spec.rotation.as_ref(), &mut found);
    let instance = spec.credentials == CredentialsSpec::Instance;
    if instance {
        nothing_of_its_own(&spec, &mut found);
    }
    let kind = service.as_ref().map(|service| service.kind);
    let all_keys = spec.keys == KeysSpec::All;
    if all_keys && kind.is_some_and(|kind| kind != Kind::Redis) {
        found.add("spec.keys", "only a Redis has keys; take it out");
    }
    let prefix = match (&spec.prefix, kind) {
        (Some(prefix), _) => prefix.0.clone(),
        (None, kind) => kind.map(Kind::lower).unwrap_or_default().to_uppercase(),
    };
    if let Some(why) = no_prefix(&prefix).filter(|_| service.is_some()) {
        found.add("spec.prefix", why);
    }
    let (Some(service), Some(project), Some(environment)) = (service, project, environment) else {
        return Err(found.problems);
    };
    if !found.problems.is_empty() {
        return Err(found.problems);
    }
    let shares = spec.database.is_some();
    let database = match spec.database {
        _ if instance => String::new(),
        Some(database) => database.0,
        None => database(&project, &environment),
    };
    Ok(Checked {
        database,
        shares,
        instance,
        project: ObjectRef { kind: Kind::Project, name: project },
        service,
        environment,
        prefix,
        all_keys,
        extensions: spec.extensions.into_iter().map(|extension| extension.0).collect(),
        connection_limit: spec.connection_limit,
        deletes: spec.deletion_policy == DeletionPolicySpec::Delete,
        delete_confirmed: document.metadata.confirms_deletion(),
        schedule,
        grace,
        paused: document.metadata.is_paused(),
    })
}

/// What it says of things that are the service's then.
fn nothing_of_its_own(spec: &LinkSpec, found: &mut Found<'_>) {
    let fields = [
        ("database", spec.database.is_some()),
        ("keys", spec.keys != KeysSpec::default()),
        ("extensions", !spec.extensions.is_empty()),
        ("connectionLimit", spec.connection_limit.is_some()),
        ("deletionPolicy", spec.deletion_policy == DeletionPolicySpec::Delete),
        ("rotation", spec.rotation.is_some()),
    ];
    for (field, _) in fields.into_iter().filter(|(_, is_said)| *is_said) {
        let why = "with `credentials: instance` nothing is made for the link: user, password and database are the service's own";
        found.add(&path::field("spec", field), why);
    }
}

fn rotation(spec: Option<&RotationSpec>, found: &mut Found<'_>) -> (Option<Schedule>, Duration) {
    let Some(spec) = spec else { return (None, GRACE) };
    let (every, window, zone) = (spec.every.as_ref(), spec.window.as_ref(), spec.time_zone.as_ref());
    let schedule = Schedule::check(every, window, zone, found);
    let grace = spec.grace.as_ref().map_or(Ok(GRACE), |grace| duration(&grace.0));
    let grace = grace.map_err(|why| found.add("spec.rotation.grace", why)).unwrap_or(GRACE);
    if schedule.as_ref().is_some_and(|schedule| grace >= schedule.every) {
        found.add("spec.rotation.grace", "the old password would still let in when the next one comes");
    }
    (schedule, grace)
}

fn no_extension(name: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (name.is_empty() || name.len() > LONGEST || !name.chars().all(legal))
        .then(|| format!("{} is not the name of an extension", quoted(name)))
}

fn no_prefix(prefix: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let starts = prefix.chars().next().is_some_and(|c| c.is_ascii_uppercase());
    (!starts || prefix.len() > LONGEST_PREFIX || !prefix.chars().all(legal)).then(|| {
        format!(
            "{} cannot begin the name of a variable: capital letters, digits and underscores, at most {LONGEST_PREFIX}",
            quoted(prefix)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::problem::Place;
    use crate::core::resource::Metadata;
    use serde_json::{Value, json};

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn nothing_is_said_of_what_is_the_services_nor_of_what_it_has_not() {
        let judged = |more: Value| {
            let name = name("shop-main");
            let mut spec = json!({"service": "postgres/main", "project": "shop", "environment": "production", "credentials": "instance"});
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let document = Document {
                object: ObjectRef::new(Kind::Link, name.clone()),
                metadata: Metadata { name, labels: Default::default(), annotations: Default::default() },
                spec,
                place: Place { file: "a.yaml".into(), line: 1, column: 1 },
                places: Default::default(),
            };
            check(&document).map_err(|all| all.into_iter().map(|p| p.path).collect::<Vec<_>>())
        };
        let checked = judged(json!({"prefix": "DB"})).unwrap();
        assert!(checked.instance && checked.database.is_empty());
        judged(json!({"deletionPolicy": "Retain"})).unwrap();
        judged(json!({"keys": "prefix"})).unwrap();
        let cache = json!({"service": "redis/cache", "keys": "all"});
        assert_eq!(judged(cache.clone()).unwrap_err(), ["spec.keys"], "the service's user has them anyway");
        let tenant = |mut spec: Value| {
            spec["credentials"] = json!("tenant");
            judged(spec)
        };
        assert!(
            tenant(cache).unwrap().all_keys && !tenant(json!({"service": "redis/cache"})).unwrap().all_keys
        );
        assert_eq!(tenant(json!({"keys": "all"})).unwrap_err(), ["spec.keys"], "a Postgres has none");
        for (field, value) in [
            ("database", json!("shop")),
            ("extensions", json!(["pgcrypto"])),
            ("connectionLimit", json!(5)),
            ("deletionPolicy", json!("Delete")),
            ("rotation", json!({"every": "90d"})),
        ] {
            assert_eq!(judged(json!({field: value})).unwrap_err(), [format!("spec.{field}")]);
            assert!(judged(json!({field: value, "credentials": "tenant"})).is_ok(), "{field}");
        }
    }

    #[test]
    fn a_schedule_says_when() {
        let judged = |rotation: Value| -> Result<(Option<Schedule>, Duration), Vec<String>> {
            let name = name("shop-main");
            let document = Document {
                object: ObjectRef::new(Kind::Link, name.clone()),
                metadata: Metadata { name, labels: Default::default(), annotations: Default::default() },
                spec: json!({"service": "postgres/main", "project": "shop", "environment": "production", "rotation": rotation}),
                place: Place { file: "a.yaml".into(), line: 1, column: 1 },
                places: Default::default(),
            };
            let checked =
                check(&document).map_err(|all| all.into_iter().map(|p| p.to_string()).collect::<Vec<_>>())?;
            Ok((checked.schedule, checked.grace))
        };
        let (schedule, grace) =
            judged(json!({"every": "90d", "window": "02:00-04:00", "timeZone": "Europe/Berlin"})).unwrap();
        assert_eq!((schedule.unwrap().every, grace), (Duration::from_secs(7_776_000), GRACE));
        assert_eq!(judged(json!({"grace": "10m"})).unwrap(), (None, Duration::from_secs(600)));
        for (rotation, want) in [
            (json!({"every": "soon"}), "spec.rotation.every"),
            (json!({"every": "5m"}), "every hour is the most often"),
            (json!({"every": "1d", "window": "2-4"}), "write 02:00-04:00"),
            (json!({"every": "1d", "timeZone": "Middle/Earth"}), "as Europe/Berlin"),
            (json!({"window": "02:00-04:00"}), "says nothing"),
            (json!({"every": "1h", "grace": "2h"}), "would still let in"),
        ] {
            let problems = judged(rotation.clone()).unwrap_err().join("; ");
            assert!(problems.contains(want), "{rotation}: {problems}");
        }
    }

    #[test]
    fn no_two_environments_get_the_same_database() {
        assert_eq!(database(&name("shop"), &name("production")), "shop_production");
        let (one, two) = (database(&name("shop-a"), &name("b")), database(&name("shop"), &name("a-b")));
        assert!(one.starts_with("shop_a_b_") && two.starts_with("shop_a_b_") && one != two, "{one} {two}");
        let long = "p".repeat(40);
        let cut = [database(&name(&long), &name(&long)), database(&name(&long), &name(&"p".repeat(39)))];
        assert!(cut.iter().all(|name| name.len() == 63) && cut[0] != cut[1], "{cut:?}");
        assert_eq!(cut[0], database(&name(&long), &name(&long)), "always the same");
    }
}
