//! Traces a packet across zones: a packet that leaves one zone through a tunnel continues in another.
//!
//! With interconnect, each node is a zone with its own database. A port of another zone has type `remote`. The switch
//! sends a packet for such a port to the port's chassis with three numbers: the keys of the datapath, of the ingress
//! port and of the egress port (`controller/physical.c`). The other end drops the packet if it does not know these
//! keys.

use crate::{
    conntrack::Conntrack,
    eval::{Branch, Choice, End, Pass, Start},
    tree::Line,
    zone::Zone,
};
use ovn_model::lflow::Pipeline;
use packet::{Field, Packet};
use std::{collections::BTreeMap, sync::Arc};

/// The zones that a packet can pass through, by name.
#[derive(Debug, Default)]
pub struct Network<'a> {
    zones: BTreeMap<String, &'a Zone>,
}

/// The trace of a packet in one zone and in all zones after it.
#[derive(Clone, Debug)]
pub struct Hop {
    /// The name of the zone.
    pub zone: String,
    /// Each branch, with the continuation of each packet that leaves the zone.
    pub branches: Vec<(Branch, Vec<Onward>)>,
    /// True if there are more branches than were traced.
    pub cut: bool,
}

/// The continuation of a packet that leaves a zone through a remote port.
#[derive(Clone, Debug)]
pub enum Onward {
    /// The packet continues in the zone of the port.
    Hop(Box<Hop>),
    /// The packet is dropped between the zones, or cannot be traced further.
    Lost {
        /// The remote port that the packet was sent to.
        port: String,
        /// The reason.
        why: String,
        /// True if the trace cannot determine what happens, false if the packet is dropped.
        unknown: bool,
        /// The host whose zone was not read, if that is the reason.
        host: Option<String>,
    },
}

/// How a path of a packet ends after all zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathOutcome {
    /// The packet ends in the last zone.
    End(End),
    /// The packet is lost between two zones, or cannot be traced further.
    Lost {
        /// The remote port that the packet was sent to.
        port: String,
        /// The reason.
        why: String,
        /// True if the trace cannot determine what happens, false if the packet is dropped.
        unknown: bool,
        /// The host whose zone was not read, if that is the reason.
        host: Option<String>,
    },
    /// ovn-controller handles the packet, or the packet causes no output.
    Taken,
}

/// One path of a packet through all zones.
#[derive(Clone, Debug)]
pub struct PacketPath {
    /// The part of the path in each zone, in order.
    pub legs: Vec<Leg>,
    /// The choices that lead to this path, in all zones.
    pub choices: Vec<Choice>,
    /// How the path ends.
    pub outcome: PathOutcome,
    /// The connections that conntrack has after the packet, by zone.
    pub known: BTreeMap<String, Conntrack>,
}

/// The part of a path in one zone.
#[derive(Clone, Debug)]
pub struct Leg {
    /// The name of the zone.
    pub zone: String,
    /// The pipelines that the packet passed through.
    pub passes: Vec<Pass>,
    /// The trace of the branch, as a tree of lines.
    pub lines: Arc<Vec<Line>>,
    /// Notes on what the trace could not determine and on faults in the database.
    pub notes: Vec<String>,
}

/// The limit of zones on one path, so that a packet that loops between zones ends.
const MAX_ZONES: usize = 8;

impl<'a> Network<'a> {
    /// Builds a network from zones and their names.
    pub fn new(zones: impl IntoIterator<Item = (String, &'a Zone)>) -> Self {
        Self { zones: zones.into_iter().collect() }
    }

    /// Returns the zone with a name.
    #[must_use]
    pub fn zone(&self, name: &str) -> Option<&'a Zone> {
        self.zones.get(name).copied()
    }

    /// Traces a packet from the zone `zone` through all others. `known` are the connections that conntrack already has,
    /// by zone. Returns `None` if the zone does not exist.
    #[must_use]
    pub fn trace(&self, zone: &str, start: &Start, known: &BTreeMap<String, Conntrack>) -> Option<Hop> {
        self.hop(zone, start, known, MAX_ZONES)
    }

    fn hop(
        &self,
        name: &str,
        start: &Start,
        known: &BTreeMap<String, Conntrack>,
        left: usize,
    ) -> Option<Hop> {
        let zone = self.zone(name)?;
        let mut start = start.clone();
        if let Some(known) = known.get(name) {
            start.conntrack = known.clone();
        }
        let trace = zone.trace(&start);
        let onward = |branch: Branch| {
            let mut after = known.clone();
            after.insert(name.to_owned(), branch.conntrack.clone());
            let ends = branch.ends.iter().filter_map(|end| match end {
                End::Delivered { datapath, port, kind, packet, .. } if kind == "remote" => {
                    Some(self.onward(zone, *datapath, port, packet, &start, &after, left))
                }
                _ => None,
            });
            let ends = ends.collect();
            (branch, ends)
        };
        Some(Hop {
            zone: name.to_owned(),
            branches: trace.branches.into_iter().map(onward).collect(),
            cut: trace.cut,
        })
    }

