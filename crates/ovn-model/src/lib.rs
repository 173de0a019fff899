//! What the rows of OVN's databases mean in OVN-Kubernetes.
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
//! * [`microflow`] and [`trace`]: what ovn-trace is asked, and what it says
//! * [`stages`]: which OpenFlow table a stage is, by the version of OVN
//! * [`UuidPrefix`]: cookies, which tell from which row a flow comes
//! * [`compare`]: what makes a row of one node's zone the counterpart of another's
//! * [`zones`]: conntrack zones, and what they stand for
//! * [`annotations`]: what OVN-Kubernetes writes down on nodes and pods
//! * [`status`]: is what was asked for in force

pub mod annotations;
pub mod compare;
mod cookie;
pub mod detrace;
mod label;
pub mod lflow;
pub mod microflow;
mod parts;
pub mod show;
pub mod stages;
pub mod status;
pub mod trace;
pub mod zones;

pub use cookie::{BadPrefix, UuidPrefix};
pub use label::{Labels, label, label_columns, name_columns};
pub use parts::{PartsOf, name_conditions, owners, owners_selects, parts, parts_selects};
