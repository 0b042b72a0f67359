//! Whatever a role or a database is called, a statement says the same about it.

use super::*;
use proptest::prelude::*;

/// What PostgreSQL reads in a statement (docs, "Lexical Structure"): text between, strings and quoted names.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Text(String),
    Value(String),
    Name(String),
}

fn tokens(sql: &str) -> Vec<Token> {
    let (mut all, mut text) = (Vec::new(), String::new());
    let mut rest = sql.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '\'' && c != '"' {
            text.push(c);
            continue;
        }
        let escapes = c == '\'' && text.ends_with(" E");
        if escapes {
            text.truncate(text.len() - 2);
        }
        all.push(Token::Text(std::mem::take(&mut text)));
        let mut inside = String::new();
        loop {
            match rest.next().expect("a quote that is not closed") {
                '\\' if escapes => inside.push(rest.next().expect("something behind a backslash")),
                end if end == c => match rest.next_if_eq(&c) {
                    Some(twice) => inside.push(twice),
                    None => break,
                },
                // What it means without the E hangs on a setting.
                '\\' if c == '\'' => panic!("a backslash in a plain string: {sql}"),
                other => inside.push(other),
            }
        }
        all.push(if c == '"' { Token::Name(inside) } else { Token::Value(inside) });
    }
    all.push(Token::Text(text));
    all
}

/// All statements about a tenant that have a name of somebody's in them.
fn all(one: &str, other: &str) -> Vec<Sql> {
    vec![
        make_role(one, other),
        bind_login(one, other),
        leave(one, other),
        plain_role(one),
        set_verifier(one, other),
        open(one),
        close(one),
        end_sessions(one),
        make_database(one, other),
        own_database(one, other),
        from_public(one),
        allow(one),
        drop_database(one),
        drop_role(one),
        limit(one, Some(7)),
        about_extension(one),
        is_untouched([one, other]),
        has_extension(one),
        extension(one, true),
        extension(one, false),
        hand_to_owner(one, other),
    ]
}

fn names() -> impl Strategy<Value = String> {
    let hostile = "'\"\\\\E;-/*${}()%: \n\t\u{1b}\0a_é𝄞";
    let hostile = proptest::sample::select(hostile.chars().collect::<Vec<_>>());
    let c = prop_oneof![8 => hostile, 1 => any::<char>()];
    proptest::collection::vec(c, 1..40).prop_map(|all| all.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_name_changes_what_a_statement_says(one in names(), other in names()) {
        let called = |token: Token| {
            // As it is asked for: PostgreSQL has no text with a zero byte in it.
            let call = |text: String| {
                text.replace("first", &one.replace('\0', "")).replace("second", &other.replace('\0', ""))
            };
            match token {
                Token::Value(text) => Token::Value(call(text)),
                Token::Name(text) => Token::Name(call(text)),
                text @ Token::Text(_) => text,
            }
        };
        for (plain, hostile) in all("first", "second").iter().zip(all(&one, &other)) {
            let want: Vec<Token> = tokens(plain.as_str()).into_iter().map(called).collect();
            prop_assert_eq!(tokens(hostile.as_str()), want);
        }
    }
}
