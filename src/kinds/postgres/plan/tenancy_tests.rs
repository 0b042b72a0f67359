//! What a tenant lacks, by tables over surveys.

use super::*;
use crate::core::names::{Installation, Name};
use crate::kinds::postgres::survey::fixture::{database, role};
use std::collections::{BTreeMap, BTreeSet};

const OWNER: &str = "seawall.dev default: owns a database";
const LOGIN: &str = "seawall.dev default: logs in for link/shop-main";

fn tenant(open: &[Turn]) -> Tenant {
    Tenant {
        data: Data::Stay,
        service: "postgres/main".parse().unwrap(),
        installation: Installation::parse("default").unwrap(),
        link: Name::parse("shop-main").unwrap(),
        name: "shop_production".to_owned(),
        first: None,
        all_keys: false,
        connection_limit: None,
        extensions: BTreeSet::new(),
        open: open.iter().copied().collect(),
        own: None,
    }
}

fn known() -> Known {
    Known {
        identifier: Some("20".to_owned()),
        fingerprints: BTreeMap::from([(Turn::A, "hash".to_owned())]),
        inside: Some(inside(&tenant(&[Turn::A]))),
        lacks: Vec::new(),
    }
}

/// As everything should be.
fn whole() -> Survey {
    let mut survey = Survey::default();
    let login = Role {
        login: true,
        password: Some("hash".to_owned()),
        acts_as: Some("shop_production".to_owned()),
        of: BTreeSet::from(["shop_production".to_owned()]),
        ..role("shop_main_a", 11, Some(LOGIN))
    };
    for one in [role("shop_production", 10, Some(OWNER)), login] {
        survey.roles.insert(one.name.clone(), one);
    }
    for one in [database("shop_production", 20, 10), database("postgres", 1, 1), database("app", 2, 1)] {
        survey.databases.insert(one.name.clone(), one);
    }
    survey
}

fn words(look: &Look) -> Vec<String> {
    look.steps.iter().map(|step| format!("{}: {}", step.words, step.cause)).collect()
}

fn seen(change: impl FnOnce(&mut Survey)) -> Look {
    let mut survey = whole();
    change(&mut survey);
    look(&tenant(&[Turn::A]), &known(), "app", &survey)
}

#[test]
fn on_an_empty_server_all_is_made_and_the_login_is_opened_last() {
    let mut survey = Survey::default();
    for name in ["postgres", "template1", "app"] {
        survey.databases.insert(name.to_owned(), Database { public: true, ..database(name, 1, 1) });
    }
    let tenant = Tenant {
        connection_limit: Some(5),
        extensions: BTreeSet::from(["pgcrypto".to_owned()]),
        ..tenant(&[Turn::A])
    };
    let look = look(&tenant, &Known::default(), "app", &survey);
    let want = [
        r#"make role "shop_production": missing"#,
        r#"make role "shop_main_a": missing"#,
        r#"make role "shop_main_a" act as "shop_production": it does not yet"#,
        r#"set the password of "shop_main_a": it has none"#,
        r#"create database "shop_production": missing"#,
        r#"take database "shop_production" from PUBLIC: everybody may connect to a new one"#,
        r#"let database "shop_production" be connected to: it was made closed"#,
        r#"limit the connections to database "shop_production": 5: spec.connectionLimit"#,
        r#"take schema public of "shop_production" from PUBLIC, and make its extensions (pgcrypto): not done yet"#,
        r#"take database "postgres" from PUBLIC: tenants may connect to it"#,
        r#"take database "template1" from PUBLIC: tenants may connect to it"#,
        r#"take database "app" from PUBLIC: tenants may connect to it"#,
        r#"let role "shop_main_a" log in: it is closed"#,
    ];
    assert_eq!(words(&look), want);
}

#[test]
fn what_is_as_it_should_be_needs_nothing() {
    let look = seen(|_| {});
    assert_eq!((words(&look), look.taken, look.identifier.as_deref()), (vec![], None, Some("20")));
}

