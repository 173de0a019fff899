//! What OVN's and Open vSwitch's databases, flows and connections mean in OVN-Kubernetes.
//!
//! The databases are tables of rows that refer to each other by UUID; OVN-Kubernetes adds names and `external_ids`
//! by which an engineer knows them. Here is what those conventions are, for all layers: nothing in this crate
//! reads a file or runs a command.
//!
//! * [`label`]: what a row is called, so that a reference can be shown with a name
//! * [`Labels`]: the names of the rows that others refer to
//! * [`owners`] and [`parts`]: which rows belong to a router, a switch, a port group
//! * [`show`]: the overview that `ovn-nbctl show` prints
//! * [`lflow`]: logical flows, and the datapaths that they belong to
//! * [`detrace`]: from OpenFlow back to the rows that flows come from
//! * [`stages`]: which OpenFlow table a stage is, by the version of OVN
//! * [`UuidPrefix`]: cookies, which tell from which row a flow comes
//! * [`compare`]: what makes a row of one node's zone the counterpart of another's
//! * [`own`]: what a node's annotations say of what is its own
//! * [`zones`]: conntrack zones, and what they stand for
//! * [`annotations`]: what OVN-Kubernetes writes down on nodes and pods
//! * [`records`]: the rows of a table that a question is about, with the names of what they refer to
//! * [`mod@openflow`]: what the numbers in OpenFlow flows stand for
//! * [`datapath`], [`conntrack`], [`counters`]: what Open vSwitch prints
//! * [`status`]: is what was asked for in force

pub mod annotations;
pub mod compare;
pub mod conntrack;
mod cookie;
pub mod counters;
pub mod datapath;
pub mod detrace;
pub mod host;
mod label;
pub mod lflow;
pub mod openflow;
pub mod own;
mod parts;
pub mod records;
pub mod show;
pub mod stages;
pub mod status;
pub mod switch;
pub mod zones;

pub use cookie::{BadPrefix, UuidPrefix};
pub use label::{Labels, label, label_columns, name_columns};
pub use parts::{PartsOf, name_conditions, owners, owners_selects, parts, parts_selects};
