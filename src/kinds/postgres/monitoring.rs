//! What goes on inside of a server: connections, transactions, locks, replication, and what it counts; `status.monitoring`.
//! Pure values and functions; `client/monitor.rs` asks, `probe/wal.rs` decides when.
//!
//! Must never take what could not be read for zero: such a field is absent, and says why. No text of a query is in it but
//! such that PostgreSQL has taken the literals from.

mod absent;
mod contents;
mod literals;
mod rates;
mod reading;
mod snapshot;

pub use absent::{Absent, absent};
pub use contents::{Contents, Counter, Database, Databases, EVERY, Mismatched, Statement, Table};
pub use rates::Rates;
pub use reading::{
    Blocked, Blocker, ByState, Checkpoints, Connections, Figures, Held, Locks, Replay, Replication, Server,
    Standby, Totals, Transaction, Transactions,
};
pub use snapshot::Snapshot;
