//! Traces one packet through a zone.
//!
//! Where the switch can choose (a backend, a next hop, one of several flows), the evaluation takes one option and
//! records the choice. The other branches are found by evaluating again with other choices, so that one evaluation
//! never handles more than one path at a time.

mod actions;
mod conntrack;
mod lookups;
mod output;
mod security;
mod transform;

use crate::{
    conntrack::Conntrack,
    tree::{Line, LineKind},
    zone::{Compiled, MatchingFlows, Semantics, Zone},
};
use ovn_model::lflow::{Flow, Pipeline};
use ovsdb::Uuid;
use packet::{CtState, Field, Packet};
use std::{collections::BTreeMap, sync::Arc};

/// The limit of stages for one packet, so that flows that form a loop end.
const MAX_STAGES: usize = 4096;
/// The limit of nesting, for stages and for packets that are made from other packets.
const MAX_DEPTH: usize = 128;
/// The limit of branches that one trace evaluates.
const MAX_BRANCHES: usize = 256;

/// The start of a trace: the packet and where it enters.
#[derive(Clone, Debug)]
pub struct Start {
    /// The index of the datapath in [`Zone::datapaths`].
    pub datapath: usize,
    /// The pipeline that the packet enters.
    pub pipeline: Pipeline,
    /// The packet, with its ports in the registers.
    pub packet: Packet,
    /// The conntrack states of the first lookups, in order. They override the state from `conntrack`.
    pub states: Vec<CtState>,
    /// The connections that conntrack already has.
    pub conntrack: Conntrack,
    /// The size of the packet in bytes, if known.
    pub size: Option<u32>,
    /// The only backend to trace, if a load balancer has it: its address, and optionally its port.
    pub backend: Option<(u128, Option<u16>)>,
}

impl Start {
    /// Builds the start of a packet that enters through a port. Returns `None` if the port does not exist.
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

/// A choice that the switch makes, and the option that this branch takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What is chosen, such as `backend`.
    pub what: String,
    /// The option that was taken.
    pub taken: String,
    /// The index of the option.
    pub index: usize,
    /// The number of options.
    pub of: usize,
}

/// The pass of a packet through one pipeline of a datapath.
#[derive(Clone, Debug)]
pub struct Pass {
    /// The index of the datapath in [`Zone::datapaths`].
    pub datapath: usize,
    /// The pipeline.
    pub pipeline: Pipeline,
    /// The packet as it entered the pipeline, with its ports in the registers.
    pub packet: Packet,
    /// The flows that the packet matched, in order.
    pub flows: Vec<Arc<Flow>>,
    /// The index of the previous pass in [`Branch::passes`].
    pub from: Option<usize>,
}

/// Where a packet ends in a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The packet leaves the zone's datapaths through a port.
    Delivered {
        /// The index of the last pass in [`Branch::passes`].
        pass: usize,
        /// The index of the datapath in [`Zone::datapaths`].
        datapath: usize,
        /// The name of the port.
        port: String,
        /// The type of the port; empty for the port of a pod.
        kind: String,
        /// The packet as it leaves.
        packet: Box<Packet>,
    },
    /// A flow drops the packet, or no flow matches.
    Dropped {
        /// The index of the last pass in [`Branch::passes`].
        pass: usize,
        /// The index of the datapath in [`Zone::datapaths`].
        datapath: usize,
        /// The name of the stage, or its number.
        stage: String,
        /// The flow that drops the packet; `None` if no flow of the stage matches.
        flow: Option<Uuid>,
        /// The reason, if the flow itself is not the reason.
        why: Option<String>,
    },
}

