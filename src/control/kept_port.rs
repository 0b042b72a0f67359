//! The port of an object without a manifest is kept for when it comes back; here it is given up, and nothing else of
//! the object with it.

use super::answers::store_failed;
use super::any::Spec;
use super::api::{ApiError, Done, ErrorCode, Result};
use super::objects::Record;
use super::operator::Operator;
use crate::core::event::Note;
use crate::core::member::Member;
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
        if let Some(owner) = record.owner.as_ref().filter(|_| record.is_present()) {
            let what = format!("{object} belongs to {}, and its port with it", owner.object);
            return refused(what, "");
        }
        if record.by_api {
            let what = format!("{object} is managed by the API, and its port with it");
            return refused(what, "apply it with another spec.port");
        }
        let ports: Vec<u16> = record.memory.ports().into_iter().map(|(_, port)| port).collect();
        if ports.is_empty() {
            return refused(format!("no port is kept for {object}"), "");
        }
        let edited = self.edit(object, Saving::Durable, |r| {
            // A manifest that came back meanwhile has it in use again.
            if !r.is_present() {
                r.memory.edit_each(|work| work.port = None);
            }
        });
        if edited.await.map_err(|e| store_failed(&e))?.is_none_or(|r| !r.memory.ports().is_empty()) {
            return refused(format!("{object} was changed meanwhile"), "look again: seawall get");
        }
        self.tools.ports.release(object);
        let named: Vec<String> = ports.iter().map(u16::to_string).collect();
        let named = named.join(", ");
        let words = format!("port {named} was given up on the command line");
        self.note(Some(object), &[Note::normal("PortReleased", words)]).await;
        for port in ports {
            // It goes to whoever asks for this very one, before a service that takes any sees that it is free.
            let next = {
                let state = self.state();
                let present = |(object, _): &(&ObjectRef, &Spec)| {
                    state.records.get(*object).is_some_and(|r| r.is_present())
                };
                let asks = |(object, spec): (&ObjectRef, &Spec)| {
                    let (role, _) =
                        spec.each().into_iter().find(|(_, spec)| spec.port == PortRequest::Fixed(port))?;
                    Some(Member { object: object.clone(), role })
                };
                state.checked.iter().filter(present).find_map(asks)
            };
            if let Some(next) = next {
                self.tools.ports.reserve(port, &next);
                self.hurry(&next.object);
            }
        }
        let message = format!("port {named} is free; {object} gets another one when its manifest comes back");
        Ok(Done { message, commit: String::new() })
    }
}
