//! What a container uses, from the files of its cgroup where the kernel of this machine shows them: microseconds, where the engine
//! takes 50 ms and, asked again, waits up to a second for its collector (docker-facts §9; measured anew on 20.10). The id in the
//! path is the container's whole id, so that what is found is that container's, also where the engine was reached over a network.
//! Must never read anything else, nor write.

use super::from_api::{Host, working_set};
use crate::core::seen::{Io, Sample};
use crate::core::text::shown;
use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where one of the engine's two drivers put a container, below the root or, with cgroup v1, below a controller of it. `None`: it is
/// not there, or the id is none: whoever answers for the engine must not lead us elsewhere.
fn place(root: &Path, id: &str) -> Option<PathBuf> {
    if id.len() != 64 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let places = [format!("docker/{id}"), format!("system.slice/docker-{id}.scope")];
    places.into_iter().map(|place| root.join(place)).find(|path| path.is_dir())
}

fn is_unified(cgroups: &Path) -> bool {
    cgroups.join("cgroup.controllers").is_file()
}

/// `None`: the container does not run, or its cgroup cannot be seen from here. `cgroups`: `/sys/fs/cgroup`; `processes`: `/proc`.
pub(super) fn sample(cgroups: &Path, processes: &Path, id: &str, at_nano: i64, host: Host) -> Option<Sample> {
    if is_unified(cgroups) {
        second(&place(cgroups, id)?, processes, at_nano, host)
    } else {
        first(|controller| place(&cgroups.join(controller), id), processes, at_nano, host)
    }
}

/// Processes of a container that are looked at.
const MOST: usize = 2_000;
/// Characters of the name of one.
const NAME: usize = 60;

/// Those of its processes that somebody stopped with a signal (SIGSTOP), by what they call themselves. One that was run inside
/// by hand is none of the server's: it has a terminal, or its parent is outside. `None`: it cannot be seen.
pub(super) fn stopped(cgroups: &Path, processes: &Path, id: &str) -> Option<Vec<String>> {
    let here = place(&if is_unified(cgroups) { cgroups.to_owned() } else { cgroups.join("memory") }, id)?;
    let listed = text(&here, "cgroup.procs")?;
    let all: Vec<&str> =
        listed.lines().filter(|id| id.parse::<u32>().is_ok_and(|id| id > 0)).take(MOST).collect();
    let mut found = Vec::new();
    for process in &all {
        let directory = processes.join(process);
        let Some(stat) = text(&directory, "stat") else { continue };
        // Behind the name, which may hold anything: state, parent, group, session, terminal (proc_pid_stat(5)).
        let fields: Vec<&str> =
            stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
        let [state, parent, _, _, terminal, ..] = fields.as_slice() else { continue };
        if *state == "T" && *terminal == "0" && all.contains(parent) {
            let name = text(&directory, "cmdline").unwrap_or_default().replace('\0', " ");
            found.push(shown(name.trim(), NAME));
        }
    }
    found.sort();
    Some(found)
}

/// What one of its processes has mounted, as all of them (proc_pid_mountinfo(5)).
pub(super) fn mounts(cgroups: &Path, processes: &Path, id: &str) -> Option<String> {
    let here = place(&if is_unified(cgroups) { cgroups.to_owned() } else { cgroups.join("memory") }, id)?;
    text(&processes.join(process(&here)?), "mountinfo")
}

/// One of those in a cgroup; 0 is one that cannot be seen from here.
fn process(here: &Path) -> Option<String> {
    let listed = text(here, "cgroup.procs")?;
    listed.lines().find(|id| id.parse::<u32>().is_ok_and(|id| id > 0)).map(str::to_owned)
}

fn second(here: &Path, processes: &Path, at_nano: i64, host: Host) -> Option<Sample> {
    let memory = table(&text(here, "memory.stat")?);
    let events = text(here, "memory.events").map(|text| table(&text));
    let cpu = table(&text(here, "cpu.stat")?);
    Some(Sample {
        usage: working_set(number(here, "memory.current")?, &memory, number(here, "memory.max"), host),
        at_nano,
        cpu_nano: cpu.get("usage_usec")?.saturating_mul(1000),
        block: text(here, "io.stat").map(|text| devices(&text)),
        network: network(here, processes),
        oom_kills: events.and_then(|events| events.get("oom_kill").copied()),
    })
}

