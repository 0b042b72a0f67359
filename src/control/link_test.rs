//! The way of an application that a link gives something to, gone once, step by step: what is said of link and service, the
//! variables, the name in them on the network, a login. What a step says is decided over values; the questions are asked
//! by the kind's own client in the container of its server, which is on the network that applications are on. It asks
//! under the name in the variables, never localhost: the name is found by the engine's DNS, and a server whose rules go
//! by address sees the address that its own container has there, not that of an application. Must show no secret: the
//! password is in the environment of the one command alone, which no inspect and no list of processes shows.

use super::api::{ApiError, ErrorCode, Result, TestResult, TestStep, TestView, TestedView};
use super::operator::Operator;
use super::registry::Kinds;
use crate::core::condition::{Condition, ConditionType, Truth, find};
use crate::core::names::ObjectRef;
use crate::core::neighbours::{Offer, offers};
use crate::core::text::shown;
use crate::core::variable::{Given, Variable};
use crate::docker::{DockerError, ExecRequest, ExecResult};
use crate::kinds::{Part, Question};
use crate::secrets::{ExposeSecret, Secret};
use crate::workload::tools::masked::mask;
use std::collections::BTreeMap;
use std::time::Duration;

/// For each question; the command ends then, too.
const PATIENCE: Duration = Duration::from_secs(10);
/// Characters of a program's words that are kept.
const WORDS: usize = 500;

/// What is known before anything is tried.
struct Known {
    /// A manifest has it.
    wanted: bool,
    ready: Option<Condition>,
    service: ObjectRef,
    service_ready: Option<Condition>,
    /// Names of the variables that it gives.
    names: Vec<String>,
    /// The password in them is in the store.
    has_secret: bool,
}

/// What a link ties together, as it is now.
struct Tied {
    service: ObjectRef,
    /// The container of the service that is known to run.
    container: Option<String>,
    offer: Offer,
    variables: Vec<Variable>,
}

type Outcome = std::result::Result<String, String>;

fn step(step: TestStep, outcome: Outcome) -> TestedView {
    let (result, message) = match outcome {
        Ok(words) => (TestResult::Ok, words),
        Err(words) => (TestResult::Failed, words),
    };
    TestedView { step, result, message }
}

fn ready(condition: Option<&Condition>) -> Outcome {
    let Some(ready) = condition else { return Err("it was not looked at yet".to_owned()) };
    match ready.status {
        Truth::True => Ok(ready.message.clone()),
        _ => Err(format!("{}: {}", ready.reason, ready.message)),
    }
}

/// What can be said without trying anything.
fn known(known: &Known) -> Vec<TestedView> {
    let wanted = if known.wanted {
        ready(known.ready.as_ref())
    } else {
        Err("no manifest has it any more: nobody is let in by it".to_owned())
    };
    let service = match ready(known.service_ready.as_ref()) {
        Ok(words) => Ok(format!("{}: {words}", known.service)),
        Err(words) => Err(format!("{}: {words}", known.service)),
    };
    let variables = if known.names.is_empty() {
        Err("none are given".to_owned())
    } else if known.has_secret {
        Ok(known.names.join(", "))
    } else {
        Err("the password in them is not there yet".to_owned())
    };
    vec![
        step(TestStep::Ready, wanted),
        step(TestStep::ServiceReady, service),
        step(TestStep::Variables, variables),
    ]
}

/// Why the steps after these say nothing; `None`: they can be tried. That the link is not Ready is no reason: what it
/// gives may still let in, and why it does not is just what is asked.
fn holds_up(steps: &[TestedView]) -> Option<String> {
    let failed = steps.iter().find(|s| s.step != TestStep::Ready && s.result != TestResult::Ok)?;
    Some(format!("{:?} is not OK", failed.step))
}

/// By what the variables are called behind their prefix. The other names of one value are among them.
fn values(variables: &[Variable], secret: Option<&Secret>) -> BTreeMap<String, String> {
    let secret = secret.map(ExposeSecret::expose_secret);
    let value = |v: &Variable| Some((v.name.rsplit('_').next()?.to_owned(), v.value(secret)?));
    variables.iter().filter_map(value).collect()
}

fn request(question: &Question, values: &BTreeMap<String, String>) -> ExecRequest {
    let value = |part: Part| match part {
        Part::Text(text) => Some(text.to_owned()),
        part => values.get(part.variable()?).cloned(),
    };
    let program = std::iter::once(question.program.to_owned());
    let argv = program.chain(question.call.arguments.iter().filter_map(|part| value(*part))).collect();
    let env = question.call.environment.iter();
    let env = env.filter_map(|(name, part)| Some(((*name).to_owned(), value(*part)?))).collect();
    ExecRequest { argv, env, ..ExecRequest::default() }
}

