//! From the user's words to a Notifier with no illegal value. Pure; reports all problems at once.

use super::spec::{Format, NotifierSpec, UrlSpec};
use super::target::Target;
use crate::core::condition::ConditionType;
use crate::core::digest::sha256;
use crate::core::duration::duration;
use crate::core::problem::Problem;
use crate::core::resource::Document;
use crate::core::text::{NAME, shown};
use crate::core::trouble::{Severity, Trouble};
use crate::manifest::scalar::Text;
use crate::manifest::secret::{SecretPlace, SecretSource};
use crate::workload::check::{Found, annotated};
use std::collections::BTreeSet;
use std::time::Duration;

/// The field with the URL, as values are sealed for it.
pub const URL: &str = "webhook.url";
const AFTER: Duration = Duration::from_secs(30);
const MOST_AFTER: Duration = Duration::from_secs(86_400);
/// Telling the same more often is a slip.
const LEAST_REPEAT: Duration = Duration::from_secs(60);

/// A Notifier whose every field is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub url: Url,
    pub format: Format,
    /// `None`: all.
    pub conditions: Option<BTreeSet<ConditionType>>,
    pub severities: BTreeSet<Severity>,
    pub after: Duration,
    pub repeat_after: Option<Duration>,
    /// `seawall.dev/paused`.
    pub paused: bool,
}

/// Where messages go, as far as that can be told without looking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Url {
    Plain(Target),
    Secret(SecretSource),
}

impl Checked {
    /// Whether this is to be told.
    #[must_use]
    pub fn wants(&self, trouble: &Trouble) -> bool {
        let conditions = self.conditions.as_ref();
        conditions.is_none_or(|wanted| wanted.contains(&trouble.condition))
            && self.severities.contains(&trouble.severity)
    }

    /// Tells one webhook from another; no secret is in it.
    #[must_use]
    pub fn webhook(&self) -> String {
        let url = match &self.url {
            Url::Plain(target) => sha256(target.whole().as_bytes()),
            Url::Secret(SecretSource::Sealed(text)) => sha256(text.as_bytes()),
            Url::Secret(SecretSource::File(path)) => path.display().to_string(),
        };
        format!("{} {url}", self.format.as_str())
    }
}

/// # Errors
/// With every problem found, each at its own place.
pub fn check(document: &Document) -> Result<Checked, Vec<Problem>> {
    let spec: NotifierSpec = serde_json::from_value(document.spec.clone())
        .map_err(|e| vec![Problem::new(document.place_of("spec"), "spec", shown(&e.to_string(), NAME))])?;
    let mut found = Found::new(document);
    annotated(&mut found);
    let url = match &spec.webhook.url {
        UrlSpec::Plain(Text(text)) => match Target::parse(text) {
            Ok(target) => Some(Url::Plain(target)),
            Err(why) => {
                found.add("spec.webhook.url", why);
                None
            }
        },
        UrlSpec::From(secret) => match secret.source(&SecretPlace::new(&document.object, URL)) {
            Ok(source) => Some(Url::Secret(source)),
            Err((below, why)) => {
                found.add(&format!("spec.webhook.url.{below}"), why);
                None
            }
        },
    };
    let after = within(spec.after.as_ref(), "spec.after", Duration::ZERO..=MOST_AFTER, &mut found);
    let longest = Duration::from_secs(30 * 86_400);
    let repeat = within(spec.repeat_after.as_ref(), "spec.repeatAfter", LEAST_REPEAT..=longest, &mut found);
    if spec.on.conditions.as_ref().is_some_and(Vec::is_empty) {
        found.add("spec.on.conditions", "is empty: nothing would be told; leave it out for all of them");
    }
    if spec.on.severities.as_ref().is_some_and(Vec::is_empty) {
        found.add(
            "spec.on.severities",
            "is empty: nothing would be told; leave it out for critical and warning",
        );
    }
    let by_default = || vec![Severity::Critical, Severity::Warning];
    match url {
        Some(url) if found.problems.is_empty() => Ok(Checked {
            url,
            format: spec.webhook.format,
            conditions: spec.on.conditions.map(|all| all.into_iter().collect()),
            severities: spec.on.severities.unwrap_or_else(by_default).into_iter().collect(),
            after: after.unwrap_or(AFTER),
            repeat_after: repeat,
            paused: document.metadata.is_paused(),
        }),
        _ => Err(found.problems),
    }
}

fn within(
    text: Option<&Text>,
    at: &str,
    range: std::ops::RangeInclusive<Duration>,
    found: &mut Found<'_>,
) -> Option<Duration> {
    let Text(text) = text?;
    match duration(text) {
        Ok(wanted) if range.contains(&wanted) => Some(wanted),
        Ok(_) => {
            let (least, most) = (range.start().as_secs(), range.end().as_secs());
            found.add(at, format!("must be from {least} s to {} h", most / 3_600));
            None
        }
        Err(why) => {
            found.add(at, why);
            None
        }
    }
}
