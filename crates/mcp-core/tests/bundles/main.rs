//! Tests with bundles: broken and malicious ones, real collections, and random damage.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod areas;
mod choice;
mod commands;
mod common;
mod damaged;
mod fuzz;
mod hostile;
mod layouts;
mod logs;
mod objects;
mod real;
mod reports;
