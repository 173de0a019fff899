#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod actions;
mod chain;
mod conntrack;
mod eval;
pub mod lex;
pub mod matches;
mod microflow;
pub mod symbol;
pub mod tree;
mod zone;

pub use chain::{Hop, Leg, Network, Onward, PacketPath, PathOutcome};
pub use conntrack::{Connection, Conntrack, CtZone};
pub use eval::{Branch, Choice, End, Pass, Start, Trace};
pub use zone::{AllowedAddresses, Compiled, Datapath, Finding, MacBinding, Port, Semantics, Zone};
