//! Manifest files that are made to take as much memory or time as they can. Shared by a test and the bench.

const HEAD: &str = "apiVersion: seawall.dev/v1\nkind: Postgres\nmetadata: {name: a}\n";

/// A name, and the text of one file of at most 1 MiB.
pub fn shapes() -> Vec<(&'static str, String)> {
    let ones = |n: usize| format!("[{}]", "1,".repeat(n));
    let numbered = |n: usize, each: &dyn Fn(usize) -> String| (0..n).map(each).collect::<String>();
    let good = |spec: &str| format!("---\n{HEAD}spec: {spec}\n");
    let long = "k".repeat(1_000);
    let nested = (0..30).fold(ones(15_000), |inner, _| format!("{{{long}: {inner}}}"));
    let anchors = format!("{}{}{}", "&a [".repeat(28), ones(9_000), "]".repeat(28));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        bomb += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", "));
    }
    vec![
        ("one long key over a list", format!("? {}\n: {}\n", "k".repeat(250_000), ones(60_000))),
        ("long keys inside each other", good(&nested)),
        ("long keys side by side", good(&format!("{{{}}}", numbered(900, &|n| format!("{long}{n}: 1, "))))),
        ("a long list", good(&format!("{{parameters: {{a: {}}}}}", ones(450_000)))),
        ("long lists", good(&format!("{{parameters: {{a: {}}}}}", ones(19_000))).repeat(26)),
        ("lists of words", good(&format!("{{a: [{}]}}", "a,".repeat(19_000))).repeat(26)),
        ("lists of odd numbers", good(&format!("{{a: [{}]}}", "00,".repeat(19_000))).repeat(17)),
        ("many lines and a broken end", good(&format!("\n{}  - [\n", "  - @\n".repeat(150_000)))),
        ("lists of empty maps", good(&format!("{{a: [{}]}}", "{},".repeat(19_000))).repeat(17)),
        ("lists in lists", good(&format!("{{a: [{}]}}", "[[[[1]]]],".repeat(3_000))).repeat(30)),
        ("anchors around each other", good(&format!("{{a: {anchors}}}"))),
        ("many anchors", good(&format!("{{a: [{}]}}", "&a 1,".repeat(9_000))).repeat(20)),
        ("aliases of aliases", bomb),
        (
            "merges",
            format!(
                "a: &a {{{}}}\nb: [{}]\n",
                numbered(900, &|n| format!("k{n}: 1, ")),
                "{<<: *a},".repeat(10)
            ),
        ),
        ("one key again and again", format!("{HEAD}{}", "spec: {}\n".repeat(9_000))),
        ("small documents", "--- 1\n".repeat(170_000)),
        ("documents that are nothing", "---\n[]\n".repeat(19_000)),
        ("one object again and again", good("{}").repeat(10_000)),
        (
            "unknown fields",
            good(&format!("{{{}}}", numbered(9_000, &|n| format!("memor{n}: 1, ")))).repeat(6),
        ),
        (
            "wrong parameters",
            good(&format!("{{parameters: {{{}}}}}", numbered(9_000, &|n| format!("x y{n}: 1, ")))).repeat(7),
        ),
        (
            "parameters that are none",
            good(&format!(
                "{{image: 'x/y', parameters: {{{}}}}}",
                numbered(1_000, &|n| format!("work_memo{n}: 1, "))
            ))
            .repeat(40),
        ),
        (
            "wrong labels",
            format!(
                "---\n{}",
                HEAD.replace(
                    "name: a",
                    &format!("name: a, labels: {{{}}}", numbered(6_000, &|n| format!("l.{n}: [1], ")))
                )
            )
            .repeat(9),
        ),
        (
            "right parameters",
            good(&format!(
                "{{version: '18', parameters: {{{}}}}}",
                numbered(9_000, &|n| format!("a.b{n}: 1, "))
            ))
            .repeat(6),
        ),
        ("one long word", good(&format!("{{version: {}}}", "v".repeat(1 << 19)))),
        ("a long quoted word", good(&format!("{{image: \"{}\"}}", "\\x1b".repeat(1 << 17)))),
        ("open brackets", "[".repeat(1 << 20)),
        ("blank lines", "\n".repeat(1 << 20)),
        ("comments", "# x\n".repeat(1 << 18)),
    ]
}
