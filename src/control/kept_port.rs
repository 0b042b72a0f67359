//! The port of an object without a manifest is kept for when it comes back; here it is given up, and nothing else of
//! the object with it.

use super::answers::store_failed;
use super::api::{ApiError, Done, ErrorCode, Result};
use super::objects::Record;
use super::operator::Operator;
use crate::core::event::Note;
use crate::core::names::ObjectRef;
use crate::core::resource::PortRequest;
use crate::store::Saving;

impl Operator {
    pub(super) async fn release_port(&self, object: &ObjectRef, record: &Record) -> Result<Done> {
        let refused = |what: String, next: &str| Err(ApiError::new(ErrorCode::Conflict, what, next));
        if let Some(source) = &record.source {
            let what = format!("{object} has a manifest in {}, and its port with it", source.file);
            return refused(what, "change spec.port there");
        }
        let Some(port) = record.memory.work().port else {
            return refused(format!("no port is kept for {object}"), "");
        };
        let edited = self.edit(object, Saving::Durable, |r| {
            // A manifest that came back meanwhile has it in use again.
            if r.source.is_none() {
                r.memory.edit_work(|work| work.port = None);
            }
        });
        if edited.await.map_err(|e| store_failed(&e))?.is_none_or(|r| r.memory.work().port.is_some()) {
            return refused(format!("{object} was changed meanwhile"), "look again: seawall get");
        }
        self.tools.ports.release(object);
        let words = format!("port {port} was given up on the command line");
        self.note(Some(object), &[Note::normal("PortReleased", words)]).await;
        // It goes to whoever asks for this very one, before a service that takes any sees that it is free.
        let next = {
            let state = self.state();
            let present =
                |object: &&ObjectRef| state.records.get(*object).is_some_and(|r| r.source.is_some());
            let asks = state
                .checked
                .iter()
                .filter(|(_, spec)| spec.work().is_some_and(|spec| spec.port == PortRequest::Fixed(port)));
            asks.map(|(object, _)| object).find(present).cloned()
        };
        if let Some(next) = next {
            self.tools.ports.reserve(port, &next);
            self.hurry(&next);
        }
        let message = format!("port {port} is free; {object} gets another one when its manifest comes back");
        Ok(Done { message, commit: String::new() })
    }
}
