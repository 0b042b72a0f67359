//! Messages that a server may send, well meant and not, against what lets them through.

use super::*;

/// A message of the server's.
fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![tag];
    message.extend_from_slice(&i32::try_from(body.len() + 4).unwrap().to_be_bytes());
    message.extend_from_slice(body);
    message
}

fn request(code: i32, rest: &[u8]) -> Vec<u8> {
    message(b'R', &[&code.to_be_bytes(), rest].concat())
}

fn sasl(mechanisms: &[&str]) -> Vec<u8> {
    let list: Vec<u8> = mechanisms.iter().flat_map(|m| [m.as_bytes(), b"\0"].concat()).collect();
    request(10, &[&list[..], b"\0"].concat())
}

fn proper() -> Vec<Vec<u8>> {
    let first = request(11, b"r=abc,s=QSXCR+Q6sek8bf92,i=4096");
    vec![sasl(&["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]), first, request(12, b"v=xyz"), request(0, b"")]
}

/// Feeds it all, in pieces of `piece` bytes, as a stream would.
fn feed(judge: &mut Judge, bytes: &[u8], piece: usize) -> Result<usize, Refusal> {
    let (mut raw, mut passed) = (Vec::new(), 0);
    for part in bytes.chunks(piece) {
        raw.extend_from_slice(part);
        let now = judge.pass(&raw)?;
        raw.drain(..now);
        passed += now;
        assert!(raw.len() <= LOGIN_MESSAGE, "nothing is kept without a bound");
    }
    Ok(passed)
}

#[test]
fn a_proof_by_scram_passes_whatever_the_pieces_are() {
    let mut bytes = proper().concat();
    bytes.extend(message(b'S', b"server_version\x0018.1\0"));
    bytes.extend(message(b'K', &[0; 8]));
    bytes.extend(message(b'Z', b"I"));
    for piece in [1, 2, 5, 7, 64, 4096] {
        assert_eq!(feed(&mut Judge::new(), &bytes, piece), Ok(bytes.len()), "pieces of {piece}");
    }
}

#[test]
fn whatever_else_a_login_may_be_ends_it_before_the_library_sees_it() {
    let steps = proper();
    let ok = || request(0, b"");
    let rounds = |i: &str| [steps[0].clone(), request(11, format!("r=a,s=b,i={i}").as_bytes())].concat();
    let protocol = |e: &Refusal| matches!(e, Refusal::Protocol(_));
    let other = |e: &Refusal| matches!(e, Refusal::Weak(Weak::Other(_)));
    let much = |e: &Refusal| matches!(e, Refusal::TooMuch(..));
    type Is<'a> = &'a dyn Fn(&Refusal) -> bool;
    let rows: [(&str, Vec<u8>, Is<'_>); 19] = [
        ("clear text", request(3, b""), &|e| *e == Refusal::Weak(Weak::ClearText)),
        ("md5", request(5, b"salt"), &|e| *e == Refusal::Weak(Weak::Md5)),
        ("trust", ok(), &|e| *e == Refusal::Weak(Weak::NoPassword)),
        ("gss", request(7, b""), &other),
        ("sspi", request(9, b""), &other),
        ("kerberos", request(2, b""), &other),
        ("unknown", request(99, b""), &protocol),
        ("only another mechanism", sasl(&["OAUTHBEARER"]), &other),
        ("only one that begins alike", sasl(&["SCRAM-SHA-256-PLUS", "SCRAM-SHA-2567"]), &other),
        ("ok in the middle", [steps[0].clone(), ok()].concat(), &|e| *e == Refusal::Weak(Weak::NoPassword)),
        ("clear text after SCRAM began", [steps[0].clone(), request(3, b"")].concat(), &|e| {
            *e == Refusal::Weak(Weak::ClearText)
        }),
        ("the end before the middle", [steps[0].clone(), steps[2].clone()].concat(), &protocol),
        ("no end", [steps[0].clone(), steps[1].clone(), ok()].concat(), &|e| {
            *e == Refusal::Weak(Weak::NoPassword)
        }),
        ("many rounds", rounds("2147483647"), &|e| matches!(e, Refusal::TooManyRounds(_))),
        ("rounds that are no number", rounds("x\x1b[2J"), &|e| {
            *e == Refusal::TooManyRounds("x\\u{1b}[2J".to_owned())
        }),
        ("data before the login", message(b'D', &[0; 8]), &protocol),
        ("a negative length", vec![b'R', 255, 255, 255, 255], &protocol),
        ("a length without an end", vec![b'E', 127, 255, 255, 255], &much),
        ("another protocol", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), &much),
    ];
    for (what, bytes, is) in rows {
        for piece in [1, 4096] {
            let refusal = feed(&mut Judge::new(), &bytes, piece).expect_err(what);
            assert!(is(&refusal), "{what}: {refusal:?}");
        }
    }
}

fn logged_in() -> Judge {
    let mut judge = Judge::new();
    feed(&mut judge, &proper().concat(), 4096).unwrap();
    judge
}

#[test]
fn an_answer_has_a_bound_and_the_next_has_its_own() {
    let row = message(b'D', &[0; 8 << 10]);
    let mut judge = logged_in();
    for _ in 0..10 {
        judge.asked();
        assert_eq!(feed(&mut judge, &row.repeat(100), 4096), Ok(row.len() * 100));
    }
    judge.asked();
    assert_eq!(feed(&mut judge, &row.repeat(200), 4096), Err(Refusal::TooMuch(ANSWER, "one answer")));
    // One value of 300 MB: known by its first five bytes.
    let huge = [&b"D"[..], &300_000_000_i32.to_be_bytes()].concat();
    let mut judge = logged_in();
    judge.asked();
    assert_eq!(judge.pass(&huge), Err(Refusal::TooMuch(MESSAGE, "one message")));
}

#[test]
fn what_nobody_asked_for_has_a_bound_too() {
    for (tag, body) in [(b'N', vec![b'x'; 4000]), (b'A', vec![b'x'; 4000]), (b'S', vec![b'x'; 400])] {
        let mut judge = logged_in();
        let flood = message(tag, &body).repeat(400);
        assert!(matches!(feed(&mut judge, &flood, 4096), Err(Refusal::TooMuch(..))), "{}", char::from(tag));
    }
    // Settings are kept by the library for as long as the connection lives.
    let mut judge = logged_in();
    let end = (0..1000).find_map(|n| {
        judge.asked();
        feed(&mut judge, &message(b'S', format!("a.b{n}\0{}\0", "x".repeat(100)).as_bytes()), 4096).err()
    });
    assert_eq!(end, Some(Refusal::TooMuch(SETTINGS, "settings")));
}
