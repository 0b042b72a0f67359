//! The group that may open the operator's socket.

use super::{Settings, SettingsError};

/// Where the system keeps its groups. One that is kept elsewhere can be given by its number.
pub const GROUPS: &str = "/etc/group";

impl Settings {
    /// Its id. `flag` wins over what is configured; `groups`: the text of [`GROUPS`].
    ///
    /// # Errors
    /// When there is no such group, or its members could not get to the socket.
    pub fn group(&self, flag: Option<&str>, groups: &str) -> Result<Option<u32>, SettingsError> {
        let Some(name) = flag.or(self.socket_group.as_deref()) else { return Ok(None) };
        if self.socket().starts_with(&self.data) {
            let words = format!(
                "nobody of {name:?} gets into {}: give the socket another place (--socket /run/seawall/seawall.sock)",
                self.data.display()
            );
            return Err(SettingsError::Group(words));
        }
        let of = |line: &str| {
            let mut fields = line.split(':');
            let id = (fields.next()? == name).then(|| fields.nth(1))?;
            id?.parse().ok()
        };
        let found = name.parse().ok().or_else(|| groups.lines().find_map(of));
        found.map(Some).ok_or_else(|| SettingsError::Group(format!("there is no group {name:?} in {GROUPS}")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::resolve;
    use crate::cli::args::Flags;
    use crate::cli::settings::Environment;

    const GROUPS: &str = "root:x:0:\ndb:x:107:ann,bob\nbroken\nodd:x:many:\n";

    #[test]
    fn a_group_is_found_by_name_or_number_and_must_get_to_the_socket() {
        let dir = tempfile::tempdir().unwrap();
        let of = |socket: &str, configured: &str, flag: Option<&str>| {
            let variables =
                [("HOME", "/h"), ("SEAWALL_SOCKET", socket), ("SEAWALL_SOCKET_GROUP", configured)];
            let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            let environment = Environment { variables, cwd: dir.path().to_owned(), root: false };
            let settings = resolve(&Flags::default(), &environment).unwrap();
            settings.group(flag, GROUPS).map_err(|e| e.to_string())
        };
        assert_eq!(of("/run/s", "", None), Ok(None));
        assert_eq!(of("/run/s", "db", None), Ok(Some(107)));
        assert_eq!(of("/run/s", "db", Some("root")), Ok(Some(0)));
        assert_eq!(of("/run/s", "", Some("4711")), Ok(Some(4711)));
        for unknown in ["odd", "broken", "d", "db:x"] {
            let error = of("/run/s", unknown, None).unwrap_err();
            assert_eq!(error, format!("socketGroup: there is no group {unknown:?} in /etc/group"));
        }
        for inside in ["", "/h/.seawall/x/s"] {
            let error = of(inside, "db", None).unwrap_err();
            assert!(
                error.contains("nobody of \"db\" gets into /h/.seawall: give the socket another place"),
                "{error}"
            );
        }
    }
}