/// What a program printed, when that is not what it should.
fn answer(question: &Question, said: &ExecResult) -> std::result::Result<(), String> {
    if question.fine.iter().any(|word| said.stdout.contains(word)) {
        return Ok(());
    }
    let words = format!("{} {}", said.stderr.trim(), said.stdout.trim());
    match words.trim() {
        "" => Err(format!("{} ended with {} and said nothing", question.program, said.exit_code)),
        words => Err(words.to_owned()),
    }
}

fn no_answer(error: &DockerError) -> String {
    match error {
        DockerError::Timeout { after, .. } => format!("no answer within {after:?}"),
        error => error.to_string(),
    }
}

impl Operator {
    /// # Errors
    /// When there is no such link, or its password cannot be opened.
    pub(super) async fn test_link(&self, object: &ObjectRef) -> Result<TestView> {
        self.record(object)?;
        let Some(tied) = self.tied(object) else {
            let what = format!("{object} is no link");
            return Err(ApiError::new(ErrorCode::Invalid, what, "seawall get lists what there is"));
        };
        let secret = self.given_secret(object, &tied.offer)?;
        let names = tied.variables.iter().map(|variable| variable.name.clone()).collect();
        let mut steps = known(&Known {
            wanted: tied.offer.present,
            ready: self.said_ready(object).await,
            service: tied.service.clone(),
            service_ready: self.said_ready(&tied.service).await,
            names,
            has_secret: secret.is_some(),
        });
        let values = values(&tied.variables, secret.as_ref());
        for which in [TestStep::Reachable, TestStep::Login] {
            if let Some(message) = holds_up(&steps) {
                steps.push(TestedView { step: which, result: TestResult::NotTried, message });
                continue;
            }
            let outcome = match which {
                TestStep::Reachable => self.reaches(&tied, &values).await,
                _ => self.logs_in(&tied, &values).await,
            };
            // Also what a rotation has made the operator forget meanwhile.
            let outcome = outcome.map_err(|words| mask(&shown(words.trim(), WORDS), secret.as_slice()));
            steps.push(step(which, outcome));
        }
        let passed = steps.iter().all(|step| step.result == TestResult::Ok);
        Ok(TestView { object: object.to_string(), steps, passed })
    }

    /// `None`: it ties no service to an environment.
    fn tied(&self, object: &ObjectRef) -> Option<Tied> {
        let state = self.state();
        let refs: Vec<&ObjectRef> = state.graph.tied(object).collect();
        let service = *refs.iter().find(|other| self.kinds.client(other.kind).is_some())?;
        let of = *refs.iter().find(|other| other.kind == Kinds::of_environments())?;
        let offer = state.offers.get(object).cloned().unwrap_or_default();
        let all = state.graph.referrers(of);
        let all = all.filter_map(|other| Some((other.clone(), state.offers.get(other)?.clone()))).collect();
        let environment = offer.say(offers::ENVIRONMENT).unwrap_or_default();
        // What applications there are given in the end.
        let given = Given::to(environment, &all, false).variables.into_iter();
        let variables = given.filter(|(from, _)| from == object).map(|(_, variable)| variable).collect();
        let serves = self.kinds.get(service.kind)?.serves(&state.records.get(service)?.memory);
        let running = state.live.get(service).into_iter().flat_map(|live| live.running());
        let container = running.filter(|(role, _)| **role == serves).map(|(_, c)| c.id.clone()).next();
        Some(Tied { service: service.clone(), container, offer, variables })
    }

    /// As everybody is told.
    async fn said_ready(&self, object: &ObjectRef) -> Option<Condition> {
        use super::api::Api as _;
        let status = self.object(object).await.ok()?.status;
        let conditions: Vec<Condition> = serde_json::from_value(status.get("conditions")?.clone()).ok()?;
        find(&conditions, ConditionType::Ready).cloned()
    }

    async fn reaches(&self, tied: &Tied, values: &BTreeMap<String, String>) -> Outcome {
        let value =
            |part: Part| part.variable().and_then(|name| values.get(name)).cloned().unwrap_or_default();
        let (host, port, network) =
            (value(Part::Host), value(Part::Port), self.config.installation.network());
        let argv = ["getent", "hosts", &host].map(str::to_owned).to_vec();
        let found = self.run_in(tied, &ExecRequest { argv, ..ExecRequest::default() }).await?;
        // That there is no such entry; not that an image has no such program.
        if found.exit_code == 2 {
            return Err(format!("the name {host} is not found on network {network}"));
        }
        let question = self.kinds.client(tied.service.kind).map(|client| client.reach);
        self.asks(tied, question.as_ref(), values).await?;
        Ok(format!("{host} takes connections at port {port} on network {network}"))
    }

    async fn logs_in(&self, tied: &Tied, values: &BTreeMap<String, String>) -> Outcome {
        let question = self.kinds.client(tied.service.kind).map(|client| client.login);
        let value = |part: Part| part.variable().and_then(|name| values.get(name));
        let mut whom = format!("as {}", value(Part::Username).map_or("nobody", String::as_str));
        if let Some(database) = value(Part::Database) {
            whom = format!("{whom} into {database}");
        }
        match self.asks(tied, question.as_ref(), values).await {
            Ok(()) => Ok(format!("logged in {whom}, and was answered")),
            Err(words) => Err(format!("{whom}: {words}")),
        }
    }