/// One path of a packet through a zone, with all packets that are made from it.
#[derive(Clone, Debug)]
pub struct Branch {
    /// The choices that lead to this branch.
    pub choices: Vec<Choice>,
    /// The ends of the packet and of the packets that are made from it.
    pub ends: Vec<End>,
    /// The pipelines that these packets passed through.
    pub passes: Vec<Pass>,
    /// The trace, as a tree of lines.
    pub lines: Arc<Vec<Line>>,
    /// Notes on what the trace could not determine and on faults in the database.
    pub notes: Vec<String>,
    /// The connections that conntrack has after the packet.
    pub conntrack: Conntrack,
}

/// All branches of a packet in a zone.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The branches, in the order of their choices.
    pub branches: Vec<Branch>,
    /// True if there are more branches than were evaluated.
    pub cut: bool,
}

impl End {
    /// The index of the last pass in [`Branch::passes`].
    #[must_use]
    pub const fn pass(&self) -> usize {
        match self {
            Self::Delivered { pass, .. } | Self::Dropped { pass, .. } => *pass,
        }
    }
}

impl Branch {
    /// Returns the passes that lead to a pass, in order, including the pass itself.
    #[must_use]
    pub fn passes_to(&self, pass: usize) -> Vec<&Pass> {
        let before = |pass: &&Pass| self.passes.get(pass.from?);
        let mut path: Vec<&Pass> = std::iter::successors(self.passes.get(pass), before).collect();
        path.reverse();
        path
    }
}

impl Zone {
    /// Traces a packet along every branch.
    #[must_use]
    pub fn trace(&self, start: &Start) -> Trace {
        let mut branches: Vec<Branch> = Vec::new();
        let mut script = Some(Vec::new());
        while let Some(choices) = script.take() {
            if branches.len() == MAX_BRANCHES {
                return Trace { branches, cut: true };
            }
            let branch = self.branch(start, &choices);
            script = next_script(&branch.choices);
            branches.push(branch);
        }
        Trace { branches, cut: false }
    }

    /// Traces a packet along one branch: takes the option that the script gives for each choice, and the first option
    /// for choices beyond the script.
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
        let place = StagePosition {
            datapath: start.datapath,
            pipeline: start.pipeline,
            table: 0,
            flow: None,
            pass: 0,
        };
        let name = |field| machine.port_name(start.datapath, start.packet.get(field) as u32);
        let dp = machine.datapath_name(start.datapath);
        let title = match start.pipeline {
            Pipeline::Ingress => format!("ingress(dp=\"{dp}\", inport=\"{}\")", name(Field::REG14)),
            Pipeline::Egress => {
                let (inport, outport) = (name(Field::REG14), name(Field::REG15));
                format!("egress(dp=\"{dp}\", inport=\"{inport}\", outport=\"{outport}\")")
            }
        };
        let mut line = Line::new(LineKind::Pipeline, title);
        machine.stage(place, &mut start.packet.clone(), &mut line.within);
        let Machine { choices, ends, passes, mut notes, conntrack, .. } = machine;
        notes.dedup();
        Branch { choices, ends, passes, lines: Arc::new(vec![line]), notes, conntrack }
    }
}

/// Returns the script of the next branch: increments the last choice that has another option. Later choices then take
/// their first option.
fn next_script(choices: &[Choice]) -> Option<Vec<usize>> {
    let last = choices.iter().rposition(|choice| choice.index + 1 < choice.of)?;
    let mut script: Vec<usize> = choices.iter().take(last + 1).map(|choice| choice.index).collect();
    *script.last_mut()? += 1;
    Some(script)
}

/// The stage of a datapath that a packet is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StagePosition {
    pub(crate) datapath: usize,
    pub(crate) pipeline: Pipeline,
    pub(crate) table: i64,
    /// The flow whose actions are being executed.
    pub(crate) flow: Option<Uuid>,
    /// The index of the current pass.
    pub(crate) pass: usize,
}

