//! What is asked of Kubernetes: kinds, objects, logs. Live and offline alike.

mod log;
mod query;
mod selector;

pub(crate) use log::host_files;
pub use log::{HostLog, LogPart, LogQuery, LogSource, LogStream};
pub use query::{Column, Kind, ObjectName, ObjectQuery, Table, TableRow};
pub use selector::{BadSelector, FieldSelector, LabelSelector};