    async fn asks(
        &self,
        tied: &Tied,
        question: Option<&Question>,
        values: &BTreeMap<String, String>,
    ) -> std::result::Result<(), String> {
        let question = question.ok_or_else(|| format!("{} has no client", tied.service))?;
        answer(question, &self.run_in(tied, &request(question, values)).await?)
    }

    async fn run_in(&self, tied: &Tied, request: &ExecRequest) -> std::result::Result<ExecResult, String> {
        let container = tied.container.as_ref();
        let container =
            container.ok_or_else(|| format!("no container of {} is seen to run", tied.service))?;
        self.tools.docker.exec(container, request, PATIENCE).await.map_err(|e| no_answer(&e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Call;

    fn condition(status: Truth, reason: &str, message: &str) -> Option<Condition> {
        Some(Condition {
            kind: ConditionType::Ready,
            status,
            reason: reason.to_owned(),
            message: message.to_owned(),
            last_transition_time: String::new(),
            observed_generation: 1,
        })
    }

    fn fine() -> Known {
        Known {
            wanted: true,
            ready: condition(Truth::True, "LoginSucceeded", "logged in"),
            service: "postgres/main".parse().unwrap(),
            service_ready: condition(Truth::True, "LoginSucceeded", "logged in as app"),
            names: vec!["DB_HOST".to_owned(), "DB_PASSWORD".to_owned()],
            has_secret: true,
        }
    }

    #[test]
    fn each_step_says_what_is_the_matter_and_which_ones_hold_up_the_rest() {
        use TestResult::{Failed, Ok as Fine};
        /// What is otherwise, what the steps say, and which one holds up the rest.
        type Row = (fn(&mut Known), [(TestResult, &'static str); 3], Option<&'static str>);
        let login = "LoginFailed: shop_main_a does not get in: no";
        let rows: [Row; 7] = [
            (
                |_| {},
                [
                    (Fine, "logged in"),
                    (Fine, "postgres/main: logged in as app"),
                    (Fine, "DB_HOST, DB_PASSWORD"),
                ],
                None,
            ),
            (
                |k| k.ready = condition(Truth::False, "LoginFailed", "shop_main_a does not get in: no"),
                [(Failed, login), (Fine, "postgres/main: logged in as app"), (Fine, "DB_HOST, DB_PASSWORD")],
                None,
            ),
            (
                |k| k.wanted = false,
                [
                    (Failed, "no manifest has it any more: nobody is let in by it"),
                    (Fine, "postgres/main: logged in as app"),
                    (Fine, "DB_HOST, DB_PASSWORD"),
                ],
                None,
            ),
            (
                |k| k.service_ready = condition(Truth::False, "Stopped", "stopped by the user"),
                [
                    (Fine, "logged in"),
                    (Failed, "postgres/main: Stopped: stopped by the user"),
                    (Fine, "DB_HOST, DB_PASSWORD"),
                ],
                Some("ServiceReady is not OK"),
            ),
            (
                |k| k.service_ready = None,
                [
                    (Fine, "logged in"),
                    (Failed, "postgres/main: it was not looked at yet"),
                    (Fine, "DB_HOST, DB_PASSWORD"),
                ],
                Some("ServiceReady is not OK"),
            ),
            (
                |k| k.names.clear(),
                [(Fine, "logged in"), (Fine, "postgres/main: logged in as app"), (Failed, "none are given")],
                Some("Variables is not OK"),
            ),
            (
                |k| k.has_secret = false,
                [
                    (Fine, "logged in"),
                    (Fine, "postgres/main: logged in as app"),
                    (Failed, "the password in them is not there yet"),
                ],
                Some("Variables is not OK"),
            ),
        ];
        for (edit, want, held) in rows {
            let mut facts = fine();
            edit(&mut facts);
            let steps = known(&facts);
            let said: Vec<_> = steps.iter().map(|s| (s.result, s.message.as_str())).collect();
            assert_eq!(said, want);
            assert_eq!(holds_up(&steps).as_deref(), held);
        }
    }

    #[test]
    fn a_program_is_believed_by_what_it_prints() {
        let call = Call { environment: &[], arguments: &[] };
        let question = Question { program: "client", call, fine: &["PONG"] };
        for (stdout, stderr, want) in [
            ("PONG\n", "", Ok(())),
            ("PONG\n", "a warning", Ok(())),
            ("NOAUTH first\n", "AUTH failed: WRONGPASS\n", Err("AUTH failed: WRONGPASS NOAUTH first")),
            ("", "no route\n", Err("no route")),
            ("", "", Err("client ended with 3 and said nothing")),
        ] {
            let said = ExecResult { exit_code: 3, stdout: stdout.to_owned(), stderr: stderr.to_owned() };
            assert_eq!(answer(&question, &said), want.map_err(str::to_owned));
        }
    }
}
