#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod analysis;
pub mod event;
pub mod file;
pub mod frame;
pub mod join;
pub mod select;
pub mod text;
pub mod tuple;
