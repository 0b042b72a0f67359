//! PostgreSQL for its tenants: databases of their own, and logins that get into nothing else. The server is asked over the
//! session that the service's own passes keep: no look at a tenant costs a login.

use super::client::statements::tenants as sql;
use super::client::{Furnishing, Session, Sql, SqlError, Target};
use super::plan::tenancy::{self as plan, Does, Names, inside};
use super::survey::Survey;
use super::tools::Tools;
use crate::core::digest::sha256;
use crate::core::names::ObjectRef;
use crate::core::text::{shown, url_part};
use crate::core::variable::{Parts, Variable};
use crate::kinds::tenancy::{
    Data, Known, Look, Passwords, Refusal, Step, Tenancy, TenancyError, Tenant, Turn,
};
use crate::secrets::Secret;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a survey is taken for the present, unless we change something ourselves: all tenants of a service go by one.
const FRESH: Duration = Duration::from_secs(10);

/// And where something is to be changed by it.
const NOW: Duration = Duration::from_millis(500);

/// What a step is done with.
pub struct Tending<'a> {
    pub does: &'a Does,
    pub names: &'a Names,
    pub mark: &'a str,
    pub connection_limit: Option<u32>,
    /// What the server keeps in place of a password that is set.
    pub verifier: Option<&'a str>,
}

/// The SQL of a step that is done in the service's own session, one statement after the other.
#[must_use]
pub fn statements(tending: &Tending<'_>) -> Vec<Sql> {
    let (names, owner) = (tending.names, tending.names.owner.as_str());
    vec![match tending.does {
        Does::MakeOwner => sql::make_role(owner, tending.mark),
        Does::MakeLogin(turn) => sql::make_role(names.login(*turn), tending.mark),
        Does::Bind(turn) => sql::bind_login(names.login(*turn), owner),
        Does::Leave(turn, role) => sql::leave(role, names.login(*turn)),
        Does::Plain(role) => sql::plain_role(role),
        Does::SetPassword(turn) => {
            sql::set_verifier(names.login(*turn), tending.verifier.unwrap_or_default())
        }
        Does::Open(turn) => sql::open(names.login(*turn)),
        Does::Close(role) => sql::close(role),
        Does::EndSessions(turn) => sql::end_sessions(names.login(*turn)),
        Does::MakeDatabase => sql::make_database(&names.database, owner),
        Does::OwnDatabase => sql::own_database(&names.database, owner),
        Does::FromPublic(database) => sql::from_public(database),
        Does::Allow => sql::allow(&names.database),
        Does::DropDatabase => sql::drop_database(&names.database),
        Does::DropRole(role) => sql::drop_role(role),
        Does::Limit => sql::limit(&names.database, tending.connection_limit),
        // In the tenant's database.
        Does::Inside | Does::HandToOwner(_) => return Vec::new(),
    }]
}

/// What PostgreSQL's tenants have in common.
pub struct Tenants {
    tools: Arc<Tools>,
    surveys: Mutex<BTreeMap<ObjectRef, Taken>>,
    /// Of each service, held while its survey is taken; those who wait then know what it says.
    gates: Mutex<BTreeMap<ObjectRef, Arc<tokio::sync::Mutex<()>>>>,
}

struct Taken {
    at: Instant,
    epoch: String,
    survey: Arc<Survey>,
}

impl From<SqlError> for TenancyError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Failed(words) => TenancyError::Failed(words),
            error => TenancyError::Away(error.to_string()),
        }
    }
}

impl Tenants {
    #[must_use]
    pub fn new(tools: &Arc<Tools>) -> Self {
        Self { tools: Arc::clone(tools), surveys: Mutex::default(), gates: Mutex::default() }
    }

    fn surveys(&self) -> std::sync::MutexGuard<'_, BTreeMap<ObjectRef, Taken>> {
        self.surveys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self, service: &ObjectRef) -> Result<Arc<dyn Session>, TenancyError> {
        let session = self.tools.session(service);
        session.ok_or_else(|| TenancyError::Away(format!("{service} is not logged into now")))
    }

    async fn survey(&self, service: &ObjectRef) -> Result<(Arc<Survey>, String), TenancyError> {
        let session = self.session(service)?;
        let target = session.target();
        let known = || {
            let taken = self.surveys();
            let taken = taken.get(service)?;
            (taken.epoch == target.epoch && taken.at.elapsed() < FRESH).then(|| Arc::clone(&taken.survey))
        };
        let served = target.database.clone();
        if let Some(survey) = known() {
            return Ok((survey, served));
        }
        // One that hangs keeps nobody else waiting.
        let gate = {
            let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
            gates.retain(|_, gate| Arc::strong_count(gate) > 1);
            Arc::clone(gates.entry(service.clone()).or_default())
        };
        let _gate = gate.lock().await;
        if let Some(survey) = known() {
            return Ok((survey, served));
        }
        let survey = Arc::new(session.survey().await?);
        let taken = Taken { at: Instant::now(), epoch: target.epoch.clone(), survey: Arc::clone(&survey) };
        let mut surveys = self.surveys();
        surveys.retain(|_, taken| taken.at.elapsed() < FRESH);
        surveys.insert(service.clone(), taken);
        Ok((survey, served))
    }

    /// Whether it was taken for another look than one of now.
    fn is_old(&self, service: &ObjectRef, survey: &Arc<Survey>) -> bool {
        let surveys = self.surveys();
        let taken = surveys.get(service).filter(|taken| Arc::ptr_eq(&taken.survey, survey));
        taken.is_none_or(|taken| taken.at.elapsed() > NOW)
    }

    /// Where the tenant's database is, and as whom to log into it.
    fn target(&self, tenant: &Tenant, username: &str) -> Result<Target, TenancyError> {
        let session = self.session(&tenant.service)?;
        let target = session.target().clone();
        Ok(Target { username: username.to_owned(), database: tenant.name.clone(), ..target })
    }

    /// What is done in the tenant's database, by a login of Seawall's own.
    async fn inside(
        &self,
        tenant: &Tenant,
        does: &Does,
        names: &Names,
        known: &mut Known,
    ) -> Result<(), TenancyError> {
        let session = self.session(&tenant.service)?;
        let target = self.target(tenant, &session.target().username)?;
        let password = self.tools.work.password(&tenant.service);
        let password = password.map_err(|e| TenancyError::Failed(e.to_string()))?;
        let Some(password) = password else {
            return Err(TenancyError::Away(format!("{} has no password yet", tenant.service)));
        };
        let extensions: Vec<&str> = tenant.extensions.iter().map(String::as_str).collect();
        let servers = &self.tools.servers;
        if let Does::HandToOwner(turn) = does {
            let from = names.login(*turn);
            return Ok(servers.hand_over(&target, &password, from, &names.owner).await?);
        }
        let logins = Turn::ALL.map(|turn| names.login(turn));
        let furnishing = Furnishing { extensions: &extensions, logins };
        known.lacks = servers.furnish(&target, &password, &furnishing).await?;
        known.inside = Some(inside(tenant));
        Ok(())
    }
}

