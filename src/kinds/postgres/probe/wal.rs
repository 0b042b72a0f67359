//! When a server's WAL and its inside are looked at, and what is kept of it. Must never hold up a proof that the server answers: a look
//! that fails is said, and tried again with the next one.

use super::server::at_role;
use crate::core::seen::Glance;
use crate::kinds::Probed;
use crate::kinds::postgres::client::statements::monitor::ROLE;
use crate::kinds::postgres::client::{Monitor, SqlError};
use crate::kinds::postgres::monitoring::{self, Figures};
use crate::kinds::postgres::plan::Subject;
use crate::kinds::postgres::tools::{Tools, Watch};
use crate::kinds::postgres::wal::{EVERY, Health, Look, Reading, STALE_AFTER, Snapshot, verdict};
use crate::kinds::postgres::world::{MonitorRole, ServerFacts};
use crate::workload::tools::MONITOR;
use jiff::Timestamp;
use std::sync::Arc;
use tokio::time::Instant;

/// Probes come every 15 s, the first one up to half of that sooner: with a little less than two of them it is every second one.
const DUE: u64 = EVERY - 8;

fn epoch(c: &Glance) -> String {
    format!("{} {}", c.id, c.started_at)
}

fn is_due(tools: &Tools, watch: &Watch) -> bool {
    u64::try_from(tools.seconds() - watch.at).is_ok_and(|passed| passed >= DUE)
}

/// What is known of this start of the server.
pub(super) fn known(tools: &Tools, subject: &Subject<'_>, c: &Glance) -> Health {
    let Some(watch) = tools.watched(&subject.identity.object).filter(|watch| watch.epoch == epoch(c)) else {
        return Health::NotYet;
    };
    let old = tools.seconds() - watch.at;
    match (watch.failed, watch.last) {
        (Some(why), last) => Health::Failed { why, last },
        (None, last) if old > i64::try_from(STALE_AFTER).unwrap_or(i64::MAX) => {
            Health::Failed { why: format!("the last look was {old} s ago"), last }
        }
        (None, Some(last)) => Health::Read(last),
        (None, None) => Health::NotYet,
    }
}

/// For a pass: looks where this start of the server was not looked at yet, or not with the role as it is now, or where it is time:
/// what has one pass after another, as it waits for something, has no probes. The second: the server refused the role's password.
pub(super) async fn in_pass(
    tools: &Tools,
    subject: &Subject<'_>,
    c: &Glance,
    facts: &ServerFacts,
) -> (Health, bool) {
    let object = &subject.identity.object;
    let may = matches!(facts.monitor, MonitorRole::Fine | MonitorRole::Foreign);
    let watched = tools.watched(object).filter(|watch| watch.epoch == epoch(c));
    // What failed may have been mended by a step of this pass.
    let again = |watch: Watch| (watch.failed.is_some() && !watch.refused) || is_due(tools, &watch);
    if may && watched.is_none_or(again) {
        look(tools, subject, c, facts).await;
    }
    let health = known(tools, subject, c);
    tools.watch(object, |watch| watch.said = health.clone());
    let refused = tools.watched(object).is_some_and(|watch| watch.refused);
    (health, refused && may)
}

/// For a probe: looks where it is time, and asks for a pass where something else is to be said.
pub(super) async fn again(tools: &Tools, subject: &Subject<'_>, c: &Glance, facts: &ServerFacts) -> Probed {
    let object = &subject.identity.object;
    let watched = tools.watched(object).filter(|watch| watch.epoch == epoch(c));
    if watched.is_none_or(|watch| is_due(tools, &watch)) {
        look(tools, subject, c, facts).await;
    }
    super::contents::again(tools, subject, c, facts).await;
    let said = tools.watched(object).map(|watch| watch.said).unwrap_or_default();
    if verdict(&known(tools, subject, c)) == verdict(&said) { Probed::Same } else { Probed::LookAgain }
}

async fn look(tools: &Tools, subject: &Subject<'_>, c: &Glance, facts: &ServerFacts) {
    let object = &subject.identity.object;
    let before = tools.watched(object).unwrap_or_default();
    let began = Instant::now();
    let answer = if facts.monitor == MonitorRole::Foreign {
        let words = format!("role {ROLE:?} is not Seawall's: rename it, and Seawall makes its own");
        Err(SqlError::Failed(words))
    } else {
        ask(tools, subject, c, before.session.clone().filter(|_| before.epoch == epoch(c))).await
    };
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (at, now) = (tools.seconds(), Timestamp::now());
    let watch = match answer {
        Ok((session, reading, figures)) => {
            let disk = tools.work.space(subject.identity).await;
            let trend = before.trend.after(&reading, disk, at);
            let (name, psql) = (object.to_string(), subject.psql());
            let look = Look { at: now, took_ms, disk, object: &name, psql: &psql };
            let last = Some(Arc::new(Snapshot::new(&look, reading, &trend)));
            let inside = before.inside.filter(|_| before.epoch == epoch(c));
            let inside = monitoring::Snapshot::after(inside.as_deref(), figures, now, at);
            Watch {
                epoch: epoch(c),
                at,
                trend,
                last,
                inside: Some(Arc::new(inside)),
                said: before.said,
                session: Some(session),
                ..Watch::default()
            }
        }
        Err(error) => Watch {
            epoch: epoch(c),
            at,
            failed: Some(error.to_string()),
            refused: matches!(error, SqlError::LoginRefused(_)),
            session: None,
            ..before
        },
    };
    tools.remember_watch(object, watch);
}

/// Over the kept session; over a new one where there is none or it failed.
async fn ask(
    tools: &Tools,
    subject: &Subject<'_>,
    c: &Glance,
    kept: Option<Arc<dyn Monitor>>,
) -> Result<(Arc<dyn Monitor>, Reading, Figures), SqlError> {
    if let Some(session) = kept {
        match session.look().await {
            Ok((reading, figures)) => return Ok((session, reading, figures)),
            // To be hung up on is no reason to wait once more.
            Err(hung @ SqlError::Hung(_)) => return Err(hung),
            Err(_) => {}
        }
    }
    let object = &subject.identity.object;
    let failed = |words: &str| SqlError::Failed(words.to_owned());
    let database = tools.session(object).map(|session| session.database().to_owned());
    let database = database.ok_or_else(|| failed("nobody is logged in"))?;
    let target = at_role(tools, subject, c, ROLE, &database).ok_or_else(|| failed("it has no address"))?;
    let secrets = tools.work.secrets(object).map_err(|error| failed(&error.to_string()))?;
    let Some(password) = secrets.get(MONITOR) else {
        return Err(SqlError::LoginRefused("there is no password for it yet".to_owned()));
    };
    let session: Arc<dyn Monitor> = tools.servers.monitor(&target, password).await?.into();
    let (reading, figures) = session.look().await?;
    Ok((session, reading, figures))
}
