//! WAL health: what a server's write-ahead log, its archiver, its slots and its disk tell, judged by fixed rules (product
//! brief, "PostgreSQL WAL Health"). Pure values and functions; `client/monitor.rs` asks, `probe/wal.rs` decides when.
//!
//! Must never take what could not be read for zero: such a field is absent, and says why.

mod archiving;
mod findings;
mod panel;
mod pressure;
mod reading;
mod rules;
mod snapshot;
mod trend;

pub use archiving::PLACEHOLDER;
pub use findings::{Health, NO_TOOL, PREPARED, degraded, findings, verdict};
pub use panel::{figures, panel};
pub use reading::{Archiver, Backlog, Files, Horizon, Position, Reading, Settings, Slot, Told};
pub use rules::{Severity, Warning};
pub use snapshot::{Look, Snapshot};
pub use trend::Trend;

/// Seconds between two looks at a server (product brief: "a ~30-second poll").
pub const EVERY: u64 = 30;
/// Seconds after which a snapshot is no statement about now: two looks were missed.
pub const STALE_AFTER: u64 = 90;
