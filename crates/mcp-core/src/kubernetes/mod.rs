//! Queries for Kubernetes kinds, objects and logs, which live sources and bundles both answer.

mod log;
mod query;
mod redact;
mod selector;
mod yaml;

pub use log::{HostLog, LogPart, LogQuery, LogSource, LogStream};
pub(crate) use log::{host_files, host_units};
pub(crate) use query::leave_out;
pub use query::{Column, ObjectKind, ObjectName, ObjectQuery, Table, TableRow, UnreadFields};
pub(crate) use redact::redact;
pub use selector::{BadSelector, FieldSelector, LabelSelector};
pub use yaml::yaml_lines;
