//! Named actions, such as `output` and `ct_lb_mark`.

/// The syntax of the arguments of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// No arguments, or a list in parentheses.
    Call,
    /// A list in parentheses, printed with spaces around `=`.
    Spaced,
    /// Nested actions in braces.
    Block,
    /// An address and a range of ports.
    Nat,
    /// The backends of a load balancer.
    Backends,
    /// Values with weights, of which the switch chooses one.
    Select,
    /// A list of fields.
    Fields,
}

macro_rules! verbs {
    ($($name:ident $text:literal $shape:ident $result:literal $prerequisite:literal $doc:literal)*) => {
        /// An action that has a name: all actions of OVN 26.03, and those of OVN 23.03 that were removed since.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Verb {
            $(#[doc = $doc] $name,)*
        }

        impl Verb {
            /// All named actions.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the name of the action.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// Returns the syntax of the arguments.
            #[must_use]
            pub const fn shape(self) -> Shape {
                match self {
                    $(Self::$name => Shape::$shape,)*
                }
            }

            /// Returns whether the action assigns its result to a field.
            #[must_use]
            pub const fn has_result(self) -> bool {
                match self {
                    $(Self::$name => $result,)*
                }
            }

            /// Returns the prerequisite of the action as a match, or an empty text. It becomes part of the flow's
            /// match.
            #[must_use]
            pub const fn prerequisite(self) -> &'static str {
                match self {
                    $(Self::$name => $prerequisite,)*
                }
            }

            /// Returns a sentence that describes the action.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $doc,)*
                }
            }

            /// Returns the action with this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

