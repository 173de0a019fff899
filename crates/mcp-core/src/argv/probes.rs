//! What programs that probe the kernel record.

use schemars::JsonSchema;
use serde::Deserialize;

/// The functions of the kernel that pwru records (`--filter-func`). It is also a parameter of tools. A function that a
/// kernel does not have is not recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
// The description is empty, because the schema shows the documentation of the parameter.
#[schemars(description = "")]
pub enum PwruFunctions {
    /// The functions that free a packet because it is dropped.
    #[default]
    Drops,
    /// The functions on the way of a packet through a node, and those that free it.
    Path,
}

impl PwruFunctions {
    /// The names as a regular expression.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Drops => "^(kfree_skb_reason|sk_skb_reason_drop|kfree_skb_list_reason)$",
            Self::Path => {
                "^(__netif_receive_skb_core|ip_rcv|ip_rcv_core|ip_local_deliver|ip_forward|ip_output|ip6_rcv_core|\
                 ip6_input|ip6_forward|ip6_output|nf_hook_slow|__dev_queue_xmit|dev_hard_start_xmit|ovs_vport_receive|\
                 ovs_dp_process_packet|ovs_dp_upcall|ovs_execute_actions|ovs_ct_execute|geneve_xmit|udp_tunnel_xmit_skb|\
                 geneve_udp_encap_recv|tcp_v4_rcv|tcp_v6_rcv|udp_rcv|udpv6_rcv|icmp_rcv|icmpv6_rcv|kfree_skb_reason|\
                 sk_skb_reason_drop|kfree_skb_list_reason|consume_skb)$"
            }
        }
    }
}
