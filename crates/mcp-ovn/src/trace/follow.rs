//! Follows a packet through all zones that it comes to. A zone is read when the packet comes to it.

use crate::flows;
use mcp_core::{Db, Node, NodeName, ReadError, ToolError};
use ovn_lflow::{Conntrack, Network, Outcome, Semantics, Start, Way, Zone};
use ovn_model::detrace::Index;
use ovn_path::Causes;
use std::collections::{BTreeMap, BTreeSet};

/// More zones than these are not read for one packet.
const MOST_ZONES: usize = 16;

/// The zones that were read, by the name of their node, and those that could not be.
#[derive(Debug, Default)]
pub(crate) struct Zones {
    pub(crate) read: BTreeMap<String, Zone>,
    failed: BTreeSet<String>,
    pub(crate) notes: Vec<String>,
}

/// The zone of a node.
async fn zone(node: &Node<'_>) -> Result<Zone, ReadError> {
    let schema = node.schema(Db::Sb).await?;
    Ok(Zone::new(&flows::rows(node, &Zone::selects(&schema)).await?, Semantics::Datapath))
}

impl Zones {
    /// Reads the zone of the node where the packet begins, and says what it begins with.
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

    /// All ways of a packet that begins in a zone. `known` are the connections before, by zone.
    pub(crate) async fn follow(
        &mut self,
        node: &Node<'_>,
        begin: &str,
        start: &Start,
        known: &BTreeMap<String, Conntrack>,
    ) -> Vec<Way> {
        loop {
            let (ways, cut) = {
                let network = Network::new(self.read.iter().map(|(name, zone)| (name.clone(), zone)));
                let Some(hop) = network.trace(begin, start, known) else { return Vec::new() };
                (hop.ways(), hop.cut)
            };
            let wanted: BTreeSet<String> = ways
                .iter()
                .filter_map(|way| match &way.outcome {
                    Outcome::Lost { host: Some(host), .. } => Some(host.clone()),
                    _ => None,
                })
                .filter(|host| !self.read.contains_key(host) && !self.failed.contains(host))
                .collect();
            if wanted.is_empty() {
                if cut {
                    self.note("there are more ways than were followed: choose one with backend".into());
                }
                return ways;
            }
            for host in wanted {
                self.add(node, host).await;
            }
        }
    }

    /// Reads the zone of a node that the packet comes to.
    async fn add(&mut self, node: &Node<'_>, host: String) {
        let why = match host.parse::<NodeName>() {
            Ok(_) if self.read.len() >= MOST_ZONES => format!("{MOST_ZONES} zones were read already"),
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

    /// The northbound rows behind the flows of some ways, by zone.
    pub(crate) async fn causes(&mut self, node: &Node<'_>, ways: &[Way]) -> BTreeMap<String, Causes> {
        let mut found = BTreeMap::new();
        let names: BTreeSet<String> =
            ways.iter().flat_map(|way| &way.legs).map(|leg| leg.zone.clone()).collect();
        for name in names {
            let Ok(parsed) = name.parse::<NodeName>() else { continue };
            let read = causes(&node.peer(&parsed), ways, &name).await;
            match read {
                Ok(causes) => _ = found.insert(name, causes),
                Err(e) => self.note(format!(
                    "the northbound database of {name} was not read, so what its flows were made for is not known: {e}"
                )),
            }
        }
        found
    }

    /// What is said of the zones: flows that are not in force among it.
    pub(crate) fn into_notes(mut self) -> Vec<String> {
        for (name, zone) in &self.read {
            let Some(first) = zone.findings.first() else { continue };
            self.notes.push(format!(
                "{} flows of the zone of {name} cannot be parsed: ovn-controller leaves them out, and so does this trace. The first is {first}",
                zone.findings.len()
            ));
        }
        self.notes
    }
}

async fn causes(node: &Node<'_>, ways: &[Way], zone: &str) -> Result<Causes, ReadError> {
    let hints = Causes::hints(ways, zone);
    if hints.is_empty() {
        return Ok(Causes::default());
    }
    let schema = node.schema(Db::Nb).await?;
    let index = Index::new(&node.rows(Db::Nb, &Index::selects(&schema)).await?);
    let found: Vec<_> = hints.iter().flat_map(|hint| index.find(hint)).collect();
    if found.is_empty() {
        return Ok(Causes::default());
    }
    let rows = node.rows(Db::Nb, &Index::rows_selects(&found)).await?;
    Ok(Causes::new(rows.into_iter().flat_map(|rows| rows.rows)))
}
