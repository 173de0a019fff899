//! Follows one packet through a zone.
//!
//! Where the switch may do one of several things (a backend, a next hop, a neighbour that may be known or not), the
//! evaluation takes one of them and notes that there was a choice. All branches are found by evaluating again with
//! other choices, so that the evaluation itself never has to keep more than one packet.

mod actions;
mod conntrack;
mod lookups;
mod output;
mod security;
mod transform;

use crate::{
    conntrack::Conntrack,
    tree::{Kind, Line},
    zone::{Compiled, Found, Semantics, Zone},
};
use ovn_model::lflow::{Flow, Pipeline};
use ovsdb::Uuid;
use packet::{CtState, Field, Packet};
use std::{collections::BTreeMap, sync::Arc};

/// More stages than this are not gone through for one packet: flows that send it round and round end here.
const MOST_STAGES: usize = 4096;
/// Nor are packets made of packets deeper than this.
const DEEPEST: usize = 128;
/// No more branches than these are followed.
const MOST_BRANCHES: usize = 256;

/// What a trace begins with.
#[derive(Clone, Debug)]
pub struct Start {
    /// The datapath, by its place in the zone.
    pub datapath: usize,
    /// The pipeline that the packet enters.
    pub pipeline: Pipeline,
    /// The packet, with its ports in the registers.
    pub packet: Packet,
    /// What connection tracking says, look-up by look-up, in place of what the connections tell.
    pub states: Vec<CtState>,
    /// The connections that are known before.
    pub conntrack: Conntrack,
    /// How large the packet is, where that is known.
    pub size: Option<u32>,
    /// The address of the only backend to follow, and its port if that counts, where a load balancer has it.
    pub backend: Option<(u128, Option<u16>)>,
}

impl Start {
    /// A packet that comes in by a port.
    #[must_use]
    pub fn at(zone: &Zone, port: &str, mut packet: Packet) -> Option<Self> {
        let port = zone.port(port)?;
        packet.set(Field::REG14, port.key.into());
        let (states, conntrack) = (Vec::new(), Conntrack::default());
        Some(Self {
            datapath: port.datapath,
            pipeline: Pipeline::Ingress,
            packet,
            states,
            conntrack,
            size: None,
            backend: None,
        })
    }
}

/// One of several things that may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What is chosen.
    pub what: String,
    /// What was taken.
    pub taken: String,
    /// Which one it is.
    pub index: usize,
    /// Of how many.
    pub of: usize,
}

/// A packet on its way through one pipeline of a datapath.
#[derive(Clone, Debug)]
pub struct Pass {
    /// The datapath, by its place in the zone.
    pub datapath: usize,
    /// The pipeline.
    pub pipeline: Pipeline,
    /// The packet as it came in, with its ports in the registers.
    pub packet: Packet,
    /// The flows that it matched, in order.
    pub flows: Vec<Arc<Flow>>,
    /// The pass that it came from, by its place among those of the branch.
    pub from: Option<usize>,
}

/// Where a packet ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It left the zone's datapaths by a port.
    Delivered {
        /// The last pass, by its place among those of the branch.
        pass: usize,
        /// The datapath, by its place in the zone.
        datapath: usize,
        /// The port.
        port: String,
        /// The port's type; empty of a pod's.
        kind: String,
        /// The packet as it left.
        packet: Box<Packet>,
    },
    /// A flow drops it.
    Dropped {
        /// The last pass, by its place among those of the branch.
        pass: usize,
        /// The datapath, by its place in the zone.
        datapath: usize,
        /// The name of the stage, or its number.
        stage: String,
        /// The flow; nothing if no flow of the stage matches.
        flow: Option<Uuid>,
        /// Why, where it is not the flow itself.
        why: Option<String>,
    },
}

/// One way that a packet may go.
#[derive(Clone, Debug)]
pub struct Branch {
    /// The choices that lead here.
    pub choices: Vec<Choice>,
    /// Where the packet, and those made of it, ended.
    pub ends: Vec<End>,
    /// The pipelines that the packet, and those made of it, went through.
    pub passes: Vec<Pass>,
    /// What happened on the way.
    pub lines: Arc<Vec<Line>>,
    /// What cannot be known, and what else was noticed.
    pub notes: Vec<String>,
    /// The connections that are known afterwards.
    pub conntrack: Conntrack,
}

/// All ways that a packet may go, and whether there are more than were followed.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The ways, in the order of their choices.
    pub branches: Vec<Branch>,
    /// Whether there were more than are followed.
    pub cut: bool,
}

impl End {
    /// The last pass, by its place among those of the branch.
    #[must_use]
    pub const fn pass(&self) -> usize {
        match self {
            Self::Delivered { pass, .. } | Self::Dropped { pass, .. } => *pass,
        }
    }
}

