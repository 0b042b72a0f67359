//! The password that the manifest names, held against the one in the store. Must never tell either.

use crate::core::will::Wanted;
use crate::kinds::postgres::check::PASSWORD;
use crate::kinds::postgres::plan::Subject;
use crate::kinds::postgres::tools::Tools;
use crate::kinds::postgres::world::Declared;
use crate::manifest::secret::{SecretPlace, SecretSource};
use crate::secrets::{ExposeSecret, Secret};
use crate::workload::observe::ObserveError;

/// Longer ones are a file that was meant for something else.
const MAX: usize = 1000;

/// # Errors
/// When the password in the store cannot be opened.
pub(super) async fn declared(tools: &Tools, subject: &Subject<'_>) -> Result<Declared, ObserveError> {
    let Some(source) = &subject.spec.password else { return Ok(Declared::No) };
    if subject.work().wanted() != Wanted::Running {
        return Ok(Declared::No);
    }
    let object = &subject.identity.object;
    let secret = match tools.work.reveal(&SecretPlace::new(object, PASSWORD), source).await {
        Ok(secret) => secret,
        Err(error) => return Ok(Declared::Unreadable(error.to_string())),
    };
    if let Some(why) = unfit(&secret) {
        return Ok(Declared::Unreadable(why.to_owned()));
    }
    let sealed = tools.work.password(object)?;
    let same = sealed.is_some_and(|sealed| sealed.expose_secret() == secret.expose_secret());
    Ok(if same { Declared::Same } else { Declared::Differs })
}

/// A file can change without a word from anybody.
pub(super) async fn changed(tools: &Tools, subject: &Subject<'_>) -> bool {
    matches!(subject.spec.password, Some(SecretSource::File(_)))
        && matches!(declared(tools, subject).await, Ok(Declared::Differs))
}

/// Why a text cannot be a password: initdb reads one line, and a URL of it is to be usable.
fn unfit(secret: &Secret) -> Option<&'static str> {
    let text = secret.expose_secret();
    if text.chars().any(char::is_control) {
        return Some("the password has a line break or another control character in it");
    }
    (text.len() > MAX).then_some("the password is longer than 1000 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line() {
        for (text, fits) in [
            ("x", true),
            ("p\u{e4}ss w\u{f6}rd'\"%", true),
            ("a\nb", false),
            ("a\0", false),
            (&"x".repeat(1001), false),
        ] {
            assert_eq!(unfit(&Secret::from(text)).is_none(), fits, "{text:?}");
        }
    }
}
