//! One file a tool.

pub(crate) mod kubectl_describe;
pub(crate) mod kubectl_events;
pub(crate) mod kubectl_get;
pub(crate) mod kubectl_logs;
pub(crate) mod node_logs;
