//! The tools, one file for each.

pub(crate) mod pwru_trace;
pub(crate) mod tcpdump_analyze;
pub(crate) mod tcpdump_capture;
