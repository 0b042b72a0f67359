//! Floor 0: the vocabulary and the decisions of Seawall, as plain values.
//!
//! Nothing in here does I/O, reads a clock, draws a random number or knows tokio: what such code
//! needs is passed in. Everything above may import from here; this imports nothing of the crate.

pub mod access;
pub mod backoff;
pub mod census;
pub mod condition;
pub mod desired;
pub mod diagnosis;
pub mod digest;
pub mod duration;
pub mod event;
pub mod failure;
pub mod identity;
pub mod image_ref;
pub mod json;
pub mod measure;
pub mod member;
pub mod metric;
pub mod names;
pub mod neighbours;
pub mod pairs;
pub mod path;
pub mod places;
pub mod plan;
pub mod problem;
pub mod quantity;
pub mod queue;
pub mod resource;
pub mod seen;
pub mod status;
pub mod storage;
pub mod table;
pub mod text;
pub mod trouble;
pub mod variable;
pub mod will;
