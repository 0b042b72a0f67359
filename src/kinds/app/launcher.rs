//! How the variables with secrets get to an application that is started by the launcher (`launcher/launch.rs`): in a file beside
//! it. Pure.

use crate::core::variable::Withheld;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The program; empty where it could not be built.
pub static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/launch"));
/// What it runs on, as Docker calls that; empty where that is not known.
const OWN: &str = if cfg!(target_arch = "x86_64") {
    "amd64"
} else if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    ""
};
/// Where it lies in a container.
pub const LAUNCHER: &str = "/.seawall/launch";
/// And what it reads there.
pub const VARIABLES: &str = "/.seawall/variables";

/// The arguments before those of the application's own.
#[must_use]
pub fn prefix() -> [String; 2] {
    [LAUNCHER, VARIABLES].map(str::to_owned)
}

/// Whether it runs in containers of an engine of this architecture, in Docker's words.
///
/// # Errors
/// Why not.
pub fn runs_on(architecture: &str) -> Result<(), String> {
    if PROGRAM.is_empty() {
        Err("this Seawall was built without its launcher".to_owned())
    } else if !architecture.is_empty() && !OWN.is_empty() && architecture != OWN {
        Err(format!("the engine is {architecture}, and the launcher of this Seawall is {OWN}"))
    } else {
        Ok(())
    }
}

/// The file: `NAME=VALUE` with a NUL behind each, as no variable can have one.
#[must_use]
pub fn file(variables: &BTreeMap<String, Withheld>) -> Zeroizing<Vec<u8>> {
    let long: usize = variables.iter().map(|(name, value)| name.len() + value.expose().len() + 2).sum();
    // At once: a buffer that grows leaves copies of what was in it.
    let mut file = Zeroizing::new(Vec::with_capacity(long));
    for (name, value) in variables {
        file.extend_from_slice(name.as_bytes());
        file.push(b'=');
        file.extend_from_slice(value.expose().as_bytes());
        file.push(0);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_launcher_hands_on_whatever_is_in_a_variable_and_tells_what_does_not_run() {
        let dir = tempfile::tempdir().unwrap();
        let (launcher, variables) = (dir.path().join("launch"), dir.path().join("variables"));
        std::fs::write(&launcher, PROGRAM).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o555);
        std::fs::set_permissions(&launcher, mode).unwrap();
        let odd = "a=b\n'\"$x \u{e4}";
        let all =
            [("A", odd), ("EMPTY", ""), ("B", "2")].map(|(n, v)| (n.to_owned(), Withheld::new(v.to_owned())));
        std::fs::write(&variables, &*file(&all.into())).unwrap();
        let launch = |words: &[&str]| {
            let mut command = Command::new(&launcher);
            command.arg(&variables).args(words).env("B", "1").env("KEPT", "k").output().unwrap()
        };
        let got = launch(&[
            "sh",
            "-c",
            "printf '%s|%s|%s|%s|%s' \"$A\" \"${EMPTY-unset}\" \"$B\" \"$KEPT\" \"$1\"",
            "x",
            "y z",
        ]);
        assert_eq!(String::from_utf8_lossy(&got.stdout), format!("{odd}||2|k|y z"));
        for (words, code, said) in [
            (&["/no/such/program"][..], 127, "/no/such/program does not run: No such file"),
            (&["/etc/passwd"], 126, "Permission denied"),
            (&[], 127, "nothing to run"),
            (&["sh", "-c", "exit 7"], 7, ""),
        ] {
            let got = launch(words);
            assert_eq!(got.status.code(), Some(code), "{words:?}");
            assert!(String::from_utf8_lossy(&got.stderr).contains(said), "{words:?}: {got:?}");
        }
        std::fs::remove_file(&variables).unwrap();
        let got = launch(&["true"]);
        assert_eq!(got.status.code(), Some(126));
        assert!(String::from_utf8_lossy(&got.stderr).contains("cannot be read"), "{got:?}");
    }

    #[test]
    fn it_runs_on_this_machine_alone() {
        assert_eq!(runs_on(OWN), Ok(()));
        assert!(runs_on("s390x").unwrap_err().contains("the engine is s390x"));
    }
}
