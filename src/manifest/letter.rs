//! The text of a secret that was sealed to an installation: `sws1-KEY-…-CHECK`. Whom it is for and which field it is for
//! can be told from it without any key; what is in it cannot. Pure.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

const BEGIN: &str = "sws1-";

/// A sealed value, taken apart. Nothing in it is believed before it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The id of the public key that it was sealed to.
    pub to: String,
    /// The field that it was sealed for: `postgres/main:password`.
    pub place: String,
    /// What only the private key opens.
    pub body: Vec<u8>,
}

/// Why a text is no sealed value for the place where it stands.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LetterError {
    #[error("it is not a sealed value: `seawall seal` makes one, {BEGIN}…")]
    Form,
    #[error("it was cut short or mistyped: copy it whole")]
    Cut,
    #[error("it was sealed for {sealed_for} and stands in {found_in}: seal it again for that")]
    Moved { sealed_for: String, found_in: String },
}

/// The first 8 hex characters of the SHA-256.
#[must_use]
pub fn short(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Letter {
    /// # Errors
    /// `Form` or `Cut`.
    pub fn read(text: &str) -> Result<Self, LetterError> {
        let text = text.trim();
        let rest = text.strip_prefix(BEGIN).ok_or(LetterError::Form)?;
        // The letters of the middle may be dashes, too.
        let (to, rest) = rest.split_once('-').ok_or(LetterError::Cut)?;
        let (middle, check) = rest.rsplit_once('-').ok_or(LetterError::Cut)?;
        let checked = text.strip_suffix(check).and_then(|text| text.strip_suffix('-')).unwrap_or_default();
        if short(checked.as_bytes()) != check {
            return Err(LetterError::Cut);
        }
        let bytes = URL_SAFE_NO_PAD.decode(middle).map_err(|_| LetterError::Cut)?;
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or(LetterError::Cut)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| LetterError::Cut)?;
        let (place, body) = rest.split_at_checked(length).ok_or(LetterError::Cut)?;
        let place = std::str::from_utf8(place).map_err(|_| LetterError::Cut)?;
        Ok(Self { to: to.to_owned(), place: place.to_owned(), body: body.to_owned() })
    }

    #[must_use]
    pub fn write(&self) -> String {
        // A field's path is far shorter than 4 GiB.
        let length = u32::try_from(self.place.len()).unwrap_or(u32::MAX);
        let bytes = [&length.to_be_bytes()[..], self.place.as_bytes(), &self.body].concat();
        let text = format!("{BEGIN}{}-{}", self.to, URL_SAFE_NO_PAD.encode(bytes));
        format!("{text}-{}", short(text.as_bytes()))
    }

    /// # Errors
    /// `Moved` when it was sealed for another field than `place`.
    pub fn is_for(&self, place: &str) -> Result<(), LetterError> {
        if self.place == place {
            return Ok(());
        }
        Err(LetterError::Moved { sealed_for: self.place.clone(), found_in: place.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_survives_being_copied_and_tells_when_it_was_not_copied_whole() {
        // All values of a byte: dashes are among the letters.
        let letter = Letter {
            to: "0a1b2c3d".to_owned(),
            place: "postgres/main:password".to_owned(),
            body: (0..=255).collect(),
        };
        let text = letter.write();
        assert!(text.matches('-').count() > 3, "{text}");
        assert_eq!(Letter::read(&format!(" {text}\n")), Ok(letter.clone()));
        for end in BEGIN.len()..text.len() {
            assert_eq!(Letter::read(&text[..end]), Err(LetterError::Cut), "{end}");
        }
        let checked = |text: String| format!("{text}-{}", short(text.as_bytes()));
        for (bad, error) in [
            (text.replacen("0a1b", "0a1c", 1), LetterError::Cut),
            (text.replacen('A', "B", 1), LetterError::Cut),
            (checked(format!("{BEGIN}0a1b2c3d-")), LetterError::Cut),
            (checked(format!("{BEGIN}0a1b2c3d-_____w")), LetterError::Cut),
            (checked(format!("{BEGIN}0a1b2c3d-!")), LetterError::Cut),
            (String::new(), LetterError::Form),
            ("hunter2".to_owned(), LetterError::Form),
            ("sws2-x".to_owned(), LetterError::Form),
        ] {
            assert_eq!(Letter::read(&bad), Err(error), "{bad}");
        }
        assert_eq!(letter.is_for("postgres/main:password"), Ok(()));
        let words = letter.is_for("postgres/b:password").unwrap_err().to_string();
        assert!(words.contains("for postgres/main:password and stands in postgres/b:password"), "{words}");
    }
}