    #[expect(clippy::too_many_arguments, reason = "the tunnel and the other end need all of them")]
    fn onward(
        &self,
        from: &Zone,
        datapath: usize,
        port: &str,
        packet: &Packet,
        start: &Start,
        known: &BTreeMap<String, Conntrack>,
        left: usize,
    ) -> Onward {
        let lost = |why: String, unknown| Onward::Lost { port: port.to_owned(), why, unknown, host: None };
        let Some(left) = left.checked_sub(1) else {
            return lost("the packet loops between zones, so the trace stops".to_owned(), true);
        };
        let (Some(own), Some(datapath)) = (from.port(port), from.datapaths.get(datapath)) else {
            return lost("its port does not exist".to_owned(), true);
        };
        let Some(chassis) = from.chassis_of(own) else {
            return lost(
                "the port is not bound to a chassis, so OVN cannot send the packet anywhere".to_owned(),
                false,
            );
        };
        let other = self.zones.iter().find(|(_, zone)| zone.own_chassis() == Some(chassis));
        let Some((name, zone)) = other else {
            let host = from.host_of(own).map(str::to_owned);
            let of = host.as_deref().map_or_else(|| format!("chassis {chassis}"), str::to_owned);
            let why = format!("the zone of {of} was not read, so the rest of the path is unknown");
            return Onward::Lost { port: port.to_owned(), why, unknown: true, host };
        };
        let Some(place) = zone.datapath_by_key(datapath.key) else {
            let (key, dp) = (datapath.key, &datapath.name);
            return lost(
                format!(
                    "zone {name} drops the packet because it has no datapath with tunnel key {key} ({dp})"
                ),
                false,
            );
        };
        if zone.port_by_key(place, own.key).is_none() {
            let (key, dp) = (own.key, &datapath.name);
            return lost(
                format!("zone {name} drops the packet because it has no port with tunnel key {key} in {dp}"),
                false,
            );
        }
        let mut start = Start {
            datapath: place,
            pipeline: Pipeline::Egress,
            packet: carried(packet, own.key),
            ..start.clone()
        };
        start.conntrack = Conntrack::default();
        match self.hop(name, &start, known, left) {
            Some(hop) => Onward::Hop(Box::new(hop)),
            None => lost(format!("zone {name} does not exist"), true),
        }
    }
}

/// Returns the packet as it arrives through the tunnel: without connection state, flags and registers, except the
/// ports.
fn carried(packet: &Packet, outport: u32) -> Packet {
    let mut carried = packet.clone();
    carried.clear_ct();
    for field in (0..14).filter_map(Field::reg) {
        carried.set(field, 0);
    }
    carried.set(Field::REG15, outport.into());
    carried
}

impl Hop {
    /// Returns every path, through this zone and all zones after it.
    #[must_use]
    pub fn paths(&self) -> Vec<PacketPath> {
        let mut paths = Vec::new();
        for (branch, onward) in &self.branches {
            let leg = |pass: usize| Leg {
                zone: self.zone.clone(),
                passes: branch.passes_to(pass).into_iter().cloned().collect(),
                lines: branch.lines.clone(),
                notes: branch.notes.clone(),
            };
            let here = |pass, outcome| PacketPath {
                legs: vec![leg(pass)],
                choices: branch.choices.clone(),
                outcome,
                known: BTreeMap::from([(self.zone.clone(), branch.conntrack.clone())]),
            };
            if branch.ends.is_empty() {
                paths.push(here(branch.passes.len().saturating_sub(1), PathOutcome::Taken));
            }
            let goes_on = |end: &&End| matches!(end, End::Delivered { kind, .. } if kind == "remote");
            let ends_here = branch.ends.iter().filter(|end| !goes_on(end));
            paths.extend(ends_here.map(|end| here(end.pass(), PathOutcome::End(end.clone()))));
            for (end, next) in branch.ends.iter().filter(goes_on).zip(onward) {
                match next {
                    Onward::Lost { port, why, unknown, host } => {
                        let (port, why, unknown, host) = (port.clone(), why.clone(), *unknown, host.clone());
                        paths.push(here(end.pass(), PathOutcome::Lost { port, why, unknown, host }));
                    }
                    Onward::Hop(hop) => paths.extend(hop.paths().into_iter().map(|mut path| {
                        path.legs.insert(0, leg(end.pass()));
                        path.choices = branch.choices.iter().chain(&path.choices).cloned().collect();
                        // If the packet comes back to this zone, the later connections are already in `known`.
                        path.known.entry(self.zone.clone()).or_insert_with(|| branch.conntrack.clone());
                        path
                    })),
                }
            }
        }
        paths
    }
}
