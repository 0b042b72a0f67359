//! PostgreSQL's backups by pg_dump: each database in its own format by the image's own program, the roles beside them. Nothing
//! is decided here that could be told from values; no password is in an argument, and what tools say is cut.

use super::client::statements::archive as sql;
use super::client::{Inspector, Sql, SqlError, Target};
use super::desired::SERVER;
use super::dump::{Contents, Database, Dumped, Inside, Role, dbname, mixed};
use super::inspect::{Question, Whom};
use super::tools::Tools;
use crate::core::digest::sha256;
use crate::core::names::ObjectRef;
use crate::core::storage::Part;
use crate::core::text::shown;
use crate::depot::{DepotError, Shelf};
use crate::docker::{DockerError, ExecRequest, ExecResult, Pipe};
use crate::kinds::archive::{Archive, ArchiveError, Facts, Taken};
use crate::secrets::{ExposeSecret, Secret};
use async_trait::async_trait;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::channel;

type Result<T, E = ArchiveError> = std::result::Result<T, E>;

/// Nothing came for so long: a lock that it waits for, or a disk that hangs.
const IDLE: Duration = Duration::from_secs(600);
/// Past it nothing of ours runs in a container, whatever became of Seawall.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// How often it is asked whether it is still wanted.
const STILL: Duration = Duration::from_secs(1);
/// Pieces that are on their way.
const AHEAD: usize = 8;
const TOOL: &str = "pg_dump";
const ROLES: &str = "roles.json";
/// Bytes of the roles.
const MOST_ROLES: u64 = 16 << 20;
/// Every server has it.
const EVERYWHERE: &str = "postgres";

/// Of all PostgreSQLs.
pub struct Dumps {
    tools: Arc<Tools>,
}

/// A server that answers, and who its owner is.
struct Open {
    target: Target,
    password: Secret,
    container: String,
    major: u32,
    /// Its managed database.
    own: String,
}

impl Dumps {
    #[must_use]
    pub fn new(tools: &Arc<Tools>) -> Self {
        Self { tools: Arc::clone(tools) }
    }

    fn open(&self, service: &ObjectRef) -> Result<Open> {
        let away = || ArchiveError::Away(format!("{service} is not logged into now"));
        let session = self.tools.session(service).ok_or_else(away)?;
        let target = session.target().clone();
        let (major, _) = self.version(service).ok_or_else(away)?;
        let password = self.tools.work.password(service).map_err(|e| ArchiveError::Failed(e.to_string()))?;
        let password = password.ok_or_else(away)?;
        let container = target.container().to_owned();
        let own = target.database.clone();
        Ok(Open { target, password, container, major, own })
    }

    /// Of the server that answered last.
    fn version(&self, service: &ObjectRef) -> Option<(u32, Facts)> {
        let facts = self.tools.facts(service)?;
        let told = Facts { version: facts.version.clone(), identifier: facts.system_identifier.clone() };
        Some((facts.major()?, told))
    }

    async fn inspector(&self, open: &Open, database: &str, whom: Whom) -> Result<Box<dyn Inspector>> {
        let target = Target { database: database.to_owned(), ..open.target.clone() };
        Ok(self.tools.servers.inspector(&target, &open.password, whom).await?)
    }

    async fn rows<T: DeserializeOwned>(
        &self,
        open: &Open,
        database: &str,
        question: &Question,
    ) -> Result<Vec<T>> {
        let rows = self.inspector(open, database, Whom::Owner).await?.ask(question).await?;
        let rows = Value::Array(rows.into_iter().map(Value::Object).collect());
        serde_json::from_value(rows)
            .map_err(|error| ArchiveError::Failed(format!("the server's answer is not understood: {error}")))
    }

    async fn databases(&self, open: &Open) -> Result<Vec<Database>> {
        let all: Vec<Database> = self.rows(open, EVERYWHERE, &Question::Databases).await?;
        few(all, sql::MOST_DATABASES, "databases")
    }

