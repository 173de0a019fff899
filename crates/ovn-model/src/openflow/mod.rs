//! What joins flows to rows: the names of ports that are pods', and what cookies, tables, zones and marks stand for.

pub mod names;
pub mod recorded;

use crate::switch::Interface;
use openflow::Ports;

/// The ports of a bridge. `conf.db` has their whole names: OpenFlow cuts them to 15 characters.
pub fn ports(interfaces: &[Interface]) -> Ports {
    let numbered = || interfaces.iter().filter_map(|it| Some((it.ofport?, it)));
    let pods = numbered().filter(|(_, it)| it.of_pod).map(|(number, _)| number);
    Ports::of(numbered().map(|(number, it)| (number, it.name.as_str()))).with_pods(pods)
}
