//! What a check says.

use crate::{NodeName, ReadError, error::chain};

/// How bad it is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Traffic is lost, or goes where it must not.
    Error,
    /// Something fails under a condition that does not hold now, or is slower than it should be.
    Warning,
    /// It is unusual, and harms nothing by itself.
    Notice,
}

/// How sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// What was read contradicts what must be.
    Certain,
    /// It may be meant so, or be over soon; the finding says what would refute it.
    Suspicion,
}

/// Something that is wrong.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// How sure it is.
    pub certainty: Certainty,
    /// What is wrong: its kind and name, `Node ovn-worker`.
    pub object: String,
    /// The node where it shows.
    pub node: Option<NodeName>,
    /// Which of its fields.
    pub field: String,
    /// What the field says.
    pub wrong: String,
    /// What it should say.
    pub right: String,
    /// The call that shows it: `kubectl_get kind=node name=ovn-worker output=yaml`.
    pub shown_by: String,
    /// What would refute it, as a sentence without its full stop.
    pub refuted_by: String,
}

impl Finding {
    /// Does it concern what has this name? The object, the node where it shows, or the kind and the name of the object.
    pub(super) fn is_about(&self, name: &str) -> bool {
        let object = self.object.split_once(' ').map_or(self.object.as_str(), |(_, name)| name);
        let last = object.rsplit('/').next().unwrap_or(object);
        [self.object.as_str(), object, last].contains(&name)
            || self.node.as_ref().is_some_and(|node| node.as_str() == name)
    }
}

/// Where a fault is described.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The pull request, issue or bug: `OCPBUGS-44195`.
    pub name: &'static str,
    /// The first version that has it, if known.
    pub first: Option<&'static str>,
    /// The version that mends it, if known.
    pub fixed: Option<&'static str>,
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What it looked at, counted: `3 nodes`.
    pub looked_at: String,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What could not be looked at, and why: `ovn-worker2: OVN_Southbound was not collected`.
    pub unread: Vec<String>,
}

impl Outcome {
    /// A node could not be read.
    pub fn could_not_read(&mut self, node: &NodeName, why: &ReadError) {
        self.unread.push(format!("{node}: {}", chain(why)));
    }
}
