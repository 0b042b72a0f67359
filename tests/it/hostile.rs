//! Whatever stands in a file, what reading it takes is bounded; and the program looks after itself.

#[path = "../common/hostile.rs"]
mod shapes;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// KiB of address space: the program itself, its threads, and little more than ten times the text.
const ROOM: u32 = 400_000;

fn limited(arguments: &[&str], dir: &Path) -> Output {
    let script = format!("ulimit -v {ROOM}; exec \"$0\" \"$@\"");
    Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_seawall")])
        .args(arguments)
        .current_dir(dir)
        .env("SEAWALL_DATA", dir.join("none"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn no_file_takes_much_memory_or_time() {
    let dir = tempfile::tempdir().unwrap();
    let manifests = dir.path().join("m");
    fs::create_dir(&manifests).unwrap();
    for (what, text) in shapes::shapes() {
        assert!(text.len() <= 1 << 20, "{what}: {} bytes", text.len());
        fs::write(manifests.join("a.yaml"), text).unwrap();
        let start = Instant::now();
        let output = limited(&["validate", "m"], dir.path());
        let words = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        assert!(
            matches!(code, Some(0 | 1)),
            "{what}: {:?} {}",
            output.status,
            &words[..words.len().min(500)]
        );
        assert!(output.stdout.len() + output.stderr.len() < 200_000, "{what} says too much");
        assert!(start.elapsed() < Duration::from_secs(60), "{what}: {:?}", start.elapsed());
    }
}

/// The least a person sees of a bounded scan: thirty files, each at its limit.
#[test]
fn many_hostile_files_take_no_more_than_a_few() {
    let dir = tempfile::tempdir().unwrap();
    let manifests = dir.path().join("m");
    fs::create_dir(&manifests).unwrap();
    let (_, text) = shapes::shapes().into_iter().find(|(what, _)| *what == "lists of words").unwrap();
    for n in 0..30 {
        fs::write(manifests.join(format!("{n:02}.yaml")), &text).unwrap();
    }
    let output = limited(&["validate", "m"], dir.path());
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{:?} {}", output.status, &said[..said.len().min(500)]);
    assert!(said.contains("more than 1000000 nodes in all files"), "{}", &said[..said.len().min(2000)]);
}

#[test]
fn a_core_dump_is_never_written() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fs::create_dir(dir.path().join("m")).unwrap();
    // No engine answers there; the operator waits for one.
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_seawall")])
        .args(["--docker-host", "unix:///nowhere/docker.sock", "--data"])
        .arg(&data)
        .args(["run", "--metrics-addr", "off", "--manifests", "m"])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while !data.join("seawall.sock").exists() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap_or_default();
    let core: Vec<String> = limits
        .lines()
        .filter(|line| line.starts_with("Max core file size"))
        .map(|line| line.split_whitespace().skip(4).take(2).collect::<Vec<_>>().join(" "))
        .collect();
    let killed = Command::new("kill").args(["-ABRT", &child.id().to_string()]).status().unwrap();
    let status = child.wait().unwrap();
    assert!(data.join("seawall.sock").exists() && killed.success(), "it ran: {status}");
    assert_eq!(core, ["0 0"]);
    // "(core dumped)" is what the system says of a process that it may dump.
    use std::os::unix::process::ExitStatusExt;
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false));
}
