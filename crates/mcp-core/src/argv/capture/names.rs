//! The names of the filter language (pcap-filter(7)) and what the parser says about names that it refuses.

/// A protocol of the filter language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FilterProtocol {
    /// The link: Ethernet.
    Ether,
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// ARP.
    Arp,
    /// Reverse ARP.
    Rarp,
    /// TCP over IPv4 or IPv6.
    Tcp,
    /// UDP over IPv4 or IPv6.
    Udp,
    /// SCTP over IPv4 or IPv6.
    Sctp,
    /// ICMP of IPv4.
    Icmp,
    /// ICMP of IPv6.
    Icmp6,
    /// IGMP.
    Igmp,
    /// PIM.
    Pim,
    /// VRRP.
    Vrrp,
    /// The authentication header of IPsec.
    Ah,
    /// The encapsulated payload of IPsec.
    Esp,
    /// The spanning tree protocol.
    Stp,
}

impl FilterProtocol {
    /// All protocols of the language.
    pub const ALL: [Self; 16] = [
        Self::Ether,
        Self::Ip,
        Self::Ip6,
        Self::Arp,
        Self::Rarp,
        Self::Tcp,
        Self::Udp,
        Self::Sctp,
        Self::Icmp,
        Self::Icmp6,
        Self::Igmp,
        Self::Pim,
        Self::Vrrp,
        Self::Ah,
        Self::Esp,
        Self::Stp,
    ];

    /// Returns the keyword of the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ether => "ether",
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Arp => "arp",
            Self::Rarp => "rarp",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
            Self::Icmp => "icmp",
            Self::Icmp6 => "icmp6",
            Self::Igmp => "igmp",
            Self::Pim => "pim",
            Self::Vrrp => "vrrp",
            Self::Ah => "ah",
            Self::Esp => "esp",
            Self::Stp => "stp",
        }
    }

    /// Returns the protocol of a keyword.
    pub(super) fn of(keyword: &str) -> Option<Self> {
        let keyword = if keyword == "link" { "ether" } else { keyword };
        Self::ALL.into_iter().find(|protocol| protocol.as_str() == keyword)
    }

    /// Whether the protocol has ports.
    pub(super) const fn has_ports(self) -> bool {
        matches!(self, Self::Tcp | Self::Udp | Self::Sctp)
    }

    /// Whether the language can read bytes of the protocol's header.
    pub(super) const fn has_bytes(self) -> bool {
        !matches!(self, Self::Ah | Self::Esp | Self::Stp)
    }
}

/// Returns the number of a protocol after `ip proto`, `ip6 proto` or `proto`, from IANA's list "Protocol Numbers".
pub(super) fn ip_protocol(name: &str) -> Option<u32> {
    Some(match name {
        "icmp" => 1,
        "igmp" => 2,
        "tcp" => 6,
        "udp" => 17,
        "gre" => 47,
        "esp" => 50,
        "ah" => 51,
        "icmp6" | "ipv6-icmp" => 58,
        "ospf" => 89,
        "pim" => 103,
        "vrrp" => 112,
        "sctp" => 132,
        _ => return None,
    })
}

/// Returns the EtherType of a protocol after `ether proto`.
pub(super) fn ether_type(name: &str) -> Option<u32> {
    Some(match name {
        "ip" => 0x0800,
        "arp" => 0x0806,
        "rarp" => 0x8035,
        "ip6" => 0x86dd,
        _ => return None,
    })
}

/// The names of numbers: offsets, types of ICMP messages, and flags of TCP.
pub(super) const NUMBERS: &[&str] = &[
    "icmptype",
    "icmpcode",
    "icmp6type",
    "icmp6code",
    "tcpflags",
    "tcp-fin",
    "tcp-syn",
    "tcp-rst",
    "tcp-push",
    "tcp-ack",
    "tcp-urg",
    "tcp-ece",
    "tcp-cwr",
    "icmp-echoreply",
    "icmp-unreach",
    "icmp-sourcequench",
    "icmp-redirect",
    "icmp-echo",
    "icmp-routeradvert",
    "icmp-routersolicit",
    "icmp-timxceed",
    "icmp-paramprob",
    "icmp-tstamp",
    "icmp-tstampreply",
    "icmp-ireq",
    "icmp-ireqreply",
    "icmp-maskreq",
    "icmp-maskreply",
    "icmp6-destinationunreach",
    "icmp6-packettoobig",
    "icmp6-timeexceeded",
    "icmp6-parameterproblem",
    "icmp6-echo",
    "icmp6-echoreply",
    "icmp6-multicastlistenerquery",
    "icmp6-multicastlistenerreportv1",
    "icmp6-multicastlistenerdone",
    "icmp6-routersolicit",
    "icmp6-routeradvert",
    "icmp6-neighborsolicit",
    "icmp6-neighboradvert",
    "icmp6-redirect",
    "icmp6-multicastlistenerreportv2",
];

/// Returns why the parser refuses a keyword of the language, if it refuses it.
pub(super) fn refused(keyword: &str) -> Option<&'static str> {
    Some(match keyword {
        "gateway" => "`gateway` looks up a name: write `ether host MAC and not host ADDRESS`",
        "protochain" => "the kernel cannot run `protochain`: write `ip6 proto NUMBER`",
        "inbound" | "outbound" | "ifindex" => {
            "this depends on the link and on the program: choose the interface instead"
        }
        "byte" => "write `PROTOCOL[OFFSET] = NUMBER` instead of `byte`",
        "vxlan" => {
            "not all versions of libpcap know `vxlan`: write `udp port 4789`, or the port of the tunnel"
        }
        "mpls" | "pppoed" | "pppoes" | "llc" | "radio" | "wlan" | "fddi" | "tr" | "slip" | "ppp" | "type"
        | "subtype" | "dir" | "ifname" | "on" | "decnet" | "iso" | "atalk" | "ipx" | "netbeui" | "lat"
        | "isis" | "carp" | "igrp" => "this filter has no test for it",
        _ => return None,
    })
}

/// Returns the number of a well-known port, which an error suggests.
pub(super) fn service(name: &str) -> Option<u16> {
    Some(match name {
        "ssh" => 22,
        "domain" | "dns" => 53,
        "bootps" => 67,
        "bootpc" => 68,
        "http" | "www" => 80,
        "ntp" => 123,
        "snmp" => 161,
        "bgp" => 179,
        "https" => 443,
        "ldap" => 389,
        "isakmp" | "ike" => 500,
        "mysql" => 3306,
        "postgresql" => 5432,
        "geneve" => 6081,
        "vxlan" => 4789,
        "bfd" | "bfd-control" => 3784,
        _ => return None,
    })
}
