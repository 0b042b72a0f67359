//! The port of an object without a manifest is kept for when it comes back; here it is given up, and nothing else of
//! the object with it.

use super::answers::store_failed;
use super::api::{ApiError, Done, ErrorCode, Result};
use super::objects::Record;
use super::operator::Operator;
use crate::core::event::Note;
use crate::core::names::ObjectRef;

impl Operator {
    pub(super) async fn release_port(&self, object: &ObjectRef, record: &Record) -> Result<Done> {
        let refused = |what: String, next: &str| Err(ApiError::new(ErrorCode::Conflict, what, next));
        if let Some(source) = &record.source {
            let what = format!("{object} has a manifest in {}, and its port with it", source.file);
            return refused(what, "change spec.port there");
        }
        let Some(port) = record.memory.port else {
            return refused(format!("no port is kept for {object}"), "");
        };
        let edited = self.edit(object, |r| {
            // A manifest that came back meanwhile has it in use again.
            if r.source.is_none() {
                r.memory.port = None;
            }
        });
        if edited.await.map_err(|e| store_failed(&e))?.is_none_or(|r| r.memory.port.is_some()) {
            return refused(format!("{object} was changed meanwhile"), "look again: seawall get");
        }
        self.tools.ports.release(object);
        let words = format!("port {port} was given up on the command line");
        self.note(Some(object), &[Note::normal("PortReleased", words)]).await;
        // Whoever waits for it.
        self.enqueue_all();
        let message = format!("port {port} is free; {object} gets another one when its manifest comes back");
        Ok(Done { message, commit: String::new() })
    }
}