impl Branch {
    /// The pipelines on the way to a pass, in order.
    #[must_use]
    pub fn way_to(&self, pass: usize) -> Vec<&Pass> {
        let before = |pass: &&Pass| self.passes.get(pass.from?);
        let mut way: Vec<&Pass> = std::iter::successors(self.passes.get(pass), before).collect();
        way.reverse();
        way
    }
}

impl Zone {
    /// Follows a packet along every way that it may go.
    #[must_use]
    pub fn trace(&self, start: &Start) -> Trace {
        let mut branches: Vec<Branch> = Vec::new();
        let mut script = Some(Vec::new());
        while let Some(choices) = script.take() {
            if branches.len() == MOST_BRANCHES {
                return Trace { branches, cut: true };
            }
            let branch = self.branch(start, &choices);
            script = next_script(&branch.choices);
            branches.push(branch);
        }
        Trace { branches, cut: false }
    }

    /// Follows a packet along one way: of each choice, the one of the script; beyond the script, the first.
    #[must_use]
    pub fn branch(&self, start: &Start, script: &[usize]) -> Branch {
        let mut machine = Machine {
            zone: self,
            script,
            states: &start.states,
            size: start.size,
            wanted: start.backend,
            passes: Vec::new(),
            conntrack: start.conntrack.clone(),
            choices: Vec::new(),
            ends: Vec::new(),
            notes: Vec::new(),
            ties: BTreeMap::new(),
            stages: 0,
            depth: 0,
        };
        let place =
            Place { datapath: start.datapath, pipeline: start.pipeline, table: 0, flow: None, pass: 0 };
        let name = |field| machine.port_name(start.datapath, start.packet.get(field) as u32);
        let dp = machine.datapath_name(start.datapath);
        let title = match start.pipeline {
            Pipeline::Ingress => format!("ingress(dp=\"{dp}\", inport=\"{}\")", name(Field::REG14)),
            Pipeline::Egress => {
                let (inport, outport) = (name(Field::REG14), name(Field::REG15));
                format!("egress(dp=\"{dp}\", inport=\"{inport}\", outport=\"{outport}\")")
            }
        };
        let mut line = Line::new(Kind::Pipeline, title);
        machine.stage(place, &mut start.packet.clone(), &mut line.within);
        let Machine { choices, ends, passes, mut notes, conntrack, .. } = machine;
        notes.dedup();
        Branch { choices, ends, passes, lines: Arc::new(vec![line]), notes, conntrack }
    }
}

/// The choices after these: the last one that has another, and the first of all after it.
fn next_script(choices: &[Choice]) -> Option<Vec<usize>> {
    let last = choices.iter().rposition(|choice| choice.index + 1 < choice.of)?;
    let mut script: Vec<usize> = choices.iter().take(last + 1).map(|choice| choice.index).collect();
    *script.last_mut()? += 1;
    Some(script)
}

/// A stage of a datapath.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) datapath: usize,
    pub(crate) pipeline: Pipeline,
    pub(crate) table: i64,
    /// The flow whose actions are done.
    pub(crate) flow: Option<Uuid>,
    /// The pass that it is part of.
    pub(crate) pass: usize,
}

/// One evaluation.
pub(crate) struct Machine<'a> {
    pub(crate) zone: &'a Zone,
    script: &'a [usize],
    /// Those that were not used yet.
    states: &'a [CtState],
    pub(crate) size: Option<u32>,
    /// The only backend to follow.
    pub(crate) wanted: Option<(u128, Option<u16>)>,
    passes: Vec<Pass>,
    pub(crate) conntrack: Conntrack,
    choices: Vec<Choice>,
    pub(crate) ends: Vec<End>,
    notes: Vec<String>,
    /// Which flow was taken where several have one priority.
    ties: BTreeMap<Vec<Uuid>, usize>,
    stages: usize,
    depth: usize,
}

