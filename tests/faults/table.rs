//! The judge of the table: breaks all servers of a batch at once, and holds what is said of each against what is so.

use crate::harness::{PATIENCE, Sea, wait_for};
use crate::kinds::Kind;
use crate::kinds::postgres::KIND as POSTGRES;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

/// Type → status and reason.
pub type Said = BTreeMap<String, (String, String)>;

/// What undoes a fault.
pub type Mend<'a> = Box<dyn FnOnce() + 'a>;

/// One line.
pub struct Fault {
    /// Also the name of the server that it is done to.
    pub name: &'static str,
    /// Of its manifest.
    pub spec: &'static str,
    /// Before it is watched: what the fault needs.
    pub prepare: fn(&Sea, &str) -> Option<Disk>,
    pub breaks: for<'a> fn(&'a Sea, &'a str) -> Mend<'a>,
    pub then: Then,
}

/// What has to follow.
pub enum Then {
    /// These are said, `Type Status Reason` (`*`: whatever; what fails ten times is Stalled, sooner or later), until it is mended. `lets_in`: a client gets in meanwhile; where that is so and Ready is
    /// not True, the line says why.
    Said { conditions: &'static [&'static str], lets_in: bool },
    /// Seawall mends it, and an event of this reason says so.
    Repaired(&'static str),
}

pub fn nothing(_: &Sea, _: &str) -> Option<Disk> {
    None
}

/// A file system of its own where a volume lies, for as long as this lives.
pub struct Disk(pub String);

impl Drop for Disk {
    fn drop(&mut self) {
        let script = "umount -l \"$0\"; rm -f \"$0.disk\"";
        let _ = Command::new("sh").args(["-c", script, &self.0]).output();
    }
}

/// What is said of an object now; the machine's own disk is no matter of a row.
pub fn said(sea: &Sea, name: &str) -> Said {
    let status = sea.status(name);
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let word = |c: &Value, field: &str| c[field].as_str().unwrap_or_default().to_owned();
    let all = conditions.iter().map(|c| (word(c, "type"), (word(c, "status"), word(c, "reason"))));
    all.filter(|(kind, _)| kind != "DiskPressure").collect()
}

fn wanted(line: &str) -> (String, (String, String)) {
    let words: Vec<&str> = line.split(' ').collect();
    let [kind, status, reason] = words.as_slice() else { panic!("{line}") };
    ((*kind).to_owned(), ((*status).to_owned(), (*reason).to_owned()))
}

/// What is said beside the line, and was not said before: it lies. That something is not known is no lie.
fn lies(before: &Said, now: &Said, line: &[&str]) -> Vec<String> {
    let expected: Said = line.iter().map(|line| wanted(line)).collect();
    let kinds = before.keys().chain(now.keys());
    let lies = kinds.filter(|kind| !expected.contains_key(*kind)).filter(|kind| {
        let unknown = now.get(*kind).is_some_and(|(status, _)| status == "Unknown");
        // What is not said at all is not known, either.
        !unknown && now.contains_key(*kind) && before.get(*kind) != now.get(*kind)
    });
    let mut all: Vec<String> =
        lies.map(|kind| format!("{kind}: {:?}, was {:?}", now.get(kind), before.get(kind))).collect();
    all.sort();
    all.dedup();
    all
}

fn gets_in(sea: &Sea, name: &str) -> bool {
    let Value::Number(_) = sea.status(name)["endpoint"]["hostPort"] else { return false };
    sea.lets_in(name, &sea.password(name))
}

/// Breaks all of them, one PostgreSQL each, beside one that nobody touches.
pub fn judge(faults: &[Fault]) {
    judge_within(Duration::from_secs(30), faults);
}

/// The same for what its rule says only after some time.
pub fn judge_within(patience: Duration, faults: &[Fault]) {
    judge_of(&POSTGRES, patience, faults);
}

/// The same with servers of another kind.
pub fn judge_of(kind: &dyn Kind, patience: Duration, faults: &[Fault]) {
    let sea = Sea::start_of(kind);
    let only = std::env::var("SEAWALL_FAULT").ok();
    let faults: Vec<&Fault> =
        faults.iter().filter(|f| only.as_ref().is_none_or(|only| f.name == only)).collect();
    for fault in &faults {
        sea.put(fault.name, fault.spec);
    }
    let untouched = &kind.object("well");
    sea.put(untouched, &kind.spec(""));
    let mut disks = Vec::new();
    for fault in &faults {
        sea.ready(fault.name);
        disks.extend((fault.prepare)(&sea, fault.name));
    }
    let settled = |name: &str| {
        wait_for(&format!("{name} before"), || {
            let now = said(&sea, name);
            let known = now.values().all(|(status, _)| status != "Unknown");
            (now["Ready"].0 == "True" && now["Progressing"].0 == "False" && known).then_some(now)
        })
    };
    let before: Vec<Said> = faults.iter().map(|fault| settled(fault.name)).collect();
    let well = settled(untouched);
    let mut mends: Vec<Mend<'_>> = faults.iter().map(|fault| (fault.breaks)(&sea, fault.name)).collect();
    let broken = Instant::now();
    let mut wrong = Vec::new();
    for (fault, before) in faults.iter().zip(&before) {
        match fault.then {
            Then::Said { conditions, lets_in } => {
                let want = conditions.iter().filter(|line| !line.ends_with('*')).map(|line| wanted(line));
                let want: Vec<_> = want.collect();
                let mut now;
                loop {
                    now = said(&sea, fault.name);
                    if want.iter().all(|(kind, value)| now.get(kind) == Some(value)) {
                        break;
                    }
                    if broken.elapsed() > *PATIENCE + patience {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(100));
                }
                let missing: Vec<_> =
                    want.iter().filter(|(kind, value)| now.get(kind) != Some(value)).collect();
                if !missing.is_empty() {
                    wrong.push(format!("{}: not said: {missing:?}; said: {now:#?}", fault.name));
                    continue;
                }
                let lies = lies(before, &now, conditions);
                if !lies.is_empty() {
                    wrong.push(format!("{}: {}", fault.name, lies.join("; ")));
                }
                let in_ = gets_in(&sea, fault.name);
                if in_ != lets_in || (!in_ && now["Ready"].0 == "True") {
                    wrong.push(format!("{}: a login {in_}, Ready {:?}", fault.name, now["Ready"]));
                }
            }
            Then::Repaired(reason) => {
                let object = kind.object(fault.name.rsplit('/').next().unwrap_or(fault.name));
                let told =
                    |events: &str| events.lines().any(|line| line.contains(reason) && line.contains(&object));
                let end = Instant::now() + *PATIENCE;
                while !told(&sea.ok(&["events"])) && Instant::now() < end {
                    std::thread::sleep(Duration::from_millis(200));
                }
                if !told(&sea.ok(&["events"])) {
                    wrong.push(format!("{}: no event {reason}: {}", fault.name, sea.ok(&["events"])));
                }
            }
        }
    }
    if said(&sea, untouched) != well {
        wrong.push(format!("well: {:?}", said(&sea, untouched)));
    }
    mends.drain(..).for_each(|mend| mend());
    for (fault, before) in faults.iter().zip(&before) {
        let end = Instant::now() + *PATIENCE + Duration::from_secs(60);
        while &said(&sea, fault.name) != before && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(200));
        }
        let now = said(&sea, fault.name);
        if &now != before {
            wrong.push(format!("{}: mended, and still: {:?}", fault.name, lies(before, &now, &[])));
        } else if !gets_in(&sea, fault.name) {
            wrong.push(format!("{}: mended, and nobody gets in", fault.name));
        }
    }
    drop(disks);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
