//! Tokens and the audit log over the fake engine: who gets in, who does not any more, and what is written down of it.

use crate::machine::rig::{Rig, engine, object};
use seawall::control::access::asked_by;
use seawall::control::api::{Api, AuditEntry, ErrorCode, Gatekeeper, NewToken};
use seawall::control::operator::Times;
use seawall::core::access::{Caller, Grant, Permission, Role};
use seawall::core::names::Name;
use seawall::secrets::{Secret, TOKEN_PREFIX};
use seawall::store::{Change, Store};
use std::net::IpAddr;
use std::time::Duration;

const MAIN: &str = "{version: '18', database: appdb, username: appuser}";

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn new(text: &str, role: Role) -> NewToken {
    NewToken { name: name(text), grant: Grant::Role(role), expires: "90d".to_owned() }
}

async fn made(rig: &Rig, text: &str, role: Role) -> Secret {
    Secret::from(rig.operator.create_token(&new(text, role)).await.unwrap().token)
}

/// What comes of showing it, from 10.0.0.`n`.
async fn shown(rig: &Rig, token: &Secret, n: u8) -> Result<Caller, ErrorCode> {
    let from = IpAddr::from([10, 0, 0, n]);
    rig.operator.admit(token, from).await.map_err(|error| error.code)
}

async fn audit(rig: &Rig, what: &str) -> Vec<AuditEntry> {
    let mut all = rig.operator.audit(0).await.unwrap();
    all.retain(|entry| entry.what == what);
    all
}

fn empty() -> Rig {
    let mut rig = Rig::new(engine(), Times::default());
    rig.drive();
    rig
}

async fn again(rig: &mut Rig) {
    rig.leave().await;
    rig.restart();
}

