//! Asks a server what somebody wants to know of it, by a login for that alone, and ends a session of it. What it tells goes to
//! who asked: it must never be logged, kept, or told in an event.

use super::contents::uncounted;
use super::server::{at_owner, at_role};
use crate::core::diagnosis::Check;
use crate::core::event::Note;
use crate::core::seen::Glance;
use crate::core::table::Table;
use crate::kinds::postgres::client::statements::monitor::ROLE;
use crate::kinds::postgres::client::{Inspector, SqlError};
use crate::kinds::postgres::inspect::diagnose::{Facts, Told, checks};
use crate::kinds::postgres::inspect::table::{Row, answer, flag, on_one_line, word};
use crate::kinds::postgres::inspect::{INSPECTIONS, Question, Whom};
use crate::kinds::postgres::plan::Subject;
use crate::kinds::postgres::tools::Tools;
use crate::kinds::{Ask, End, Ended, Unanswered};
use crate::workload::tools::MONITOR;
use serde_json::Value;

type Answer<T> = Result<T, Unanswered>;

/// Where a session is for what is no matter of one database.
const ANYWHERE: &str = "postgres";

fn next(subject: &Subject<'_>) -> String {
    format!("seawall describe {}", subject.identity.object)
}

/// A name, as SQL writes it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Why somebody did not get in, and what to do.
fn shut(subject: &Subject<'_>, whom: Whom, database: &str, error: &SqlError) -> Unanswered {
    let object = &subject.identity.object;
    let words = error.to_string();
    match error {
        SqlError::LoginRefused(_) if whom == Whom::Monitor => Unanswered::new(
            format!("the role {ROLE} is not let in by {object}: {words}"),
            format!("Seawall makes it right within a minute while {object} is Ready: {}", next(subject)),
        ),
        SqlError::Failed(_) if words.contains("permission denied for database") => Unanswered::new(
            format!("the role {ROLE} may not connect to database {database:?}: {words}"),
            format!("as its owner: GRANT CONNECT ON DATABASE {} TO \"{ROLE}\"", quoted(database)),
        ),
        SqlError::Failed(_) if words == "the database is gone" => Unanswered::new(
            format!("{object} has no database {database:?}"),
            format!("{} -l lists its databases", subject.psql()),
        ),
        _ => Unanswered::new(format!("{object} did not let anybody in: {words}"), next(subject)),
    }
}

fn failed(subject: &Subject<'_>, error: &SqlError) -> Unanswered {
    let what = format!("{} did not answer: {error}", subject.identity.object);
    Unanswered::new(what, next(subject))
}

async fn login(
    tools: &Tools,
    subject: &Subject<'_>,
    c: &Glance,
    whom: Whom,
    database: &str,
) -> Answer<Box<dyn Inspector>> {
    let object = &subject.identity.object;
    let target = match whom {
        Whom::Monitor => at_role(tools, subject, c, ROLE, database),
        Whom::Owner | Whom::OwnerWrites => at_owner(tools, subject, c, database),
    };
    let target = target.ok_or_else(|| Unanswered::new(format!("{object} has no address"), next(subject)))?;
    let secrets = tools.work.secrets(object);
    let secrets =
        secrets.map_err(|error| Unanswered::new(error.to_string(), "seawall doctor checks the key file"))?;
    let role = if whom == Whom::Monitor { MONITOR } else { "" };
    let Some(password) = secrets.get(role) else {
        let error = SqlError::LoginRefused("there is no password for it yet".to_owned());
        return Err(shut(subject, whom, database, &error));
    };
    let inspector = tools.servers.inspector(&target, password, whom).await;
    inspector.map_err(|error| shut(subject, whom, database, &error))
}

