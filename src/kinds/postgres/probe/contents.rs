//! When it is time to look at what takes long to tell: sizes, and statements. Only a probe does, so that no object waits with
//! being Ready for it; must never take longer than one look.

use super::server::at_role;
use crate::core::seen::Glance;
use crate::kinds::postgres::client::statements::monitor::ROLE;
use crate::kinds::postgres::client::{Monitor, TIMEOUT};
use crate::kinds::postgres::facts::ImageFacts;
use crate::kinds::postgres::monitoring::{Absent, Contents, EVERY, Snapshot, Table, absent};
use crate::kinds::postgres::plan::Subject;
use crate::kinds::postgres::tools::Tools;
use crate::kinds::postgres::wal::Told;
use crate::kinds::postgres::world::{ServerFacts, Statements};
use crate::workload::tools::MONITOR;
use jiff::Timestamp;
use std::sync::Arc;
use tokio::time::timeout;

/// Over the session of the last look, where that worked.
pub(super) async fn again(tools: &Tools, subject: &Subject<'_>, c: &Glance, facts: &ServerFacts) {
    let object = &subject.identity.object;
    let Some(watch) = tools.watched(object) else { return };
    let (Some(session), Some(inside)) = (watch.session, watch.inside) else { return };
    let now = tools.seconds();
    if inside.contents.as_ref().is_some_and(|contents| now - contents.secs < EVERY) {
        return;
    }
    let mut told = Contents::failed(Timestamp::now(), now, "it took too long");
    let mut of_tables = told.tables.clone();
    let both = async {
        let tables = async { of_tables = tables(tools, subject, c).await };
        tokio::join!(session.contents(&mut told), tables)
    };
    // What was told by then is kept.
    let _ = timeout(TIMEOUT, both).await;
    told.tables = of_tables;
    if let Some(absent) = uncounted(tools, subject, c, facts.statements) {
        told.statements = Err(absent.in_words());
    }
    let told = Some(Arc::new(told));
    tools.watch(object, |watch| {
        if let Some(inside) = &watch.inside {
            watch.inside = Some(Arc::new(Snapshot { contents: told, ..inside.as_ref().clone() }));
        }
    });
}

/// Why its statements are not told, as far as the server said so.
pub(super) fn uncounted(
    tools: &Tools,
    subject: &Subject<'_>,
    c: &Glance,
    told: Statements,
) -> Option<Absent> {
    let image = tools.work.image_facts::<ImageFacts>(&c.image_id).and_then(Result::ok);
    absent(subject, image.as_ref(), told)
}

/// Tables can only be told of from inside of their database: by a session that ends at once.
async fn tables(tools: &Tools, subject: &Subject<'_>, c: &Glance) -> Told<Vec<Table>> {
    let target = at_role(tools, subject, c, ROLE, &subject.spec.database);
    let target = target.ok_or_else(|| "it has no address".to_owned())?;
    let secrets = tools.work.secrets(&subject.identity.object).map_err(|error| error.to_string())?;
    let password = secrets.get(MONITOR).ok_or_else(|| "there is no password for it yet".to_owned())?;
    let session: Box<dyn Monitor> =
        tools.servers.monitor(&target, password).await.map_err(|error| error.to_string())?;
    session.tables().await
}
