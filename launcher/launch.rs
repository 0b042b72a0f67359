//! Starts an application with the variables that are in a file, so that no description of its container has them. A program of
//! its own, without libraries, as it has to run in every image: `build.rs` makes it, `src/kinds/app/launcher.rs` has it.
//!
//! `launch FILE PROGRAM [ARGUMENT]...`; the file has `NAME=VALUE`, with a NUL behind each.

use std::env::args_os;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, exit};

fn main() {
    let mut arguments = args_os().skip(1);
    let (Some(file), Some(program)) = (arguments.next(), arguments.next()) else {
        eprintln!("seawall: nothing to run: neither the image nor the manifest has a command");
        exit(127);
    };
    let variables = match std::fs::read(&file) {
        Ok(variables) => variables,
        Err(error) => {
            eprintln!("seawall: the variables in {} cannot be read: {error}", file.to_string_lossy());
            exit(126);
        }
    };
    let mut command = Command::new(&program);
    command.args(arguments);
    for variable in variables.split(|byte| *byte == 0) {
        let mut parts = variable.splitn(2, |byte| *byte == b'=');
        if let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            command.env(OsStr::from_bytes(name), OsStr::from_bytes(value));
        }
    }
    // It comes back only from a program that does not run; the codes are those of a shell.
    let error = command.exec();
    eprintln!("seawall: {} does not run: {error}", program.to_string_lossy());
    exit(if error.kind() == ErrorKind::NotFound { 127 } else { 126 });
}
