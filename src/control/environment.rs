//! The variables that an environment of an object gets from those that give to it. It knows neither kind: what is given
//! is in their offers, and the secrets are in the store. Nothing here keeps one.

use super::api::{ApiError, EnvironmentView, ErrorCode, Result, VariableView};
use super::operator::Operator;
use crate::core::event::Note;
use crate::core::names::ObjectRef;
use crate::core::neighbours::{Offer, offers};
use crate::core::text::url_part;
use crate::core::variable::{Parts, Variable};
use crate::secrets::{ExposeSecret, Secret};
use std::collections::BTreeMap;

impl Operator {
    /// What applications find in this environment; `on_host`: those outside of the network. `reveal` gives the secrets, too,
    /// and leaves an event.
    ///
    /// # Errors
    /// When there is no such environment, or something of it cannot be told yet.
    pub(super) async fn variables(
        &self,
        object: &ObjectRef,
        environment: &str,
        on_host: bool,
        reveal: bool,
    ) -> Result<EnvironmentView> {
        self.record(object)?;
        let (own, given) = {
            let state = self.state();
            let own = state.offers.get(object).cloned().unwrap_or_default();
            let referrers = state.graph.referrers(object);
            let offer = |other: &ObjectRef| Some((other.clone(), state.offers.get(other)?.clone()));
            let given: BTreeMap<ObjectRef, Offer> = referrers.filter_map(offer).collect();
            (own, given)
        };
        if !own.has(offers::ENVIRONMENT, environment) {
            let all = own.says.iter().filter(|(name, _)| *name == offers::ENVIRONMENT);
            let all: Vec<&str> = all.map(|(_, value)| value.as_str()).collect();
            let what = format!("{object} has no environment {environment:?}");
            let next = if all.is_empty() { String::new() } else { format!("it has {}", all.join(", ")) };
            return Err(ApiError::new(ErrorCode::NotFound, what, next));
        }
        let mut view = EnvironmentView { object: object.to_string(), ..EnvironmentView::default() };
        let mut aliases: BTreeMap<String, Vec<VariableView>> = BTreeMap::new();
        let gives = |offer: &Offer| offer.present && offer.has(offers::ENVIRONMENT, environment);
        for (from, offer) in given.iter().filter(|(_, offer)| gives(offer)) {
            if !offer.ready {
                view.not_ready.push(from.to_string());
            }
            let kind = if on_host { offers::HOST_VARIABLES } else { offers::VARIABLES };
            let variables: Vec<Variable> =
                offer.say(kind).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            if variables.is_empty() && offer.ready {
                view.unreachable.push(from.to_string());
            }
            let secret = if reveal { self.given_secret(from, offer)? } else { None };
            for variable in variables {
                let shown = shown(from, &variable, secret.as_ref(), reveal);
                if let (Parts::Url(..), Some(alias)) = (&variable.parts, offer.say(offers::ALIAS)) {
                    let alias = VariableView { name: alias.to_owned(), ..shown.clone() };
                    aliases.entry(alias.name.clone()).or_default().push(alias);
                }
                view.variables.push(shown);
            }
        }
        // What two would be called so, neither is.
        let only = aliases.into_values().filter_map(|mut all| if all.len() == 1 { all.pop() } else { None });
        let free: Vec<VariableView> =
            only.filter(|one| view.variables.iter().all(|v| v.name != one.name)).collect();
        view.variables.extend(free);
        if reveal && view.variables.iter().any(|variable| variable.secret) {
            let words =
                format!("variables of {environment} given out on the command line, with their passwords");
            self.note(Some(object), &[Note::warning("PasswordRevealed", words)]).await;
        }
        Ok(view)
    }

    fn given_secret(&self, from: &ObjectRef, offer: &Offer) -> Result<Option<Secret>> {
        let Some(role) = offer.say(offers::SECRET) else { return Ok(None) };
        let opened = self.tools.secrets(from).map_err(|e| {
            let chain = std::error::Error::source(&e).map(|s| format!(": {s}")).unwrap_or_default();
            ApiError::new(ErrorCode::Internal, format!("{e}{chain}"), "seawall doctor checks the key file")
        })?;
        Ok(opened.get(role).cloned())
    }
}

fn shown(from: &ObjectRef, variable: &Variable, secret: Option<&Secret>, reveal: bool) -> VariableView {
    let value = match (&variable.parts, secret) {
        (Parts::Plain(value), _) => value.clone(),
        (Parts::Secret, Some(secret)) => secret.expose_secret().to_owned(),
        (Parts::Url(before, after), Some(secret)) => {
            format!("{before}{}{after}", url_part(secret.expose_secret()))
        }
        (Parts::Secret | Parts::Url(..), None) => variable.to_string(),
    };
    let withheld = variable.is_secret() && (!reveal || secret.is_none());
    VariableView {
        name: variable.name.clone(),
        value,
        from: from.to_string(),
        secret: variable.is_secret(),
        withheld,
    }
}
