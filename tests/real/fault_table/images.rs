//! Images that are bad, and what has to catch each. A verdict is what a user should get, not what happened to be seen.

use super::{Server, UNTRIED, condition, degraded, drive};
use crate::lifecycle::TestImage;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gate {
    /// It is seen from what is in it, for this reason: nothing is stopped, whatever the annotations say.
    Look(&'static str),
    /// A trial start says it.
    Trial,
    /// Only the real start can say it; the server comes back on the last image.
    Start,
    /// For ten minutes nothing tells it from a start that takes its time: it is said not to serve, until it is corrected.
    Waits,
    /// None is right: it serves.
    Nobody,
}
use Gate::{Look, Nobody, Start, Trial, Waits};

struct Row {
    name: &'static str,
    gate: Gate,
    /// One of these, divided by `|`, is in the words that the user gets.
    words: &'static str,
    /// What makes it, on top of the good image; or a reference after `=`. `MAJOR` and `OTHER` stand for themselves.
    recipe: &'static str,
}

const fn row(name: &'static str, gate: Gate, words: &'static str, recipe: &'static str) -> Row {
    Row { name, gate, words, recipe }
}

const ROWS: &[Row] = &[
    row(
        "exits-3",
        Start,
        "exit code 3|exited with code 3|no such luck",
        r#"ENTRYPOINT ["sh", "-c", "echo no such luck; exit 3"]"#,
    ),
    row("exits-0", Start, "exited with code 0|died", r#"ENTRYPOINT ["true"]"#),
    row("sleeps", Waits, "", r#"ENTRYPOINT ["sh", "-c", "trap 'exit 0' INT; sleep infinity & wait"]"#),
    row(
        "dies-on-data",
        Start,
        "data exist",
        r#"ENTRYPOINT ["sh", "-c", "[ ! -s \"$PGDATA/PG_VERSION\" ] || { echo data exist; exit 7; }; exec docker-entrypoint.sh \"$@\"", "x"]
CMD ["postgres"]"#,
    ),
    row("killed", Start, "137|died", r#"ENTRYPOINT ["sh", "-c", "kill -9 $$"]"#),
    row("bus-error", Start, "135|died", r#"ENTRYPOINT ["sh", "-c", "kill -BUS $$"]"#),
    row(
        "floods-and-dies",
        Start,
        "exited with code 9|full of words",
        r#"ENTRYPOINT ["sh", "-c", "yes full of words | head -c 20000000; exit 9"]"#,
    ),
    row(
        "no-binary",
        Look("ImageUnfit"),
        "no program named postgres|PostgreSQL",
        "RUN rm /usr/lib/postgresql/*/bin/postgres",
    ),
    row(
        "binary-is-broken",
        Start,
        "postgres",
        "RUN printf 'no program' >/usr/lib/postgresql/MAJOR/bin/postgres",
    ),
    row("no-library", Start, "shared libraries|libssl", "RUN rm /usr/lib/*/libssl.so.3"),
    row("no-snowball", Nobody, "", "RUN rm /usr/lib/postgresql/*/lib/dict_snowball.so"),
    row("no-shell", Start, "", "RUN rm -f /bin/bash /bin/sh"),
    row("other-major", Look("MajorVersionChange"), "PostgreSQL OTHER", "=seawall/postgres:OTHER"),
    row(
        "other-catalog",
        Look("CatalogVersionChange"),
        "take 202505071 alone",
        "RUN sed -i 's/PG_MAJOR_[0-9]\\{9\\}/PG_MAJOR_202505071/' /usr/lib/postgresql/MAJOR/bin/postgres /usr/lib/postgresql/MAJOR/bin/pg_checksums",
    ),
    row(
        "other-layout",
        Look("DataElsewhere"),
        "the data lies at",
        "ENV PGDATA=/var/lib/postgresql/data/elsewhere",
    ),
    row("no-postgresql", Look("ImageUnfit"), "no PostgreSQL server", "=seawall/not-postgres:test"),
    row(
        "is-not-there",
        Look("ImagePullFailed"),
        "127.0.0.1:9/nobody/postgres:MAJOR",
        "=127.0.0.1:9/nobody/postgres:MAJOR",
    ),
    row(
        "other-user",
        Start,
        "does not belong to user postgres",
        "RUN usermod -u 1234 postgres && chown -R 1234 /var/lib/postgresql /var/run/postgresql",
    ),
    row("bad-option", Trial, "wrok_mem", r#"CMD ["postgres", "-c", "wrok_mem=1MB"]"#),
    row("bad-library", Trial, "nosuch", r#"CMD ["postgres", "-c", "shared_preload_libraries=nosuch"]"#),
    row(
        // Only who makes a cluster reads it.
        "bad-template",
        Nobody,
        "",
        "RUN echo 'wrok_mem = 1MB' >>/usr/share/postgresql/MAJOR/postgresql.conf.sample",
    ),
    row(
        "wants-root",
        Nobody,
        "",
        r#"ENTRYPOINT ["sh", "-c", "touch /root/here || exit 1; exec docker-entrypoint.sh \"$@\"", "x"]
CMD ["postgres"]"#,
    ),
    row(
        "floods",
        Nobody,
        "",
        r#"ENTRYPOINT ["sh", "-c", "yes full of words | head -c 20000000; exec docker-entrypoint.sh \"$@\"", "x"]
CMD ["postgres"]"#,
    ),
    row("other-signal", Nobody, "", "STOPSIGNAL SIGTERM"),
    row("kills-itself-to-stop", Nobody, "", "STOPSIGNAL SIGKILL"),
    row("other-command", Nobody, "", r#"CMD ["sleep", "infinity"]"#),
];

/// Who may be named while an image is at fault: neither password nor network, nor parameters.
fn may_be_said(row: &Row, said: &str) -> bool {
    let Some((what, reason)) = said.split_once(' ') else { return false };
    match what {
        "Ready=True" => reason == "LoginSucceeded",
        // Between two steps of a restart its reason is what Degraded says, in the same words.
        "Ready=False" => {
            ["Reconciling", "ServerStarting", "CrashLoop", "Blocked"].contains(&reason)
                || row.gate == Look("ImagePullFailed") && reason == "ImagePullFailed"
        }
        "Degraded=True" => {
            let expected = match row.gate {
                Look(look) => reason == look,
                Trial | Start => reason == "ImageRefused",
                Nobody | Waits => false,
            };
            expected || ["CrashLoop", "HardeningReduced"].contains(&reason)
        }
        _ => true,
    }
}

/// In the words for users: which image it is, and what is the matter with it.
fn named(row: &Row, stage: &str, reference: &str, major: u32, words: &str) {
    assert!(words.contains(reference), "{stage}: {words:?} names no {reference}");
    let wanted = filled(row.words, major);
    assert!(wanted.split('|').any(|word| words.contains(word)), "{stage}: {words:?} has no {wanted}");
}

fn filled(text: &str, major: u32) -> String {
    text.replace("OTHER", &(35 - major).to_string()).replace("MAJOR", &major.to_string())
}

fn through(server: &Server<'_>, row: &Row, reference: &str, major: u32) {
    let image = format!("image: '{reference}'");
    let (passes, said) = server.validate(&image, "");
    assert!(passes, "validate: {said}");
    let first = server.sea.status(&server.name)["image"]["id"].clone();

    if row.gate == Nobody {
        server.apply(&image, "", "");
        let status = server.sea.ready(&server.name);
        assert_ne!(status["image"]["id"], first, "it runs");
        server.has_its_data("in force");
        let before = server.starts();
        server.is_ready("restart", &server.restart());
        assert_eq!(server.starts(), before + 1, "restart");
        server.has_its_data("restart");
        server.correct();
        return;
    }

    if row.gate == Waits {
        server.apply(&image, "", "");
        server.sea.until_condition(&server.name, "Ready", "False", "ServerStarting");
        server.correct();
        assert_eq!(server.sea.status(&server.name)["image"]["id"], first);
        return;
    }

    // Once with a trial, and once without: what only looks wrong in it has no other way in.
    for annotations in ["", UNTRIED] {
        let stage = if annotations.is_empty() { "trial" } else { "without a trial" };
        let before = server.starts();
        server.apply(&image, annotations, "");
        let reason = if let Look(reason) = row.gate { reason } else { "ImageRefused" };
        let words = server.sea.until_condition(&server.name, "Degraded", "True", reason);
        named(row, stage, reference, major, &words);
        let untouched = matches!(row.gate, Look(_)) || (row.gate == Trial && annotations.is_empty());
        let back = |stage: &str| {
            let status = server.sea.until(&server.name, stage, |s| condition(s, "Ready").0 == "True");
            assert_eq!(status["image"]["id"], first, "{stage}: {}", degraded(&status));
            server.has_its_data(stage);
        };
        back(stage);
        let starts = server.starts() - before;
        assert!(starts <= if untouched { 0 } else { super::MOST_STARTS }, "{stage}: {starts} starts");
        let before = server.starts();
        server.restart_once();
        back(&format!("restart, {stage}"));
        assert_eq!(server.starts(), before + 1, "{stage}: restart");
        let still = server.sea.until_condition(&server.name, "Degraded", "True", reason);
        named(row, stage, reference, major, &still);
    }
    server.correct();
    assert_eq!(server.sea.status(&server.name)["image"]["id"], first);
}

fn table(major: u32) {
    drive(
        major,
        2,
        ROWS,
        |row| row.name.to_owned(),
        |server, row| {
            let recipe = filled(row.recipe, major);
            let built = (!recipe.starts_with('=')).then(|| {
                TestImage::build(
                    &format!("{}-{major}", row.name),
                    &format!("FROM seawall/postgres:{major}\n{recipe}\n"),
                )
            });
            let reference =
                built.as_ref().map_or_else(|| recipe.replacen('=', "", 1), |built| built.0.clone());
            server.row(|| through(server, row, &reference, major), |said| may_be_said(row, said))
        },
    );
}

#[test]
#[ignore = "slow: make test-faults"]
fn images_on_17() {
    table(17);
}

#[test]
#[ignore = "slow: make test-faults"]
fn images_on_18() {
    table(18);
}
