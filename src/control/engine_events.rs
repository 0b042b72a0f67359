//! What the engine tells by itself: each event asks for a look at the objects it concerns. Events are hints: all of
//! them may be lost, and some tell of what we did ourselves.

use super::driver::{Sweep, sweep_once};
use super::objects::Record;
use super::operator::Operator;
use crate::core::event::Note;
use crate::core::member::{Member, Role};
use crate::core::names::{Kind, Name, ObjectRef, label};
use crate::core::pairs::Pairs;
use crate::core::seen::EngineEvent;
use crate::docker::DockerError;
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Milliseconds between a kill for want of memory and the look that asks what came of it.
const OOM: u64 = 1_000;
/// What a refused request for them is kept under.
const EVENTS: &str = "events";

/// Follows the engine's events; after each reconnect everything is looked at anew.
pub(super) async fn follow_events(operator: Arc<Operator>, cancel: CancellationToken) {
    let mut pause = Duration::from_millis(200);
    loop {
        let info = tokio::select! {
            () = cancel.cancelled() => return,
            info = operator.tools.docker.info() => info,
        };
        match info {
            Err(error) => operator.engine_is_away(&error).await,
            Ok(info) => {
                pause = Duration::from_millis(200);
                let cpus_known = operator.state().engine.info.is_some();
                // From this moment on, by the engine's own clock: the stream is opened when it is first read, after
                // the full look, and nothing may fall between the two.
                let since = info.time_nano;
                operator.engine_is_back(info).await;
                if !cpus_known {
                    operator.rescan.notify_one();
                }
                sweep_once(&operator, Sweep::All).await;
                operator.state().engine.followed = true;
                let ended = read_events(&operator, since, &cancel).await;
                operator.state().engine.followed = false;
                match ended {
                    Ended::Cancelled => return,
                    Ended::Broke => {}
                    // Until it is let through, the sweeps find what changes.
                    Ended::Refused => pause = operator.config.times.sweep,
                }
                // Known again by the next info call; until then nothing is taken for certain.
                if let Err(error) = operator.tools.docker.info().await {
                    operator.engine_is_away(&error).await;
                }
            }
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST);
    }
}

/// Between two tries to follow an engine that is away.
const LONGEST: Duration = Duration::from_secs(5);

/// How the events ended.
enum Ended {
    Cancelled,
    Broke,
    /// A proxy does not let the request through.
    Refused,
}

/// Reads events until the engine ends their stream. A stream is read for as long as
/// a sweep takes, then asked for anew from the last event on: over a network one can die without a word.
async fn read_events(operator: &Operator, mut since: i64, cancel: &CancellationToken) -> Ended {
    loop {
        let mut events = operator.tools.docker.events(since);
        let mut old = std::pin::pin!(sleep(operator.config.times.sweep));
        loop {
            let event = tokio::select! {
                () = cancel.cancelled() => return Ended::Cancelled,
                event = events.next() => event,
                // An engine that did not tell its clock has no last event to go on from.
                () = &mut old, if since > 0 => {
                    operator.proxy_refuses(EVENTS, None).await;
                    break;
                }
            };
            match event {
                Some(Ok(event)) => {
                    since = since.max(event.time_nano.saturating_add(1));
                    take_event(operator, &event).await;
                }
                Some(Err(error)) => {
                    tracing::warn!(%error, "the engine's event stream broke");
                    operator.proxy_refuses(EVENTS, Some(&error)).await;
                    return match error {
                        DockerError::Forbidden { .. } => Ended::Refused,
                        _ => Ended::Broke,
                    };
                }
                None => return Ended::Broke,
            }
        }
    }
}

fn member_of(operator: &Operator, labels: &Pairs) -> Option<Member> {
    if labels.get(label::INSTALLATION) != Some(operator.config.installation.as_str()) {
        return None;
    }
    let kind: Kind = labels.get(label::KIND)?.parse().ok()?;
    let object = ObjectRef::new(kind, Name::parse(labels.get(label::NAME)?).ok()?);
    Some(Member { object, role: Role::of_labels(labels)? })
}

/// Whether an event tells of a container that is no object's, whatever its labels say.
fn is_stranger(operator: &Operator, member: Option<&Member>, event: &EngineEvent) -> bool {
    let name = event.attributes.get("name");
    let own = member.map(|m| m.role.container(&operator.config.installation.container(&m.object)));
    !operator.state().by_container.contains_key(&event.actor) && (own.is_none() || name != own.as_ref())
}

/// Something left a name that is ours: what stood in the way of an object may be gone.
fn nudge_by_name(operator: &Operator, event: &EngineEvent) {
    let installation = &operator.config.installation;
    let said = [Some(&event.actor), event.attributes.get("name"), event.attributes.get("oldName")];
    for name in said.into_iter().flatten().map(|s| s.trim_start_matches('/')) {
        if name == installation.network() {
            operator.services().iter().for_each(|object| operator.nudge(object));
        }
        let at_home = |record: &&Arc<Record>| {
            record.memory.work().home.as_ref().is_some_and(|home| home.may_have(name))
        };
        let concerned: Vec<ObjectRef> = {
            let state = operator.state();
            let kinds = operator.kinds.about().filter(|about| about.containers);
            let by_name = kinds.flat_map(|about| installation.owners(about.kind, name));
            let by_name = by_name.filter(|object| state.records.contains_key(object));
            by_name
                .chain(state.records.values().filter(at_home).map(|record| record.object.clone()))
                .collect()
        };
        for object in concerned {
            operator.nudge(&object);
        }
    }
}

async fn take_event(operator: &Operator, event: &EngineEvent) {
    match event.kind.as_str() {
        "container" => {
            if event.action.starts_with("exec_") || event.action.starts_with("health_status") {
                return;
            }
            if matches!(event.action.as_str(), "destroy" | "rename") {
                nudge_by_name(operator, event);
            }
            let member = member_of(operator, &event.labels);
            if matches!(event.action.as_str(), "start" | "die" | "unpause")
                && is_stranger(operator, member.as_ref(), event)
            {
                operator.strangers.notify_one();
            }
            let Some(Member { object, .. }) = member else { return };
            if event.action == "kill" {
                operator.tools.remember_signal(&event.actor, event.time_nano);
            }
            if event.action == "oom" {
                let words = "the kernel killed a process of the container for want of memory";
                operator.note(Some(&object), &[Note::warning("OutOfMemory", words)]).await;
                operator.tools.remember_oom(&event.actor, event.time_nano);
                // If it was the server itself, its end is told in a moment: a look before that would take it for another process.
                operator.nudge_in(&object, OOM);
                return;
            }
            if matches!(
                event.action.as_str(),
                "archive-path" | "extract-to-dir" | "create" | "exec_die" | "attach" | "resize" | "top"
            ) {
                return;
            }
            operator.nudge(&object);
        }
        // Volume and network events carry no labels (docker-facts §5).
        "network" if matches!(event.action.as_str(), "destroy" | "disconnect" | "connect") => {
            if event.action == "destroy" {
                operator.tools.remember_network(None);
                nudge_by_name(operator, event);
            }
            let Some(container) = event.attributes.get("container") else { return };
            let object = operator.state().by_container.get(container).cloned();
            if let Some(object) = object {
                operator.nudge(&object);
            }
        }
        "volume" if matches!(event.action.as_str(), "create" | "destroy") => nudge_by_name(operator, event),
        _ => {}
    }
}
