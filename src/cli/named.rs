//! Objects as a person names them: `KIND/NAME`, or `NAME` where only one object has it.

use crate::control::api::{Api, ApiError, ErrorCode, ObjectList, ObjectView};
use crate::control::registry::Kinds;
use crate::core::names::{Name, NameError, ObjectRef, RefError};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    Object(ObjectRef),
    /// Of which kind, the operator knows.
    Name(Name),
}

/// Among which objects a name is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    All,
    /// Those for which something runs.
    Running,
}

impl FromStr for Named {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            return text.parse().map(Self::Object).map_err(|e: RefError| e.to_string());
        }
        Name::parse(text).map(Self::Name).map_err(|e: NameError| format!("{e}; write NAME or KIND/NAME"))
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(object) => object.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl Named {
    #[must_use]
    pub fn name(&self) -> &Name {
        match self {
            Self::Object(object) => &object.name,
            Self::Name(name) => name,
        }
    }

    /// Which object is meant; nobody is asked where that is said.
    ///
    /// # Errors
    /// When no object has the name, or several have; the API's own.
    pub async fn find(&self, api: &Arc<dyn Api>, among: Among) -> Result<ObjectRef, ApiError> {
        match self {
            Self::Object(object) => Ok(object.clone()),
            Self::Name(name) => pick(&api.objects().await?, name, among),
        }
    }
}

/// As [`Named::find`], of one that need not be said.
///
/// # Errors
/// As there.
pub async fn maybe(
    api: &Arc<dyn Api>,
    named: Option<&Named>,
    among: Among,
) -> Result<Option<ObjectRef>, ApiError> {
    match named {
        Some(named) => named.find(api, among).await.map(Some),
        None => Ok(None),
    }
}

fn pick(list: &ObjectList, name: &Name, among: Among) -> Result<ObjectRef, ApiError> {
    let kinds = Kinds::all(None);
    let is_it = |object: &ObjectRef| {
        object.name == *name && (among == Among::All || kinds.has_containers(object.kind))
    };
    let found: Vec<ObjectRef> = list.items.iter().filter_map(ObjectView::object).filter(is_it).collect();
    match &found[..] {
        [object] => Ok(object.clone()),
        [_, ..] => {
            let names: Vec<String> = found.iter().map(ToString::to_string).collect();
            let what = format!("{name} is the name of {}", names.join(", "));
            Err(ApiError::new(ErrorCode::Invalid, what, "write KIND/NAME of the one that is meant"))
        }
        [] => {
            let what = match among {
                Among::All => format!("no object is called {name}"),
                Among::Running => format!("nothing that runs is called {name}"),
            };
            let next = "`seawall get` lists what there is; one that is not there yet is named KIND/NAME";
            Err(ApiError::new(ErrorCode::NotFound, what, next))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_or_with_its_kind() {
        let kind = crate::core::names::Kind::ALL[0].lower();
        assert!(matches!(format!("{kind}/main").parse(), Ok(Named::Object(_))));
        assert!(matches!("main".parse(), Ok(Named::Name(_))));
        for (text, says) in
            [("Main", "write NAME or KIND/NAME"), ("", "write NAME"), ("nothing/x", "unknown kind")]
        {
            let error = text.parse::<Named>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