impl Machine<'_> {
    pub(crate) fn is_ovn_trace(&self) -> bool {
        self.zone.semantics == Semantics::OvnTrace
    }

    /// Takes one of several things. Where there is one only, nothing is chosen.
    pub(crate) fn choose(&mut self, what: &str, options: &[String]) -> usize {
        if options.len() < 2 {
            return 0;
        }
        let index = self.script.get(self.choices.len()).copied().unwrap_or(0).min(options.len() - 1);
        let taken = options.get(index).cloned().unwrap_or_default();
        self.choices.push(Choice { what: what.to_owned(), taken, index, of: options.len() });
        index
    }

    /// What cannot be known, or should be.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// The state that was asked for, for the next look-up.
    fn next_state(&mut self) -> Option<CtState> {
        let (first, rest) = self.states.split_first()?;
        self.states = rest;
        Some(*first)
    }

    /// Of several flows with one priority that all match, the switch takes any, but always the same one.
    fn tie<'b>(&mut self, found: &Found<'b>, stage: &str) -> &'b Compiled {
        if found.others.is_empty() {
            return found.flow;
        }
        let all: Vec<&Compiled> = [found.flow].into_iter().chain(found.others.iter().copied()).collect();
        let names: Vec<String> = all.iter().map(|it| format!("flow {}", it.flow.uuid)).collect();
        let key: Vec<Uuid> = all.iter().map(|it| it.flow.uuid).collect();
        let at = match self.ties.get(&key) {
            Some(at) => *at,
            None => {
                let priority = found.flow.flow.priority;
                self.note(format!(
                    "{} of stage {stage} have the same priority {priority} and all match: the switch takes any of them",
                    names.join(", "),
                ));
                let at = self.choose(&format!("flow of priority {priority} in stage {stage}"), &names);
                self.ties.insert(key, at);
                at
            }
        };
        all.get(at).copied().unwrap_or(found.flow)
    }

    /// The packet ends here; `why` is said where it is not the flow itself that drops it.
    pub(crate) fn dropped(&mut self, place: Place, why: Option<&str>) {
        let stage = self.zone.stage(place.datapath, place.pipeline, place.table);
        let stage = stage.map_or_else(|| place.table.to_string(), str::to_owned);
        let (pass, datapath, flow, why) = (place.pass, place.datapath, place.flow, why.map(str::to_owned));
        self.ends.push(End::Dropped { pass, datapath, stage, flow, why });
    }

    pub(crate) fn datapath_name(&self, datapath: usize) -> &str {
        self.zone.datapaths.get(datapath).map_or("", |it| it.name.as_str())
    }

    pub(crate) fn port_name(&self, datapath: usize, key: u32) -> String {
        match self.zone.ports.by_key(datapath, key) {
            Some(port) => port.name.clone(),
            None if key == 0 => String::new(),
            None => "(unnamed)".to_owned(),
        }
    }

    /// The pass that a stage is part of: a new one where the packet has come to another pipeline.
    fn pass(&mut self, place: Place, packet: &Packet) -> usize {
        let now = self.passes.get(place.pass);
        if now.is_some_and(|pass| (pass.datapath, pass.pipeline) == (place.datapath, place.pipeline)) {
            return place.pass;
        }
        let from = now.map(|_| place.pass);
        let Place { datapath, pipeline, .. } = place;
        self.passes.push(Pass { datapath, pipeline, packet: packet.clone(), flows: Vec::new(), from });
        self.passes.len() - 1
    }

    /// The packet enters a stage.
    pub(crate) fn stage(&mut self, mut place: Place, packet: &mut Packet, lines: &mut Vec<Line>) {
        if self.depth >= DEEPEST || self.stages >= MOST_STAGES {
            lines.push(Line::new(
                Kind::Error,
                "*** the packet goes round and round: it is not followed any further",
            ));
            self.note("the packet goes round and round: it was not followed to its end");
            return;
        }
        self.depth += 1;
        let zone = self.zone;
        place.pass = self.pass(place, packet);
        let found = loop {
            self.stages += 1;
            let found = zone.find(place.datapath, place.pipeline, place.table, packet);
            match &found {
                Some(found) if found.flow.is_passed_over() && self.stages < MOST_STAGES => place.table += 1,
                _ => break found,
            }
        };
        let stage = zone.stage(place.datapath, place.pipeline, place.table);
        let Some(found) = found else {
            let name = stage.map(|name| format!("{name}: ")).unwrap_or_default();
            lines.push(Line::new(Kind::Table, format!("{:2}. {name}no match (implicit drop)", place.table)));
            self.dropped(Place { flow: None, ..place }, None);
            self.depth -= 1;
            return;
        };
        let taken = self.tie(&found, stage.unwrap_or_default());
        let flow = &taken.flow;
        place.flow = Some(flow.uuid);
        if let Some(pass) = self.passes.get_mut(place.pass) {
            pass.flows.push(flow.clone());
        }
        let source = match (&flow.stage, &flow.source) {
            (Some(stage), Some(source)) => format!("{stage} ({source}): "),
            (Some(name), None) => format!("{name}: "),
            (None, Some(source)) => format!("({source}): "),
            (None, None) => String::new(),
        };
        let mut line = Line::new(
            Kind::Table,
            format!(
                "{:2}. {source}{}, priority {}, uuid {:08x}",
                place.table,
                flow.matches,
                flow.priority,
                flow.uuid.first32()
            ),
        );
        if taken.actions.is_empty() {
            self.dropped(place, None);
        }
        self.actions(&taken.actions, place, packet, &mut line.within);
        lines.push(line);
        self.depth -= 1;
    }
}
