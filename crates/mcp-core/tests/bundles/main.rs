//! Bundles: what is hostile or broken, what was really collected, and random damage.

mod commands;
mod common;
mod damaged;
mod fuzz;
mod hostile;
mod layouts;
mod real;
