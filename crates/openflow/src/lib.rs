#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod action;
pub mod described;
mod dump;
mod ends;
pub mod eval;
mod field;
mod filter;
mod flow;
pub mod group;
mod matching;
mod ports;
mod switch;
mod table;
mod text;
pub mod tokens;
mod underlay;

pub use ends::{End, FlowPlace, ends};
pub use field::applies;
pub use filter::{BadWanted, FieldFilter, Filter};
pub use flow::{Flow, Token, is_header};
pub use matching::{BadMatch, BadPacket, Match, packet, show_port};
pub use ports::Ports;
pub use switch::{Bridge, Learnt, Port, PortKind, Switch, Tunnel, TunnelKind, TunnelOption, VlanMode, Vlans};
pub use text::flow as show_flow;
pub use underlay::{Neighbour, Route, Underlay};
