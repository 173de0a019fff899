//! One file a tool.

pub(crate) mod kubectl_logs;
pub(crate) mod node_logs;
