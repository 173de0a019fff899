//! The tools of this layer. Each tool has its own file.

pub(crate) mod ovn_controller_ct_zone_list;
pub(crate) mod ovn_db_status;
pub(crate) mod ovn_detrace;
pub(crate) mod ovn_nbctl_list;
pub(crate) mod ovn_nbctl_show;
pub(crate) mod ovn_sbctl_lflow_list;
pub(crate) mod ovn_sbctl_list;
pub(crate) mod ovn_sbctl_show;
pub(crate) mod ovn_trace;
