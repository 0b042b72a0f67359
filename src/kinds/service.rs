//! What the service API (product brief) has to know of a kind whose objects it offers as services. Values only.

/// How a kind is offered.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    pub parameters: &'static [Parameter],
    /// Names of the variables that an environment gets from a link that says nothing else.
    pub variables: &'static [&'static str],
}

/// A field of a spec, as the brief's form and command line send it.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    pub name: &'static str,
    /// A JSON pointer into `spec`.
    pub field: &'static str,
    pub form: Form,
    /// Without it there is no new service.
    pub required: bool,
    /// It stays what it was when the service was made.
    pub fixed: bool,
    /// The one that it takes the place of.
    pub instead_of: Option<&'static str>,
}

/// How its value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Text,
    /// Also as text: a command line knows nothing else.
    Number,
    /// It is sealed before anything else is done with it, and never told.
    Secret,
}

impl Parameter {
    #[must_use]
    pub const fn new(name: &'static str, field: &'static str, form: Form) -> Self {
        Self { name, field, form, required: false, fixed: false, instead_of: None }
    }

    #[must_use]
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    #[must_use]
    pub const fn fixed(self) -> Self {
        Self { fixed: true, ..self }
    }

    #[must_use]
    pub const fn instead_of(self, other: &'static str) -> Self {
        Self { instead_of: Some(other), ..self }
    }
}
