//! What is written down of those who ask, and what is told of it: the one place where a reveal, and whatever else somebody must
//! answer for, becomes an entry of the audit log and an event.

use super::asking::asking;
use super::log::{LOGIN_FAILED, Log, PREFIX};
use super::tries::Source;
use crate::control::answers::{ended, store_failed};
use crate::control::api::{ApiError, AuditEntry, ErrorCode, Result};
use crate::control::operator::{Operator, this_second};
use crate::core::access::Caller;
use crate::core::event::Note;
use crate::core::names::ObjectRef;
use crate::core::text::shown;
use crate::store::{Saving, Store, StoreError};
use std::sync::Arc;

/// Characters that are kept of what is said besides.
const DETAIL: usize = 500;
/// The same of the name of a program.
const PROGRAM: usize = 60;

impl Operator {
    /// Who asks. A command without an operator is whoever runs it.
    pub(in crate::control) fn caller(&self) -> Caller {
        asking().unwrap_or_else(|| match self.running {
            true => Caller::operator(),
            false => Caller::user(rustix::process::geteuid().as_raw()),
        })
    }

    fn entry(&self, object: String, what: &str, detail: &str) -> AuditEntry {
        let caller = self.caller();
        let at = this_second().to_string();
        let way = if self.running { "socket" } else { "store" };
        AuditEntry {
            sequence: 0,
            at: at.clone(),
            last_at: at,
            who: caller.name,
            from: caller.from.map_or_else(|| way.to_owned(), |address| address.to_string()),
            what: what.to_owned(),
            object,
            detail: shown(&self.tools.masked_of_all(detail.to_owned()), DETAIL),
            count: 1,
        }
    }

    /// Written when this returns, if it may not wait.
    async fn write_entry(&self, entry: AuditEntry, saving: Saving) -> Result<AuditEntry, StoreError> {
        let mut log = self.access.log.lock().await;
        let mut known = match log.take() {
            Some(known) => known,
            None => {
                let mut known = Log::default();
                self.tools.store.each(PREFIX, &mut |_, found| known.load(found.body))?;
                known
            }
        };
        let added = known.add(entry, this_second());
        self.tools.store.save(added.changes, saving).await?;
        *log = Some(known);
        Ok(added.entry)
    }

    /// Passwords are about to be shown. While the disk is full that waits in memory where whoever may open the socket asks: he could read
    /// store and key himself, and may need his database to make room.
    ///
    /// # Errors
    /// When that could not be written down: then they are not to be.
    pub(in crate::control) async fn reveals(&self, object: &ObjectRef, words: &str) -> Result<()> {
        self.gives(object, Note::warning("PasswordRevealed", words)).await
    }

    /// The same of a program that somebody of this machine logs in with. What leaves the machine is shown, whatever it is for.
    ///
    /// # Errors
    /// As [`Operator::reveals`].
    pub(in crate::control) async fn starts(&self, object: &ObjectRef, program: &str) -> Result<()> {
        if self.caller().from.is_some() {
            return self.reveals(object, "its password is shown").await;
        }
        let words = format!("{} logs in with its password", shown(program, PROGRAM));
        self.gives(object, Note::normal("ClientStarted", words)).await
    }

    async fn gives(&self, object: &ObjectRef, note: Note) -> Result<()> {
        let object = object.clone();
        let local = self.running && self.caller().from.is_none();
        let saving = if local { Saving::MayWait } else { Saving::Durable };
        let work = |me: Arc<Self>| async move {
            me.answers_for_named(&object.to_string(), Some(&object), note, saving).await
        };
        ended(self.to_the_end(work).await)
    }

    /// Somebody is about to get or to do what `note` says: that is on the disk before he does.
    ///
    /// # Errors
    /// When it could not be written: then it is not to be.
    pub(in crate::control) async fn answers_for(&self, object: Option<&ObjectRef>, note: Note) -> Result<()> {
        let name = object.map(ToString::to_string).unwrap_or_default();
        self.answers_for_named(&name, object, note, Saving::Durable).await
    }

    /// The same of what is no object of a kind.
    pub(super) async fn answers_for_named(
        &self,
        name: &str,
        object: Option<&ObjectRef>,
        note: Note,
        saving: Saving,
    ) -> Result<()> {
        let entry = self.entry(name.to_owned(), note.reason, &note.message);
        self.write_entry(entry, saving).await.map_err(|error| {
            let ApiError { code, what, next } = store_failed(&error);
            ApiError::new(code, format!("nothing was done, as it cannot be written down: {what}"), next)
        })?;
        self.tell(name, object, note).await;
        Ok(())
    }

    /// Somebody has done it: nothing that is written takes it back.
    pub(in crate::control) async fn answered_for(&self, object: Option<&ObjectRef>, note: Note) {
        let name = object.map(ToString::to_string).unwrap_or_default();
        self.answered_for_named(&name, object, note).await;
    }

    pub(super) async fn answered_for_named(&self, name: &str, object: Option<&ObjectRef>, note: Note) {
        let entry = self.entry(name.to_owned(), note.reason, &note.message);
        if let Err(error) = self.write_entry(entry, Saving::Durable).await {
            let (caller, what) = (self.caller(), note.reason);
            tracing::error!(%caller, what, %error, "the audit log could not be written");
        }
        self.tell(name, object, note).await;
    }

    async fn tell(&self, name: &str, object: Option<&ObjectRef>, note: Note) {
        let about = if object.is_none() && !name.is_empty() { format!("{name}: ") } else { String::new() };
        let message = format!("{about}{} (asked for by {})", note.message, self.caller());
        self.note(object, &[Note { message, ..note }]).await;
    }

    /// Somebody tried a token that opens nothing: counted, and bounded apart from everything else.
    pub(super) async fn login_failed(&self, source: Source, who: &str, detail: &str) {
        let entry = AuditEntry {
            who: who.to_owned(),
            from: source.to_string(),
            ..self.entry(String::new(), LOGIN_FAILED, detail)
        };
        match self.write_entry(entry, Saving::MayWait).await {
            Ok(entry) if entry.count == 1 => tracing::warn!(from = %source, who, "{detail}"),
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "the audit log could not be written"),
        }
        self.changed();
    }

    /// What was written down after this entry, oldest first.
    pub(in crate::control) fn audited_after(&self, after: u64) -> Result<Vec<AuditEntry>> {
        let mut all = Vec::new();
        let read = self.tools.store.each(PREFIX, &mut |_, found| {
            if let Ok(entry) = serde_json::from_value::<AuditEntry>(found.body)
                && entry.sequence > after
            {
                all.push(entry);
            }
        });
        read.map_err(|e| ApiError::new(ErrorCode::Internal, e.to_string(), "seawall doctor"))?;
        Ok(all)
    }
}
