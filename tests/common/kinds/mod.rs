//! What the suites know of each kind with a container. A kind that is in the list below goes through all of them: `real` asks
//! its server by its own client, `it` plays it on the fake engine. It must never decide what is right: the rows do that.

use seawall::docker::fake::FakeDocker;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The list, handed to another macro. A new kind is one word here, with a file of this name that has its `KIND`.
macro_rules! every_kind {
    ($then:ident $more:tt) => {
        $crate::kinds::$then! { [postgres redis] $more }
    };
}

macro_rules! declared {
    ([$($kind:ident)+] ()) => {
        $(pub mod $kind;)+
        pub static ALL: &[&dyn Kind] = &[$(&$kind::KIND),+];
    };
}

/// `tests!(a, b)` makes of the functions `a` and `b`, which take a kind, a test for each kind: `postgres::a`, `redis::a`, ….
macro_rules! tests {
    ($($row:ident),+ $(,)?) => { $crate::kinds::every_kind! { tests_of ($($row)+) } };
}

macro_rules! tests_of {
    ([$($kind:ident)+] $rows:tt) => { $($crate::kinds::tests_of_one! { $kind $rows })+ };
}

macro_rules! tests_of_one {
    ($kind:ident ($($row:ident)+)) => {
        mod $kind {
            $(#[test]
            fn $row() {
                super::$row(&$crate::kinds::$kind::KIND);
            })+
        }
    };
}

/// The same of asynchronous functions, on the clock that jumps.
macro_rules! machine_tests {
    ($($row:ident),+ $(,)?) => { $crate::kinds::every_kind! { machine_tests_of ($($row)+) } };
}

macro_rules! machine_tests_of {
    ([$($kind:ident)+] $rows:tt) => { $($crate::kinds::machine_tests_of_one! { $kind $rows })+ };
}

macro_rules! machine_tests_of_one {
    ($kind:ident ($($row:ident)+)) => {
        mod $kind {
            $(#[tokio::test(start_paused = true)]
            async fn $row() {
                super::$row(&$crate::kinds::$kind::KIND).await;
            })+
        }
    };
}

pub(crate) use {declared, every_kind, tests, tests_of, tests_of_one};
pub(crate) use {machine_tests, machine_tests_of, machine_tests_of_one};

every_kind! { declared () }

/// Who logs in, and where.
#[derive(Clone, Debug)]
pub struct Login {
    pub container: String,
    pub port: u64,
    pub username: String,
    pub password: String,
    pub database: String,
}

/// What a client is to do. What it keeps are numbers, one after another.
#[derive(Clone, Copy, Debug)]
pub enum Ask<'a> {
    /// Log in, and nothing else, within 5 seconds.
    Login,
    /// So that no kill of the server loses it.
    Keep(u32),
    /// All that was kept, in any order.
    Kept,
    /// What makes a stop that follows a short one.
    Flush,
    /// Stay until the server ends it.
    Wait,
    /// A parameter, as the server has it.
    Parameter(&'a str),
}

