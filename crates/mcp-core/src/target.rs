//! The targets of a read: a node and a place on it.
use crate::{backend::Collection, name::name_type};
use std::{fmt, time::Duration};

name_type! {
    /// The name of a Kubernetes node: a DNS subdomain (RFC 1123).
    NodeName, "a node name", r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", 253
}

name_type! {
    /// The name of a Kubernetes namespace: a DNS label (RFC 1123).
    Namespace, "a namespace", r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", 63
}

name_type! {
    /// The name of a pod: a DNS subdomain (RFC 1123).
    PodName, "a pod name", r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", 253
}

/// A pod, written `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodRef {
    /// The namespace of the pod.
    pub namespace: Namespace,
    /// The name of the pod.
    pub name: PodName,
}

impl std::str::FromStr for PodRef {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (namespace, name) =
            text.split_once('/').ok_or_else(|| format!("`{text}` is not the `namespace/name` of a pod"))?;
        Ok(Self {
            namespace: namespace.parse().map_err(|e: crate::name::BadName| e.to_string())?,
            name: name.parse().map_err(|e: crate::name::BadName| e.to_string())?,
        })
    }
}

impl fmt::Display for PodRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The place on a node where a command runs. A backend translates it into a container, a set of namespaces or a path;
/// tools never name those.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CommandPlace {
    /// The socket of the northbound database's server.
    NbSocket,
    /// The socket of the southbound database's server.
    SbSocket,
    /// The control socket of ovn-northd.
    Northd,
    /// The control socket of ovn-controller.
    OvnController,
    /// The sockets of Open vSwitch.
    OvsSocket,
    /// The node's own namespaces.
    Host,
    /// The network namespace of a pod on the node.
    Pod(PodRef),
}

impl fmt::Display for CommandPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pod(pod) => return write!(f, "pod {pod}"),
            Self::NbSocket => "northbound database",
            Self::SbSocket => "southbound database",
            Self::Northd => "ovn-northd",
            Self::OvnController => "ovn-controller",
            Self::OvsSocket => "Open vSwitch",
            Self::Host => "host",
        })
    }
}

/// A database that OVN or Open vSwitch keeps on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Db {
    /// OVN's northbound database: the configuration that OVN-Kubernetes wants.
    Nb,
    /// OVN's southbound database: the logical flows and bindings that ovn-northd derives.
    Sb,
    /// Open vSwitch's own database, `conf.db`.
    OpenVSwitch,
}

impl Db {
    /// Returns the name of the database in its schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nb => "OVN_Northbound",
            Self::Sb => "OVN_Southbound",
            Self::OpenVSwitch => "Open_vSwitch",
        }
    }

    /// Returns the place of the database's server.
    pub fn place(self) -> CommandPlace {
        match self {
            Self::Nb => CommandPlace::NbSocket,
            Self::Sb => CommandPlace::SbSocket,
            Self::OpenVSwitch => CommandPlace::OvsSocket,
        }
    }
}

impl fmt::Display for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A node and a place on it. Core creates it, not tools.
#[derive(Clone, Debug)]
pub struct CommandTarget {
    /// The node.
    pub node: NodeName,
    /// The place on the node.
    pub place: CommandPlace,
    /// The time limit of a command there.
    pub within: Duration,
    /// The collection to read, if the source has several.
    pub choice: CollectionChoice,
}

/// Which of a node's collections a source reads, if several have the same data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CollectionChoice {
    /// The newest that has the data.
    #[default]
    Newest,
    /// This collection if it has the data, otherwise the newest that has the data.
    First(Collection),
    /// This collection only.
    Only(Collection),
}

impl CollectionChoice {
    /// Returns the collections to search, one after the other. `None` stands for all collections.
    pub(crate) fn passes(&self) -> Vec<Option<&Collection>> {
        match self {
            Self::Newest => vec![None],
            Self::First(collection) => vec![Some(collection), None],
            Self::Only(collection) => vec![Some(collection)],
        }
    }
}

impl CommandTarget {
    /// Returns a target that reads the newest data.
    pub fn new(node: NodeName, place: CommandPlace, within: Duration) -> Self {
        Self { node, place, within, choice: CollectionChoice::default() }
    }
}

impl fmt::Display for CommandTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.place, self.node)
    }
}
