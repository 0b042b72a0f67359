//! What a user asks for by name: stop, start, restart, delete, let removals go on. Each becomes a wish in the
//! record, durable where it must be; passes do the rest. It must be run to its end, whoever waits for it.

use super::answers::{not_found, store_failed};
use super::any::Spec;
use super::api::{ApiError, Done, ErrorCode, Operation, Result};
use super::objects::Record;
use super::operator::Operator;
use super::recover::NO_FILE;
use super::state::Away;
use crate::core::condition::{ConditionType, ROTATING, Truth, find};
use crate::core::event::Note;
use crate::core::names::ObjectRef;
use crate::core::will::Rotate;
use crate::store::Saving;

impl Operator {
    pub(super) async fn do_operate(&self, object: &ObjectRef, operation: Operation) -> Result<Done> {
        self.must_run("this")?;
        let record = self.record(object)?;
        let rotates = matches!(operation, Operation::Rotate | Operation::RotateNow);
        if rotates && !self.kinds.rotates(object.kind) {
            let what = format!("the password of a {} cannot be rotated yet", object.kind.lower());
            return Err(ApiError::new(ErrorCode::Invalid, what, ""));
        }
        if operation == Operation::RotateNow && self.kinds.has_containers(object.kind) {
            let what = format!(
                "{object} has one login: nobody new gets in with the old password in any case, and who is in stays"
            );
            let next = format!("seawall rotate {object}, without --now");
            return Err(ApiError::new(ErrorCode::Invalid, what, next));
        }
        if !rotates && !self.kinds.has_containers(object.kind) {
            return Err(ApiError::new(
                ErrorCode::Invalid,
                format!("{object} has nothing to stop or start"),
                "",
            ));
        }
        if !record.is_present() && operation != Operation::ReleasePort {
            let (why, next) = match &record.owner {
                Some(owner) => (format!("{} wants it no longer", owner.object), String::new()),
                None => ("it has no manifest".to_owned(), "bring the manifest back first".to_owned()),
            };
            let what = format!("{object} is retained: {why}");
            return Err(ApiError::new(ErrorCode::Conflict, what, next));
        }
        let spec_stopped =
            self.state().checked.get(object).and_then(Spec::work).is_some_and(|spec| spec.stopped);
        let source = record.source.as_ref().map(|p| p.file.clone()).unwrap_or_default();
        let (reason, message, commit) = match operation {
            Operation::Stop => (
                "StopRequested",
                format!("{object} is being stopped; data and everything else are kept"),
                if spec_stopped || record.source.is_none() {
                    String::new()
                } else {
                    format!("stopped: true   # under spec: in {source}, to keep it so")
                },
            ),
            Operation::Start if spec_stopped && record.by_api => {
                let what = format!("{object} is stopped by its spec");
                let next = "apply it with `stopped: false` under spec:";
                return Err(ApiError::new(ErrorCode::Conflict, what, next));
            }
            Operation::Start if spec_stopped && record.source.is_none() => {
                let by = record.owner.as_ref().map(|owner| owner.object.to_string()).unwrap_or_default();
                let what = format!("{object} is stopped by {by}, which made it");
                return Err(ApiError::new(ErrorCode::Conflict, what, format!("seawall describe {by}")));
            }
            Operation::Start if spec_stopped => {
                let what = format!("{object} is stopped by its manifest {source}");
                return Err(ApiError::new(ErrorCode::Conflict, what, "commit `stopped: false` under spec:"));
            }
            Operation::Start if self.runs_already(&record) => {
                return Ok(Done { message: format!("{object} runs already"), commit: String::new() });
            }
            Operation::Start => ("StartRequested", format!("{object} is being started"), String::new()),
            Operation::Reinitialise if record.memory.each().iter().any(|(_, work)| work.ever_ready) => {
                let what = format!("{object} was Ready: its data is a database, and is kept");
                return Err(ApiError::new(ErrorCode::Conflict, what, format!("seawall describe {object}")));
            }
            Operation::Reinitialise => {
                let failed = self.state().statuses.get(object).is_some_and(|s| {
                    find(&s.conditions, ConditionType::Ready)
                        .is_some_and(|c| c.reason == "InitialisationFailed")
                });
                if !failed {
                    let what = format!("no failed initialisation of {object} is known");
                    return Err(ApiError::new(
                        ErrorCode::Conflict,
                        what,
                        format!("seawall describe {object}"),
                    ));
                }
                let message = format!("the half-made data of {object} is thrown away and made anew");
                ("ReinitialiseRequested", message, String::new())
            }
            Operation::Restart => {
                if spec_stopped || record.asked.stopped {
                    let what = format!("{object} is stopped");
                    return Err(ApiError::new(ErrorCode::Conflict, what, format!("seawall start {object}")));
                }
                ("RestartRequested", format!("{object} is being restarted"), String::new())
            }
            Operation::Rotate | Operation::RotateNow => {
                if spec_stopped || record.asked.stopped {
                    let what = format!("{object} is stopped; nothing was changed");
                    return Err(ApiError::new(ErrorCode::Conflict, what, format!("seawall start {object}")));
                }
                let elsewhere = self.state().checked.get(object).and_then(Spec::password_is_elsewhere);
                if elsewhere.is_some() && record.by_api && self.kinds.has_containers(object.kind) {
                    let what = format!("the password of {object} is the one that it was given");
                    let next = format!("give it another one: seawall services update {object} -s password=…");
                    return Err(ApiError::new(ErrorCode::Conflict, what, next));
                }
                if let Some((whose, next)) = elsewhere {
                    let what = format!("the password of {object} is {whose}");
                    return Err(ApiError::new(ErrorCode::Conflict, what, next));
                }
                self.may_rotate(object)?;
                ("RotationRequested", format!("{object} gets a new password"), String::new())
            }
            Operation::ReleasePort => return self.release_port(object, &record).await,
        };
        let saving = match operation {
            Operation::Stop | Operation::Start | Operation::Restart => Saving::MayWait,
            Operation::Reinitialise | Operation::ReleasePort | Operation::Rotate | Operation::RotateNow => {
                Saving::Durable
            }
        };
        self.edit(object, saving, |r| match operation {
            Operation::ReleasePort => {}
            Operation::Reinitialise => {
                r.asked.reinitialise = Some(jiff::Timestamp::now().to_string());
            }
            Operation::Stop => r.asked.stopped = true,
            Operation::Start => r.asked.stopped = false,
            Operation::Rotate | Operation::RotateNow => {
                let now = operation == Operation::RotateNow;
                r.asked.rotate = Some(Rotate { at: jiff::Timestamp::now().to_string(), now });
            }
            // To the nanosecond: two requests in one second are two.
            Operation::Restart => r.asked.restart = Some(jiff::Timestamp::now().to_string()),
        })
        .await
        .map_err(|e| store_failed(&e))?;
        if operation == Operation::Reinitialise {
            self.answered_for(Some(object), Note::warning(reason, "what is there goes")).await;
        } else {
            let words = format!("asked for by {}", self.caller());
            self.note(Some(object), &[Note::normal(reason, words)]).await;
        }
        self.changed();
        self.hurry(object);
        let not_saved = self.not_saved_since(object).and_then(|_| self.not_saved());
        let not_saved = not_saved.map(|why| format!(" ({why})")).unwrap_or_default();
        let away = self.state().engine.down.as_ref().map(Away::headline);
        let queued = away.map(|why| format!(", once the engine answers again: {why}")).unwrap_or_default();
        Ok(Done { message: message + &queued + &not_saved, commit })
    }

