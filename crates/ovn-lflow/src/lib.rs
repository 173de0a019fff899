#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod actions;
pub mod lex;
pub mod matches;
pub mod symbol;
