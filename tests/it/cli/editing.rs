//! `edit`, `label`, `annotate`: documents of objects that no manifest holds.

use super::fake::*;
use seawall::control::api::{ApiError, Applied, ErrorCode, ManagedBy, Outcome};

async fn of_api() -> (Fake, Place) {
    let fake = two();
    fake.change(|w| {
        w.list.items[0].metadata.managed_by = Some(ManagedBy::Api);
        w.applied = Applied { outcome: Outcome::Configured, ..Applied::default() };
    });
    let place = Place::live(&fake).await;
    (fake, place)
}

/// The last change that was asked for.
fn change(fake: &Fake) -> Option<String> {
    fake.calls().into_iter().rfind(|call| call.starts_with("patch") || call.starts_with("apply"))
}

#[tokio::test]
async fn labels_and_annotations_are_patched_one_by_one() {
    let (fake, place) = of_api().await;
    for (words, says, patch) in [
        ("label pg main tier=test", "labeled", Some(r#"{"metadata":{"labels":{"tier":"test"}}}"#)),
        ("label main team-", "labeled", Some(r#"{"metadata":{"labels":{"team":null}}}"#)),
        ("label main team=web --overwrite", "labeled", Some(r#"{"metadata":{"labels":{"team":"web"}}}"#)),
        ("label main team=shop", "not labeled", None),
        ("label main none-", "not labeled", None),
        (
            "annotate pg/main seawall.dev/paused=true",
            "annotated",
            Some(r#"{"metadata":{"annotations":{"seawall.dev/paused":"true"}}}"#),
        ),
        ("annotate pg/main a=b --dry-run", "annotated (dry run)", Some("dry_run: true")),
    ] {
        fake.change(|w| w.calls.clear());
        let ran = place.run(words).await;
        assert_eq!((ran.code, ran.out), (0, format!("postgres/main {says}\n")), "{words}: {}", ran.err);
        match (change(&fake), patch) {
            (Some(sent), Some(patch)) => assert!(sent.contains(patch), "{words}: {sent}"),
            (sent, patch) => assert_eq!((sent, patch), (None, None), "{words}"),
        }
    }
    fake.change(|w| w.calls.clear());
    let ran = place.run("label main team=web").await;
    let says = "error: postgres/main: team has a value already: shop\n  --overwrite replaces it; nothing was changed\n";
    assert_eq!((ran.code, ran.err.as_str(), change(&fake)), (1, says, None));
    // What a file holds: its lines, as the operator tells them.
    let what = "postgres/main has a manifest in shop.yaml:3:1; nothing was changed";
    let next = "commit there:\nmetadata:\n  labels:\n    tier: test";
    fake.change(|w| w.writes_refused = Some(ApiError::new(ErrorCode::Conflict, what, next)));
    let ran = place.run("label main tier=test").await;
    assert!(ran.code == 1 && ran.err.contains(what) && ran.err.contains("    tier: test"), "{ran:?}");
    for wrong in ["label main", "label main team", "label main =x"] {
        assert_eq!(place.run(wrong).await.code, 1, "{wrong}");
    }
}

#[tokio::test]
async fn a_document_is_edited_and_sent_with_the_version_that_was_read() {
    let (fake, place) = of_api().await;
    let data = place.dir.path().to_str().unwrap().to_owned();
    let edit = async |editor: &str, words: &[&str]| {
        fake.change(|w| w.calls.clear());
        let variables = [("SEAWALL_DATA", data.as_str()), ("EDITOR", editor)];
        place.run_with(&variables, words).await
    };
    let ran = edit("sed -i s/512Mi/1Gi/", &["edit", "main"]).await;
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "postgres/main configured\n", ""));
    let sent = change(&fake).unwrap();
    assert!(sent.contains("memory: 1Gi") && sent.contains("team: shop") && sent.contains("7.4.u"), "{sent}");
    assert!(!sent.contains("status:") && !sent.contains("uid"), "{sent}");
    for (editor, code, says) in [
        ("true", 0, "postgres/main unchanged\n"),
        ("false", 1, "the editor false ended with"),
        ("sed -i s/main/other/", 1, "the document is not of postgres/main any more"),
        ("sed -i s/spec:/specc:/", 1, "did you mean"),
        ("no-such-editor", 1, "the editor no-such-editor"),
    ] {
        let ran = edit(editor, &["edit", "pg", "main"]).await;
        assert!(ran.code == code && (ran.out.clone() + &ran.err).contains(says), "{editor}: {ran:?}");
        assert_eq!(change(&fake), None, "{editor}");
    }
    // What was written is not lost by what is wrong with it.
    let refused = ApiError::new(ErrorCode::Invalid, "request:5:3: spec.verson: unknown field", "");
    fake.change(|w| w.writes_refused = Some(refused));
    let ran = edit("sed -i s/512Mi/1Gi/", &["edit", "main"]).await;
    let kept = ran.err.split("what was written is kept in ").nth(1).expect(&ran.err).trim().to_owned();
    assert!(ran.code == 1 && std::fs::read_to_string(&kept).unwrap().contains("memory: 1Gi"), "{ran:?}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&kept).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    std::fs::remove_file(&kept).unwrap();
    // A file is edited where it is.
    fake.change(|w| w.list.items[0].metadata.managed_by = Some(ManagedBy::File));
    let ran = edit("false", &["edit", "main"]).await;
    let says = "error: postgres/main has a manifest; nothing was changed\n  edit /m/shop.yaml, line 3: it is read by itself\n";
    assert_eq!((ran.code, ran.err.as_str()), (1, says));
}
