//! Flows that do not fit the ports of their bridge: they were recorded at another time, or on another node.

use openflow::Bridge;
use ovn_model::switch::Interface;
use ovn_path::pod_of;
use std::collections::BTreeSet;

/// The number of ports and pods that a note names. The others are counted.
const NAMED: usize = 3;

/// What does not fit.
pub(super) struct Misfit {
    /// A part of a sentence for people.
    pub(super) said: String,
    /// Whether nothing fits, so that the flows are probably those of another node.
    pub(super) is_complete: bool,
}

impl Misfit {
    /// Compares the flows of an integration bridge with its interfaces. OVN's flows match the port of each pod, and
    /// have the MAC address of each pod, which is unique in the cluster.
    pub(super) fn of(bridge: &Bridge<'_>, flows: &str, interfaces: &[Interface]) -> Option<Self> {
        let matched = bridge.matched_ports();
        let known: BTreeSet<u16> = interfaces.iter().filter_map(|it| it.ofport).collect();
        let foreign: Vec<String> = matched
            .iter()
            // Larger numbers are reserved (OFPP_MAX in the OpenFlow specification).
            .filter(|port| **port < 0xff00 && !known.contains(*port))
            .map(ToString::to_string)
            .collect();
        let pods: Vec<&Interface> = interfaces.iter().filter(|it| it.of_pod && it.ofport.is_some()).collect();
        let fits = |it: &Interface| {
            let has_port = it.ofport.is_some_and(|port| matched.contains(&port));
            has_port && it.mac.as_ref().is_none_or(|mac| flows.contains(&mac.to_lowercase()))
        };
        let strange: Vec<String> = pods.iter().filter(|it| !fits(it)).map(|it| named(it)).collect();
        let mut said = Vec::new();
        if !foreign.is_empty() {
            said.push(format!("flows match ports that the bridge does not have ({})", listed(&foreign)));
        }
        if !strange.is_empty() {
            said.push(format!("the port or the MAC address of {} occurs in no flow", listed(&strange)));
        }
        if said.is_empty() {
            return None;
        }
        let is_complete = strange.len() == pods.len();
        let why = match is_complete {
            true => "the flows are probably those of another node",
            false => "the flows are of another time than the ports, or of another node",
        };
        Some(Self { said: format!("{}; {why}", said.join(", and ")), is_complete })
    }
}

/// Returns the pod of an interface, or its logical port.
fn named(interface: &Interface) -> String {
    let id = interface.iface_id.as_deref().unwrap_or(&interface.name);
    match pod_of(id) {
        Some((namespace, pod)) => format!("pod {namespace}/{pod}"),
        None => id.to_owned(),
    }
}

fn listed(all: &[String]) -> String {
    let named = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
