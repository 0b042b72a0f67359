//! Rows on what is told when: once, not for a moment's trouble, not never.

use super::*;
use crate::core::condition::{ConditionType as C, Truth};
use crate::core::trouble::Severity as S;
use crate::kinds::notifier::check::Url;
use crate::kinds::notifier::spec::Format;
use crate::kinds::notifier::target::Target;
use std::collections::BTreeSet;

fn wanted() -> Checked {
    Checked {
        url: Url::Plain(Target::parse("http://127.0.0.1/x").unwrap()),
        format: Format::Json,
        conditions: None,
        severities: BTreeSet::from([S::Critical, S::Warning]),
        after: Duration::from_secs(30),
        repeat_after: None,
        paused: false,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn trouble(name: &str, condition: C, severity: S, since: i64) -> Trouble {
    Trouble {
        object: format!("postgres/{name}").parse().unwrap(),
        condition,
        status: Truth::False,
        reason: "AuthFailed".to_owned(),
        message: "m".to_owned(),
        severity,
        since: at(since).to_string(),
        under_way: false,
    }
}

fn down(since: i64) -> Trouble {
    trouble("main", C::Ready, S::Critical, since)
}

/// What is told over time: at each second, what is wrong then.
fn play(wanted: &Checked, moments: &[(i64, Vec<Trouble>)]) -> Vec<(i64, Vec<String>)> {
    let mut known = Incidents::new();
    let mut all = Vec::new();
    for (second, troubles) in moments {
        known = advance(&known, troubles, wanted, at(*second));
        assert_eq!(known, advance(&known, troubles, wanted, at(*second)), "a second look changes nothing");
        let word = |incident: &&Incident| {
            format!("{}{}", if incident.over.is_some() { "ok " } else { "" }, incident.condition)
        };
        let now: Vec<String> = due(&known, wanted, at(*second)).iter().map(word).collect();
        if !now.is_empty() {
            all.push((*second, now));
            known = told(&known, wanted, at(*second));
            assert!(due(&known, wanted, at(*second)).is_empty(), "told is told");
        }
    }
    all
}

fn words(all: &[(i64, &[&str])]) -> Vec<(i64, Vec<String>)> {
    all.iter().map(|(at, words)| (*at, words.iter().map(|word| (*word).to_owned()).collect())).collect()
}

#[test]
fn what_lasts_is_told_once_and_once_when_it_is_over() {
    let told = play(
        &wanted(),
        &[(0, vec![down(0)]), (29, vec![down(0)]), (30, vec![down(0)]), (90, vec![down(0)]), (9_000, vec![])],
    );
    assert_eq!(told, words(&[(30, &["Ready"]), (9_000, &["ok Ready"])]));
}

#[test]
fn what_is_over_at_once_is_not_told() {
    assert_eq!(play(&wanted(), &[(0, vec![down(0)]), (10, vec![]), (60, vec![])]), words(&[]));
}

#[test]
fn what_began_and_ended_while_nobody_could_be_told_is_told_afterwards() {
    let known = advance(&Incidents::new(), &[down(0)], &wanted(), at(0));
    // The webhook takes nothing for an hour.
    let known = advance(&known, &[], &wanted(), at(3_600));
    let now = due(&known, &wanted(), at(3_700));
    assert_eq!(now.len(), 1);
    assert_eq!((now[0].since, now[0].over), (at(0), Some(at(3_600))));
    assert!(told(&known, &wanted(), at(3_700)).is_empty());
}

#[test]
fn one_that_comes_back_before_it_was_told_to_be_over_goes_on() {
    let known = told(&advance(&Incidents::new(), &[down(0)], &wanted(), at(30)), &wanted(), at(30));
    let over = advance(&known, &[], &wanted(), at(40));
    assert_eq!(over.values().next().unwrap().over, Some(at(40)));
    let again = advance(&over, &[down(41)], &wanted(), at(41));
    assert!(due(&again, &wanted(), at(500)).is_empty());
    assert_eq!(again.values().next().unwrap().since, at(0));
}

#[test]
fn what_is_worked_on_has_more_time() {
    let busy = || Trouble { under_way: true, ..down(0) };
    let told = play(&wanted(), &[(0, vec![busy()]), (299, vec![busy()]), (300, vec![busy()])]);
    assert_eq!(told, words(&[(300, &["Ready"])]));
}

#[test]
fn what_got_worse_is_told_again_and_what_got_better_is_not() {
    let disk = |severity| vec![trouble("main", C::DiskPressure, severity, 0)];
    let told = play(
        &wanted(),
        &[(30, disk(S::Warning)), (60, disk(S::Critical)), (90, disk(S::Warning)), (99, vec![])],
    );
    assert_eq!(told, words(&[(30, &["DiskPressure"]), (60, &["DiskPressure"]), (99, &["ok DiskPressure"])]));
}

#[test]
fn it_is_repeated_only_where_that_is_wanted() {
    let wanted = Checked { repeat_after: Some(Duration::from_secs(600)), ..wanted() };
    let still = || vec![down(0)];
    let told =
        play(&wanted, &[(30, still()), (629, still()), (630, still()), (640, still()), (1_230, still())]);
    assert_eq!(told, words(&[(30, &["Ready"]), (630, &["Ready"]), (1_230, &["Ready"])]));
}

#[test]
fn only_what_is_asked_for_is_told_the_worst_first() {
    let all = vec![
        trouble("a", C::Degraded, S::Warning, 0),
        trouble("b", C::PendingRestart, S::Info, 0),
        trouble("c", C::Ready, S::Critical, 0),
    ];
    let told = |wanted: &Checked| play(wanted, &[(30, all.clone())]);
    assert_eq!(told(&wanted()), words(&[(30, &["Ready", "Degraded"])]));
    let critical = Checked { severities: BTreeSet::from([S::Critical]), ..wanted() };
    assert_eq!(told(&critical), words(&[(30, &["Ready"])]));
    let degraded = Checked { conditions: Some(BTreeSet::from([C::Degraded])), ..wanted() };
    assert_eq!(told(&degraded), words(&[(30, &["Degraded"])]));
}

#[test]
fn a_clock_that_jumps_neither_hides_nor_repeats() {
    // Wrong since tomorrow: the clock was put back.
    let told_at = play(&wanted(), &[(0, vec![down(86_400)]), (30, vec![down(86_400)])]);
    assert_eq!(told_at, words(&[(30, &["Ready"])]));
    let wanted = Checked { repeat_after: Some(Duration::from_secs(600)), ..wanted() };
    let back = play(&wanted, &[(90_000, vec![down(0)]), (100, vec![down(0)]), (700, vec![down(0)])]);
    assert_eq!(back, words(&[(90_000, &["Ready"]), (700, &["Ready"])]));
}

#[test]
fn more_than_a_thousand_at_once_are_not_kept() {
    let many: Vec<Trouble> =
        (0..3_000).map(|n| trouble(&format!("a{n}"), C::Ready, S::Critical, 0)).collect();
    let known = advance(&Incidents::new(), &many, &wanted(), at(0));
    assert_eq!(known.len(), MOST);
    assert_eq!(advance(&known, &many, &wanted(), at(1)).len(), MOST);
}

#[test]
fn it_wakes_when_the_next_one_is_due() {
    let known = advance(&Incidents::new(), &[down(0)], &wanted(), at(10));
    assert_eq!(next(&known, &wanted(), at(10)), Some(20_010));
    let known = told(&advance(&known, &[down(0)], &wanted(), at(31)), &wanted(), at(31));
    assert_eq!(next(&known, &wanted(), at(31)), None);
}
