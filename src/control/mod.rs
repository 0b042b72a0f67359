//! The controller: watches, queues, drives passes, keeps records, reports.

pub mod api;
