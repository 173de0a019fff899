//! Describes which data a source has, before any question is asked.

use crate::NodeName;
use jiff::Timestamp;
use std::{
    collections::BTreeSet,
    fmt::{self, Write},
};

/// The data that a source has, by node and area.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The opened bundles, hosts or clusters.
    pub sources: Vec<SourceCoverage>,
    /// The nodes, sorted by name.
    pub nodes: Vec<NodeCoverage>,
    /// Problems with the source as a whole: bundles that do not belong together, files of no known node.
    pub notes: Vec<String>,
}

/// A bundle, host or cluster that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceCoverage {
    /// Its name.
    pub name: String,
    /// When it was collected, if it was.
    pub when: Option<Timestamp>,
    /// The number of files, if it consists of files.
    pub files: Option<usize>,
}

/// The data of one node, by area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeCoverage {
    /// The node.
    pub node: NodeName,
    /// All areas, in the order of [`DataArea::ALL`].
    pub areas: Vec<AreaOfNode>,
}

/// The data of one node in one area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AreaOfNode {
    /// The area.
    pub area: DataArea,
    /// Whether the data is there.
    pub state: AreaState,
    /// Which data is there, or why it is not.
    pub details: Vec<String>,
}

/// An area of data that is collected together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataArea {
    /// OVN's northbound database.
    Northbound,
    /// OVN's southbound database.
    Southbound,
    /// Open vSwitch's own database.
    OpenVSwitch,
    /// The state of Open vSwitch and of OVN's daemons: flows, ports, conntrack zones.
    Dataplane,
    /// The state of the kernel: links, routes, rules, conntrack.
    Kernel,
    /// Encryption between nodes: the state of libreswan and of the kernel's IPsec.
    Ipsec,
    /// Routing daemons: the configuration and routes of FRR.
    Frr,
    /// Logs of OVN-Kubernetes, OVN and Open vSwitch.
    Logs,
    /// Kubernetes objects.
    Objects,
}

impl DataArea {
    /// All areas, in the order of the report.
    pub const ALL: [Self; 9] = [
        Self::Northbound,
        Self::Southbound,
        Self::OpenVSwitch,
        Self::Dataplane,
        Self::Kernel,
        Self::Ipsec,
        Self::Frr,
        Self::Logs,
        Self::Objects,
    ];
}

impl fmt::Display for DataArea {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Northbound => "northbound",
            Self::Southbound => "southbound",
            Self::OpenVSwitch => "conf.db",
            Self::Dataplane => "dataplane",
            Self::Kernel => "kernel",
            Self::Ipsec => "ipsec",
            Self::Frr => "frr",
            Self::Logs => "logs",
            Self::Objects => "objects",
        })
    }
}

/// Whether data of an area is there. Absent and empty are different answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AreaState {
    /// The source is live and can be asked now; nothing was collected.
    Live,
    /// The data was collected and can be read.
    Present,
    /// The data was collected, and it is empty.
    Empty,
    /// The data was not collected.
    Absent,
    /// The data was collected, but cannot be read, or not to its end.
    Damaged,
}

impl fmt::Display for AreaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Live => "live",
            Self::Present => "present",
            Self::Empty => "empty",
            Self::Absent => "absent",
            Self::Damaged => "DAMAGED",
        })
    }
}

impl Coverage {
    /// The coverage of a live source whose nodes answer in these areas.
    pub fn live(name: &str, nodes: Vec<NodeName>, areas: &[DataArea]) -> Self {
        let held = |area: DataArea| {
            let state = if areas.contains(&area) { AreaState::Live } else { AreaState::Absent };
            AreaOfNode { area, state, details: Vec::new() }
        };
        let node = |node| NodeCoverage { node, areas: DataArea::ALL.map(held).into() };
        Self {
            sources: vec![SourceCoverage { name: name.into(), when: None, files: None }],
            nodes: nodes.into_iter().map(node).collect(),
            notes: Vec::new(),
        }
    }

    /// The data of a node in an area.
    pub fn of(&self, node: &NodeName, area: DataArea) -> Option<&AreaOfNode> {
        self.nodes.iter().find(|n| n.node == *node)?.areas.iter().find(|held| held.area == area)
    }
}

/// Prints a table of states, and below it the details. Nodes with the same details share a line.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for source in &self.sources {
            write!(f, "# {}", source.name)?;
            if let Some(files) = source.files {
                write!(f, ": {files} files")?;
            }
            if let Some(when) = source.when {
                write!(f, ", collected {}", when.strftime("%Y-%m-%dT%H:%M:%SZ"))?;
            }
            f.write_char('\n')?;
        }
        let width = self.nodes.iter().map(|n| n.node.as_str().len()).max().unwrap_or(0).max(4);
        write!(f, "{:width$}", "node")?;
        DataArea::ALL.iter().try_for_each(|area| write!(f, "  {area:10}"))?;
        f.write_char('\n')?;
        for NodeCoverage { node, areas } in &self.nodes {
            write!(f, "{:width$}", node.as_str())?;
            areas.iter().try_for_each(|held| write!(f, "  {:10}", held.state))?;
            f.write_char('\n')?;
        }
        for area in DataArea::ALL {
            let mut said: Vec<(&AreaOfNode, Vec<&str>)> = Vec::new();
            for (node, held) in
                self.nodes.iter().flat_map(|n| n.areas.iter().map(move |held| (n.node.as_str(), held)))
            {
                if held.area != area || held.details.is_empty() {
                    continue;
                }
                match said
                    .iter_mut()
                    .find(|(other, _)| other.details == held.details && other.state == held.state)
                {
                    Some((_, nodes)) => nodes.push(node),
                    None => said.push((held, vec![node])),
                }
            }
            for (held, nodes) in said {
                let nodes: BTreeSet<_> = nodes.into_iter().collect();
                let nodes = nodes.into_iter().collect::<Vec<_>>().join(", ");
                writeln!(
                    f,
                    "{area} of {nodes}: {}: {}",
                    held.state.to_string().to_lowercase(),
                    held.details.join("; ")
                )?;
            }
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))
    }
}
