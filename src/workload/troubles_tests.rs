//! Every sign and what it comes to.

use super::*;

/// A container at one second of a day: when it was started and last ended (seconds; 0: never), and restarts.
fn at(started: u32, ended: u32, restarts: u64) -> SeenContainer {
    SeenContainer {
        id: "c1".to_owned(),
        state: ContainerState::Running,
        started_at: time(started),
        finished_at: if ended == 0 { String::new() } else { time(ended) },
        restart_count: restarts,
        caps: Caps { memory: Some(Bytes(256 << 20)), ..Caps::default() },
        ..SeenContainer::default()
    }
}

fn stamp(second: u32) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + i64::from(second)).unwrap()
}

fn time(second: u32) -> String {
    stamp(second).to_string()
}

/// A trail, and what looks at it came to: deaths, for want of memory, processes.
#[derive(Default)]
struct Watch {
    trail: Trail,
    told: Vec<i64>,
    last: Troubles,
}

impl Watch {
    fn tell(&mut self, second: u32) {
        self.told.push(i64::try_from(stamp(second).as_nanosecond()).unwrap());
    }

    fn look(&mut self, second: u32, c: &SeenContainer, oom_kills: Option<u64>) -> [u64; 3] {
        let now = stamp(second);
        let since_began = Duration::from_secs(u64::from(second));
        self.last =
            self.trail.look(c, &Signs { told: &self.told, oom_kills, stopped: &[], now, since_began });
        [&self.last.deaths, &self.last.memory, &self.last.processes]
            .map(|s| s.as_ref().map_or(0, |s| s.count))
    }
}

#[test]
fn a_death_is_counted_once_and_forgotten_after_ten_quiet_minutes() {
    let mut watch = Watch::default();
    assert_eq!(watch.look(1000, &at(1000, 0, 0), None), [0, 0, 0]);
    assert_eq!(watch.look(1100, &at(1099, 1098, 1), None), [1, 0, 0]);
    assert_eq!(watch.look(1110, &at(1099, 1098, 1), None), [1, 0, 0]);
    assert_eq!(watch.last.over_in(), Some(Duration::from_secs(590)));
    assert_eq!(watch.look(1699, &at(1099, 1098, 1), None), [1, 0, 0]);
    assert_eq!(watch.look(1700, &at(1099, 1098, 1), None), [0, 0, 0], "over");
    assert_eq!(watch.last.over_in(), None);
    // A slow loop, each within ten minutes of the one before.
    for (n, second) in [(1, 2000), (2, 2500), (3, 3000)] {
        let c = at(second, second - 1, 1 + n);
        assert_eq!(watch.look(second, &c, None), [n, 0, 0]);
        let said = watch.last.said(&c.caps);
        assert_eq!(said.is_some(), n == LOOP, "{said:?}");
    }
    let (reason, words) = watch.last.said(&Caps::default()).unwrap();
    assert_eq!(reason, "CrashLoop");
    assert!(words.contains("died 3 times between 2027-01-15T08:33:19Z and 2027-01-15T08:49:59Z"), "{words}");
    // Somebody else than the engine started it.
    assert_eq!(watch.look(3100, &at(3100, 3099, 0), None), [0, 0, 0]);
}

#[test]
fn what_the_kernel_killed_is_told_by_what_came_after() {
    // Event before the end, restarted already.
    let mut watch = Watch::default();
    watch.look(0, &at(0, 0, 0), None);
    watch.tell(100);
    assert_eq!(watch.look(102, &at(102, 100, 1), None), [1, 1, 0]);
    assert_eq!(watch.look(103, &at(102, 100, 1), None), [1, 1, 0], "told once");
    let (reason, words) = watch.last.said(&at(0, 0, 0).caps).unwrap();
    assert_eq!(reason, "OutOfMemory");
    assert!(words.contains("once, at 2027-01-15T08:01:40Z; the memory limit is 256Mi"), "{words}");
    // The same end by the engine's flag, which 20.10 sets with the next start: not another one.
    let flagged = SeenContainer { oom_killed: true, ..at(102, 100, 1) };
    assert_eq!(watch.look(104, &flagged, None), [1, 1, 0]);

    // Without an event, by the flag alone; it stays, and the next death is another one.
    let mut watch = Watch::default();
    watch.look(0, &at(0, 0, 0), None);
    let flagged =
        |started, restarts| SeenContainer { oom_killed: true, ..at(started, started - 1, restarts) };
    assert_eq!(watch.look(50, &flagged(50, 1), Some(0)), [1, 1, 0]);
    assert_eq!(watch.look(90, &flagged(90, 2), Some(0)), [2, 1, 0]);

    // A process, by the kernel's count or by the event alone.
    for kills in [Some(1), None] {
        let mut watch = Watch::default();
        watch.look(0, &at(0, 0, 0), kills.map(|_| 0));
        watch.tell(100);
        assert_eq!(watch.look(101, &at(0, 0, 0), kills), [0, 0, 1], "{kills:?}");
        assert_eq!(watch.look(102, &at(0, 0, 0), kills), [0, 0, 1], "{kills:?}");
        let (reason, words) = watch.last.said(&Caps::default()).unwrap();
        assert!(reason == "ProcessOutOfMemory" && words.contains("the container itself lives on"), "{words}");
        // A look between the kill and the end that it brought.
        assert_eq!(watch.look(104, &at(103, 102, 1), kills.map(|_| 0)), [1, 1, 0], "{kills:?}");
    }
    // The kernel's count alone: the events were lost.
    let mut watch = Watch::default();
    watch.look(0, &at(0, 0, 0), Some(0));
    assert_eq!(watch.look(700, &at(0, 0, 0), Some(2)), [0, 0, 2]);
    assert_eq!(watch.look(800, &at(0, 0, 0), Some(3)), [0, 0, 3]);
    // A raised limit is the answer to it.
    let raised =
        SeenContainer { caps: Caps { memory: Some(Bytes(512 << 20)), ..Caps::default() }, ..at(0, 0, 0) };
    assert_eq!(watch.look(801, &raised, Some(3)), [0, 0, 0]);

    // Three ends between two looks.
    let mut watch = Watch::default();
    watch.look(0, &at(0, 0, 0), None);
    [100, 200, 300].into_iter().for_each(|second| watch.tell(second));
    assert_eq!(watch.look(302, &at(301, 300, 3), None), [3, 3, 0]);
}

#[test]
fn what_was_before_the_first_look_counts_where_it_is_known_to_be_recent() {
    let flagged = SeenContainer { oom_killed: true, ..at(990, 989, 7) };
    for (second, c, kills, want) in [
        (1000, at(990, 989, 7), None, [1, 0, 0]),
        (1000, flagged, Some(0), [1, 1, 0]),
        (5000, at(990, 989, 7), None, [0, 0, 0]),
        (1000, at(990, 0, 0), Some(2), [0, 0, 2]),
        // Since long ago: nobody knows when.
        (5000, at(990, 0, 0), Some(2), [0, 0, 0]),
    ] {
        let mut watch = Watch::default();
        assert_eq!(watch.look(second, &c, kills), want, "{second} {c:?}");
        assert_eq!(watch.look(second + 1, &c, kills), want, "{second} {c:?}");
    }
    // Another container is another one.
    let mut watch = Watch::default();
    watch.look(1000, &at(990, 989, 7), Some(2));
    let other = SeenContainer { id: "c2".to_owned(), ..at(1001, 0, 0) };
    assert_eq!(watch.look(1002, &other, Some(0)), [0, 0, 0]);
}
