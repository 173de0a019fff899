//! The connection between flows and rows: the ports that belong to pods, and the meaning of cookies, tables, zones
//! and marks.

pub mod names;
pub mod recorded;

use crate::switch::Interface;
use openflow::Ports;

/// Returns the ports of a bridge. `conf.db` has their full names, and OpenFlow cuts names to 15 characters.
pub fn ports(interfaces: &[Interface]) -> Ports {
    let numbered = || interfaces.iter().filter_map(|it| Some((it.ofport?, it)));
    let pods = numbered().filter(|(_, it)| it.of_pod).map(|(number, _)| number);
    Ports::of(numbered().map(|(number, it)| (number, it.name.as_str()))).with_pods(pods)
}