    async fn contents(&self, open: &Open, database: &str) -> Result<Contents> {
        let rows: Vec<Contents> = self.rows(open, database, &Question::Contents).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    /// What an earlier try left running holds locks.
    async fn end(&self, open: &Open, name: &str) -> Result<()> {
        let inspector = self.inspector(open, EVERYWHERE, Whom::OwnerWrites).await?;
        inspector.ask(&Question::EndTool { name: name.to_owned() }).await?;
        Ok(())
    }

    /// Runs a tool of the image's against its own server; `name`: by which it is known there.
    async fn run(
        &self,
        open: &Open,
        name: &str,
        argv: &[&str],
        pipe: Pipe,
        shelf: &Shelf<'_>,
    ) -> Result<ExecResult> {
        let variables = [
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", SERVER.port.to_string()),
            ("PGUSER", open.target.username.clone()),
            ("PGPASSWORD", open.password.expose_secret().to_owned()),
            ("PGAPPNAME", name.to_owned()),
            ("PGCONNECT_TIMEOUT", "10".to_owned()),
            // Since libpq 16: whoever listens there is not told the password itself.
            ("PGREQUIREAUTH", "none,scram-sha-256".to_owned()),
        ];
        let request = ExecRequest {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            env: variables.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            user: SERVER.user.to_owned(),
            stdin: None,
        };
        let unwanted = async {
            while (shelf.still)() {
                tokio::time::sleep(STILL).await;
            }
        };
        let ran = tokio::select! {
            ran = self.tools.work.docker.exec_through(&open.container, &request, pipe) => ran,
            () = unwanted => return Err(ArchiveError::Unwanted),
        };
        ran.map_err(|error| match error {
            // The engine answered all the time.
            DockerError::Timeout { after, .. } => {
                let tool = request.argv.first().map_or("", String::as_str);
                let minutes = after.as_secs() / 60;
                ArchiveError::Failed(format!(
                    "nothing came from {tool} for {minutes} minutes: it waits for a lock, or the disk hangs"
                ))
            }
            error => error.into(),
        })
    }

    /// Runs these statements one after the other, as the owner.
    async fn rebuild(&self, open: &Open, statements: &[Sql]) -> Result<()> {
        if statements.is_empty() {
            return Ok(());
        }
        let target = Target { database: EVERYWHERE.to_owned(), ..open.target.clone() };
        Ok(self.tools.servers.rebuild(&target, &open.password, statements).await?)
    }

    /// Once more whoever failed or was cut short: it would go on without us.
    async fn ended<T>(&self, open: &Open, name: &str, done: Result<T>) -> Result<T> {
        if done.is_err() {
            // What it could not do was said by what failed.
            let _ = self.end(open, name).await;
        }
        done
    }

    async fn dump(
        &self,
        open: &Open,
        name: &str,
        database: &str,
        part: &str,
        shelf: &Shelf<'_>,
    ) -> Result<Part> {
        let (to, from) = channel::<Bytes>(AHEAD);
        let pipe = Pipe { input: None, output: Some(to), idle: IDLE, longest: LONGEST };
        let dbname = dbname(database);
        let argv = [TOOL, "--format=custom", "--no-password", "--dbname", &dbname];
        let (ran, put) = tokio::join!(self.run(open, name, &argv, pipe, shelf), shelf.put(part, from));
        // Who could not write says why; the tool only knows that nobody took it.
        let put = put?;
        worked(TOOL, &ran?)?;
        Ok(put)
    }

    async fn restore(&self, open: &Open, name: &str, dumped: &Dumped, shelf: &Shelf<'_>) -> Result<()> {
        let (to, from) = channel::<Bytes>(AHEAD);
        let pipe = Pipe { input: Some(from), output: None, idle: IDLE, longest: LONGEST };
        let dbname = dbname(&dumped.database.name);
        // All or nothing: what is there after a crash is whole.
        let argv =
            ["pg_restore", "--single-transaction", "--exit-on-error", "--no-password", "--dbname", &dbname];
        let (ran, got) = tokio::join!(self.run(open, name, &argv, pipe, shelf), shelf.get(&dumped.part, to));
        match (ran, got) {
            // It read all it needs, which may be less than there is.
            (Ok(ran), Ok(()) | Err(DepotError::Failed(_))) => worked("pg_restore", &ran),
            (_, Err(error)) => Err(error.into()),
            (Err(error), Ok(())) => Err(error),
        }
    }

    async fn roles(&self, shelf: &Shelf<'_>, part: &Part) -> Result<Vec<Role>> {
        if part.bytes > MOST_ROLES {
            return Err(ArchiveError::Failed(format!("{} has {} bytes", part.name, part.bytes)));
        }
        let (to, mut from) = channel::<Bytes>(AHEAD);
        let take = async {
            let mut all = Vec::new();
            while let Some(bytes) = from.recv().await {
                all.extend_from_slice(&bytes);
            }
            all
        };
        let (got, text) = tokio::join!(shelf.get(part, to), take);
        got?;
        serde_json::from_slice(&text)
            .map_err(|error| ArchiveError::Failed(format!("{} is not understood: {error}", part.name)))
    }
}

/// An answer that could be cut is none.
fn few<T>(all: Vec<T>, most: usize, what: &str) -> Result<Vec<T>> {
    if all.len() > most {
        return Err(ArchiveError::Failed(format!("it has more than {most} {what}")));
    }
    Ok(all)
}

/// The last words of a tool that failed.
fn worked(tool: &str, ran: &ExecResult) -> Result<()> {
    if ran.exit_code == 0 {
        return Ok(());
    }
    let words: Vec<&str> = ran.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = words.get(words.len().saturating_sub(3)..).unwrap_or_default().join("; ");
    Err(ArchiveError::Failed(format!("{tool} ended with {}: {}", ran.exit_code, shown(&last, 500))))
}

/// By which the tools of one try are known to the server: short enough for it.
fn tool_name(shelf: &Shelf<'_>) -> String {
    format!("seawall-{}", &sha256(shelf.backup.as_bytes())[..16])
}

impl From<SqlError> for ArchiveError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Failed(words) => ArchiveError::Failed(shown(&words, 500)),
            error => ArchiveError::Away(error.to_string()),
        }
    }
}

