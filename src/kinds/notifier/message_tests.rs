//! What is sent, in each form.

use super::*;
use crate::core::condition::{ConditionType as C, Truth};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn incident(name: &str, over: Option<i64>) -> Incident {
    Incident {
        object: format!("postgres/{name}"),
        condition: C::Ready,
        status: Truth::False,
        reason: "AuthFailed".to_owned(),
        message: "<!channel> the password & more\nis wrong".to_owned(),
        severity: Severity::Critical,
        since: at(0),
        under_way: false,
        told_at: None,
        over: over.map(at),
    }
}

fn sent(format: Format, incidents: &[Incident]) -> Message {
    let incidents: Vec<&Incident> = incidents.iter().collect();
    let installation = Installation::parse("home").unwrap();
    let news = News {
        installation: &installation,
        notifier: "ops",
        id: "u-7".to_owned(),
        incidents: &incidents,
        now: at(90),
    };
    message(&news, format)
}

#[test]
fn a_chat_gets_lines_without_markup_of_others() {
    let message = sent(Format::Slack, &[incident("a", None), incident("b", Some(60))]);
    let body: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!(
        body["text"],
        "Seawall home: 1 wrong, 1 well again\n\
         CRITICAL postgres/a Ready is False for 90s (AuthFailed): &lt;!channel&gt; the password &amp; more\\nis wrong\n\
         OK postgres/b Ready: well again; it was wrong for 60s (AuthFailed)"
    );
    assert_eq!(message.content_type, "application/json");
}

#[test]
fn ntfy_gets_a_title_a_priority_and_the_lines() {
    let urgent = sent(Format::Ntfy, &[incident("a", None)]);
    let header = |message: &Message, name| {
        message.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.clone()).unwrap()
    };
    assert_eq!(header(&urgent, "Title"), "Seawall home: 1 wrong");
    assert_eq!(header(&urgent, "Priority"), "urgent");
    assert!(urgent.body.starts_with("CRITICAL postgres/a"), "{}", urgent.body);
    let calm = sent(Format::Ntfy, &[incident("a", Some(5))]);
    assert_eq!(
        (header(&calm, "Priority"), header(&calm, "Tags")),
        ("default".into(), "white_check_mark".into())
    );
    for (name, value) in urgent.headers.iter().chain(&calm.headers) {
        assert!(value.is_ascii() && !value.contains('\n'), "{name}: {value}");
    }
}

#[test]
fn programs_get_everything() {
    let told = Incident { told_at: Some(at(30)), ..incident("c", None) };
    let body = sent(Format::Json, &[incident("a", None), told, incident("b", Some(60))]).body;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["id"], "u-7");
    assert_eq!(
        (&body["status"], &body["installation"], &body["notifier"]),
        (&json!("firing"), &json!("home"), &json!("ops"))
    );
    assert_eq!(
        body["alerts"][0],
        json!({
            "status": "firing", "object": "postgres/a", "condition": "Ready", "conditionStatus": "False",
            "reason": "AuthFailed", "severity": "critical", "startsAt": "2027-01-15T08:00:00Z",
            "message": "<!channel> the password & more\nis wrong",
        })
    );
    assert_eq!(body["alerts"][1]["repeated"], true);
    assert_eq!(
        (&body["alerts"][2]["status"], &body["alerts"][2]["endsAt"]),
        (&json!("resolved"), &json!("2027-01-15T08:01:00Z"))
    );
    let over: Value = serde_json::from_str(&sent(Format::Json, &[incident("b", Some(60))]).body).unwrap();
    assert_eq!(over["status"], "resolved");
}

#[test]
fn the_first_message_says_what_it_is() {
    let text = sent(Format::Slack, &[]).body;
    assert!(text.contains("notifier/ops writes here what goes wrong"), "{text}");
    let json: Value = serde_json::from_str(&sent(Format::Json, &[]).body).unwrap();
    assert_eq!((&json["status"], &json["alerts"]), (&json!("test"), &json!([])));
}

#[test]
fn a_message_is_bounded() {
    let long = |n: usize| Incident { message: "x".repeat(5_000), ..incident(&format!("a{n}"), None) };
    let many: Vec<Incident> = (0..900).map(long).collect();
    for format in [Format::Slack, Format::Ntfy] {
        let body = sent(format, &many).body;
        assert!(body.len() < 20 * 500, "{}", body.len());
        assert!(body.contains("and 880 more: seawall get"), "{body}");
    }
}
