//! What `ovn_trace` needs: the packet, the zones that it comes to, and the program of the container for who asks for it.

pub(crate) mod answer;
pub(crate) mod follow;
pub(crate) mod question;
pub(crate) mod real;
