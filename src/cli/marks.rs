//! Changes of labels and annotations, in kubectl's form. Pure.

/// One change: `KEY=VALUE`, or `KEY-` to remove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub key: String,
    pub value: Option<String>,
}

/// # Errors
/// When it is neither.
pub fn mark(text: &str) -> Result<Mark, String> {
    let (key, value) = match (text.split_once('='), text.strip_suffix('-')) {
        (Some((key, value)), _) => (key, Some(value.to_owned())),
        (None, Some(key)) => (key, None),
        (None, None) => ("", None),
    };
    if key.is_empty() {
        return Err(format!("{text:?}: write KEY=VALUE, or KEY- to remove it"));
    }
    Ok(Mark { key: key.to_owned(), value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_set_or_taken_away() {
        let of =
            |key: &str, value: Option<&str>| Ok(Mark { key: key.into(), value: value.map(str::to_owned) });
        assert_eq!(mark("team=shop"), of("team", Some("shop")));
        assert_eq!(mark("a/b=c=d-"), of("a/b", Some("c=d-")));
        assert_eq!(mark("team="), of("team", Some("")));
        assert_eq!(mark("team-"), of("team", None));
        for wrong in ["team", "=x", "-", ""] {
            assert!(mark(wrong).unwrap_err().contains("write KEY=VALUE"), "{wrong}");
        }
    }
}
