//! No false green, and no false red: real servers are broken one by one. Each line of the table says what is broken, what has to be said
//! of it within a probe or two, and what becomes of it when it is mended. No other condition may say anything else than before,
//! but that it does not know.

pub mod postgres;
mod redis;
pub mod table;