/// A parameter, two values that it can have, and what the server says it is by either.
pub struct Parameter {
    pub name: &'static str,
    pub values: [&'static str; 2],
}

/// Parameters with which no server starts, and nobody can tell before one did.
pub struct Deadly {
    pub annotations: &'static str,
    /// Its image or version, as a field of the spec.
    pub of: String,
    pub parameters: &'static str,
    /// What is said of it, where the server says anything.
    pub words: &'static str,
}

/// What is done by hand, with `docker`, and how it is undone: the event's reason and some of its words.
pub struct ByHand {
    pub commands: Vec<Vec<String>>,
    pub reason: &'static str,
    pub cause: &'static str,
}

/// The fake engine with all fake servers on it.
pub struct Fakes {
    pub docker: Arc<FakeDocker>,
    pub postgres: seawall::kinds::postgres::fake_server::FakeServers,
    pub redis: seawall::kinds::redis::fake_server::FakeServers,
}

/// Something that others change in a fake server, by the name of its container, and how it can be seen to be undone.
pub struct FakeDrift {
    pub name: &'static str,
    pub drift: fn(&Fakes, &str),
    pub back: fn(&Fakes, &str) -> bool,
    pub reason: &'static str,
    pub words: &'static str,
}

/// The server of this container says this from now on.
pub type FakeRefusal = fn(&Fakes, &str, String);

/// A kind with a container, as values.
pub trait Kind: Sync {
    /// As a manifest says it.
    fn kind(&self) -> &'static str;
    /// The version that is tested, and another build of it.
    fn versions(&self) -> [&'static str; 2];
    /// All versions of the catalog.
    fn catalogued(&self) -> &'static [&'static str];
    /// The image that `deploy/images/build.sh` builds for a version.
    fn image(&self, version: &str) -> String;
    /// Images whose entry point is the official one's, or keeps its contract, by a name for each.
    fn official(&self) -> &'static [(&'static str, &'static str)];
    /// The user in the image that the server runs as.
    fn user(&self) -> &'static str;
    /// What is said of an image that has no such server.
    fn not_in_image(&self) -> &'static str;
    /// Inside the container.
    fn port(&self) -> u16;
    /// Where the volume is mounted, and something on it that is a directory.
    fn data(&self) -> (&'static str, &'static str);
    /// Whether a process with these arguments is the server.
    fn is_server(&self, arguments: &str) -> bool;
    /// A program with its environment, which ends well when the server did as it was asked.
    fn client(&self, at: &Login, ask: Ask<'_>) -> (Vec<(&'static str, String)>, Vec<String>);
    /// One that the running server takes over.
    fn live(&self) -> Parameter;
    /// Those that need a restart, sorted; the first value is the server's own.
    fn at_start(&self) -> Vec<Parameter>;
    /// One whose value only the running server refuses, with some of its words.
    fn refused(&self) -> (&'static str, &'static str);
    fn deadly(&self) -> Deadly;
    /// The managed password is made another one in the server, in each way that is mended otherwise.
    fn lock_outs(&self, container: &str) -> Vec<ByHand>;
    /// Where its parameters are in its container, one on a line.
    fn parameter_file(&self) -> &'static str;
    /// Another value of [`Kind::live`] gets into the parameter file, and into the server.
    fn edit_file(&self, container: &str, value: &str) -> ByHand;
    /// What the log says of a stop that was asked for, in this order.
    fn last_words(&self) -> [&'static str; 2];
    /// The file that had a password for the first start alone.
    fn spent_secret(&self) -> Option<&'static str>;
    /// The event of a password that is another one after the store was lost.
    fn reset_by_recovery(&self) -> &'static str;
    /// Fields of the spec that name the owner, and the database where there are some.
    fn owned_by(&self, user: &str, database: &str) -> String;
    /// By what of its status data can be told from other data; `Null` where there is nothing.
    fn identifier(&self, status: &Value) -> Value;

    /// A version whose servers do not read this one's data, with some words about that. Fake images alone have to be there.
    fn older(&self) -> (&'static str, &'static str);
    /// What changes only in servers of this kind.
    fn fake_drifts(&self) -> Vec<FakeDrift>;
    /// By what a fake server's data can be told from other data; empty where there is nothing.
    fn fake_data(&self, fakes: &Fakes, container: &str) -> String;
    /// What a fake server has on its volume: paths in its container.
    fn fake_files(&self) -> &'static [&'static str];
    /// The server of a container gives no answer from now on.
    fn fake_hang(&self, fakes: &Fakes, container: &str);
    /// All the ways in which it turns everybody away in words of its own. The first: it does not listen.
    fn fake_refusals(&self) -> Vec<FakeRefusal>;
    /// Each answer of it takes so long; a client that waits for less gets none.
    fn fake_slow(&self, fakes: &Fakes, container: &str, pause: Duration);
    /// How often it was asked for the sake of being Ready.
    fn fake_probes(&self, fakes: &Fakes, container: &str) -> u64;
    /// It says that it is not ready yet: the reason, and its words.
    fn fake_begin(&self, fakes: &Fakes, container: &str) -> (&'static str, &'static str);
    /// It answers again.
    fn fake_answer(&self, fakes: &Fakes, container: &str);

    /// A version beside the tested one.
    fn another_version(&self) -> &'static str {
        self.catalogued().last().unwrap()
    }
    /// As people say it.
    fn object(&self, name: &str) -> String {
        format!("{}/{name}", self.kind().to_lowercase())
    }
    /// A spec of the tested version with these further fields, in YAML's flow style.
    fn spec(&self, more: &str) -> String {
        self.spec_of(self.versions()[0], more)
    }
    fn spec_of(&self, version: &str, more: &str) -> String {
        format!("{{version: '{version}'{}}}", after_comma(more))
    }
    /// The same by hand, with an image.
    fn spec_with_image(&self, image: &str, more: &str) -> String {
        format!("{{image: '{image}'{}}}", after_comma(more))
    }
    fn catalog(&self, name: &str) -> String {
        self.catalog_of(name, self.catalogued(), &|version| self.image(version))
    }
    /// Of a version in the fake catalog; only a pull finds `remote`.
    fn fake_image(&self, version: &str) -> String {
        let registry = if version == "remote" { "remote" } else { "local" };
        format!("{registry}/{}:{version}", self.kind().to_lowercase())
    }
    fn fake_catalog(&self, name: &str) -> String {
        let [version, another] = self.versions();
        self.catalog_of(name, &[version, another, self.older().0, "remote"], &|version| {
            self.fake_image(version)
        })
    }
    fn catalog_of(&self, name: &str, versions: &[&str], image: &dyn Fn(&str) -> String) -> String {
        let images = versions.iter().map(|v| format!("    '{v}': {{image: '{}'}}\n", image(v)));
        format!(
            "apiVersion: seawall.dev/v1\nkind: ImageCatalog\nmetadata: {{name: {name}}}\nspec:\n  engine: {}\n  images:\n{}",
            self.kind().to_lowercase(),
            images.collect::<String>()
        )
    }
}

fn after_comma(more: &str) -> String {
    if more.is_empty() { String::new() } else { format!(", {more}") }
}

/// Words of a command.
fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|word| (*word).to_owned()).collect()
}
