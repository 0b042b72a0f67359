//! `seawall recover`: rebuilds a lost or damaged store from containers, volumes and labels. New
//! passwords are sealed here; the next run finds the servers refusing them and sets them through the
//! containers' local sockets.
//!
//! Labels cannot be changed, so the new store takes over the store id that they carry. Nothing is
//! deleted: what was there is moved aside.

use super::{internal, store_error};
use crate::cli::settings::Settings;
use crate::control::api::{ApiError, Done, ErrorCode};
use crate::control::journal::{self, Journal, OPERATOR};
use crate::control::objects::{self, Record};
use crate::control::operator::{now, this_second};
use crate::control::recover::{
    Remains, Unproven, Wishes, add_member, confirm_words, describe, look, record, survey, wishes,
};
use crate::control::registry::Kinds;
use crate::control::start::{INSTALLATION_KEY, installation_of, other_installation};
use crate::core::event::Note;
use crate::core::names::ObjectRef;
use crate::docker::{Docker, DockerError};
use crate::manifest::load::load_dir;
use crate::secrets::{self, Algorithm, KeyError, Keys, Sealed, Sealer};
use crate::store::{Change, Found, Rebuild, StoreError};
use crate::workload::tools::secret_key;
use crate::workload::tools::vault::{CIPHER_KEY, cipher_of};
use serde_json::Value;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The key file as it was found.
enum KeyFound {
    /// It opens everything that the store holds.
    Good(Keys),
    /// A key, but of another store; or there is nothing that it could open.
    Other(Keys, String),
    Missing,
    Unreadable(String),
}

impl KeyFound {
    fn is_good(&self) -> bool {
        matches!(self, KeyFound::Good(_))
    }
}

/// What would be done with one store id.
struct Plan<'a> {
    id: String,
    remains: Vec<&'a Remains>,
    words: String,
}

/// # Errors
/// Until it is confirmed, a `Conflict` that says what would happen; and whenever it cannot be done.
pub async fn recover(
    settings: &Settings,
    docker: Arc<dyn Docker>,
    confirm: Option<&str>,
) -> Result<Done, ApiError> {
    let dir = settings
        .manifests_or_default()
        .map_err(|e| ApiError::new(ErrorCode::Invalid, e.to_string(), e.next()))?;
    let data = settings.data.clone();
    let rebuild = blocking(move || Rebuild::begin(&data)).await?.map_err(|e| locked(&e))?;
    if let Found::Sound { records, .. } = &rebuild.found
        && let Some(of) = installation_of(records.get(INSTALLATION_KEY))
        && of != settings.installation.as_str()
    {
        return Err(other_installation(of, &settings.installation, &settings.data));
    }
    let key = key(settings, &rebuild.found)?;
    let kinds = Kinds::all(None);
    let (remains, unproven) =
        survey(&kinds, docker.as_ref(), &settings.installation).await.map_err(|e| engine(&e))?;
    let plans = plans(&remains, &rebuild.found, &key);
    if plans.is_empty() {
        return Err(nothing(settings, &rebuild.found, &key, &unproven));
    }
    let scanned = dir.clone();
    let wishes = wishes(&kinds, &blocking(move || load_dir(&scanned)).await?);
    let Some(plan) = plans.iter().find(|p| Some(p.words.as_str()) == confirm) else {
        let mut error = preview(settings, &dir, &rebuild.found, &key, &plans, (&kinds, &wishes), confirm);
        error.what.push_str(&left_alone(&unproven));
        return Err(error);
    };
    if let Some((object, why)) =
        plan.remains.iter().find_map(|r| Some((&r.object, wishes.broken.get(&r.object)?)))
    {
        return Err(ApiError::new(
            ErrorCode::Invalid,
            format!(
                "the manifest of {object} cannot be used, so its spec is not known: {why}. Nothing was changed"
            ),
            "correct it (seawall validate), then say the same again",
        ));
    }
    let old = match &rebuild.found {
        Found::Sound { id, records } if *id == plan.id => records.clone(),
        _ => BTreeMap::new(),
    };
    let time: String = now().chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let records = records(&kinds, settings, docker.as_ref(), plan, &wishes, &old).await?;
    let aside_key = matches!(key, KeyFound::Unreadable(_));
    let cipher = cipher_of(old.get(CIPHER_KEY));
    let sealer = Sealer::new(usable_key(settings, key, &time)?, cipher);
    let changes = changes(&kinds, &sealer, plan, &records, old)?;
    let (id, aside) = (plan.id.clone(), format!("store.damaged-{time}"));
    let moved = blocking(move || rebuild.finish(&id, changes, &aside)).await?.map_err(|e| store_error(&e))?;
    let mut message = format!("the store was rebuilt with id {} and {} objects", plan.id, records.len());
    if let Some(moved) = moved {
        message.push_str(&format!("; what was there is kept in {}", moved.display()));
    }
    if aside_key {
        message.push_str(&format!("; the old key file is kept beside the new one as *.damaged-{time}"));
    }
    message
        .push_str(". Now start seawall run: it sets the new passwords through the containers' local sockets");
    Ok(Done { message, commit: String::new() })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| internal(e, ""))
}

