//! What is known of PostgreSQL's parameters without a server, held to real servers.

use seawall::core::image_ref::ImageReference;
use seawall::kinds::postgres::parameters::judge::refusal;
use seawall::kinds::postgres::parameters::settings::{Known, TEXTS, Table, Type};
use seawall::kinds::postgres::parameters::value::wrong;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// By their own names: what other images have is not what the tables were made from.
fn image(major: u32) -> String {
    format!("seawall/postgres:{major}")
}

#[test]
fn the_tables_are_what_the_servers_say() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/settings.sh");
    for (major, text) in TEXTS {
        let output = Command::new(&script).arg(image(major)).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let file = format!("src/engines/postgres/parameters/settings/{major}.tsv");
        let differs = |a: &str, b: &str| -> Vec<String> {
            a.lines().filter(|line| !b.lines().any(|other| other == *line)).map(str::to_owned).collect()
        };
        let (gone, new) = (differs(text, &said), differs(&said, text));
        assert!(
            gone.is_empty() && new.is_empty(),
            "{file} is of another server: {gone:#?} is {new:#?} now; deploy/settings.sh {} >{file}",
            image(major)
        );
        assert_eq!(said, text, "{file}: the order");
    }
}

/// Whether the server takes each of these values for its configuration file.
fn ask(major: u32, pairs: &[(String, String)]) -> Vec<bool> {
    const SERVER: &str = "export PGDATA=/tmp/data PGUSER=postgres PGHOST=/tmp
        initdb --no-sync --auth=trust --username=postgres >/dev/null
        pg_ctl --wait --log=/tmp/log --options='-c fsync=off -c listen_addresses= -c unix_socket_directories=/tmp' start >/dev/null
        psql --no-psqlrc --quiet --no-align --tuples-only 2>/dev/null
        pg_ctl --wait --mode=immediate stop >/dev/null";
    let script: String = pairs
        .iter()
        .map(|(name, value)| {
            format!("ALTER SYSTEM SET {name} = '{}';\n\\echo :ERROR\n", value.replace('\'', "''"))
        })
        .collect();
    let mut child = Command::new("docker")
        .args(["run", "--rm", "-i", "--network", "none", "--user", "postgres", "--entrypoint", "bash"])
        .args([&image(major), "-euc", SERVER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || stdin.write_all(script.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<bool> = said.lines().map(|line| line == "false").collect();
    assert_eq!(answers.len(), pairs.len(), "{said}");
    answers
}

/// Values that look like those of some type, in every form that the parser knows, around every bound.
fn values(kind: &Type) -> Vec<String> {
    const ANY: &str = "on|off|ON|of|o|t|tr|yes|y|no|true|truex| on|0|1|2|-1|-2|010|08|0x10|0x|+5|1e3|1.5|.5|5.|1e|1 e3|--1|\
        abc||64kB|1kB|1Kb|1KB|1MB|1 MB| 1MB |1Mi|1GB|1.5GB|30.1GB|1TB|1B|8192B|1 B|10ms|1s|1 min|1h|1d|500us|1S|1m|\
        1min2|1e400|99999999999999999999|2147483647|2147483648|4294967296|0x7fffffff|1_000|1,5|٣|debug|info|archive|auto|none|replica";
    let mut list: Vec<String> = ANY.split('|').map(str::to_owned).collect();
    match kind {
        Type::Integer { min, max } => {
            for n in [*min, *max] {
                list.extend([n - 1, n, n + 1].map(|n| n.to_string()));
                list.push(format!("{n}.4"));
            }
        }
        Type::Real { min, max } => {
            for n in [*min, *max] {
                list.extend([n - 0.5, n, n + 0.5].map(|n| n.to_string()));
            }
        }
        Type::Enum { told, further } => {
            for word in told.iter().chain(further) {
                list.extend([(*word).to_owned(), word.to_uppercase(), format!("{word} ")]);
            }
        }
        Type::Bool | Type::Text => {}
    }
    list
}

/// Parameters with a rule beyond type, unit and range: a step of 16, a limit of the system, a part of the build, a sum
/// with others, or no place in a file. Those are the server's to judge, or refused by name.
const MORE_RULES: [&str; 20] = [
    "allow_alter_system",
    "autovacuum_max_workers",
    "bonjour",
    "commit_timestamp_buffers",
    "io_max_concurrency",
    "max_connections",
    "max_stack_depth",
    "max_wal_senders",
    "max_worker_processes",
    "multixact_member_buffers",
    "multixact_offset_buffers",
    "notify_buffers",
    "serializable_buffers",
    "ssl",
    "subtransaction_buffers",
    "transaction_buffers",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
    "vacuum_buffer_usage_limit",
];

#[test]
fn no_value_is_refused_that_a_server_takes() {
    for (major, _) in TEXTS {
        let table = Table::of(major).unwrap();
        let mut pairs = Vec::new();
        for name in table.names() {
            let setting = table.get(&name.to_ascii_lowercase()).unwrap();
            if setting.kind != Type::Text {
                pairs.extend(values(&setting.kind).into_iter().map(|value| (name.to_owned(), value)));
            }
        }
        let answers = ask(major, &pairs);
        assert!(answers.iter().filter(|taken| **taken).count() > 1000);
        for ((name, value), taken) in pairs.iter().zip(answers) {
            let words = wrong(table.get(&name.to_ascii_lowercase()).unwrap(), value);
            assert!(
                !taken || words.is_none(),
                "{major} takes {name} = {value:?}: {}",
                words.unwrap_or_default()
            );
            let fine = taken || words.is_some() || MORE_RULES.contains(&name.as_str());
            assert!(fine, "{major} refuses {name} = {value:?}, and nothing is said before");
        }
    }
}

/// Whole judgements, names and texts included: what a user writes, and what comes of it.
#[test]
fn what_is_refused_before_a_server_is_asked_is_refused_by_it_too() {
    const RIGHT: [(&str, &str); 24] = [
        ("Work_Mem", "1.5GB"),
        ("timezone", "UTC"),
        ("datestyle", "ISO, DMY"),
        ("search_path", "\"$user\", public"),
        ("statement_timeout", "5 min"),
        ("shared_buffers", "0x4000"),
        ("huge_pages", "Yes"),
        ("wal_level", "hot_standby"),
        ("log_line_prefix", "it's %m"),
        ("default_transaction_isolation", "repeatable read"),
        ("my_extension.anything", "at all"),
        ("pg_stat_statements.track", "all"),
        ("log_destination", "stderr, jsonlog"),
        ("lc_messages", "C"),
        ("client_encoding", "latin1"),
        ("default_text_search_config", "pg_catalog.simple"),
        ("effective_cache_size", "3GB"),
        ("random_page_cost", "1.1"),
        ("max_wal_size", "4GB"),
        ("checkpoint_timeout", "1h"),
        ("autovacuum_naptime", "30"),
        ("ssl_max_protocol_version", ""),
        ("cluster_name", "main"),
        ("temp_tablespaces", ""),
    ];
    const WRONG: [(&str, &str); 16] = [
        ("wrok_mem", "1MB"),
        ("work_mem", "lots"),
        ("work_mem", "16Mb"),
        ("work_mem", "16Mi"),
        ("work_mem", "16"),
        ("shared_buffers", "64kB"),
        ("statement_timeout", "5S"),
        ("statement_timeout", "5 minutes"),
        ("jit", "maybe"),
        ("synchronous_commit", "t"),
        ("block_size", "8192"),
        ("server_version", "18"),
        ("max_connections", "0"),
        ("max_connections", "08"),
        ("random_page_cost", "cheap"),
        ("zzzzqqqq", "1"),
    ];
    for (major, _) in TEXTS {
        let owned = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let pairs = [owned(&RIGHT), owned(&WRONG)].concat();
        let answers = ask(major, &pairs);
        let known = [
            Known::of(Some(&major.to_string()), None),
            Known::of(None, Some(&ImageReference::parse(&format!("x/y:{major}")).unwrap())),
            Known::Nothing,
        ];
        for (at, ((name, value), taken)) in pairs.iter().zip(answers).enumerate() {
            assert_eq!(taken, at < RIGHT.len(), "{major}: {name} = {value:?}");
            let said = known.map(|known| refusal(known, &name.to_ascii_lowercase(), value));
            assert_eq!(said[0].is_none(), taken, "{major}: {name} = {value:?}: {said:?}");
            assert!(!taken || said.iter().all(Option::is_none), "{major}: {name} = {value:?}: {said:?}");
        }
    }
}