#[async_trait]
impl Tenancy for Tenants {
    fn refuses(&self, tenant: &Tenant) -> Option<Refusal> {
        if tenant.own.is_some() {
            return None;
        }
        let why = plan::refuses(&tenant.name)?;
        Some(Refusal { why, unblock: "set spec.database to another name" })
    }

    fn leaves(&self, tenant: &Tenant) -> String {
        match tenant.data {
            Data::Go => format!("database {} was deleted", tenant.name),
            Data::Stay | Data::GoLater => format!("database {} stays with its owner", tenant.name),
        }
    }

    async fn look(&self, tenant: &Tenant, _: &Passwords, known: &Known) -> Result<Look, TenancyError> {
        let (survey, served) = self.survey(&tenant.service).await?;
        let look = plan::look(tenant, known, &served, &survey);
        if look.steps.is_empty() || !self.is_old(&tenant.service, &survey) {
            return Ok(look);
        }
        // Nothing is made beside what somebody made since.
        self.surveys().remove(&tenant.service);
        let (survey, served) = self.survey(&tenant.service).await?;
        Ok(plan::look(tenant, known, &served, &survey))
    }

    async fn apply(
        &self,
        tenant: &Tenant,
        step: &Step,
        passwords: &Passwords,
        known: &mut Known,
    ) -> Result<(), TenancyError> {
        let does: Does = serde_json::from_value(step.does.clone())
            .map_err(|e| TenancyError::Failed(format!("the step is not understood: {e}")))?;
        // Whatever comes of it, what was seen before is old.
        self.surveys().remove(&tenant.service);
        let names = Names::of(tenant);
        if matches!(does, Does::Inside | Does::HandToOwner(_)) {
            return self.inside(tenant, &does, &names, known).await;
        }
        let verifier = match &does {
            Does::SetPassword(turn) => {
                let password = passwords.get(turn).ok_or_else(|| {
                    TenancyError::Failed(format!("there is no password for {}", names.login(*turn)))
                })?;
                let verifier = super::client::statements::verifier(password);
                known.fingerprints.insert(*turn, sha256(verifier.as_bytes()));
                Some(verifier)
            }
            _ => None,
        };
        let mark = match &does {
            Does::MakeOwner => Names::owner_mark(tenant),
            _ => Names::login_mark(tenant),
        };
        let tending = Tending {
            does: &does,
            names: &names,
            mark: &mark,
            connection_limit: tenant.connection_limit,
            verifier: verifier.as_deref(),
        };
        self.session(&tenant.service)?.tend(&tending).await.map_err(|error| match error {
            SqlError::Failed(words) => TenancyError::Failed(shown(&words, 500)),
            error => error.into(),
        })
    }

    fn username(&self, tenant: &Tenant, turn: Turn) -> String {
        tenant.own.clone().unwrap_or_else(|| Names::of(tenant).login(turn).to_owned())
    }

    /// The names of the product brief, "Linking to Projects".
    fn variables(&self, tenant: &Tenant, turn: Turn, (host, port): (&str, u16)) -> Vec<Variable> {
        let (user, database) = (self.username(tenant, turn), &tenant.name);
        let before = format!("postgresql://{}:", url_part(&user));
        let after = format!("@{host}:{port}/{}", url_part(database));
        vec![
            Variable { name: "URL".to_owned(), parts: Parts::Url(before, after) },
            Variable::plain("HOST", host),
            Variable::plain("PORT", port.to_string()),
            Variable::plain("DB", database),
            Variable::plain("DATABASE", database),
            Variable::plain("NAME", database),
            Variable::plain("USER", user),
            Variable { name: "PASSWORD".to_owned(), parts: Parts::Secret },
        ]
    }

    fn alias(&self) -> Option<&'static str> {
        Some("DATABASE_URL")
    }

    async fn prove(&self, tenant: &Tenant, turn: Turn, password: &Secret) -> Result<(), TenancyError> {
        let target = self.target(tenant, &self.username(tenant, turn))?;
        if tenant.own.is_some() {
            // It may do everything: nothing that others wrote may run for it.
            self.tools.servers.prove(&target, password, &[]).await?;
            return Ok(());
        }
        Ok(self.tools.servers.lets_in(&target, password).await?)
    }
}
