//! The tools of this layer, each in its own file.

pub(crate) mod bundle_files;
pub(crate) mod cluster_overview;
pub(crate) mod kubectl_describe;
pub(crate) mod kubectl_events;
pub(crate) mod kubectl_get;
pub(crate) mod kubectl_logs;
pub(crate) mod node_logs;
pub(crate) mod ovnkube_locate;