fn locked(error: &StoreError) -> ApiError {
    match error {
        StoreError::Locked { pid, .. } => ApiError::new(
            ErrorCode::Conflict,
            format!("process {pid} works with this store; nothing was changed"),
            "stop the operator first, then say the same again",
        ),
        other => store_error(other),
    }
}

fn engine(error: &DockerError) -> ApiError {
    ApiError::new(ErrorCode::Unavailable, error.to_string(), "seawall doctor")
}

fn key(settings: &Settings, found: &Found) -> Result<KeyFound, ApiError> {
    let key = match Keys::load(&settings.key_file) {
        Ok(key) => key,
        Err(KeyError::Missing { .. }) => return Ok(KeyFound::Missing),
        // Of the next key: the one in the key file may be good.
        Err(ref error @ (KeyError::WrongLength { ref path, .. } | KeyError::NotHex { ref path }))
            if *path == settings.key_file =>
        {
            return Ok(KeyFound::Unreadable(error.to_string()));
        }
        // Permissions and the like are for the user to put right: the key itself may be good.
        Err(other) => return Err(internal(other, "put that right, then say the same again")),
    };
    let Found::Sound { records, .. } = found else { return Ok(KeyFound::Good(key)) };
    let sealer = Sealer::new(key.clone(), Algorithm::default());
    for (record, body) in records.iter().filter(|(k, _)| k.starts_with("secret/")) {
        let opened = serde_json::from_value::<Sealed>(body.clone())
            .map_err(|e| e.to_string())
            .and_then(|sealed| sealer.open(record, &sealed).map_err(|e| e.to_string()));
        if let Err(why) = opened {
            return Ok(KeyFound::Other(key, why));
        }
    }
    Ok(KeyFound::Good(key))
}

/// One plan for each store id that labels name, but for that of a store in which nothing is wrong.
fn plans<'a>(remains: &'a [Remains], found: &Found, key: &KeyFound) -> Vec<Plan<'a>> {
    let mut by_id: BTreeMap<&str, Vec<&Remains>> = BTreeMap::new();
    for r in remains {
        by_id.entry(&r.store).or_default().push(r);
    }
    if let Found::Sound { id, records } = found {
        if key.is_good() {
            by_id.remove(id.as_str());
        } else if records.keys().any(|k| k.starts_with("secret/")) {
            by_id.entry(id).or_default();
        }
    }
    let plan = |(id, remains): (&str, Vec<&'a Remains>)| Plan {
        id: id.to_owned(),
        words: confirm_words(id, &remains),
        remains,
    };
    by_id.into_iter().map(plan).collect()
}

/// Containers that only say that they are ours, a line each.
fn left_alone(unproven: &[Unproven]) -> String {
    let line = |u: &Unproven| {
        format!("\n! container {} carries labels of this installation and is left alone: {}", u.name, u.why)
    };
    unproven.iter().map(line).collect()
}