/// The state of one evaluation.
pub(crate) struct Machine<'a> {
    pub(crate) zone: &'a Zone,
    script: &'a [usize],
    /// The conntrack states that are not used yet.
    states: &'a [CtState],
    pub(crate) size: Option<u32>,
    /// The only backend to trace.
    pub(crate) wanted: Option<(u128, Option<u16>)>,
    passes: Vec<Pass>,
    pub(crate) conntrack: Conntrack,
    choices: Vec<Choice>,
    pub(crate) ends: Vec<End>,
    notes: Vec<String>,
    /// The flow that was taken among several flows with the same priority.
    ties: BTreeMap<Vec<Uuid>, usize>,
    stages: usize,
    depth: usize,
}

impl Machine<'_> {
    pub(crate) fn is_ovn_trace(&self) -> bool {
        self.zone.semantics == Semantics::OvnTrace
    }

    /// Chooses one of several options and records the choice, unless there is only one option.
    pub(crate) fn choose(&mut self, what: &str, options: &[String]) -> usize {
        if options.len() < 2 {
            return 0;
        }
        let index = self.script.get(self.choices.len()).copied().unwrap_or(0).min(options.len() - 1);
        let taken = options.get(index).cloned().unwrap_or_default();
        self.choices.push(Choice { what: what.to_owned(), taken, index, of: options.len() });
        index
    }

    /// Adds a note, once.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Returns the conntrack state that the caller wants for the next lookup.
    fn next_state(&mut self) -> Option<CtState> {
        let (first, rest) = self.states.split_first()?;
        self.states = rest;
        Some(*first)
    }

    /// Chooses between matching flows of the same priority. The switch may take any of them, but always takes the same
    /// one.
    fn tie<'b>(&mut self, found: &MatchingFlows<'b>, stage: &str) -> &'b Compiled {
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
                    "{} of stage {stage} all match with the same priority {priority}, so the switch may take any of them",
                    names.join(", "),
                ));
                let at = self.choose(&format!("flow of priority {priority} in stage {stage}"), &names);
                self.ties.insert(key, at);
                at
            }
        };
        all.get(at).copied().unwrap_or(found.flow)
    }

    /// Records that the packet is dropped here. `why` is the reason, if the flow itself is not the reason.
    pub(crate) fn dropped(&mut self, place: StagePosition, why: Option<&str>) {
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

    /// Returns the pass of a stage, and begins a new pass if the packet has entered another pipeline.
    pub(crate) fn pass(&mut self, place: StagePosition, packet: &Packet) -> usize {
        let now = self.passes.get(place.pass);
        if now.is_some_and(|pass| (pass.datapath, pass.pipeline) == (place.datapath, place.pipeline)) {
            return place.pass;
        }
        let from = now.map(|_| place.pass);
        let StagePosition { datapath, pipeline, .. } = place;
        self.passes.push(Pass { datapath, pipeline, packet: packet.clone(), flows: Vec::new(), from });
        self.passes.len() - 1
    }

    /// Evaluates a stage that the packet enters.
    pub(crate) fn stage(&mut self, mut place: StagePosition, packet: &mut Packet, lines: &mut Vec<Line>) {
        if self.depth >= MAX_DEPTH || self.stages >= MAX_STAGES {
            lines.push(Line::new(LineKind::Error, "*** the packet loops: it is not traced any further"));
            self.note("the packet loops, so the trace stops before its end");
            return;
        }
        self.depth += 1;
        let zone = self.zone;
        place.pass = self.pass(place, packet);
        let found = loop {
            self.stages += 1;
            let found = zone.find(place.datapath, place.pipeline, place.table, packet);
            match &found {
                Some(found) if found.flow.is_passed_over() && self.stages < MAX_STAGES => place.table += 1,
                _ => break found,
            }
        };
        let stage = zone.stage(place.datapath, place.pipeline, place.table);
        let Some(found) = found else {
            let name = stage.map(|name| format!("{name}: ")).unwrap_or_default();
            lines.push(Line::new(
                LineKind::Table,
                format!("{:2}. {name}no match (implicit drop)", place.table),
            ));
            self.dropped(StagePosition { flow: None, ..place }, None);
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
            LineKind::Table,
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