/// The answer to one verb of [`INSPECTIONS`].
pub async fn inspect(tools: &Tools, subject: &Subject<'_>, c: &Glance, ask: &Ask) -> Answer<Table> {
    let unknown = || Unanswered::new(format!("{} is nothing that can be asked", ask.verb), "");
    let inspection = INSPECTIONS.verb(&ask.verb).ok_or_else(unknown)?;
    if ask.database.is_some() && !inspection.database {
        let what = format!("{} is about the server as a whole: it is asked in no database", ask.verb);
        return Err(Unanswered::new(what, "leave --database out"));
    }
    let session = tools.session(&subject.identity.object);
    let anywhere = session.map_or_else(|| ANYWHERE.to_owned(), |session| session.database().to_owned());
    let own = if inspection.database { subject.spec.database.clone() } else { anywhere.clone() };
    let database = ask.database.clone().unwrap_or(own);
    let (whom, question) = match ask.verb.as_str() {
        "info" => (Whom::Monitor, Question::Info),
        "ps" => (Whom::Monitor, Question::Ps { idle: ask.verbose }),
        "locks" => (Whom::Monitor, Question::Locks),
        "blocking" => (Whom::Monitor, Question::Blocking),
        "outliers" => return outliers(tools, subject, c, &database, &anywhere).await,
        // Only a superuser sees what ANALYZE knows of columns.
        "bloat" => (Whom::Owner, Question::Relations),
        "indexes" => (Whom::Monitor, Question::Indexes),
        "vacuum-stats" => (Whom::Monitor, Question::Vacuum),
        _ => return Err(unknown()),
    };
    let inspector = login(tools, subject, c, whom, &database).await?;
    let rows = inspector.ask(&question).await.map_err(|error| failed(subject, &error))?;
    Ok(answer(&ask.verb, rows))
}

async fn outliers(
    tools: &Tools,
    subject: &Subject<'_>,
    c: &Glance,
    database: &str,
    elsewhere: &str,
) -> Answer<Table> {
    let object = &subject.identity.object;
    let mut inspector = login(tools, subject, c, Whom::Monitor, database).await?;
    let found = inspector.ask(&Question::StatementsExtension).await;
    let mut found = found.map_err(|error| failed(subject, &error))?;
    if found.is_empty()
        && elsewhere != database
        && let Ok(other) = login(tools, subject, c, Whom::Monitor, elsewhere).await
        && let Ok(there) = other.ask(&Question::StatementsExtension).await
    {
        (inspector, found) = (other, there);
    }
    let absent = uncounted(tools, subject, c, tools.statements(object));
    let absent = absent
        .map(|why| {
            Unanswered::new(format!("the statements of {object} are not told: {}", why.what), why.next)
        })
        .unwrap_or_else(|| {
            Unanswered::new(format!("the statements of {object} are not told"), next(subject))
        });
    let Some(extension) = found.first() else { return Err(absent) };
    let schema = word(extension, "schema").to_owned();
    let newer = flag(extension, "newer");
    let question = Question::Outliers { schema: schema.clone(), newer, database: database.to_owned() };
    match inspector.ask(&question).await {
        Ok(rows) => Ok(answer("outliers", rows)),
        Err(SqlError::Failed(words)) if words.contains("shared_preload_libraries") => Err(absent),
        Err(SqlError::Failed(words)) if words.contains("permission denied for schema") => {
            let what = format!("the role {ROLE} may not read pg_stat_statements in {database:?}: {words}");
            let next = format!("as its owner: GRANT USAGE ON SCHEMA {} TO \"{ROLE}\"", quoted(&schema));
            Err(Unanswered::new(what, next))
        }
        Err(error) => Err(failed(subject, &error)),
    }
}