    /// A pass of this process has seen that it does, and nothing else was asked for since.
    fn runs_already(&self, record: &Record) -> bool {
        let state = self.state();
        let marks = state.marks(&record.object).unwrap_or_default();
        let ready = marks.conditions.contains(&(ConditionType::Ready, Truth::True));
        ready && state.engine.down.is_none()
    }

    /// One at a time, and none of what nobody gets into.
    fn may_rotate(&self, object: &ObjectRef) -> Result<()> {
        let conditions = self.state().statuses.get(object).map(|s| s.conditions.clone()).unwrap_or_default();
        let next = format!("seawall describe {object}");
        let refused = |what| Err(ApiError::new(ErrorCode::Conflict, what, next.clone()));
        if !find(&conditions, ConditionType::Ready).is_some_and(|c| c.status == Truth::True) {
            return refused(format!("{object} is not Ready; nothing was changed"));
        }
        if find(&conditions, ConditionType::Progressing).is_some_and(|c| c.reason == ROTATING) {
            return refused(format!("{object} is being given a new password already"));
        }
        Ok(())
    }

    /// Whether its data would be kept; else why it may not go.
    pub(super) fn may_delete(&self, object: &ObjectRef, confirm: &str) -> Result<bool> {
        if let Some(new) = &self.record(object)?.asked.renamed_to {
            let what = format!("{object} is being renamed to {new}: its data are wanted there");
            return Err(ApiError::new(ErrorCode::Conflict, what, format!("seawall describe {object}")));
        }
        let record = self.record(object)?;
        if let Some(place) = record.source.as_ref().filter(|place| place.file != NO_FILE) {
            let what = format!("{object} has a manifest in {place}; nothing was changed");
            let next = format!("remove {object} from {place}, and commit that");
            return Err(ApiError::new(ErrorCode::Conflict, what, next));
        }
        let keeps_data = record.by_api && (confirm.is_empty() || !self.kinds.runs(object.kind));
        if confirm != object.name.as_str() && !keeps_data {
            let what = format!("deleting {object} destroys its data for good; it was not confirmed");
            let next = format!("seawall delete {object} --confirm {}", object.name);
            let made = record.owner.clone().filter(|owner| owner.wanted);
            let next = match made {
                Some(owner) => format!("{next} ({} makes it anew, empty)", owner.object),
                None => next,
            };
            return Err(ApiError::new(ErrorCode::Conflict, what, next));
        }
        let referrers = self.wanted_referrers(object);
        if !referrers.is_empty() {
            let what = format!("{object} is referred to by {}; nothing was changed", referrers.join(", "));
            let in_files = {
                let state = self.state();
                let has_file = |other| state.records.get(other).is_some_and(|r| r.source.is_some());
                state.graph.referrers(object).any(has_file)
            };
            let from = if in_files { " from the manifests" } else { "" };
            let next = format!("remove {}{from} first", referrers.join(", "));
            return Err(ApiError::new(ErrorCode::Conflict, what, next));
        }
        Ok(keeps_data)
    }

