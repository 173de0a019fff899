//! The actions that have a name.

/// How the arguments of an action are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// None, or a list of any kind.
    Call,
    /// The same, with spaces around `=`.
    Spaced,
    /// Other actions between braces.
    Block,
    /// An address and a range of ports.
    Nat,
    /// Backends of a load balancer.
    Backends,
    /// Values to choose one from.
    Select,
    /// Fields.
    Fields,
}

macro_rules! verbs {
    ($($name:ident $text:literal $shape:ident $result:literal $prerequisite:literal $doc:literal)*) => {
        /// An action that has a name. Those of OVN 26.03, and those of 23.03 that it has no more.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Verb {
            $(#[doc = $doc] $name,)*
        }

        impl Verb {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As it is written.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// How its arguments are written.
            #[must_use]
            pub const fn shape(self) -> Shape {
                match self {
                    $(Self::$name => Shape::$shape,)*
                }
            }

            /// Is its result assigned to a field?
            #[must_use]
            pub const fn has_result(self) -> bool {
                match self {
                    $(Self::$name => $result,)*
                }
            }

            /// What must be true of a packet that the action is done to; empty: nothing. It counts as part of the
            /// flow's match.
            #[must_use]
            pub const fn prerequisite(self) -> &'static str {
                match self {
                    $(Self::$name => $prerequisite,)*
                }
            }

            /// What it does, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $doc,)*
                }
            }

            /// The action of this name.
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
    Output "output" Call false "" "The packet goes to the output port."
    CtNext "ct_next" Call false "ip" "Connection tracking looks at the packet, which goes on in the next stage."
    CtCommit "ct_commit" Block false "ip" "Connection tracking remembers the connection, with a mark and a label."
    CtCommitToZone "ct_commit_to_zone" Call false "ip" "The same, in a zone that is named."
    CtDnat "ct_dnat" Nat false "ip" "The destination is translated; without an argument, a translation is undone."
    CtSnat "ct_snat" Nat false "ip" "The source is translated; without an argument, a translation is undone."
    CtDnatInCzone "ct_dnat_in_czone" Nat false "ip" "As `ct_dnat`, in the zone that both translations share."
    CtSnatInCzone "ct_snat_in_czone" Nat false "ip" "As `ct_snat`, in the zone that both translations share."
    CtLb "ct_lb" Backends false "ip" "One of the backends becomes the destination; what is so marked is in the label."
    CtLbMark "ct_lb_mark" Backends false "ip" "One of the backends becomes the destination."
    CtLbMarkLocal "ct_lb_mark_local" Backends false "ip" "One of the backends on this chassis becomes the destination."
    Select "select" Select true "" "A value is chosen by the packet's hash."
    CtClear "ct_clear" Call false "" "What connection tracking said is forgotten."
    CtCommitNat "ct_commit_nat" Call false "ip" "The connection is committed with its translation."
    Clone "clone" Block false "" "The actions are done to a copy."
    Arp "arp" Block false "ip" "An ARP request takes the packet's place."
    Icmp4 "icmp4" Block false "ip4" "An ICMP error takes the packet's place."
    Icmp4Error "icmp4_error" Block false "ip4" "The same, and the packet's own headers are in it."
    Icmp6 "icmp6" Block false "ip6" "An ICMPv6 error takes the packet's place."
    Icmp6Error "icmp6_error" Block false "ip6" "The same, and the packet's own headers are in it."
    Igmp "igmp" Call false "" "The controller learns from a multicast report."
    TcpReset "tcp_reset" Block false "tcp" "A TCP reset takes the packet's place."
    SctpAbort "sctp_abort" Block false "sctp" "An SCTP abort takes the packet's place."
    Reject "reject" Block false "" "A reset, an abort or an ICMP error, by the packet's protocol."
    NdNa "nd_na" Block false "nd_ns" "A neighbour advertisement takes the packet's place."
    NdNaRouter "nd_na_router" Block false "nd_ns" "The same, from a router."
    NdNs "nd_ns" Block false "ip" "A neighbour solicitation takes the packet's place."
    GetArp "get_arp" Fields false "" "The MAC address of an IPv4 neighbour is looked up."
    PutArp "put_arp" Fields false "" "An IPv4 neighbour is learnt."
    LookupArp "lookup_arp" Fields true "" "Is this IPv4 neighbour known with this MAC address?"
    LookupArpIp "lookup_arp_ip" Fields true "" "Is this IPv4 neighbour known?"
    GetNd "get_nd" Fields false "" "The MAC address of an IPv6 neighbour is looked up."
    PutNd "put_nd" Fields false "" "An IPv6 neighbour is learnt."
    LookupNd "lookup_nd" Fields true "" "Is this IPv6 neighbour known with this MAC address?"
    LookupNdIp "lookup_nd_ip" Fields true "" "Is this IPv6 neighbour known?"
    PutFdb "put_fdb" Fields false "" "Where a MAC address is, is learnt."
    GetFdb "get_fdb" Fields true "" "Where a MAC address is, is looked up."
    LookupFdb "lookup_fdb" Fields true "" "Is a MAC address known at this port?"
    GetRemoteFdb "get_remote_fdb" Fields true "" "Behind which remote endpoint a MAC address is, is looked up."
    PutDhcpv4Opts "put_dhcp_opts" Spaced true "" "The controller makes an answer of a DHCP request."
    PutDhcpv6Opts "put_dhcpv6_opts" Spaced true "" "The controller makes an answer of a DHCPv6 request."
    PutNdRaOpts "put_nd_ra_opts" Spaced true "ip6" "The controller makes a router advertisement."
    DhcpRelayReqChk "dhcp_relay_req_chk" Call true "" "Can a DHCP request be relayed?"
    DhcpRelayRespChk "dhcp_relay_resp_chk" Call true "" "Can a DHCP answer be relayed?"
    Dhcp6Reply "handle_dhcpv6_reply" Call false "" "The controller takes a DHCPv6 reply."
    SetQueue "set_queue" Call false "" "A queue for quality of service."
    DnsLookup "dns_lookup" Call true "udp" "The controller answers a DNS query that it knows."
    Log "log" Call false "" "The packet is logged."
    SetMeter "set_meter" Call false "" "A rate limit."
    TriggerEvent "trigger_event" Spaced false "" "The controller is told of the packet."
    BindVport "bind_vport" Call false "" "A virtual port is claimed."
    HandleSvcCheck "handle_svc_check" Call false "" "The controller takes the answer of a health check."
    FwdGroup "fwd_group" Call false "" "One of several ports is the output, by hash."
    BfdMsg "handle_bfd_msg" Call false "" "The controller takes a BFD packet."
    CheckPktLarger "check_pkt_larger" Call true "" "Is the packet larger than this?"
    ChkLbHairpin "chk_lb_hairpin" Call true "" "Does a load balancer send the packet back to its sender?"
    ChkLbHairpinReply "chk_lb_hairpin_reply" Call true "" "Is it the answer of such a packet?"
    CtSnatToVip "ct_snat_to_vip" Call false "" "The source becomes the address of the load balancer."
    CheckInPortSec "check_in_port_sec" Call true "" "Do the addresses break the security of the port where the packet comes in?"
    CheckOutPortSec "check_out_port_sec" Call true "" "Do the addresses break the security of the output port?"
    CommitEcmpNh "commit_ecmp_nh" Call false "" "The next hop of answers is learnt."
    ChkEcmpNh "chk_ecmp_nh" Call true "" "Is a next hop for answers known?"
    ChkEcmpNhMac "chk_ecmp_nh_mac" Call true "" "Is it known with this MAC address?"
    CommitLbAff "commit_lb_aff" Spaced false "" "The backend of a client is remembered."
    ChkLbAff "chk_lb_aff" Call true "" "Is a backend of the client remembered?"
    Sample "sample" Call false "" "The packet is sampled."
    MacCacheUse "mac_cache_use" Call false "" "A learnt neighbour stays known."
    CtOrigNwDst "ct_nw_dst" Call true "" "The IPv4 destination of the connection's first packet."
    CtOrigIp6Dst "ct_ip6_dst" Call true "" "The IPv6 destination of the connection's first packet."
    CtOrigTpDst "ct_tp_dst" Call true "" "The destination port of the connection's first packet."
    CtOrigProto "ct_proto" Call true "" "The protocol of the connection's first packet."
    CtStateSave "ct_state_save" Call true "" "The state of the connection is saved."
    FloodRemote "flood_remote" Call false "" "A copy goes to all remote endpoints."
    Mirror "mirror" Call false "" "A copy goes to a port."
}