verbs! {
    Output "output" Call false "" "Sends the packet to the output port."
    CtNext "ct_next" Call false "ip" "Looks up the packet in connection tracking and continues in the next stage."
    CtCommit "ct_commit" Block false "ip" "Commits the connection, with a mark and a label."
    CtCommitToZone "ct_commit_to_zone" Call false "ip" "Commits the connection in the zone that the argument names."
    CtDnat "ct_dnat" Nat false "ip" "Translates the destination address; without an argument, undoes the translation."
    CtSnat "ct_snat" Nat false "ip" "Translates the source address; without an argument, undoes the translation."
    CtDnatInCzone "ct_dnat_in_czone" Nat false "ip" "Translates like `ct_dnat`, in the zone that DNAT and SNAT share."
    CtSnatInCzone "ct_snat_in_czone" Nat false "ip" "Translates like `ct_snat`, in the zone that DNAT and SNAT share."
    CtLb "ct_lb" Backends false "ip" "Sends the connection to one of the backends and marks it in `ct_label`."
    CtLbMark "ct_lb_mark" Backends false "ip" "Sends the connection to one of the backends and marks it in `ct_mark`."
    CtLbMarkLocal "ct_lb_mark_local" Backends false "ip" "Sends the connection to one of the backends on this chassis."
    Select "select" Select true "" "Chooses a value by the hash of the packet."
    CtClear "ct_clear" Call false "" "Clears the connection tracking state of the packet."
    CtCommitNat "ct_commit_nat" Call false "ip" "Commits the connection with its NAT."
    Clone "clone" Block false "" "Executes the nested actions on a copy of the packet."
    Arp "arp" Block false "ip" "Replaces the packet with an ARP request."
    Icmp4 "icmp4" Block false "ip4" "Replaces the packet with an ICMP error."
    Icmp4Error "icmp4_error" Block false "ip4" "Replaces the packet with an ICMP error that contains the packet's own headers."
    Icmp6 "icmp6" Block false "ip6" "Replaces the packet with an ICMPv6 error."
    Icmp6Error "icmp6_error" Block false "ip6" "Replaces the packet with an ICMPv6 error that contains the packet's own headers."
    Igmp "igmp" Call false "" "Sends a multicast report to ovn-controller, which learns from it."
    TcpReset "tcp_reset" Block false "tcp" "Replaces the packet with a TCP reset."
    SctpAbort "sctp_abort" Block false "sctp" "Replaces the packet with an SCTP abort."
    Reject "reject" Block false "" "Replaces the packet with a reset, an abort or an ICMP error, depending on its protocol."
    NdNa "nd_na" Block false "nd_ns" "Replaces the packet with a neighbour advertisement."
    NdNaRouter "nd_na_router" Block false "nd_ns" "Replaces the packet with a neighbour advertisement from a router."
    NdNs "nd_ns" Block false "ip" "Replaces the packet with a neighbour solicitation."
    GetArp "get_arp" Fields false "" "Looks up the MAC address of an IPv4 neighbour."
    PutArp "put_arp" Fields false "" "Learns an IPv4 neighbour."
    LookupArp "lookup_arp" Fields true "" "Checks whether this IPv4 neighbour is known with this MAC address."
    LookupArpIp "lookup_arp_ip" Fields true "" "Checks whether this IPv4 neighbour is known."
    GetNd "get_nd" Fields false "" "Looks up the MAC address of an IPv6 neighbour."
    PutNd "put_nd" Fields false "" "Learns an IPv6 neighbour."
    LookupNd "lookup_nd" Fields true "" "Checks whether this IPv6 neighbour is known with this MAC address."
    LookupNdIp "lookup_nd_ip" Fields true "" "Checks whether this IPv6 neighbour is known."
    PutFdb "put_fdb" Fields false "" "Learns the port of a MAC address."
    GetFdb "get_fdb" Fields true "" "Looks up the port of a MAC address."
    LookupFdb "lookup_fdb" Fields true "" "Checks whether a MAC address is known at this port."
    GetRemoteFdb "get_remote_fdb" Fields true "" "Looks up the remote tunnel endpoint of a MAC address."
    PutDhcpv4Opts "put_dhcp_opts" Spaced true "" "Lets ovn-controller turn a DHCP request into a reply."
    PutDhcpv6Opts "put_dhcpv6_opts" Spaced true "" "Lets ovn-controller turn a DHCPv6 request into a reply."
    PutNdRaOpts "put_nd_ra_opts" Spaced true "ip6" "Lets ovn-controller create a router advertisement."
    DhcpRelayReqChk "dhcp_relay_req_chk" Call true "" "Checks whether a DHCP request can be relayed."
    DhcpRelayRespChk "dhcp_relay_resp_chk" Call true "" "Checks whether a DHCP reply can be relayed."
    Dhcp6Reply "handle_dhcpv6_reply" Call false "" "Sends a DHCPv6 reply to ovn-controller."
    SetQueue "set_queue" Call false "" "Sets the QoS queue of the packet."
    DnsLookup "dns_lookup" Call true "udp" "Lets ovn-controller answer a DNS query for a name that it knows."
    Log "log" Call false "" "Logs the packet."
    SetMeter "set_meter" Call false "" "Applies a meter, which limits the packet rate."
    TriggerEvent "trigger_event" Spaced false "" "Reports the packet to ovn-controller as an event."
    BindVport "bind_vport" Call false "" "Claims a virtual port."
    HandleSvcCheck "handle_svc_check" Call false "" "Sends the reply of a health check to ovn-controller."
    FwdGroup "fwd_group" Call false "" "Sends the packet to one of several ports by its hash."
    BfdMsg "handle_bfd_msg" Call false "" "Sends a BFD packet to ovn-controller."
    CheckPktLarger "check_pkt_larger" Call true "" "Checks whether the packet is larger than this size."
    ChkLbHairpin "chk_lb_hairpin" Call true "" "Checks whether a load balancer sends the packet back to its sender (hairpin)."
    ChkLbHairpinReply "chk_lb_hairpin_reply" Call true "" "Checks whether the packet is the reply to a hairpin packet."
    CtSnatToVip "ct_snat_to_vip" Call false "" "Translates the source to the virtual IP of the load balancer."
    CheckInPortSec "check_in_port_sec" Call true "" "Checks whether the packet violates the port security of its input port."
    CheckOutPortSec "check_out_port_sec" Call true "" "Checks whether the packet violates the port security of its output port."
    CommitEcmpNh "commit_ecmp_nh" Call false "" "Learns the next hop for replies."
    ChkEcmpNh "chk_ecmp_nh" Call true "" "Checks whether a next hop for replies is known."
    ChkEcmpNhMac "chk_ecmp_nh_mac" Call true "" "Checks whether the next hop for replies is known with this MAC address."
    CommitLbAff "commit_lb_aff" Spaced false "" "Stores the backend of a client for session affinity."
    ChkLbAff "chk_lb_aff" Call true "" "Checks whether a backend of the client is stored for session affinity."
    Sample "sample" Call false "" "Samples the packet."
    MacCacheUse "mac_cache_use" Call false "" "Refreshes the age of a learnt neighbour."
    CtOrigNwDst "ct_nw_dst" Call true "" "Returns the IPv4 destination of the first packet of the connection."
    CtOrigIp6Dst "ct_ip6_dst" Call true "" "Returns the IPv6 destination of the first packet of the connection."
    CtOrigTpDst "ct_tp_dst" Call true "" "Returns the destination port of the first packet of the connection."
    CtOrigProto "ct_proto" Call true "" "Returns the protocol of the first packet of the connection."
    CtStateSave "ct_state_save" Call true "" "Saves the connection tracking state."
    FloodRemote "flood_remote" Call false "" "Sends a copy to all remote tunnel endpoints."
    Mirror "mirror" Call false "" "Sends a copy to a port."
}