/// Each controller has a tree of its own.
fn first(
    place: impl Fn(&str) -> Option<PathBuf>,
    processes: &Path,
    at_nano: i64,
    host: Host,
) -> Option<Sample> {
    let here = place("memory")?;
    let memory = table(&text(&here, "memory.stat")?);
    let limit = memory.get("hierarchical_memory_limit").copied();
    let oom = text(&here, "memory.oom_control").map(|text| table(&text));
    let block = place("blkio").and_then(|here| text(&here, "blkio.throttle.io_service_bytes_recursive"));
    Some(Sample {
        usage: working_set(number(&here, "memory.usage_in_bytes")?, &memory, limit, host),
        at_nano,
        cpu_nano: number(&place("cpuacct")?, "cpuacct.usage")?,
        block: block.map(|text| operations(&text)),
        network: network(&here, processes),
        // Not `memory.failcnt`: that counts each time that the limit was met, and most often only page cache goes.
        oom_kills: oom.and_then(|oom| oom.get("oom_kill").copied()),
    })
}

/// Bytes that most of these files have less of. The kernel says of none how long it is, so that without room for all of it they are
/// read in many small pieces.
const ROOM: usize = 8 << 10;

fn text(directory: &Path, file: &str) -> Option<String> {
    let mut text = String::with_capacity(ROOM);
    // Not the file itself: that would be asked for its length.
    fs::File::open(directory.join(file)).ok()?.take(u64::MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

/// `None` also for `max`.
fn number(directory: &Path, file: &str) -> Option<u64> {
    text(directory, file)?.trim().parse().ok()
}

/// Lines of a name and a number.
fn table(text: &str) -> HashMap<String, u64> {
    let pair = |line: &str| {
        let (name, number) = line.split_once(' ')?;
        Some((name.to_owned(), number.trim().parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}

/// `8:0 rbytes=1 wbytes=2 rios=3 …`
fn devices(text: &str) -> Io {
    let sum = |key: &str| {
        let words = text.split_whitespace().filter_map(|word| word.strip_prefix(key)?.parse::<u64>().ok());
        words.fold(0, u64::saturating_add)
    };
    Io { inward: sum("rbytes="), outward: sum("wbytes=") }
}

/// `8:0 Read 1`
fn operations(text: &str) -> Io {
    let sum = |operation: &str| {
        let of = |line: &str| line.split_once(&format!(" {operation} "))?.1.trim().parse::<u64>().ok();
        text.lines().filter_map(of).fold(0, u64::saturating_add)
    };
    Io { inward: sum("Read"), outward: sum("Write") }
}

/// As any process of the container sees it: all but its loopback.
fn network(here: &Path, processes: &Path) -> Option<Io> {
    Some(interfaces(&text(&processes.join(process(here)?).join("net"), "dev")?))
}

/// `eth0: RECEIVED packets errs drop fifo frame compressed multicast SENT …`
fn interfaces(text: &str) -> Io {
    let line = |line: &str| {
        let (_, numbers) = line.split_once(':').filter(|(name, _)| name.trim() != "lo")?;
        let numbers: Vec<u64> = numbers.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        Some(Io { inward: *numbers.first()?, outward: *numbers.get(8)? })
    };
    text.lines().filter_map(line).fold(Io::default(), |sum, one| Io {
        inward: sum.inward.saturating_add(one.inward),
        outward: sum.outward.saturating_add(one.outward),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::quantity::Bytes;
    use crate::core::seen::{Lacks, Usage};

    const HOST: Host = Host { cpus: 2, memory: 8 << 30, swap_limit: true, lacks: Lacks::NONE };

    /// A machine's files.
    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path.replace("ID", &id()));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn id() -> String {
        "ab".repeat(32)
    }

    fn seen(root: &tempfile::TempDir, id: &str) -> Option<Sample> {
        sample(&root.path().join("cg"), &root.path().join("proc"), id, 7, HOST)
    }

    const NET: &str = "Inter-|   Receive          |  Transmit\n face |bytes packets|bytes\n    lo: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n  eth0: 200 2 0 0 0 0 0 0 50 1 0 0 0 0 0 0\n  eth1:1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0\n";

    #[test]
    fn a_process_that_was_stopped_is_the_servers_or_somebody_elses() {
        let rows = [
            ("12 (postgres) T 10 12 10 0 -1", Some("postgres: checkpointer")),
            ("12 (a) b) T 10 12 10 0 -1", Some("postgres: checkpointer")),
            ("12 (postgres) S 10 12 10 0 -1", None),
            // By hand: outside of the container is its parent, or it has a terminal.
            ("12 (sh) T 7 12 10 0 -1", None),
            ("12 (sh) T 10 12 10 34816 -1", None),
            ("12 (sh", None),
        ];
        for (stat, want) in rows {
            for group in ["cgroup/docker/ID", "cgroup/memory/docker/ID"] {
                let unified = if group.contains("memory") { "cgroup/x" } else { "cgroup/cgroup.controllers" };
                let root = machine(&[
                    (unified, ""),
                    (&format!("{group}/cgroup.procs"), "10\n12\n0\n13\n"),
                    ("proc/10/stat", "10 (postgres) S 7 10 10 0 -1"),
                    ("proc/12/stat", stat),
                    ("proc/12/cmdline", "postgres: checkpointer\0\0\0"),
                ]);
                let found = stopped(&root.path().join("cgroup"), &root.path().join("proc"), &id()).unwrap();
                assert_eq!(found.first().map(String::as_str), want, "{stat}");
            }
        }
        let root = machine(&[("cgroup/memory/elsewhere/cgroup.procs", "10\n")]);
        let all = root.path().join("cgroup");
        assert_eq!(stopped(&all, root.path(), &id()), None);
        assert_eq!(stopped(&all, root.path(), "../elsewhere"), None);
    }

    #[test]
    fn both_versions_and_both_drivers_say_the_same() {
        let usage = Usage { memory: Bytes(700), unreclaimable: Bytes(600), memory_limit: Some(Bytes(5000)) };
        let want = Sample {
            usage,
            at_nano: 7,
            cpu_nano: 12_000,
            block: Some(Io { inward: 30, outward: 12 }),
            network: Some(Io { inward: 201, outward: 52 }),
            oom_kills: Some(3),
        };
        for place in ["docker/ID", "system.slice/docker-ID.scope"] {
            let at = |file: &str| format!("cg/{place}/{file}");
            let two = machine(&[
                ("cg/cgroup.controllers", "cpu memory io"),
                (&at("memory.current"), "1000\n"),
                (&at("memory.max"), "5000\n"),
                (&at("memory.stat"), "anon 1\nfile 700\nshmem 300\ninactive_file 300\nactive_file 100\n"),
                (&at("memory.events"), "low 0\nhigh 0\nmax 9\noom 4\noom_kill 3\n"),
                (&at("cpu.stat"), "usage_usec 12\nuser_usec 10\nsystem_usec 2\n"),
                (
                    &at("io.stat"),
                    "8:0 rbytes=10 wbytes=4 rios=1 wios=1\n8:16 rbytes=20 wbytes=8 rios=1 wios=1\n",
                ),
                (&at("cgroup.procs"), "0\n41\n42\n"),
                ("proc/41/net/dev", NET),
            ]);
            assert_eq!(seen(&two, &id()), Some(want), "v2 {place}");
            let at = |controller: &str, file: &str| format!("cg/{controller}/{place}/{file}");
            let one = machine(&[
                (&at("memory", "memory.usage_in_bytes"), "1000\n"),
                (
                    &at("memory", "memory.stat"),
                    "cache 700\ninactive_file 1\nhierarchical_memory_limit 5000\ntotal_cache 700\ntotal_inactive_file 300\ntotal_active_file 100\n",
                ),
                (&at("memory", "memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
                (&at("memory", "memory.failcnt"), "4711\n"),
                (&at("memory", "cgroup.procs"), "41\n"),
                (&at("cpuacct", "cpuacct.usage"), "12000\n"),
                (
                    &at("blkio", "blkio.throttle.io_service_bytes_recursive"),
                    "8:0 Read 10\n8:0 Write 4\n8:0 Sync 14\n8:0 Total 14\n8:16 Read 20\n8:16 Write 8\nTotal 42\n",
                ),
                ("proc/41/net/dev", NET),
            ]);
            assert_eq!(seen(&one, &id()), Some(want), "v1 {place}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_known_and_no_limit_is_none() {
        let two = machine(&[
            ("cg/cgroup.controllers", ""),
            ("cg/docker/ID/memory.current", "1000"),
            ("cg/docker/ID/memory.max", "max\n"),
            ("cg/docker/ID/memory.stat", ""),
            ("cg/docker/ID/cpu.stat", "usage_usec 1\n"),
        ]);
        let found = seen(&two, &id()).unwrap();
        assert_eq!((found.usage.memory, found.usage.memory_limit), (Bytes(1000), None));
        assert_eq!((found.block, found.network, found.oom_kills), (None, None, None));
        for other in
            ["", "..", "postgres-main", &"ab".repeat(31), &"cd".repeat(32), &format!("{}/", &id()[1..])]
        {
            assert_eq!(seen(&two, other), None, "{other}");
        }
        assert_eq!(seen(&machine(&[]), &id()), None);
    }
}
