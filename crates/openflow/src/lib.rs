#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod action;
pub mod described;
mod field;
mod filter;
mod flow;
pub mod group;
mod matching;
mod ports;
pub mod tokens;

pub use field::applies;
pub use filter::{BadWanted, Filter, Wanted};
pub use flow::{Flow, Token, is_header};
pub use matching::{BadMatch, Match, show_port};
pub use ports::Ports;
