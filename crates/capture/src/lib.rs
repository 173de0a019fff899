#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod file;
pub mod frame;
pub mod select;
pub mod text;
