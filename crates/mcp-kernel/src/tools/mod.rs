//! The tools of this layer, one file for each.

pub(crate) mod conntrack_events;
pub(crate) mod conntrack_list;
pub(crate) mod frr_show;
pub(crate) mod host_counters;
pub(crate) mod ip_addr_show;
pub(crate) mod ip_link_show;
pub(crate) mod ip_neigh_show;
pub(crate) mod ip_route_show;
pub(crate) mod ip_rule_show;
pub(crate) mod ip_xfrm_show;
pub(crate) mod ipsec_show;
pub(crate) mod iptables_save;
pub(crate) mod nft_list_ruleset;
pub(crate) mod ss_show;
