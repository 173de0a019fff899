#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod conntrack;
mod field;
mod packet;
mod registry;
mod text;
mod value;

pub use conntrack::{CtState, Nat, NatKind, Tuple};
pub use field::{Field, Fields};
pub use packet::Packet;
pub use registry::FieldNotation;
pub use text::{BadValue, parse_mac, show_mac};
pub use value::{Masked, Subfield, bits};
