//! Traces a packet through all zones on its path. Reads a zone only when the packet enters it.

use crate::flows;
use mcp_core::{Db, Node, NodeName, ReadError, ToolError};
use ovn_lflow::{Conntrack, Network, PacketPath, PathOutcome, Semantics, Start, Zone};
use ovn_model::detrace::Index;
use ovn_path::Causes;
use std::collections::{BTreeMap, BTreeSet};

/// The limit of zones that are read for one packet.
const MAX_ZONES: usize = 16;

/// The zones on the path of a packet: those that were read, by node name, and those whose reading failed.
#[derive(Debug, Default)]
pub(crate) struct Zones {
    pub(crate) read: BTreeMap<String, Zone>,
    failed: BTreeSet<String>,
    pub(crate) notes: Vec<String>,
}

/// Reads the zone of a node.
async fn zone(node: &Node<'_>) -> Result<Zone, ReadError> {
    let schema = node.schema(Db::Sb).await?;
    Ok(Zone::new(&flows::rows(node, &Zone::selects(&schema)).await?, Semantics::Datapath))
}

impl Zones {
    /// Reads the zone of the node where the packet starts, and returns the start of the trace.
    pub(crate) async fn begin(
        &mut self,
        node: &Node<'_>,
        start: impl FnOnce(&Zone) -> Result<Start, ToolError>,
    ) -> Result<Start, ToolError> {
        let zone = zone(node).await?;
        let start = start(&zone)?;
        self.read.insert(node.name().to_string(), zone);
        Ok(start)
    }

    /// Returns all paths of a packet that starts in the zone `begin`. `known` are the connections that conntrack
    /// already has, by zone.
    pub(crate) async fn follow(
        &mut self,
        node: &Node<'_>,
        begin: &str,
        start: &Start,
        known: &BTreeMap<String, Conntrack>,
    ) -> Vec<PacketPath> {
        loop {
            let (paths, cut) = {
                let network = Network::new(self.read.iter().map(|(name, zone)| (name.clone(), zone)));
                let Some(hop) = network.trace(begin, start, known) else { return Vec::new() };
                (hop.paths(), hop.cut)
            };
            let wanted: BTreeSet<String> = paths
                .iter()
                .filter_map(|path| match &path.outcome {
                    PathOutcome::Lost { host: Some(host), .. } => Some(host.clone()),
                    _ => None,
                })
                .filter(|host| !self.read.contains_key(host) && !self.failed.contains(host))
                .collect();
            if wanted.is_empty() {
                if cut {
                    self.note("the packet has more paths than were traced: pass backend to trace one".into());
                }
                return paths;
            }
            for host in wanted {
                self.add(node, host).await;
            }
        }
    }

    /// Reads the zone of a node that the packet enters.
    async fn add(&mut self, node: &Node<'_>, host: String) {
        let why = match host.parse::<NodeName>() {
            Ok(_) if self.read.len() >= MAX_ZONES => {
                format!("{MAX_ZONES} zones are already read, which is the limit")
            }
            Ok(name) => match zone(&node.peer(&name)).await {
                Ok(zone) => {
                    self.read.insert(host, zone);
                    return;
                }
                Err(e) => e.to_string(),
            },
            Err(e) => e.to_string(),
        };
        self.note(format!("the zone of {host} was not read: {why}"));
        self.failed.insert(host);
    }

    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Reads the northbound rows behind the flows of the paths, by zone.
    pub(crate) async fn causes(&mut self, node: &Node<'_>, paths: &[PacketPath]) -> BTreeMap<String, Causes> {
        let mut found = BTreeMap::new();
        let names: BTreeSet<String> =
            paths.iter().flat_map(|path| &path.legs).map(|leg| leg.zone.clone()).collect();
        for name in names {
            let Ok(parsed) = name.parse::<NodeName>() else { continue };
            let read = causes(&node.peer(&parsed), paths, &name).await;
            match read {
                Ok(causes) => _ = found.insert(name, causes),
                Err(e) => self.note(format!(
                    "the northbound database of {name} was not read, so the northbound rows behind its flows are unknown: {e}"
                )),
            }
        }
        found
    }

    /// Returns the notes on the zones, including flows that are not in force.
    pub(crate) fn into_notes(mut self) -> Vec<String> {
        for (name, zone) in &self.read {
            let Some(first) = zone.findings.first() else { continue };
            self.notes.push(format!(
                "{} flows in the zone of {name} cannot be parsed; ovn-controller ignores them, and so does this trace. The first one is {first}",
                zone.findings.len()
            ));
        }
        self.notes
    }
}

async fn causes(node: &Node<'_>, paths: &[PacketPath], zone: &str) -> Result<Causes, ReadError> {
    let hints = Causes::hints(paths, zone);
    if hints.is_empty() {
        return Ok(Causes::default());
    }
    let schema = node.schema(Db::Nb).await?;
    let index = Index::new(&node.rows(Db::Nb, &Index::selects(&schema)).await?);
    let found: Vec<_> = hints.iter().flat_map(|hint| index.find(hint)).collect();
    if found.is_empty() {
        return Ok(Causes::default());
    }
    let mut rows = node.rows(Db::Nb, &Index::rows_selects(&found)).await?;
    let shared = Causes::shared_selects(rows.iter().flat_map(|rows| &rows.rows));
    if !shared.is_empty() {
        rows.extend(node.rows(Db::Nb, &shared).await?);
    }
    Ok(Causes::new(rows.into_iter().flat_map(|rows| rows.rows)))
}
