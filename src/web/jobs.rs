//! What the operator is at: for each object with something left to do its steps, since when, and what it waits for.

use super::layout::{Answer, framed};
use super::object::{blocks, waits};
use super::parts::{State as How, age, ago, object_name, pill, seen};
use super::session::Visitor;
use crate::control::api::{Api, JobState, JobStep, JobView, ObjectList, StepState};
use crate::core::event::{Event, EventType};
use axum::Extension;
use axum::extract::State;
use jiff::Timestamp;
use maud::{Markup, html};
use std::sync::Arc;

/// Jobs that are shown, and steps of one.
const JOBS: usize = 40;
const STEPS: usize = 30;
const EVENTS: usize = 20;

pub async fn page(State(api): State<Arc<dyn Api>>, Extension(visitor): Extension<Visitor>) -> Answer {
    let (jobs, list) = (api.jobs().await?.items, api.objects().await?);
    let events = api.events(None, 0).await?;
    let now = Timestamp::now();
    let markup = html! {
        div #jobs hx-get="/jobs" hx-trigger="changed from:body, every 5s" hx-select="#jobs" hx-swap="outerHTML" {
            div.title {
                h1 { "Jobs" }
                (counts(&jobs))
                (seen(now))
            }
            @if jobs.is_empty() {
                section.card.empty {
                    h2 { "Nothing to do" }
                    p { "Everything is as it is asked for. What a change of a manifest, an operation or a repair sets in motion is here, step by step, while it lasts." }
                }
            }
            @for job in jobs.iter().take(JOBS) { (card(job, &list, now)) }
            @if jobs.len() > JOBS { p.quiet { "and " (jobs.len() - JOBS) " more: " code { "seawall plan" } } }
            section.card { h2 { "Lately" } (lately(&events, now)) }
        }
    };
    Ok(framed(&visitor, "Jobs", Some(&list), &markup))
}

/// Its word and its colour.
fn word(state: JobState) -> (&'static str, &'static str) {
    match state {
        JobState::Running => ("good", "Under way"),
        JobState::Blocked => ("bad", "Needs you"),
        JobState::Failing => ("bad", "Failing"),
        JobState::Paused => ("idle", "Paused"),
        JobState::Waiting => ("warn", "Waiting"),
    }
}

fn counts(jobs: &[JobView]) -> Markup {
    let all = [JobState::Running, JobState::Waiting, JobState::Failing, JobState::Blocked, JobState::Paused];
    let count = |state| jobs.iter().filter(|job| job.state == state).count();
    html! {
        p.counts { @for state in all {
            @let (class, says) = word(state);
            @if count(state) > 0 { span.pill.(class) { (count(state)) " " (says) } " " }
        } }
    }
}

fn card(job: &JobView, list: &ObjectList, now: Timestamp) -> Markup {
    let (class, says) = word(job.state);
    let view = list.items.iter().find(|view| object_name(view) == job.object);
    let why = view.map(How::of).and_then(|how| how.words()).filter(|_| job.state == JobState::Failing);
    html! {
        section.card {
            h2 { a href={ "/services/" (job.object) } { (job.object) } " " (pill(class, says)) " " span.quiet { "for " (age(&job.since, now)) } }
            @if job.failures > 0 { p.quiet { "Tried " (job.failures) (if job.failures == 1 { " time" } else { " times" }) " without getting on; it is tried again by itself." } }
            @if let Some(why) = why { p.why { (why) } }
            @if !job.steps.is_empty() {
                ol.steps { @for step in job.steps.iter().take(STEPS) { (one(step, now)) } }
                @if job.steps.len() > STEPS { p.quiet { "and " (job.steps.len() - STEPS) " more steps" } }
            }
            (waits(&job.waiting))
            (blocks(&job.blocked))
        }
    }
}

fn one(step: &JobStep, now: Timestamp) -> Markup {
    let since = step.at.as_deref().map(|at| ago(at, now));
    html! {
        li {
            code.sign { (step.sign.as_str()) }
            div {
                strong { (step.action) } " "
                @match (step.state, since) {
                    (StepState::Done, Some(since)) => { (pill("idle", "Done")) " " span.quiet { (since) " ago" } },
                    (StepState::Running, Some(since)) => { (pill("good", "Under way")) " " span.quiet { "for " (since) } },
                    _ => { span.quiet { "next" } },
                }
                p.quiet { (step.cause) }
            }
        }
    }
}

/// Of all objects, the newest first.
fn lately(events: &[Event], now: Timestamp) -> Markup {
    html! {
        @if events.is_empty() { p.quiet { "Nothing has happened yet." } } @else {
            table.list.small {
                thead { tr { th scope="col" { "Last" } th scope="col" { "Object" } th scope="col" { "What" } th scope="col" { "In words" } } }
                tbody { @for event in events.iter().rev().take(EVENTS) {
                    tr {
                        td data-label="Last" { (ago(&event.last_seen, now)) @if event.count > 1 { span.quiet { " ×" (event.count) } } }
                        td data-label="Object" { @if event.object.contains('/') { a href={ "/services/" (event.object) } { (event.object) } } @else { (event.object) } }
                        td data-label="What" { (pill(if event.kind == EventType::Warning { "warn" } else { "idle" }, &event.reason)) }
                        td data-label="In words" { (event.message) }
                    }
                } }
            }
            @if events.len() > EVENTS { p.quiet { "Older ones: " code { "seawall events" } } }
        }
    }
}
