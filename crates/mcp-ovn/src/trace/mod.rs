//! The parts of `ovn_trace`: the packet, the zones on its path, the answer, and the run of the real program.

pub(crate) mod answer;
pub(crate) mod follow;
pub(crate) mod question;
pub(crate) mod real;
