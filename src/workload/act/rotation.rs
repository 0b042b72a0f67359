//! The next managed password, beside the one in use. It is sealed before any server is told, so that whatever a crash leaves
//! in the server is known here.

use super::{ActError, Memory, Scene, WithRecord};
use crate::secrets::{Secret, password};
use crate::store::{Change, Saving};
use crate::workload::tools::{PENDING, Secrets, secret_key};

impl<F> Scene<'_, F> {
    /// # Errors
    /// When there is none, or it cannot be opened.
    pub fn pending(&self) -> Result<Secret, ActError> {
        let mut secrets = self.tools.secrets(&self.case.identity.object)?;
        secrets.remove(PENDING).ok_or_else(|| ActError::Gone("the next password".to_owned()))
    }

    /// # Errors
    /// When it is not in the store.
    pub async fn make_pending(&self) -> Result<(), ActError> {
        let object = &self.case.identity.object;
        let changes = self.tools.sealed(object, &Secrets::from([(PENDING, password())]))?;
        self.tools.store.save(changes, Saving::Durable).await?;
        self.tools.reopen(object);
        Ok(())
    }

    /// It is the one in use, in one commit with the record that knows it.
    ///
    /// # Errors
    /// When there is none, or it cannot be sealed.
    pub fn make_current(&self, memory: &mut Memory, with_record: &WithRecord) -> Result<(), ActError> {
        let object = &self.case.identity.object;
        let mut changes = self.tools.sealed(object, &Secrets::from([("", self.pending()?)]))?;
        changes.push(Change::delete(secret_key(object, PENDING)));
        memory.password_generation += 1;
        self.now.clone_into(&mut memory.password_rotated_at);
        with_record.put(changes);
        Ok(())
    }
}
