//! The start of PostgreSQL's `global/pg_control`: which cluster it is, and which servers can read it.
//!
//! Pure. Only the first four fields are read: they have kept their places since PostgreSQL 8.2
//! (`src/include/catalog/pg_control.h`). Must never guess: what is not such a file is `None`.

/// Where it lies below the data directory.
pub const PATH: &str = "global/pg_control";

/// As many bytes of it as [`parse`] needs.
pub const HEAD: usize = 20;

/// What identifies a cluster and its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlFile {
    /// Drawn by initdb, the same in every copy of the cluster.
    pub system_identifier: u64,
    /// Layout of the file itself: 1300, 1700, 1800.
    pub pg_control_version: u32,
    /// `YYYYMMDDN`; a server starts only on a cluster with its own.
    pub catalog_version_no: u32,
    /// The last server ended by a clean shutdown: the next one needs no recovery.
    pub shut_down: bool,
}

/// `DB_SHUTDOWNED` of PostgreSQL's `DBState`.
const SHUT_DOWN: u32 = 1;

/// Reads the head of the file, written by a host of either byte order; `None` for anything else.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<ControlFile> {
    let identifier: [u8; 8] = bytes.get(0..8)?.try_into().ok()?;
    let control: [u8; 4] = bytes.get(8..12)?.try_into().ok()?;
    let catalog: [u8; 4] = bytes.get(12..16)?.try_into().ok()?;
    let state: [u8; 4] = bytes.get(16..20)?.try_into().ok()?;
    let little = ControlFile {
        system_identifier: u64::from_le_bytes(identifier),
        pg_control_version: u32::from_le_bytes(control),
        catalog_version_no: u32::from_le_bytes(catalog),
        shut_down: u32::from_le_bytes(state) == SHUT_DOWN,
    };
    let big = ControlFile {
        system_identifier: u64::from_be_bytes(identifier),
        pg_control_version: u32::from_be_bytes(control),
        catalog_version_no: u32::from_be_bytes(catalog),
        shut_down: u32::from_be_bytes(state) == SHUT_DOWN,
    };
    // A version of the wrong byte order is beyond any that will be used, as in PostgreSQL's own check.
    let plausible = |file: &ControlFile| {
        (1..65_536).contains(&file.pg_control_version)
            && (200_000_000..1_000_000_000).contains(&file.catalog_version_no)
            && file.system_identifier != 0
    };
    [little, big].into_iter().find(plausible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_real_clusters() {
        // As `pg_controldata` told of the same files.
        let of_18 =
            [0x10, 0xe0, 0xe6, 0xa3, 0x73, 0x47, 0x06, 0x6b, 8, 7, 0, 0, 0x33, 0, 0x12, 0x0c, 1, 0, 0, 0];
        let of_17 = [
            0x11, 0x90, 0x05, 0x88, 0x75, 0x47, 0x06, 0x6b, 0xa4, 6, 0, 0, 0x89, 0x79, 0x10, 0x0c, 6, 0, 0, 0,
        ];
        // A clean shutdown, and a server that runs or was killed.
        for (bytes, system_identifier, pg_control_version, catalog_version_no, shut_down) in [
            (of_18, 7_711_929_973_915_181_072, 1800, 202_506_291, true),
            (of_17, 7_711_929_982_037_364_753, 1700, 202_406_281, false),
        ] {
            let want = ControlFile { system_identifier, pg_control_version, catalog_version_no, shut_down };
            assert_eq!(parse(&bytes), Some(want));
            assert_eq!(parse(&[&bytes[..], &[7; 8176]].concat()), Some(want), "the whole file");
            let mut other_order = bytes;
            for field in [0..8, 8..12, 12..16, 16..20] {
                other_order[field].reverse();
            }
            assert_eq!(parse(&other_order), Some(want));
        }
    }

    #[test]
    fn anything_else_is_nothing() {
        for bytes in [&b""[..], &[0; 19], &[0; 20], &[0xff; 20], b"18\nnot a control file, text"] {
            assert_eq!(parse(bytes), None, "{bytes:?}");
        }
    }
}
