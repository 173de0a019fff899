//! The outcome of a check.

use crate::{NodeName, ReadError, error::chain};

/// How bad a finding is; the worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Traffic is lost or goes to the wrong place.
    Error,
    /// Something is slower than it should be, or fails under a condition that does not hold now.
    Warning,
    /// Something is unusual but does no harm by itself.
    Notice,
}

/// How certain a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// The data contradicts what must be true.
    Certain,
    /// The state may be intended or temporary; the finding says what would refute it.
    Suspicion,
}

/// One fault that a check found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How bad the fault is.
    pub severity: Severity,
    /// How certain the fault is.
    pub certainty: Certainty,
    /// The kind and the name of the faulty object: `Node ovn-worker`.
    pub object: String,
    /// The node whose data shows the fault.
    pub node: Option<NodeName>,
    /// The field of the object that is wrong.
    pub field: String,
    /// The value of the field.
    pub wrong: String,
    /// The value that the field should have.
    pub right: String,
    /// The call that shows the fault: `kubectl_get kind=node name=ovn-worker output=yaml`.
    pub shown_by: String,
    /// What would refute the finding: a clause without a full stop.
    pub refuted_by: String,
}

impl Finding {
    /// Whether the finding is about the object or node of this name. An object may be named with or without its kind
    /// and namespace.
    pub(super) fn is_about(&self, name: &str) -> bool {
        let object = self.object.split_once(' ').map_or(self.object.as_str(), |(_, name)| name);
        let last = object.rsplit('/').next().unwrap_or(object);
        [self.object.as_str(), object, last].contains(&name)
            || self.node.as_ref().is_some_and(|node| node.as_str() == name)
    }
}

/// A document that describes a fault.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The pull request, issue or bug: `OCPBUGS-44195`.
    pub name: &'static str,
    /// The first version with the fault, if known.
    pub first: Option<&'static str>,
    /// The version that fixes the fault, if known.
    pub fixed: Option<&'static str>,
}

/// What a check found and what it could not read.
#[derive(Debug, Default)]
pub struct CheckOutcome {
    /// What the check looked at, with its number: `3 nodes`. Empty if it looked at nothing.
    pub looked_at: String,
    /// The faults.
    pub findings: Vec<Finding>,
    /// What the check could not read, and why: `ovn-worker2: OVN_Southbound was not collected`.
    pub unread: Vec<String>,
}

impl CheckOutcome {
    /// Adds a node that the check could not read.
    pub fn could_not_read(&mut self, node: &NodeName, why: &ReadError) {
        self.unread.push(format!("{node}: {}", chain(why)));
    }
}
