//! Who is signed in: a bounded table in memory. Nothing of it is written anywhere, so that a restart signs everybody out.
//!
//! It keeps the token of each, to ask again whether it still opens something; times are passed in.

use crate::core::access::Caller;
use crate::secrets::{ExposeSecret, Secret, password};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long one lasts at most, also of who never leaves.
pub const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// For so long a token is believed that opened something.
const BELIEVED: Duration = Duration::from_secs(3);
/// Sessions at once, and of one name among them. Whoever makes the next one ends the one that was used least lately.
const MOST: usize = 1_000;
const MOST_OF_ONE: usize = 20;

/// Who looks at a page.
#[derive(Clone)]
pub struct Visitor {
    pub caller: Caller,
    /// The word that each form of this session has to send.
    pub word: Arc<str>,
    /// A script asks for a part of a page.
    pub by_script: bool,
    /// The first part of the address that is asked for.
    pub section: Arc<str>,
    said: Arc<Mutex<Option<Said>>>,
}

/// What is told on the next page: what became of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub wrong: bool,
    pub what: String,
    /// What to do, or the line to commit.
    pub next: String,
}

impl Visitor {
    pub fn say(&self, said: Said) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
    }

    /// What was said, once; to somebody who reads it.
    pub fn heard(&self) -> Option<Said> {
        if self.by_script {
            return None;
        }
        self.said.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

struct Session {
    visitor: Visitor,
    /// `None`: it came by a link, of which nothing is left to ask about.
    token: Option<Secret>,
    began: Instant,
    /// When the token was last asked about.
    asked: Instant,
}

/// See the module.
#[derive(Default)]
pub struct Sessions {
    /// By the value of the cookie.
    all: HashMap<String, Session>,
}

/// What is known of a cookie.
pub enum Found {
    In(Visitor),
    /// Whether this token still opens something has to be asked.
    Ask(Secret),
    Nothing,
}

impl Sessions {
    /// The value of a new cookie.
    pub fn begin(&mut self, caller: Caller, token: Option<Secret>, now: Instant) -> Secret {
        self.all.retain(|_, session| now.duration_since(session.began) < LONGEST);
        let of_one = |session: &Session| session.visitor.caller.name == caller.name;
        if self.all.values().filter(|session| of_one(session)).count() >= MOST_OF_ONE {
            self.end_idle(of_one);
        } else if self.all.len() >= MOST {
            self.end_idle(|_| true);
        }
        let id = password();
        let visitor = Visitor {
            caller,
            word: password().expose_secret().into(),
            by_script: false,
            section: Arc::default(),
            said: Arc::default(),
        };
        let session = Session { visitor, token, began: now, asked: now };
        self.all.insert(id.expose_secret().to_owned(), session);
        id
    }

    fn end_idle(&mut self, which: impl Fn(&Session) -> bool) {
        let all = self.all.iter().filter(|(_, session)| which(session));
        let idle = all.min_by_key(|(_, session)| session.asked).map(|(id, _)| id.clone());
        self.all.remove(&idle.unwrap_or_default());
    }

    pub fn find(&mut self, id: &str, now: Instant) -> Found {
        match self.all.get_mut(id) {
            None => Found::Nothing,
            Some(session) if now.duration_since(session.began) >= LONGEST => {
                self.all.remove(id);
                Found::Nothing
            }
            Some(session) if now.duration_since(session.asked) < BELIEVED => {
                Found::In(session.visitor.clone())
            }
            Some(session) => {
                let asks = session.token.clone().map(Found::Ask);
                asks.unwrap_or_else(|| {
                    session.asked = now;
                    Found::In(session.visitor.clone())
                })
            }
        }
    }

    /// The token opens something still, and perhaps something else.
    pub fn renew(&mut self, id: &str, caller: Caller, now: Instant) -> Option<Visitor> {
        let session = self.all.get_mut(id)?;
        session.visitor.caller = caller;
        session.asked = now;
        Some(session.visitor.clone())
    }

    pub fn end(&mut self, id: &str) {
        self.all.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(found: &Found) -> &'static str {
        match found {
            Found::In(_) => "in",
            Found::Ask(_) => "ask",
            Found::Nothing => "nothing",
        }
    }

    #[test]
    fn a_session_asks_again_and_ends() {
        let (begin, token) = (Instant::now(), Some(Secret::from("t")));
        let mut sessions = Sessions::default();
        let id = sessions.begin(Caller::socket(), token, begin);
        let id = id.expose_secret();
        for (after, want) in [(0, "in"), (2, "in"), (3, "ask"), (12 * 3600 - 1, "ask")] {
            assert_eq!(word(&sessions.find(id, begin + Duration::from_secs(after))), want, "{after}");
        }
        assert_eq!(word(&sessions.find("", begin)), "nothing");
        let later = begin + LONGEST - Duration::from_secs(1);
        assert!(sessions.renew(id, Caller::socket(), later).is_some());
        assert_eq!(word(&sessions.find(id, later)), "in");
        assert_eq!(word(&sessions.find(id, begin + LONGEST)), "nothing", "whoever never leaves");
        assert!(sessions.renew(id, Caller::socket(), later).is_none());
    }

    #[test]
    fn there_are_no_more_than_so_many_and_the_idle_one_goes() {
        let begin = Instant::now();
        let of = |n: usize| Caller { name: format!("token-{}", n / 10), ..Caller::socket() };
        let mut sessions = Sessions::default();
        let mut all = Vec::new();
        for n in 0..MOST {
            let at = begin + Duration::from_millis(u64::try_from(n).unwrap());
            all.push(sessions.begin(of(n), Some(Secret::from("t")), at));
        }
        let now = begin + Duration::from_secs(2);
        sessions.renew(all[0].expose_secret(), Caller::socket(), now);
        sessions.begin(Caller::socket(), Some(Secret::from("t")), now);
        assert_eq!(sessions.all.len(), MOST);
        assert_eq!(word(&sessions.find(all[0].expose_secret(), now)), "in");
        assert_eq!(word(&sessions.find(all[1].expose_secret(), now)), "nothing");
        sessions.begin(Caller::socket(), Some(Secret::from("t")), begin + LONGEST + LONGEST);
        assert_eq!(sessions.all.len(), 1, "those that are over go first");
    }

    #[test]
    fn who_signs_in_again_and_again_ends_his_own() {
        let begin = Instant::now();
        let mut sessions = Sessions::default();
        let other = sessions.begin(Caller::user(1), None, begin);
        let first = sessions.begin(Caller::socket(), None, begin);
        for n in 1..=u64::try_from(MOST_OF_ONE).unwrap() {
            sessions.begin(Caller::socket(), None, begin + Duration::from_secs(n));
        }
        assert_eq!(sessions.all.len(), MOST_OF_ONE + 1);
        let now = begin + Duration::from_secs(60);
        assert_eq!(word(&sessions.find(first.expose_secret(), now)), "nothing");
        assert_eq!(word(&sessions.find(other.expose_secret(), now)), "in", "nobody is asked about a link");
        assert_eq!(word(&sessions.find(other.expose_secret(), begin + LONGEST)), "nothing");
    }

    #[test]
    fn what_is_said_is_heard_once() {
        let mut sessions = Sessions::default();
        let id = sessions.begin(Caller::socket(), Some(Secret::from("t")), Instant::now());
        let Found::In(one) = sessions.find(id.expose_secret(), Instant::now()) else { unreachable!() };
        let Found::In(other) = sessions.find(id.expose_secret(), Instant::now()) else { unreachable!() };
        one.say(Said { wrong: false, what: "done".to_owned(), next: String::new() });
        assert_eq!(Visitor { by_script: true, ..other.clone() }.heard(), None);
        assert_eq!(other.heard().map(|said| said.what).as_deref(), Some("done"));
        assert_eq!(one.heard(), None);
    }
}
