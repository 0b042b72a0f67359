//! The variables of an application with the secrets in them: made anew by whoever needs them, and never kept. What plans see
//! of a secret is a digest.

use crate::core::digest::sha256;
use crate::core::names::ObjectRef;
use crate::core::variable::{Given, Withheld};
use crate::kinds::app::App as Kind;
use crate::kinds::app::plan::Subject;
use crate::kinds::app::world::Env;
use crate::kinds::app_spec::{App, Value};
use crate::secrets::ExposeSecret;
use crate::workload::tools::PasswordError;
use std::collections::BTreeMap;

/// Characters of a digest: enough to tell a change.
const DIGEST: usize = 16;

/// The variables of an application.
pub struct Variables {
    pub env: Env,
    /// Those with a secret in them.
    pub withheld: BTreeMap<String, Withheld>,
}

/// # Errors
/// When a secret is in the store and cannot be opened.
pub async fn variables(kind: &Kind, subject: &Subject<'_>, app: &App) -> Result<Variables, PasswordError> {
    let links = &subject.spec.links;
    let offers = subject.around.others.iter().filter(|(other, _)| links.contains(*other));
    let offers = offers.map(|(link, offer)| (link.clone(), offer.clone())).collect();
    let given = Given::to(subject.spec.environment.as_str(), &offers, false);
    let mut env = Env { not_ready: given.not_ready, unreachable: given.unreachable, ..Env::default() };
    // After a start of ours a link has said nothing before its first pass: that is not to give nothing.
    let silent =
        |link: &&ObjectRef| offers.get(*link).is_none_or(|offer| offer.present && offer.says.is_empty());
    env.not_ready.extend(links.iter().filter(silent).cloned());
    let mut withheld = BTreeMap::new();
    let digest = |value: &str| {
        // With what is another one for each object, so that the same secret in two of them does not show.
        let mut digest = sha256(format!("{}\0{value}", subject.identity.uid).as_bytes());
        digest.truncate(DIGEST);
        digest
    };
    for (from, variable) in given.variables {
        let own = app.env.get(&variable.name);
        if let Some(own) = own {
            if !own.overrides {
                env.clashes.push((variable.name, from));
            }
            continue;
        }
        let Some(offer) = offers.get(&from) else { continue };
        let secret = kind.tools.given_secret(&from, offer)?;
        let Some(value) = variable.value(secret.as_ref().map(ExposeSecret::expose_secret)) else {
            env.not_ready.push(from);
            continue;
        };
        if variable.is_secret() {
            env.shown.insert(variable.name.clone(), digest(&value));
            withheld.insert(variable.name, Withheld::new(value));
        } else {
            env.shown.insert(variable.name, value);
        }
    }
    for (name, variable) in &app.env {
        match &variable.value {
            Value::Plain(value) => drop(env.shown.insert(name.clone(), value.clone())),
            Value::Secret(source, place) => match kind.tools.reveal(place, source).await {
                Ok(secret) => {
                    let value = secret.expose_secret();
                    env.shown.insert(name.clone(), digest(value));
                    withheld.insert(name.clone(), Withheld::new(value.to_owned()));
                }
                Err(error) => env.unread.push((name.clone(), error.to_string())),
            },
        }
    }
    env.secret = withheld.keys().cloned().collect();
    env.not_ready.sort();
    env.not_ready.dedup();
    Ok(Variables { env, withheld })
}
