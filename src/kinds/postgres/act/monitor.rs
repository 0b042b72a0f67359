//! The role that reads a server's health. Its password is ours alone: sealed before the server knows it, and never in a
//! statement.

use super::{ActError, Scene, work};
use crate::kinds::postgres::client::statements::verifier;
use crate::secrets;
use crate::store::Saving;
use crate::workload::tools::{MONITOR, Secrets};

pub(super) async fn put_right(scene: &Scene<'_>, make: bool, others: &[String]) -> Result<(), ActError> {
    let (tools, object) = (&scene.tools.work, &scene.work.case.identity.object);
    let known = tools.secrets(object).map_err(work::ActError::from)?.remove(MONITOR);
    let password = match known {
        Some(password) => password,
        None => {
            let password = secrets::password();
            let sealed = Secrets::from([(MONITOR, password.clone())]);
            let changes = tools.sealed(object, &sealed).map_err(work::ActError::from)?;
            tools.store.save(changes, Saving::Durable).await.map_err(work::ActError::from)?;
            tools.reopen(object);
            password
        }
    };
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    scene.session()?.put_monitor_right(make, &verifier(&password), &others).await?;
    // A session of the role that was there before may have lost its rights for good.
    scene.tools.watch(object, |watch| (watch.refused, watch.session) = (false, None));
    Ok(())
}
