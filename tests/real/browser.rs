//! The dashboard in Chromium, on the real engine: `make test-browser`.

use crate::harness::Sea;
use std::process::Command;

/// `SEAWALL_TEST_PICTURES`: where pictures are put.
#[test]
#[ignore = "needs Chromium"]
fn a_service_lives_from_its_creation_to_its_end_by_the_keyboard_alone() {
    let mut sea = Sea::new();
    sea.run_with(&[("SEAWALL_LISTEN", "127.0.0.1:0")]);
    let link = sea.ok(&["dashboard"]);
    let mut node = Command::new("node");
    node.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/live.mjs")).arg(link.trim());
    node.args(std::env::var_os("SEAWALL_TEST_PICTURES"));
    assert!(node.status().unwrap().success(), "{}", sea.log());

    // What it did is what everybody else sees.
    let events = sea.ok(&["events"]);
    for reason in ["ResourcesUpdated", "PasswordRotated"] {
        assert!(events.contains(reason), "{reason}: {events}");
    }
    assert_eq!(events.matches("create container").count(), 1, "limits are changed while it runs: {events}");
    assert!(sea.ok(&["audit"]).contains("PasswordRevealed"), "{}", sea.ok(&["audit"]));
    assert!(!sea.log().contains("swl_"), "no link is in the log");
}
