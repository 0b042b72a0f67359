//! SQL as a type. It is made of text that stands in the program, and of names and values that are
//! quoted here; there is no other way to make it, so nothing that a user, a file or a server wrote can
//! become a part of a statement.

use zeroize::Zeroizing;

/// One statement, or a few. Has no `Debug`: a statement may hold the verifier of a password.
#[derive(Clone)]
pub struct Sql(Zeroizing<String>);

impl Sql {
    #[must_use]
    pub fn of(text: &'static str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// More text of the program.
    #[must_use]
    pub fn then(mut self, text: &'static str) -> Self {
        self.0.push_str(text);
        self
    }

    /// A value, as a string literal that means the same whatever `standard_conforming_strings` is.
    #[must_use]
    pub fn literal(mut self, value: &str) -> Self {
        let escape = value.contains('\\');
        self.0.push_str(if escape { " E'" } else { "'" });
        for c in value.chars() {
            match c {
                '\'' => self.0.push_str("''"),
                '\\' => self.0.push_str("\\\\"),
                // PostgreSQL has no text with it, and its wire ends a statement there.
                '\0' => {}
                c => self.0.push(c),
            }
        }
        self.0.push('\'');
        self
    }

    /// Values, as an array of text; it may be empty.
    #[must_use]
    pub fn literals(mut self, values: &[&str]) -> Self {
        self.0.push_str("CAST(ARRAY[");
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            self = self.literal(value);
        }
        self.then("] AS pg_catalog.text[])")
    }

    /// A name of the user's, quoted.
    #[must_use]
    pub fn identifier(mut self, name: &str) -> Self {
        self.0.push('"');
        for c in name.chars().filter(|c| *c != '\0') {
            if c == '"' {
                self.0.push('"');
            }
            self.0.push(c);
        }
        self.0.push('"');
        self
    }

    #[must_use]
    pub fn number(mut self, number: u32) -> Self {
        self.0.push_str(&number.to_string());
        self
    }

    /// Both, in one round trip: the rows of the second come behind those of the first.
    #[must_use]
    pub fn and(mut self, second: Self) -> Self {
        self.0.push_str("; ");
        self.0.push_str(&second.0);
        self
    }

    /// Another one, as a value of this one.
    #[must_use]
    pub fn value(mut self, of: &Self) -> Self {
        self.0.push('(');
        self.0.push_str(&of.0);
        self.0.push(')');
        self
    }

    /// What is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_names_stay_what_they_are() {
        let literal = |text| Sql::of("").literal(text).as_str().to_owned();
        let identifier = |text| Sql::of("").identifier(text).as_str().to_owned();
        for (value, as_literal, as_name) in [
            ("plain", "'plain'", "\"plain\""),
            ("it's", "'it''s'", "\"it's\""),
            ("a\\'b", " E'a\\\\''b'", "\"a\\'b\""),
            ("we\"ird", "'we\"ird'", "\"we\"\"ird\""),
            ("x'; DROP TABLE t; --", "'x''; DROP TABLE t; --'", "\"x'; DROP TABLE t; --\""),
            ("a\0b", "'ab'", "\"ab\""),
            ("{db}$1", "'{db}$1'", "\"{db}$1\""),
        ] {
            assert_eq!((literal(value), identifier(value)), (as_literal.to_owned(), as_name.to_owned()));
        }
        let list = |values| Sql::of("").literals(values).as_str().to_owned();
        assert_eq!(list(&[]), "CAST(ARRAY[] AS pg_catalog.text[])");
        let outer = Sql::of("SELECT ").value(&Sql::of("SELECT 1")).then(", 2");
        assert_eq!(outer.as_str(), "SELECT (SELECT 1), 2");
        assert_eq!(list(&["a", "b'"]), "CAST(ARRAY['a','b'''] AS pg_catalog.text[])");
    }
}
