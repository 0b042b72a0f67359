//! The password that a manifest names, held against the one in the store. Must never tell either.

use super::{PasswordError, Tools};
use crate::core::will::Wanted;
use crate::manifest::secret::{SecretPlace, SecretSource};
use crate::secrets::{ExposeSecret, Secret};
use crate::workload::Case;
use crate::workload::check::PASSWORD;
use crate::workload::world::Declared;

/// Longer ones are a file that was meant for something else.
const MAX: usize = 1000;

impl Tools {
    /// # Errors
    /// When the password in the store cannot be opened.
    pub async fn declared(
        &self,
        case: &Case<'_>,
        source: Option<&SecretSource>,
    ) -> Result<Declared, PasswordError> {
        let needed = case.wanted() == Wanted::Running;
        let Some(source) = source.filter(|_| needed) else { return Ok(Declared::No) };
        let object = &case.identity.object;
        let secret = match self.reveal(&SecretPlace::new(object, PASSWORD), source).await {
            Ok(secret) => secret,
            Err(error) => return Ok(Declared::Unreadable(error.to_string())),
        };
        if let Some(why) = unfit(&secret) {
            return Ok(Declared::Unreadable(why.to_owned()));
        }
        let sealed = self.password(object)?;
        let same = sealed.is_some_and(|sealed| sealed.expose_secret() == secret.expose_secret());
        Ok(if same { Declared::Same } else { Declared::Differs })
    }

    /// A file can change without a word from anybody.
    pub async fn declared_changed(&self, case: &Case<'_>, source: Option<&SecretSource>) -> bool {
        let file = source.filter(|source| matches!(source, SecretSource::File(_)));
        matches!(self.declared(case, file).await, Ok(Declared::Differs))
    }
}

/// Why a text cannot be a password: files that servers start with have it on one line, and a URL of it is to be usable.
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
