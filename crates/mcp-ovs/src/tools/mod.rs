//! The tools of this layer, with one file per tool.

pub(crate) mod ovs_appctl_dpctl_dump_conntrack;
pub(crate) mod ovs_appctl_dpctl_dump_flows;
pub(crate) mod ovs_appctl_ofproto_trace;
pub(crate) mod ovs_appctl_show;
pub(crate) mod ovs_ofctl_dump_flows;
pub(crate) mod ovs_ofctl_show;
pub(crate) mod ovs_vsctl_list;
pub(crate) mod ovs_vsctl_show;
pub(crate) mod retis_capture;
