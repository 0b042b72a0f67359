//! Makes the launcher of `launcher/`: linked statically, so that it runs in every image, whatever is in there.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

const SOURCE: &str = "launcher/launch.rs";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let program = Path::new(&variable("OUT_DIR")).join("launch");
    let made = Command::new(variable("RUSTC"))
        .args(["--edition", "2024", "--target", &variable("TARGET"), "-C", "target-feature=+crt-static"])
        .args([
            "-C",
            "opt-level=z",
            "-C",
            "panic=abort",
            "-C",
            "strip=symbols",
            "-C",
            "lto",
            "-C",
            "codegen-units=1",
        ])
        .arg("-o")
        .arg(&program)
        .arg(SOURCE)
        .output();
    let why = match made {
        Ok(made) if made.status.success() => return,
        Ok(made) => String::from_utf8_lossy(&made.stderr).lines().next().unwrap_or_default().to_owned(),
        Err(error) => error.to_string(),
    };
    // All the rest works without; who asks for it is told.
    println!(
        "cargo::warning=the launcher cannot be linked statically here, so `injection: file` is left out: {why}"
    );
    if let Err(error) = fs::write(&program, b"") {
        println!("cargo::error={}: {error}", program.display());
    }
}
