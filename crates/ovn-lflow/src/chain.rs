//! Zones in a row: what leaves one by a tunnel goes on in another.
//!
//! With interconnect, each node is a zone with a database of its own. A port of another zone is there as a port of type
//! `remote`; a packet for it is sent to the port's chassis with three numbers: the keys of the datapath, of the port
//! where it came in, and of the port where it goes out (`controller/physical.c`). The other end knows them or not.

use crate::{
    conntrack::Conntrack,
    eval::{Branch, Choice, End, Pass, Start},
    tree::Line,
    zone::Zone,
};
use ovn_model::lflow::Pipeline;
use packet::{Field, Packet};
use std::{collections::BTreeMap, sync::Arc};

/// Zones that send each other packets, by name.
#[derive(Debug, Default)]
pub struct Network<'a> {
    zones: BTreeMap<String, &'a Zone>,
}

/// What happens in one zone, and after it.
#[derive(Clone, Debug)]
pub struct Hop {
    /// The zone.
    pub zone: String,
    /// Each branch, with where its packets went on.
    pub branches: Vec<(Branch, Vec<Onward>)>,
    /// Whether there were more branches than were followed.
    pub cut: bool,
}

/// How a packet goes on that left a zone by a port of another one.
#[derive(Clone, Debug)]
pub enum Onward {
    /// In that zone.
    Hop(Box<Hop>),
    /// Not at all, or it cannot be followed.
    Lost {
        /// The port that it was sent to.
        port: String,
        /// Why.
        why: String,
        /// Whether the zone was not read, so that what happens there is not known, rather than a drop.
        unknown: bool,
        /// The host whose zone was not read.
        host: Option<String>,
    },
}

/// Where one packet ended in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As [`End`] has it, in the last zone.
    End(End),
    /// On the way into another zone.
    Lost {
        /// The port that it was sent to.
        port: String,
        /// Why.
        why: String,
        /// Whether what happens is not known, rather than a drop.
        unknown: bool,
        /// The host whose zone was not read.
        host: Option<String>,
    },
    /// Nowhere: ovn-controller takes the packet, or nothing is made of it.
    Taken,
}

/// One way through all zones.
#[derive(Clone, Debug)]
pub struct Way {
    /// What happened in each zone, in order.
    pub legs: Vec<Leg>,
    /// The choices that lead here, in all zones.
    pub choices: Vec<Choice>,
    /// Where it ends.
    pub outcome: Outcome,
    /// The connections that are known afterwards, by zone.
    pub known: BTreeMap<String, Conntrack>,
}

/// What happened in one zone to a packet on its way.
#[derive(Clone, Debug)]
pub struct Leg {
    /// The zone.
    pub zone: String,
    /// The pipelines that it went through.
    pub passes: Vec<Pass>,
    /// The branch that it is on, as lines.
    pub lines: Arc<Vec<Line>>,
    /// What cannot be known, and what else was noticed.
    pub notes: Vec<String>,
}

/// More zones than these are not gone through: a packet that is sent round ends here.
const MOST_ZONES: usize = 8;

impl<'a> Network<'a> {
    /// Zones by name.
    pub fn new(zones: impl IntoIterator<Item = (String, &'a Zone)>) -> Self {
        Self { zones: zones.into_iter().collect() }
    }

    /// The zone of a name.
    #[must_use]
    pub fn zone(&self, name: &str) -> Option<&'a Zone> {
        self.zones.get(name).copied()
    }

    /// Follows a packet from a zone through all others. `known` are the connections before, by zone.
    #[must_use]
    pub fn trace(&self, zone: &str, start: &Start, known: &BTreeMap<String, Conntrack>) -> Option<Hop> {
        self.hop(zone, start, known, MOST_ZONES)
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

    #[expect(
        clippy::too_many_arguments,
        reason = "all of them are what the tunnel and the other end have to know"
    )]
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
            return lost(
                "the packet goes from zone to zone and is not followed any further".to_owned(),
                true,
            );
        };
        let (Some(own), Some(datapath)) = (from.port(port), from.datapaths.get(datapath)) else {
            return lost("its port is gone".to_owned(), true);
        };
        let Some(chassis) = from.chassis_of(own) else {
            return lost(
                "the port is not bound to a chassis: there is nowhere to send the packet".to_owned(),
                false,
            );
        };
        let other = self.zones.iter().find(|(_, zone)| zone.own_chassis() == Some(chassis));
        let Some((name, zone)) = other else {
            let host = from.host_of(own).map(str::to_owned);
            let of = host.as_deref().map_or_else(|| format!("chassis {chassis}"), str::to_owned);
            let why = format!("the zone of {of} was not read: what happens there is not known");
            return Onward::Lost { port: port.to_owned(), why, unknown: true, host };
        };
        let Some(place) = zone.datapath_by_key(datapath.key) else {
            let (key, dp) = (datapath.key, &datapath.name);
            return lost(
                format!("zone {name} knows no datapath with key {key}, that of {dp}: it drops the packet"),
                false,
            );
        };
        if zone.port_by_key(place, own.key).is_none() {
            let (key, dp) = (own.key, &datapath.name);
            return lost(
                format!("zone {name} knows no port with key {key} in {dp}: it drops the packet"),
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
            None => lost(format!("zone {name} is gone"), true),
        }
    }
}

/// The packet as the tunnel brings it: no connection, no flags, no registers but those of the ports.
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
    /// Every way to an end, in this zone and all after it.
    #[must_use]
    pub fn ways(&self) -> Vec<Way> {
        let mut ways = Vec::new();
        for (branch, onward) in &self.branches {
            let leg = |pass: usize| Leg {
                zone: self.zone.clone(),
                passes: branch.way_to(pass).into_iter().cloned().collect(),
                lines: branch.lines.clone(),
                notes: branch.notes.clone(),
            };
            let here = |pass, outcome| Way {
                legs: vec![leg(pass)],
                choices: branch.choices.clone(),
                outcome,
                known: BTreeMap::from([(self.zone.clone(), branch.conntrack.clone())]),
            };
            if branch.ends.is_empty() {
                ways.push(here(branch.passes.len().saturating_sub(1), Outcome::Taken));
            }
            let goes_on = |end: &&End| matches!(end, End::Delivered { kind, .. } if kind == "remote");
            let ends_here = branch.ends.iter().filter(|end| !goes_on(end));
            ways.extend(ends_here.map(|end| here(end.pass(), Outcome::End(end.clone()))));
            for (end, next) in branch.ends.iter().filter(goes_on).zip(onward) {
                match next {
                    Onward::Lost { port, why, unknown, host } => {
                        let (port, why, unknown, host) = (port.clone(), why.clone(), *unknown, host.clone());
                        ways.push(here(end.pass(), Outcome::Lost { port, why, unknown, host }));
                    }
                    Onward::Hop(hop) => ways.extend(hop.ways().into_iter().map(|mut way| {
                        way.legs.insert(0, leg(end.pass()));
                        way.choices = branch.choices.iter().chain(&way.choices).cloned().collect();
                        // Unless the packet comes back to this zone, which then knows more.
                        way.known.entry(self.zone.clone()).or_insert_with(|| branch.conntrack.clone());
                        way
                    })),
                }
            }
        }
        ways
    }
}
