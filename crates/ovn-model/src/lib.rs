//! The meaning of OVN's and Open vSwitch's databases, flows and connections in OVN-Kubernetes.
//!
//! The databases are tables of rows that refer to each other by UUID. OVN-Kubernetes adds names and `external_ids` by
//! which an engineer recognises the rows. This crate contains these conventions for all layers. It reads no file and
//! runs no command.
//!
//! * [`label`]: the display name of a row, so that a reference has a name
//! * [`Labels`]: the names of the rows that others refer to
//! * [`owners`] and [`parts`]: the rows that belong to a router, a switch or a port group
//! * [`show`]: the overview that `ovn-nbctl show` prints
//! * [`lflow`]: logical flows and their datapaths
//! * [`detrace`]: the path from OpenFlow back to the rows that flows come from
//! * [`stages`]: the OpenFlow table of a stage, by the version of OVN
//! * [`UuidPrefix`]: cookies, which name the row that a flow comes from
//! * [`compare`]: the counterpart of a row in the zones of other nodes
//! * [`own`]: the values that a node's annotations give as its own
//! * [`zones`]: conntrack zones and their meaning
//! * [`annotations`]: the annotations of OVN-Kubernetes on nodes and pods
//! * [`records`]: the rows of a table that a query selects, with the names of their references
//! * [`mod@openflow`]: the meaning of the numbers in OpenFlow flows
//! * [`datapath`], [`conntrack`], [`counters`]: the output of Open vSwitch
//! * [`status`]: whether the requested configuration is in force

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
pub use label::{Labels, is_called, label, label_columns, name_columns};
pub use parts::{Parents, PartsOf, name_conditions, owners, owners_selects, parts, parts_selects};
