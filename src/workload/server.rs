//! What the server in a container is like, the same for every object of its kind: data that a kind hands in.

use super::hardening::LogWords;

/// A kind's server, whatever its version.
#[derive(Debug)]
pub struct Server {
    /// Its port inside every container, and where the look for a free one on the host begins.
    pub port: u16,
    /// Who it runs as inside, by the name that its images give that user.
    pub user: &'static str,
    /// What a stop asks of it, in words.
    pub shutdown: &'static str,
    /// The signal that asks for it.
    pub stop_signal: &'static str,
    /// Seconds that it may take.
    pub stop_timeout: u32,
    pub log: LogWords,
    /// What its images' entry point needs as root, to prepare the data directory and to become that user.
    pub capabilities: &'static [&'static str],
    /// It keeps data: each container has a volume of its own for that, at the image's mount path.
    pub keeps_data: bool,
}