/// Shows a session, or ends the very one that was shown.
pub async fn end(tools: &Tools, subject: &Subject<'_>, c: &Glance, end: &End) -> Answer<Ended> {
    let object = &subject.identity.object;
    let pid = end.session;
    let session = tools.session(object);
    let database = session.map_or_else(|| ANYWHERE.to_owned(), |session| session.database().to_owned());
    let inspector = login(tools, subject, c, Whom::OwnerWrites, &database).await?;
    let rows = inspector.ask(&Question::Session { pid }).await.map_err(|error| failed(subject, &error))?;
    let ps = format!("seawall pg ps {} --verbose lists its sessions", object.name);
    let Some(row) = rows.into_iter().next() else {
        return Err(Unanswered::new(format!("{object} has no session {pid}"), ps));
    };
    let kind = word(&row, "backend_type").to_owned();
    if kind != "client backend" {
        let what = format!("process {pid} of {object} is no client's session but PostgreSQL's own: {kind}");
        return Err(Unanswered::new(what, ps));
    }
    if flag(&row, "ours") {
        return Err(Unanswered::new(format!("session {pid} of {object} is Seawall's own"), ps));
    }
    let since = word(&row, "since").to_owned();
    let mut ended = Ended { since: since.clone(), session: shown(&row), done: None };
    let Some(meant) = &end.since else { return Ok(ended) };
    let gone = || {
        let what =
            format!("session {pid} of {object} is not the one any more that was shown; nothing was ended");
        Unanswered::new(what, ps.clone())
    };
    if *meant != since {
        return Err(gone());
    }
    let question = Question::End { pid, since, force: end.force };
    let sent = inspector.ask(&question).await.map_err(|error| failed(subject, &error))?;
    if !sent.first().is_some_and(|row| flag(row, "sent")) {
        return Err(gone());
    }
    let whose = format!("session {pid} of {} in {}", word(&row, "username"), word(&row, "database"));
    let (reason, done) = if end.force {
        ("SessionTerminated", format!("{whose} was ended"))
    } else {
        ("SessionCancelled", format!("what {whose} did was cancelled"))
    };
    let note = Note::normal(reason, done.clone());
    ended.done = Some((note, done));
    Ok(ended)
}

fn shown(row: &Row) -> Table {
    let fields = INSPECTIONS.kill.map(|kill| kill.fields).unwrap_or_default();
    Table::of(fields, vec![on_one_line(row.clone())])
}

/// Questions to one session, one after the other: a session that gives no answer is asked no more.
struct Asking(Result<Box<dyn Inspector>, String>);

impl Asking {
    async fn begin(tools: &Tools, subject: &Subject<'_>, c: &Glance, whom: Whom) -> Self {
        Self(login(tools, subject, c, whom, &subject.spec.database).await.map_err(|why| why.what))
    }

    async fn told(&mut self, question: Question) -> Told {
        let by = self.0.as_ref().map_err(Clone::clone)?;
        match by.ask(&question).await {
            Ok(rows) => Ok(rows),
            Err(error @ SqlError::Failed(_)) => Err(error.to_string()),
            Err(error) => {
                let words = error.to_string();
                self.0 = Err(words.clone());
                Err(words)
            }
        }
    }
}

/// Everything that is worth a word; what could not be read is said to be so.
pub async fn diagnose(tools: &Tools, subject: &Subject<'_>, c: &Glance, status: &Value) -> Vec<Check> {
    let (name, psql) = (subject.identity.object.to_string(), subject.psql());
    let by_owner = async {
        let mut owner = Asking::begin(tools, subject, c, Whom::Owner).await;
        (owner.told(Question::Relations).await, owner.told(Question::Sequences).await)
    };
    let by_monitor = async {
        let mut monitor = Asking::begin(tools, subject, c, Whom::Monitor).await;
        Facts {
            object: &name,
            psql: &psql,
            status,
            info: monitor.told(Question::Info).await,
            sessions: monitor.told(Question::Ps { idle: true }).await,
            blocking: monitor.told(Question::Blocking).await,
            indexes: monitor.told(Question::Indexes).await,
            tables: monitor.told(Question::Vacuum).await,
            rest: monitor.told(Question::Rest).await,
            collations: monitor.told(Question::Collations).await,
            relations: Ok(Vec::new()),
            sequences: Ok(Vec::new()),
        }
    };
    let (facts, (relations, sequences)) = tokio::join!(by_monitor, by_owner);
    checks(&Facts { relations, sequences, ..facts })
}
