//! The variables that an environment of an object gets from those that give to it. It knows neither kind: what is given
//! is in their offers, and the secrets are in the store. Nothing here keeps one.

use super::api::{ApiError, EnvironmentView, ErrorCode, Result, VariableView};
use super::operator::Operator;
use crate::core::names::ObjectRef;
use crate::core::neighbours::{Offer, offers};
use crate::core::variable::{Given, Variable};
use crate::secrets::{ExposeSecret, Secret};
use std::collections::BTreeMap;

/// Whose secrets are shown.
#[derive(Clone, Copy)]
pub(super) enum Reveal<'a> {
    Nothing,
    /// Of the variable of this name.
    One(&'a str),
    All,
}

impl Reveal<'_> {
    fn has(self, variable: &Variable) -> bool {
        match self {
            Reveal::Nothing => false,
            Reveal::One(name) => variable.name == name,
            Reveal::All => true,
        }
    }
}

impl Operator {
    /// What applications find in this environment; `on_host`: those outside of the network. `reveal` gives secrets, too,
    /// and leaves an event.
    ///
    /// # Errors
    /// When there is no such environment, or something of it cannot be told yet.
    pub(super) async fn variables(
        &self,
        object: &ObjectRef,
        environment: &str,
        on_host: bool,
        reveal: Reveal<'_>,
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
        let given_here = Given::to(environment, &given, on_host);
        let names = |all: Vec<ObjectRef>| all.iter().map(ToString::to_string).collect();
        let mut view = EnvironmentView {
            object: object.to_string(),
            not_ready: names(given_here.not_ready),
            unreachable: names(given_here.unreachable),
            ..EnvironmentView::default()
        };
        for (from, variable) in given_here.variables {
            let offer = given.get(&from).filter(|_| reveal.has(&variable));
            let secret = offer.map(|offer| self.given_secret(&from, offer)).transpose()?.flatten();
            view.variables.push(shown(&from, &variable, secret.as_ref()));
        }
        let words = match reveal {
            Reveal::One(name) => {
                format!("the variable {name} of {environment} is shown, with the password in it")
            }
            _ => format!("variables of {environment} are shown, with their passwords"),
        };
        // Before anybody sees it.
        if view.variables.iter().any(|variable| variable.secret && !variable.withheld) {
            self.reveals(object, &words).await?;
        }
        Ok(view)
    }

    pub(super) fn given_secret(&self, from: &ObjectRef, offer: &Offer) -> Result<Option<Secret>> {
        self.tools.given_secret(from, offer).map_err(|e| {
            let chain = std::error::Error::source(&e).map(|s| format!(": {s}")).unwrap_or_default();
            ApiError::new(ErrorCode::Internal, format!("{e}{chain}"), "seawall doctor checks the key file")
        })
    }
}

/// `secret`: `None` withholds it.
fn shown(from: &ObjectRef, variable: &Variable, secret: Option<&Secret>) -> VariableView {
    let value = variable.value(secret.map(ExposeSecret::expose_secret));
    VariableView {
        name: variable.name.clone(),
        withheld: value.is_none(),
        value: value.unwrap_or_else(|| variable.to_string()),
        from: from.to_string(),
        secret: variable.is_secret(),
    }
}