#[tokio::test(start_paused = true)]
async fn a_token_opens_what_its_role_says_until_it_is_revoked_and_never_after() {
    let mut rig = empty();
    let issued = rig.operator.create_token(&new("ci", Role::Operator)).await.unwrap();
    assert!(!format!("{issued:?}").contains(&issued.token), "{issued:?}");
    let token = Secret::from(issued.token.clone());
    let caller = shown(&rig, &token, 1).await.unwrap();
    assert_eq!((caller.to_string().as_str(), caller.may), ("ci from 10.0.0.1", Role::Operator.permissions()));
    assert_eq!(
        rig.operator.create_token(&new("ci", Role::Viewer)).await.unwrap_err().code,
        ErrorCode::Conflict
    );
    // What is known of its use is also known by another process.
    let used = |rig: &Rig| rig.store.get("token/ci").unwrap().unwrap()["lastFrom"].clone();
    rig.until("used", || (used(&rig) == "10.0.0.1").then_some(())).await;
    again(&mut rig).await;
    let views = rig.operator.tokens().await.unwrap();
    assert_eq!((views.len(), views[0].last_from), (1, "10.0.0.1".parse().ok()));
    assert!(views[0].last_used.is_some() && !views[0].expired, "{views:?}");
    assert!(shown(&rig, &token, 1).await.is_ok());
    // It is nowhere: not in the store, not in what is told of it.
    let mut told = rig.operator.export().await.unwrap();
    assert!(told.iter().all(|line| !line.contains("token/ci\",\"v\"")), "no hash in an export");
    told.push(format!("{:?}", rig.store.scan("").unwrap()));
    told.push(format!("{:?} {:?}", rig.events(), rig.operator.audit(0).await.unwrap()));
    assert!(told.iter().all(|text| !text.contains(&issued.token[TOKEN_PREFIX.len()..])));

    // A use that is being written meanwhile does not bring it back.
    rig.let_pass(Duration::from_secs(61)).await;
    let ci = name("ci");
    let (shown_once, revoked) = tokio::join!(shown(&rig, &token, 1), rig.operator.revoke_token(&ci));
    assert!(shown_once.is_ok() && revoked.is_ok());
    assert_eq!(shown(&rig, &token, 1).await, Err(ErrorCode::Unauthenticated));
    rig.let_pass(Duration::from_secs(61)).await;
    again(&mut rig).await;
    assert_eq!(shown(&rig, &token, 2).await, Err(ErrorCode::Unauthenticated));
    assert_eq!(rig.operator.tokens().await.unwrap(), []);
    assert_eq!(rig.operator.revoke_token(&name("ci")).await.unwrap_err().code, ErrorCode::NotFound);
    // Its name is free, and what it opened it does not open again.
    let second = made(&rig, "ci", Role::Admin).await;
    assert_eq!(shown(&rig, &token, 2).await, Err(ErrorCode::Unauthenticated));
    assert!(shown(&rig, &second, 2).await.is_ok());
    let of = |entries: &[AuditEntry]| entries.iter().map(|e| e.object.clone()).collect::<Vec<_>>();
    assert_eq!(of(&audit(&rig, "TokenCreated").await), ["token/ci", "token/ci"]);
    assert_eq!(of(&audit(&rig, "TokenRevoked").await), ["token/ci"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_over_opens_nothing_and_is_told_apart_from_nothing_by_nobody() {
    let mut rig = empty();
    let token = made(&rig, "short", Role::Viewer).await;
    let mut record = rig.store.get("token/short").unwrap().unwrap();
    record["expires"] = "2020-01-01T00:00:00Z".into();
    let broken = serde_json::json!({"name": "broken"});
    let changes = vec![Change::put("token/short", record), Change::put("token/broken", broken)];
    rig.store.commit(changes).await.unwrap();
    again(&mut rig).await;
    let from = IpAddr::from([10, 0, 0, 1]);
    let over = rig.operator.admit(&token, from).await.unwrap_err();
    let unknown = rig.operator.admit(&Secret::from("swl_00"), from).await.unwrap_err();
    assert_eq!((over.code, &over), (ErrorCode::Unauthenticated, &unknown));
    let who = |entries: Vec<AuditEntry>| entries.into_iter().map(|e| e.who).collect::<Vec<_>>();
    rig.let_pass(Duration::from_secs(1)).await;
    assert_eq!(who(audit(&rig, "LoginFailed").await), ["short", "unknown"]);
    assert!(rig.operator.tokens().await.unwrap()[0].expired);
    // One that cannot be read hinders nothing, and is not made anew before it is gone.
    let refused = rig.operator.create_token(&new("broken", Role::Viewer)).await.unwrap_err();
    assert!(refused.code == ErrorCode::Conflict && refused.next.contains("revoke broken"), "{refused:?}");
    rig.operator.revoke_token(&name("broken")).await.unwrap();
    made(&rig, "broken", Role::Viewer).await;
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_opens_nothing_also_while_the_disk_is_full() {
    let mut rig = empty();
    let token = made(&rig, "ci", Role::Admin).await;
    rig.store.fail_writes(true);
    let refused = rig.operator.create_token(&new("other", Role::Viewer)).await.unwrap_err();
    assert!(refused.what.contains("cannot be written down"), "{refused:?}");
    let error = rig.operator.revoke_token(&name("ci")).await.unwrap_err();
    assert!(
        error.what.contains("opens nothing as long as") && error.next.contains("say it again"),
        "{error:?}"
    );
    assert_eq!(shown(&rig, &token, 1).await, Err(ErrorCode::Unauthenticated));
    rig.store.fail_writes(false);
    rig.operator.revoke_token(&name("ci")).await.unwrap();
    again(&mut rig).await;
    assert_eq!(shown(&rig, &token, 1).await, Err(ErrorCode::Unauthenticated));
    assert_eq!(rig.operator.tokens().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn who_guesses_waits_and_is_a_line_with_a_count() {
    let rig = empty();
    let (right, wrong) = (made(&rig, "ci", Role::Viewer).await, Secret::from("swl_wrong"));
    for _ in 0..10 {
        assert_eq!(shown(&rig, &wrong, 1).await, Err(ErrorCode::Unauthenticated));
    }
    let waits = rig.operator.admit(&right, [10, 0, 0, 1].into()).await.unwrap_err();
    assert_eq!((waits.code, waits.next.as_str()), (ErrorCode::TooManyRequests, "try again in 6 s"));
    assert!(shown(&rig, &right, 2).await.is_ok(), "nobody else waits");
    rig.let_pass(Duration::from_secs(7)).await;
    assert!(shown(&rig, &right, 1).await.is_ok());
    let failed = audit(&rig, "LoginFailed").await;
    let told: Vec<_> = failed.iter().map(|e| (e.who.as_str(), e.from.as_str(), e.count)).collect();
    assert_eq!(told, [("unknown", "10.0.0.1", 10)]);
    assert_eq!(rig.store.scan("audit/").unwrap().len(), 2, "one line, and one for the token");
}

#[tokio::test(start_paused = true)]
async fn nobody_gives_more_than_he_may() {
    let rig = empty();
    let may = [Permission::SettingsManage, Permission::ExternalServicesRead].into();
    let manager = Caller { name: "manager".to_owned(), may, from: Some([10, 0, 0, 9].into()) };
    // Also behind the task in which it is made.
    let refused = asked_by(manager.clone(), rig.operator.create_token(&new("root", Role::Admin))).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Forbidden);
    assert!(
        refused.what.starts_with("manager from 10.0.0.9 may not give")
            && refused.what.contains("SecretsReveal")
    );
    let less = NewToken {
        grant: Grant::Permissions([Permission::ExternalServicesRead].into()),
        ..new("r", Role::Viewer)
    };
    asked_by(manager, rig.operator.create_token(&less)).await.unwrap();
    let made = &audit(&rig, "TokenCreated").await[0];
    assert_eq!((made.who.as_str(), made.from.as_str()), ("manager", "10.0.0.9"));
    assert!(rig.said("TokenCreated", "token/r: ExternalServicesRead, until "), "{:?}", rig.events());
}

#[tokio::test(start_paused = true)]
async fn a_password_is_shown_once_it_is_written_down_by_whom_and_not_before() {
    let rig = Rig::start(&[("main", MAIN)]);
    rig.ready("main").await;
    let main = object("main");
    rig.operator.connection(&main, false).await.unwrap();
    assert_eq!(audit(&rig, "PasswordRevealed").await, []);
    let view = asked_by(Caller::user(1000), rig.operator.connection(&main, true)).await.unwrap();
    assert!(view.password.is_some());
    let ci = Caller { name: "ci".to_owned(), from: Some([10, 0, 0, 1].into()), ..Caller::socket() };
    asked_by(ci.clone(), rig.operator.connection(&main, true)).await.unwrap();
    let entries = audit(&rig, "PasswordRevealed").await;
    let told: Vec<_> = entries.iter().map(|e| (e.who.as_str(), e.from.as_str(), e.object.as_str())).collect();
    assert_eq!(told, [("uid 1000", "socket", "postgres/main"), ("ci", "10.0.0.1", "postgres/main")]);
    assert!(rig.said("PasswordRevealed", "(asked for by ci from 10.0.0.1)"), "{:?}", rig.events());
    assert_eq!(rig.operator.audit(entries[0].sequence).await.unwrap(), entries[1..]);
    // On the disk, and only then.
    assert_eq!(rig.store.scan("audit/").unwrap().len(), 2);
    rig.store.fail_writes(true);
    let refused = asked_by(ci, rig.operator.connection(&main, true)).await.unwrap_err();
    assert!(
        refused.what.contains("cannot be written down") && refused.next.contains("free space"),
        "{refused:?}"
    );
    assert!(rig.operator.connection(&main, false).await.is_ok());
    // Who is on the machine may need it to make room: it is known, and written as soon as there is some.
    asked_by(Caller::user(1000), rig.operator.connection(&main, true)).await.unwrap();
    assert_eq!(
        (audit(&rig, "PasswordRevealed").await.len(), rig.store.scan("audit/").unwrap().len()),
        (3, 2)
    );
    rig.store.fail_writes(false);
    rig.until("written", || (rig.store.scan("audit/").unwrap().len() == 3).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_back_is_written_down() {
    let rig = Rig::start(&[("a", MAIN), ("b", MAIN), ("c", MAIN)]);
    for name in ["a", "b", "c"] {
        rig.ready(name).await;
    }
    let root = |what: &str| format!("{what} uid 0 (root) socket");
    asked_by(Caller::user(0), rig.operator.rotate_keys(None)).await.unwrap();
    for name in ["a", "b", "c"] {
        rig.remove(name);
    }
    rig.until("guarded", || rig.said("PruneGuard", "manifests").then_some(())).await;
    let words = rig.operator.prune().await.unwrap().confirm;
    assert!(rig.operator.confirm_prune("yes").await.is_err());
    asked_by(Caller::user(0), rig.operator.confirm_prune(&words)).await.unwrap();
    rig.until("retained", || rig.container("a").is_none().then_some(())).await;
    assert!(rig.operator.delete(&object("a"), "no").await.is_err());
    asked_by(Caller::user(0), rig.operator.delete(&object("a"), "a")).await.unwrap();
    let all = rig.operator.audit(0).await.unwrap();
    let told: Vec<_> = all.iter().map(|e| format!("{} {} {}", e.what, e.who, e.from)).collect();
    assert_eq!(told, [root("KeyRotated"), root("PruneConfirmed"), root("DeletionConfirmed")]);
    assert_eq!((all[1].object.as_str(), all[2].object.as_str()), ("", "postgres/a"));
}

#[tokio::test(start_paused = true)]
async fn a_link_to_the_dashboard_is_made_over_the_socket_and_signs_in_once() {
    let mut rig = empty();
    let root = || Caller::user(0);
    let make = || asked_by(root(), rig.operator.sign_in_link());
    assert_eq!(make().await.unwrap_err().code, ErrorCode::Unavailable, "it is served nowhere");
    rig.operator.dashboard_at(Some("http://127.0.0.1:7080".to_owned()));
    let far = Caller { from: Some(IpAddr::from([10, 0, 0, 1])), ..Caller::socket() };
    let refused = asked_by(far, rig.operator.sign_in_link()).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::Forbidden, "also of who may do everything");

    let link = make().await.unwrap();
    let secret = |link: &str| Secret::from(link.split_once("/sign-in?ticket=").unwrap().1);
    let first = secret(&link.url);
    assert!(!format!("{link:?}").contains("swl_"), "{link:?}");
    let redeem = |link: Secret, n: u8| {
        let operator = rig.operator.clone();
        async move { operator.redeem(&link, IpAddr::from([10, 0, 0, n])).await.map_err(|error| error.code) }
    };
    let caller = redeem(first.clone(), 2).await.unwrap();
    assert_eq!(caller.to_string(), "uid 0 (root) by a link from 10.0.0.2");
    assert!(Permission::ALL.iter().all(|permission| caller.may(*permission)));
    assert_eq!(redeem(first, 2).await, Err(ErrorCode::Unauthenticated), "it is used");

    let late = secret(&make().await.unwrap().url);
    // A link is no token.
    assert_eq!(shown(&rig, &late, 3).await, Err(ErrorCode::Unauthenticated));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(redeem(late, 2).await, Err(ErrorCode::Unauthenticated), "it is too old");
    // Whoever guesses waits, as with tokens.
    for _ in 0..10 {
        let _ = redeem(Secret::from("swl_guess"), 9).await;
    }
    assert_eq!(redeem(secret(&make().await.unwrap().url), 9).await, Err(ErrorCode::TooManyRequests));

    let who = |all: &[AuditEntry]| all.iter().map(|entry| entry.who.clone()).collect::<Vec<_>>();
    assert_eq!(who(&audit(&rig, "SignInLinkMade").await), ["uid 0 (root)"; 3]);
    let signed_in = audit(&rig, "SignedIn").await;
    assert_eq!(who(&signed_in), ["uid 0 (root) by a link"]);
    assert_eq!(signed_in[0].from, "10.0.0.2");
    assert!(!format!("{:?}", rig.events()).contains("swl_"), "no secret is told");

    let kept = secret(&make().await.unwrap().url);
    again(&mut rig).await;
    let answer = rig.operator.redeem(&kept, IpAddr::from([10, 0, 0, 2])).await;
    assert_eq!(answer.unwrap_err().code, ErrorCode::Unauthenticated, "none outlives the process");
}