#[test]
fn every_drift_has_its_step() {
    type Change = fn(&mut Survey);
    fn login(survey: &mut Survey) -> &mut Role {
        survey.roles.get_mut("shop_main_a").unwrap()
    }
    fn owner(survey: &mut Survey) -> &mut Role {
        survey.roles.get_mut("shop_production").unwrap()
    }
    fn shop(survey: &mut Survey) -> &mut Database {
        survey.databases.get_mut("shop_production").unwrap()
    }
    let rows: [(Change, &str); 14] = [
        (|s| login(s).login = false, r#"let role "shop_main_a" log in: it is closed"#),
        (|s| login(s).more = true, r#"make role "shop_main_a" plain: it may do what no tenant may"#),
        (|s| login(s).limited = true, r#"make role "shop_main_a" plain: it can do less than it should"#),
        (|s| login(s).inherits = false, r#"make role "shop_main_a" plain: it can do less than it should"#),
        (|s| login(s).acts_as = None, r#"make role "shop_main_a" act as "shop_production": it does not"#),
        (|s| login(s).of.clear(), r#"make role "shop_main_a" act as "shop_production": it does not"#),
        (
            |s| login(s).of.extend(["pg_read_all_data".to_owned()]),
            r#"take role "shop_main_a" out of "pg_read_all_data": it is a member of more than its owner"#,
        ),
        (
            |s| login(s).password = Some("x".to_owned()),
            r#"set the password of "shop_main_a": it was changed by hand"#,
        ),
        (|s| login(s).password = None, r#"set the password of "shop_main_a": it has none"#),
        (
            |s| login(s).owns = true,
            r#"give what "shop_main_a" owns to "shop_production": it must outlive the login"#,
        ),
        (|s| owner(s).login = true, r#"close role "shop_production": it can log in"#),
        (
            |s| shop(s).public = true,
            r#"take database "shop_production" from PUBLIC: everybody may connect to it"#,
        ),
        (|s| shop(s).limit = 3, r#"limit the connections to database "shop_production": none: 3 → none"#),
        (
            |s| shop(s).owner = 1,
            r#"give database "shop_production" to "shop_production": it belongs to somebody else"#,
        ),
    ];
    for (change, want) in rows {
        assert_eq!(words(&seen(change)), [want]);
    }
}

#[test]
fn what_others_made_is_told_and_never_touched() {
    let foreign = |name: &str| {
        let name = name.to_owned();
        seen(move |s| s.roles.get_mut(&name).unwrap().mark = None)
    };
    for name in ["shop_production", "shop_main_a"] {
        let look = foreign(name);
        let why = format!("role {name:?} is there and was not made for it by Seawall");
        assert_eq!((look.taken, look.steps.len()), (Some(why), 0));
    }
    // Also one that somebody else's Seawall made.
    let other = seen(|s| {
        s.roles.get_mut("shop_production").unwrap().mark = Some(OWNER.replace("default", "other"));
    });
    assert!(other.taken.is_some() && other.steps.is_empty());
    let mut survey = whole();
    survey.databases.insert("shop_production".to_owned(), database("shop_production", 99, 1));
    let look = look(&tenant(&[Turn::A]), &known(), "app", &survey);
    assert!(look.taken.is_some_and(|why| why.contains("database")) && look.steps.is_empty());
}

#[test]
fn one_that_is_gone_is_closed_and_nothing_else() {
    let mut survey = whole();
    survey.roles.get_mut("shop_main_a").unwrap().sessions = 2;
    survey.databases.get_mut("app").unwrap().public = true;
    let gone = look(&tenant(&[]), &known(), "app", &survey);
    let want = [
        r#"close role "shop_main_a": it is not in use"#,
        r#"end the sessions of "shop_main_a": it is not in use"#,
    ];
    assert_eq!((words(&gone), gone.sessions[&Turn::A]), (want.map(str::to_owned).to_vec(), 2));
    assert_eq!(look(&tenant(&[]), &known(), "app", &Survey::default()).steps, []);
}

#[test]
fn the_limit_of_a_shared_database_is_as_the_first_link_has_it() {
    let mut survey = whole();
    survey.databases.get_mut("shop_production").unwrap().limit = 3;
    let look = |limit: Option<u32>, first: Option<&str>, survey: &Survey| {
        let first = first.map(|first| first.parse().unwrap());
        let tenant = Tenant { connection_limit: limit, first, ..tenant(&[Turn::A]) };
        look(&tenant, &known(), "app", survey)
    };
    for (limit, first, steps, differs) in [
        (Some(5), None, 1, None),
        (Some(5), Some("link/web"), 0, Some("is as link/web has it, which had it first: 3;")),
        (Some(3), Some("link/web"), 0, None),
        (None, Some("link/web"), 0, None),
        (None, None, 1, None),
    ] {
        let look = look(limit, first, &survey);
        assert_eq!(look.steps.len(), steps, "{limit:?} {first:?}");
        let words = look.differs.unwrap_or_default();
        assert!(words.contains(differs.unwrap_or_default()) && words.is_empty() == differs.is_none());
    }
    survey.databases.remove("shop_production");
    let made = words(&look(Some(5), Some("link/web"), &survey));
    assert!(made.iter().all(|words| !words.contains("limit")), "{made:?}");
}

#[test]
fn names_that_no_tenant_may_have() {
    for name in ["", "postgres", "template1", "pg_x", "public", "a\0b", &"x".repeat(64)] {
        assert!(refuses(name).is_some(), "{name}");
    }
    for name in ["shop_production", "we\"ird", "mit Leerzeichen", "naïve", "x; DROP ROLE x"] {
        assert_eq!(refuses(name), None, "{name}");
    }
}

#[test]
fn what_was_given_up_goes_when_nobody_is_let_in_any_more() {
    let words = |survey: &Survey, data: Data| -> Vec<String> {
        let tenant = Tenant { data, ..tenant(&[]) };
        look(&tenant, &known(), "app", survey).steps.into_iter().map(|step| step.words).collect()
    };
    let mut survey = whole();
    assert_eq!(words(&survey, Data::Go), words(&survey, Data::Stay), "first it is closed");
    survey.roles.values_mut().for_each(|role| (role.login, role.sessions) = (false, 0));
    assert!(words(&survey, Data::Stay).is_empty() && words(&survey, Data::GoLater).is_empty());
    assert_eq!(words(&survey, Data::Go), ["drop database \"shop_production\""]);
    let database = survey.databases.remove("shop_production").unwrap();
    assert_eq!(words(&survey, Data::Go), ["drop role \"shop_main_a\"", "drop role \"shop_production\""]);
    // Nor does one go that another link's login is let into.
    let other = LOGIN.replace("shop-main", "web");
    let of = BTreeSet::from(["shop_production".to_owned()]);
    let login = Role { login: true, of, ..role("web_a", 12, Some(&other)) };
    let mut shared = survey.clone();
    shared.databases.insert("shop_production".to_owned(), database.clone());
    shared.roles.insert("web_a".to_owned(), login);
    let look = look(&Tenant { data: Data::Go, ..tenant(&[]) }, &known(), "app", &shared);
    assert_eq!(
        (look.steps, look.waits.as_deref()),
        (vec![], Some(r#"role "web_a" still logs into "shop_production""#))
    );
    shared.roles.get_mut("web_a").unwrap().login = false;
    assert_eq!(words(&shared, Data::Go), ["drop database \"shop_production\""]);
    // The owner of another one stays.
    survey.databases.insert("other".to_owned(), Database { name: "other".to_owned(), ..database });
    assert_eq!(words(&survey, Data::Go), ["drop role \"shop_main_a\""]);
}