    pub(super) async fn do_delete(&self, object: &ObjectRef, confirm: &str) -> Result<Done> {
        self.must_run("delete")?;
        if self.may_delete(object, confirm)? {
            return self.let_go_by_api(object).await;
        }
        // Asked and confirmed in one: a manifest that comes back meanwhile must not find a consent to delete.
        let gone = self.gone_from_now(0);
        let edited = self.edit(object, Saving::Durable, |r| {
            if r.source.is_none() {
                if r.is_present() {
                    r.let_go(gone);
                }
                r.asked.delete = true;
            } else {
                r.asked.delete = false;
            }
        });
        let edited = edited.await;
        let record = edited.map_err(|e| store_failed(&e))?.ok_or_else(|| not_found(object))?;
        if let Some(source) = &record.source {
            let what = format!("{object} has a manifest in {}", source.file);
            return Err(ApiError::new(
                ErrorCode::Conflict,
                what,
                format!("remove it from {} first", source.file),
            ));
        }
        self.answered_for(Some(object), Note::warning("DeletionConfirmed", "it goes, with its data")).await;
        self.hurry(object);
        let anew = {
            let state = self.state();
            let owner = record.owner.as_ref().and_then(|by| {
                state.records.get(&by.object).filter(|owner| owner.uid == by.uid && owner.is_present())
            });
            owner.map(|owner| format!("; {} makes it anew, empty, as long as it wants it", owner.object))
        };
        let stays = self.state().checked.get(object).and_then(Spec::outlived_by);
        let what = stays.map_or_else(
            || format!("{object} and its data are being deleted"),
            |stays| format!("{object} is being deleted; {stays}"),
        );
        let message = format!("{what}{}", anew.unwrap_or_default());
        Ok(Done { message, commit: String::new() })
    }

    pub(super) async fn do_confirm_prune(&self, confirm: &str) -> Result<Done> {
        self.must_run("prune")?;
        let words = self.state().guard.as_ref().map(super::guard::Guard::confirm_words);
        let Some(words) = words else {
            return Err(ApiError::new(ErrorCode::Conflict, "nothing is held back", ""));
        };
        if words != confirm {
            let what = "the set of objects is another one, or it was not confirmed";
            return Err(ApiError::new(
                ErrorCode::Conflict,
                what,
                format!("look at `seawall prune`, then: seawall prune --confirm {words}"),
            ));
        }
        self.answers_for(None, Note::warning("PruneConfirmed", format!("confirmed by {words}"))).await?;
        self.state().prune_confirmed = Some(words);
        self.rescan.notify_one();
        Ok(Done { message: "the removals go on".to_owned(), commit: String::new() })
    }
}
