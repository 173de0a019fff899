//! What is asked of Kubernetes: kinds, objects, logs. Live and offline alike.

mod log;
mod query;
mod redact;
mod selector;

pub(crate) use log::host_files;
pub use log::{HostLog, LogPart, LogQuery, LogSource, LogStream};
pub use query::{Column, Kind, ObjectName, ObjectQuery, Table, TableRow};
pub(crate) use redact::redact;
pub use selector::{BadSelector, FieldSelector, LabelSelector};