#[async_trait]
impl Archive for Dumps {
    fn tool(&self) -> &'static str {
        TOOL
    }

    async fn look(&self, service: &ObjectRef) -> Result<Facts> {
        self.open(service)?;
        let facts = self.version(service).map(|(_, facts)| facts);
        facts.ok_or_else(|| ArchiveError::Away(format!("{service} is not logged into now")))
    }

    async fn holds(&self, service: &ObjectRef) -> Result<Option<String>> {
        let open = self.open(service)?;
        let mut contents = BTreeMap::new();
        for database in self.databases(&open).await? {
            let inside = self.contents(&open, &database.name).await?;
            contents.insert(database.name, inside);
        }
        Ok(mixed(&[&open.own, EVERYWHERE], &contents))
    }

    async fn take(&self, service: &ObjectRef, shelf: &Shelf<'_>) -> Result<Taken> {
        let open = self.open(service)?;
        let facts = self.look(service).await?;
        let name = tool_name(shelf);
        self.end(&open, &name).await?;
        let roles: Vec<Role> = self.rows(&open, EVERYWHERE, &Question::Roles).await?;
        let roles = few(roles, sql::MOST_ROLES, "roles")?;
        let text = serde_json::to_vec(&roles).map_err(|error| ArchiveError::Failed(error.to_string()))?;
        let (to, from) = channel(1);
        let send = async {
            // Who does not take it says why.
            let _ = to.send(Bytes::from(text)).await;
            drop(to);
        };
        let (roles_part, ()) = tokio::join!(shelf.put(ROLES, from), send);
        let mut inside = Inside { databases: Vec::new(), roles: roles_part? };
        let mut holds = Vec::new();
        for (index, database) in self.databases(&open).await?.into_iter().enumerate() {
            let before = self.contents(&open, &database.name).await?;
            let dumped = self.dump(&open, &name, &database.name, &format!("{index}.dump"), shelf).await;
            let part = self.ended(&open, &name, dumped).await?;
            // What comes and goes meanwhile is in it, or is not.
            let contents = before.and(&self.contents(&open, &database.name).await?);
            holds.push(format!("database {}: {}", shown(&database.name, 100), contents.in_words()));
            inside.databases.push(Dumped { database, part, contents });
        }
        holds.push(format!("{} roles", roles.len()));
        let parts = inside.databases.iter().map(|dumped| dumped.part.clone());
        Ok(Taken {
            version: facts.version,
            identifier: facts.identifier,
            parts: parts.chain([inside.roles.clone()]).collect(),
            inside: serde_json::to_value(&inside).map_err(|error| ArchiveError::Failed(error.to_string()))?,
            holds,
        })
    }

    async fn put(&self, service: &ObjectRef, shelf: &Shelf<'_>, taken: &Taken) -> Result<Vec<String>> {
        let open = self.open(service)?;
        let name = tool_name(shelf);
        self.end(&open, &name).await?;
        let inside: Inside = serde_json::from_value(taken.inside.clone())
            .map_err(|error| ArchiveError::Failed(format!("the index is not understood: {error}")))?;
        let roles = self.roles(shelf, &inside.roles).await?;
        let there: Vec<Role> = self.rows(&open, EVERYWHERE, &Question::Roles).await?;
        let there: BTreeSet<&str> = there.iter().map(|role| role.name.as_str()).collect();
        let missing = roles.iter().filter(|role| !there.contains(role.name.as_str()));
        let mut statements: Vec<Sql> = missing.map(sql::make_role).collect();
        let members = roles.iter().flat_map(|role| role.member_of.iter().map(move |of| (role, of)));
        statements.extend(members.map(|(role, of)| sql::make_member(role, of, open.major)));
        self.rebuild(&open, &statements).await?;
        let existing: BTreeSet<String> =
            self.databases(&open).await?.into_iter().map(|database| database.name).collect();
        let mut compared = Vec::new();
        for dumped in &inside.databases {
            let database = &dumped.database;
            if !existing.contains(&database.name) {
                self.rebuild(&open, &[sql::make_database(database, open.major)]).await?;
            }
            if self.contents(&open, &database.name).await?.is_empty() {
                let restored = self.restore(&open, &name, dumped, shelf).await;
                self.ended(&open, &name, restored).await?;
            }
            let mut after: Vec<Sql> =
                database.settings.iter().map(|s| sql::set_in(&database.name, s)).collect();
            after.extend(database.comment.as_ref().map(|text| sql::comment(&database.name, text)));
            after.extend(database.has_access.then(|| sql::give_access(database)));
            self.rebuild(&open, &after).await?;
            let is = self.contents(&open, &database.name).await?;
            let shown_name = shown(&database.name, 100);
            if let Some(lacks) = is.lacks(&dumped.contents) {
                return Err(ArchiveError::Failed(format!("database {shown_name} has only {lacks}")));
            }
            compared.push(format!("database {shown_name}: {}", is.in_words()));
        }
        compared.push(format!("{} roles", roles.len()));
        Ok(compared)
    }
}
