//! What a test says a fake server does, and asks of it.

use super::monitor::MonitorState;
use super::{Cluster, FakeServers};
use crate::kinds::postgres::client::SqlError;
use crate::kinds::postgres::collation::{Collations, InDatabase};
use crate::kinds::postgres::monitoring::{Contents, Figures};
use crate::kinds::postgres::survey::Survey;
use crate::kinds::postgres::wal::Reading;
use crate::kinds::postgres::world::Crowd;
use std::time::Duration;

impl FakeServers {
    /// What `df` says in containers.
    pub fn set_df(&self, line: &str) {
        line.clone_into(&mut self.shared.lock().df);
    }

    /// What the server of a container answers from now on; `None`: it works.
    pub fn set_answer(&self, container: &str, answer: Option<SqlError>) {
        let mut script = self.shared.lock();
        match answer {
            Some(answer) => drop(script.answers.insert(container.to_owned(), answer)),
            None => drop(script.answers.remove(container)),
        }
    }

    /// Who is in stays in; nobody else gets into the managed database. `None`: it is open again.
    pub fn lock_out(&self, container: &str, answer: Option<SqlError>) {
        let mut script = self.shared.lock();
        match answer {
            Some(answer) => drop(script.locked_out.insert(container.to_owned(), answer)),
            None => drop(script.locked_out.remove(container)),
        }
    }

    /// ALTER SYSTEM: these parameters no longer come from the file.
    pub fn set_overridden(&self, container: &str, names: &[&str]) {
        let names = names.iter().map(|n| (*n).to_owned()).collect();
        self.shared.lock().overridden.insert(container.to_owned(), names);
    }

    /// What the server of a container says about the order of text from now on.
    pub fn set_collations(&self, container: &str, collations: Collations) {
        self.shared.lock().collations.insert(container.to_owned(), collations);
    }

    /// What the databases of a container's server say of their columns from now on.
    pub fn set_columns(&self, container: &str, columns: Vec<InDatabase>) {
        self.shared.lock().columns.insert(container.to_owned(), columns);
    }

    /// What of a container's server is full; `None`: there is room.
    pub fn set_crowd(&self, container: &str, crowd: Option<Crowd>) {
        let mut script = self.shared.lock();
        match crowd {
            Some(crowd) => drop(script.crowds.insert(container.to_owned(), crowd)),
            None => drop(script.crowds.remove(container)),
        }
    }

    /// Somebody wrote these lines into its configuration files, which it cannot read.
    pub fn break_configuration(&self, container: &str, lines: &[&str]) {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        self.shared.lock().broken.insert(container.to_owned(), lines);
    }

    /// What a look at the health of a container's server tells from now on.
    pub fn set_reading(&self, container: &str, reading: Reading) {
        self.shared.lock().readings.insert(container.to_owned(), reading);
    }

    /// The same of what goes on inside of it.
    pub fn set_figures(&self, container: &str, figures: Figures) {
        self.shared.lock().figures.insert(container.to_owned(), figures);
    }

    /// The same of what is looked at seldom.
    pub fn set_contents(&self, container: &str, contents: Contents) {
        self.shared.lock().contents.insert(container.to_owned(), contents);
    }

    /// DROP ROLE by hand of the role that reads the server's health; false when there is no server yet.
    pub fn drop_monitor(&self, container: &str) -> bool {
        self.change(container, |c| c.monitor = MonitorState::Missing)
    }

    /// Its password was changed by hand.
    pub fn change_monitor_password(&self, container: &str) -> bool {
        self.change(container, |c| c.monitor = MonitorState::Refuses)
    }

    /// GRANT by hand: it is a member of these, too.
    pub fn promote_monitor(&self, container: &str, roles: &[&str]) -> bool {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        self.change(container, |c| c.monitor = MonitorState::Differs(roles))
    }

    /// There is a role of that name which is not Seawall's.
    pub fn take_monitor_name(&self, container: &str) -> bool {
        self.change(container, |c| c.monitor = MonitorState::Foreign)
    }

    /// DROP EXTENSION by hand of the one that tells statements; false when there is no server yet.
    pub fn drop_statements(&self, container: &str) -> bool {
        self.change(container, |c| c.statements = false)
    }

    /// Each answer of a container's server takes so long from now on; one of 5 s or more is given up.
    pub fn set_slow(&self, container: &str, pause: Duration) {
        self.shared.lock().slow.insert(container.to_owned(), pause);
    }

    /// Its roles and databases, as a survey tells them; `None`: it has no data.
    #[must_use]
    pub fn tenants(&self, container: &str) -> Option<Survey> {
        let c = self.shared.docker.seen(container)?;
        Some(self.shared.cluster(&c)?.tenants)
    }

    /// How often a container's server was asked over a session.
    #[must_use]
    pub fn probes(&self, container: &str) -> u64 {
        self.shared.lock().probes.get(container).copied().unwrap_or_default()
    }

    /// Logins tried so far.
    #[must_use]
    pub fn logins(&self) -> u64 {
        self.shared.lock().logins
    }

    fn change(&self, container: &str, change: impl FnOnce(&mut Cluster)) -> bool {
        let Some(c) = self.shared.docker.seen(container) else { return false };
        let Some(mut cluster) = self.shared.cluster(&c) else { return false };
        change(&mut cluster);
        self.shared.keep(&c, &cluster).is_ok()
    }

    /// ALTER ROLE by hand; false when there is no server yet.
    pub fn change_password(&self, container: &str, password: &str) -> bool {
        self.change(container, |c| c.password = Some(password.to_owned()))
    }

    /// DROP DATABASE by hand; false when there is no server yet.
    pub fn drop_database(&self, container: &str, database: &str) -> bool {
        self.change(container, |c| {
            c.databases.remove(database);
        })
    }

    /// Other data in the volume of this name, with the same password and databases; false when there is
    /// no server yet.
    pub fn replace_data(&self, container: &str, system_identifier: &str) -> bool {
        self.change(container, |c| c.system_identifier = system_identifier.to_owned())
    }

    /// What tells one set of data from another; `None` before initdb.
    #[must_use]
    pub fn system_identifier(&self, container: &str) -> Option<String> {
        Some(self.shared.cluster(&self.shared.docker.seen(container)?)?.system_identifier)
    }
}
