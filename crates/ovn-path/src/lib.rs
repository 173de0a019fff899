#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod cause;
mod microflow;
mod names;
mod ports;
mod resolve;
mod route;
mod services;
mod verdict;

pub use cause::Causes;
pub use microflow::{Microflow, NoPacket, Protocol};
pub use names::{Destination, Names, NoEndpoint, Sender};
pub use ports::{Port, Ports};
pub use resolve::{EndpointNames, ZoneReader};
pub use route::{header, route};
pub use services::{Services, Vip};
pub use verdict::{Verdict, VerdictGroup, VerdictKind, group_by_verdict, pod_of, reply_to};
