//! Room on the disk under a volume. Pure. Two thresholds each, so that a figure on the edge says one thing.

use crate::core::quantity::Bytes;
use crate::core::seen::Space;

/// Of the whole; and at most so much: a tenth of a big disk is plenty.
const LOW: (u64, u64) = (10, 5 * Bytes::GI);
/// From here on it is not low any more.
const LOW_NO_MORE: (u64, u64) = (12, 6 * Bytes::GI);
/// A server that cannot write two more segments of its log (16 MiB each) is about to stop.
const FULL: u64 = 32 * Bytes::MI;
const FULL_NO_MORE: u64 = 64 * Bytes::MI;

/// How much room there is, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    #[default]
    Plenty,
    Low,
    Full,
    /// Nothing can be written, however much is free.
    ReadOnly,
}

impl Room {
    /// From what it was and what is free now.
    #[must_use]
    pub fn next(self, space: Space) -> Self {
        if space.read_only {
            return Room::ReadOnly;
        }
        let full = if self == Room::Full { FULL_NO_MORE } else { FULL };
        if space.free < full {
            return Room::Full;
        }
        let (percent, most) = if self == Room::Plenty { LOW } else { LOW_NO_MORE };
        if space.free < (space.total / 100).saturating_mul(percent).min(most) {
            Room::Low
        } else {
            Room::Plenty
        }
    }
}

/// What `df -kP` (POSIX) says of one directory.
#[must_use]
pub fn told(output: &str) -> Option<Space> {
    let fields: Vec<&str> = output.lines().last()?.split_whitespace().collect();
    // Behind the name of the device, which may have blanks, and before the mount point, which may as well.
    let at = fields.iter().position(|field| field.ends_with('%'))?;
    let kib = |back: usize| fields.get(at.checked_sub(back)?)?.parse::<u64>().ok()?.checked_mul(1024);
    Some(Space { free: kib(1)?, total: kib(3)?, read_only: false })
}

/// `12Gi`, `1.5Gi`, `730Mi`: two figures, rounded down, so that status does not change with every page that is
/// written.
#[must_use]
pub fn roughly(bytes: u64) -> String {
    let (unit, size) = [("Ti", Bytes::GI << 10), ("Gi", Bytes::GI), ("Mi", Bytes::MI)]
        .into_iter()
        .find(|(_, size)| bytes >= *size)
        .unwrap_or(("Ki", Bytes::MI >> 10));
    let tenths = u128::from(bytes) * 10 / u128::from(size);
    match tenths {
        1000.. => format!("{}{unit}", tenths / 100 * 10),
        100.. => format!("{}{unit}", tenths / 10),
        _ if tenths % 10 == 0 => format!("{}{unit}", tenths / 10),
        _ => format!("{}.{}{unit}", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_is_crossed_once() {
        let mut room = Room::Plenty;
        let gi = Bytes::GI;
        for (free, want) in [
            (20 * gi, Room::Plenty),
            (5 * gi, Room::Plenty),
            (5 * gi - 1, Room::Low),
            (5 * gi + 1, Room::Low),
            (6 * gi, Room::Plenty),
            (5 * gi + 1, Room::Plenty),
            (33 << 20, Room::Low),
            (31 << 20, Room::Full),
            (63 << 20, Room::Full),
            (64 << 20, Room::Low),
            (0, Room::Full),
        ] {
            room = room.next(Space { free, total: 1000 * gi, read_only: false });
            assert_eq!(room, want, "{free}");
        }
        let small = |free| Room::Plenty.next(Space { free, total: 2 * gi, read_only: false });
        assert_eq!([small(gi), small(gi / 6), small(0)], [Room::Plenty, Room::Low, Room::Full]);
        let closed = Room::Plenty.next(Space { free: gi, total: 2 * gi, read_only: true });
        assert_eq!(
            (closed, closed.next(Space { free: gi, total: 2 * gi, read_only: false })),
            (Room::ReadOnly, Room::Plenty)
        );
    }

    #[test]
    fn what_df_says_is_read_wherever_it_has_blanks() {
        let head = "Filesystem     1024-blocks     Used Available Capacity Mounted on\n";
        let space = Some(Space { free: 200 << 10, total: 400 << 10, read_only: false });
        for (line, want) in [
            ("/dev/vda  400 150 200 43% /var/lib/postgresql\n", space),
            ("//host/a share 400 150 200 43% /var/lib/my data\n", space),
            ("tmpfs 400 400 0 100% /d\n", Some(Space { free: 0, total: 400 << 10, read_only: false })),
            ("df: /d: Permission denied\n", None),
            ("43% /d\n", None),
            ("", None),
        ] {
            assert_eq!(told(&format!("{head}{line}")), want, "{line}");
        }
        assert_eq!(told(""), None);
    }

    #[test]
    fn figures_are_rough() {
        for (bytes, want) in [
            (0, "0Ki"),
            (5 << 10, "5Ki"),
            (1536 << 20, "1.5Gi"),
            ((12 << 30) + 999, "12Gi"),
            (764 << 20, "760Mi"),
            (3 << 40, "3Ti"),
        ] {
            assert_eq!(roughly(bytes), want);
        }
    }
}
