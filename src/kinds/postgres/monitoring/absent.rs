//! Why a server's statements are not told, and what to do: the same words in its status, in a diagnosis and to who asks. Pure.

use crate::kinds::postgres::facts::ImageFacts;
use crate::kinds::postgres::parameters::STATEMENTS;
use crate::kinds::postgres::plan::Subject;
use crate::kinds::postgres::world::Statements;

/// What is the matter, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    pub what: String,
    pub next: String,
}

impl Absent {
    /// In one sentence.
    #[must_use]
    pub fn in_words(&self) -> String {
        format!("{}: {}", self.what, self.next)
    }
}

/// `image`: what its server runs from, where that is known. `None` where they are told, or nobody knows.
#[must_use]
pub fn absent(subject: &Subject<'_>, image: Option<&ImageFacts>, told: Statements) -> Option<Absent> {
    let counts = subject.memory.counts_statements;
    let make = format!("{} -d postgres -c 'CREATE EXTENSION {STATEMENTS}'", subject.psql());
    let (what, next) = match told {
        Statements::Unknown | Statements::Told => return None,
        Statements::Missing if counts => {
            ("the extension is not made yet", "Seawall makes it with its next pass".to_owned())
        }
        Statements::Missing | Statements::NotMade => {
            ("the database \"postgres\" has no extension pg_stat_statements", make)
        }
        Statements::NotLoaded => {
            let then = if counts { String::new() } else { format!("; then {make}") };
            let (what, load) = not_loaded(subject, image);
            (what, format!("{load}{then}"))
        }
    };
    Some(Absent { what: what.to_owned(), next })
}

fn not_loaded(subject: &Subject<'_>, image: Option<&ImageFacts>) -> (&'static str, &'static str) {
    const NAME_IT: &str =
        "under spec.parameters: shared_preload_libraries: pg_stat_statements (restarts the server)";
    match subject.spec.parameters.get("shared_preload_libraries") {
        Some(own) if own.contains(STATEMENTS) => {
            return ("pg_stat_statements waits for a restart of the server", "seawall restart");
        }
        Some(_) => {
            return (
                "shared_preload_libraries in spec.parameters has no pg_stat_statements",
                "add it to the list there (restarts the server)",
            );
        }
        None => {}
    }
    match image {
        Some(image) if !image.managed => {
            ("the image is custom, and Seawall preloads pg_stat_statements on managed ones alone", NAME_IT)
        }
        Some(image) if !image.statements => {
            ("the image has no library pg_stat_statements", "use one with PostgreSQL's contrib modules")
        }
        _ if subject.memory.counts_statements => (
            "another shared_preload_libraries is in force, of the image or by ALTER SYSTEM",
            "add pg_stat_statements to the list there, or name the whole list under spec.parameters (restarts the server)",
        ),
        _ => (
            "pg_stat_statements is not preloaded: this database was made without it, and Seawall restarts none for it",
            NAME_IT,
        ),
    }
}
