//! One file a tool.

pub(crate) mod kubectl_describe;
pub(crate) mod kubectl_events;
pub(crate) mod kubectl_get;
