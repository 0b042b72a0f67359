//! What others did by hand: to roles, to configuration files, to names.

use super::postgres::{PLAIN, Stranger, auto_conf, no_mend, sql, without_auto_conf};
use super::table::{Fault, Then, judge, nothing};
use crate::harness::docker;

#[test]
fn what_others_did_by_hand_is_said_or_undone_and_nothing_else() {
    judge(&[
        Fault {
            name: "nologin",
            spec: PLAIN,
            prepare: |sea, name| {
                sql(sea, name, "postgres", "CREATE ROLE other SUPERUSER LOGIN");
                None
            },
            breaks: |sea, name| {
                sql(sea, name, "postgres", "ALTER ROLE postgres NOLOGIN");
                let (container, sql) = (sea.container(name), "ALTER ROLE postgres LOGIN");
                Box::new(move || {
                    let psql = ["psql", "-XqU", "other", "-d", "postgres", "-c", sql];
                    docker(&[&["exec", "-u", "postgres", &container][..], &psql].concat());
                })
            },
            // Seawall knows of no other role that it could do it as.
            then: Then::Said {
                conditions: &[
                    "Ready False NoWayIn",
                    "Degraded True NoWayIn",
                    "Progressing * *",
                    "Stalled * *",
                ],
                lets_in: false,
            },
        },
        Fault {
            name: "expired",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                sql(sea, name, "postgres", "ALTER ROLE postgres VALID UNTIL '2001-01-01'");
                no_mend(sea, name)
            },
            then: Then::Repaired("PasswordReset"),
        },
        // A value that no start would work with.
        Fault {
            name: "value",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                auto_conf(sea, name, "max_connections = 'many'");
                Box::new(move || without_auto_conf(sea, name))
            },
            then: Then::Said { conditions: &["Degraded True ConfigurationBroken"], lets_in: true },
        },
        // One that only a start would tell of.
        Fault {
            name: "preload",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                auto_conf(sea, name, "shared_preload_libraries = 'nowhere'");
                Box::new(move || without_auto_conf(sea, name))
            },
            then: Then::Said { conditions: &["PendingRestart True ParametersChanged"], lets_in: true },
        },
        Fault {
            name: "name",
            spec: PLAIN,
            prepare: nothing,
            breaks: |sea, name| {
                let other = Stranger(format!("{}-alias", sea.installation));
                let network = format!("{}-seawall", sea.installation);
                let run = ["run", "-d", "--name", &other.0, "--network", &network, "--network-alias"];
                let image = [&sea.container(name), "seawall/postgres:18", "sleep", "600"];
                sea.docker(&[&run[..], &image].concat());
                Box::new(move || drop(other))
            },
            then: Then::Said {
                conditions: &[
                    "Ready False DnsNameTaken",
                    "Degraded True DnsNameTaken",
                    "Progressing False Blocked",
                ],
                lets_in: true,
            },
        },
    ]);
}