fn nothing(settings: &Settings, found: &Found, key: &KeyFound, unproven: &[Unproven]) -> ApiError {
    let installation = &settings.installation;
    match found {
        Found::Sound { .. } if key.is_good() => ApiError::new(
            ErrorCode::Conflict,
            format!(
                "the store in {} is sound and its key opens it: there is nothing to recover",
                settings.data.display()
            ),
            "seawall run",
        ),
        _ => ApiError::new(
            ErrorCode::NotFound,
            format!(
                "no container and no volume on this engine carries labels of installation {installation}: there is nothing to rebuild a store from{}",
                left_alone(unproven)
            ),
            "check --installation and --docker-host; to begin anew, move store and store.id in the data directory away",
        ),
    }
}

fn preview(
    settings: &Settings,
    dir: &Path,
    found: &Found,
    key: &KeyFound,
    plans: &[Plan<'_>],
    (kinds, wishes): (&Kinds, &Wishes),
    given: Option<&str>,
) -> ApiError {
    let data = settings.data.display();
    let mut lines = Vec::new();
    lines.push(match given {
        None => "nothing was changed. `seawall recover` would do this:".to_owned(),
        Some(words) => format!("nothing was changed: {words:?} are not the words that confirm this:"),
    });
    lines.push(match found {
        Found::Nothing => format!("- make a store in {data}, where there is none"),
        Found::Damaged(why) => format!("- move the damaged store in {data} aside and make a new one ({why})"),
        Found::Sound { id, .. } => format!("- move the store {id} in {data} aside and make a new one"),
    });
    let file = settings.key_file.display();
    match key {
        KeyFound::Good(_) => lines.push(format!("- keep the key file {file}")),
        KeyFound::Other(_, why) => {
            lines.push(format!("- keep the key file {file}, which is not the one the old passwords were sealed with ({why})"));
        }
        KeyFound::Missing => lines.push(format!("- make a new key file {file}, as there is none: whatever was sealed with the old key stays unreadable")),
        KeyFound::Unreadable(why) => lines.push(format!("- move the key file aside and make a new one ({why})")),
    }
    lines.push("! if the data directory that these databases belong to is still there, here or on another machine, give it with --data instead: this takes them away from it".to_owned());
    lines.push("- set a new password for every database below; the old passwords end".to_owned());
    if let Some(why) = &wishes.directory {
        lines.push(format!("! the manifest directory {}: {why}. Give --manifests", dir.display()));
    }
    if plans.len() > 1 {
        lines.push("! labels name several stores. Each belongs to another operator: take over the one that is lost; as long as containers of another one are here, `seawall run` refuses to start".to_owned());
    }
    for plan in plans {
        lines.push(format!("- take over store id {} with:", plan.id));
        for remains in &plan.remains {
            let (object, made_by) = (&remains.object, kinds.made_by(remains.object.kind));
            lines.push(format!("    {}", describe(remains, wishes.good.get(object), made_by)));
            if let Some(why) = wishes.broken.get(&remains.object) {
                lines.push(format!("    ! correct its manifest first: {why}"));
            }
        }
        if plans.len() > 1 {
            lines.push(format!("  to confirm: seawall recover --confirm {}", plan.words));
        }
    }
    let next = match plans {
        [only] => format!("seawall recover --confirm {}", only.words),
        _ => "choose one of the stores above".to_owned(),
    };
    ApiError::new(ErrorCode::Conflict, lines.join("\n"), next)
}

/// The records of a readable store of the same id stand; what it does not know comes from the engine.
async fn records(
    kinds: &Kinds,
    settings: &Settings,
    docker: &dyn Docker,
    plan: &Plan<'_>,
    wishes: &Wishes,
    old: &BTreeMap<String, Value>,
) -> Result<BTreeMap<ObjectRef, Record>, ApiError> {
    let mut records = BTreeMap::new();
    for (key, body) in old.iter().filter(|(k, _)| k.starts_with(objects::PREFIX)) {
        let record: Record =
            serde_json::from_value(body.clone()).map_err(|e| internal(format!("{key}: {e}"), ""))?;
        records.insert(record.object.clone(), record);
    }
    let known: BTreeSet<ObjectRef> = records.keys().cloned().collect();
    let images: BTreeSet<String> =
        plan.remains.iter().filter_map(|r| Some(r.container.as_ref()?.image_id.clone())).collect();
    for remains in &plan.remains {
        // What no manifest makes is taken over by the object that makes it, once that is there.
        if known.contains(&remains.object) || kinds.made_by(remains.object.kind).is_some() {
            continue;
        }
        let wish = wishes.good.get(&remains.object);
        let looked = look(kinds, docker, &settings.installation, remains, wish, &images).await;
        let looked = looked.map_err(|e| engine(&e))?;
        match records.entry(remains.object.clone()) {
            Entry::Vacant(new) => drop(new.insert(record(kinds, remains, &looked, wish))),
            Entry::Occupied(of_others) => add_member(of_others.into_mut(), remains, &looked, wish),
        }
    }
    Ok(records)
}

/// A key file is never overwritten: one that cannot be read is moved aside.
fn usable_key(settings: &Settings, found: KeyFound, time: &str) -> Result<Keys, ApiError> {
    let path = &settings.key_file;
    match found {
        KeyFound::Good(key) | KeyFound::Other(key, _) => return Ok(key),
        KeyFound::Missing => {}
        KeyFound::Unreadable(_) => {
            let mut aside = path.clone().into_os_string();
            aside.push(format!(".damaged-{time}"));
            std::fs::rename(path, PathBuf::from(aside)).map_err(|e| internal(e, ""))?;
        }
    }
    Keys::load_or_create(path, false).map_err(|e| internal(e, ""))
}

/// Everything that the new store begins with.
fn changes(
    kinds: &Kinds,
    sealer: &Sealer,
    plan: &Plan<'_>,
    records: &BTreeMap<ObjectRef, Record>,
    old: BTreeMap<String, Value>,
) -> Result<Vec<Change>, ApiError> {
    let now = this_second();
    let with_secret: BTreeSet<&str> = old.keys().filter_map(|k| k.strip_prefix("secret/")).collect();
    let mut new: BTreeMap<String, Value> = BTreeMap::new();
    let mut journal = Journal::default();
    old.iter()
        .filter(|(k, _)| k.starts_with(journal::PREFIX))
        .for_each(|(_, body)| journal.load(body.clone()));
    let mut notes = journal
        .add(
            OPERATOR,
            &Note::warning("StoreRecovered", format!("the store was rebuilt with id {}", plan.id)),
            now,
        )
        .changes;
    for record in records.values() {
        let record = record.clone();
        let name = record.object.to_string();
        let has_data = record.memory.work().ever_ready || with_secret.contains(name.as_str());
        if kinds.runs(record.object.kind) && has_data {
            let key = secret_key(&record.object, "");
            let sealed = sealer.seal(&key, &secrets::password()).map_err(|e| internal(e, ""))?;
            new.insert(key, serde_json::to_value(sealed).map_err(|e| internal(e, ""))?);
        }
        let words = "the record was rebuilt by seawall recover; the password is a new one, set in the server as soon as it runs";
        notes.extend(journal.add(&name, &Note::warning("Recovered", words), now).changes);
        new.insert(record.key(), serde_json::to_value(&record).map_err(|e| internal(e, ""))?);
    }
    // Passwords and records are new, and no status is true any more.
    let stays = |key: &str| !["secret/", "status/", objects::PREFIX].iter().any(|p| key.starts_with(p));
    new.extend(old.into_iter().filter(|(key, _)| stays(key)));
    for note in notes {
        match note {
            Change::Put { key, body } => drop(new.insert(key, body)),
            Change::Delete { key } => drop(new.remove(&key)),
        }
    }
    Ok(new.into_iter().map(|(key, body)| Change::put(key, body)).collect())
}
