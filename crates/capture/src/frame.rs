//! What the headers of a frame say.
//!
//! The types hold no payload. Numbers are in host byte order; addresses and ports are those of this packet, so the
//! source of a reply is the destination of its request. [`Frame::dissect`] makes them from the bytes of a frame.

mod dns;
mod geneve;
mod icmp;
mod input;
mod ip;
mod link;
mod tls;
mod transport;

use std::net::IpAddr;

/// The type of a link, which decides what the first byte of a frame means
/// (<https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// `LINKTYPE_ETHERNET`, 1.
    Ethernet,
    /// `LINKTYPE_RAW`, 101, and the link types 228 and 229: an IP packet without a header before it.
    Ip,
    /// `LINKTYPE_LINUX_SLL`, 113: tcpdump's interface `any`.
    LinuxCooked,
    /// `LINKTYPE_LINUX_SLL2`, 276: tcpdump's interface `any`, with the index of the interface.
    LinuxCooked2,
    /// `LINKTYPE_NULL`, 0, and `LINKTYPE_LOOP`, 108: a loopback of BSD.
    Loopback,
    /// Another link type, whose frames are not dissected.
    Other(u16),
}

/// The address of a network card.
pub type MacAddress = [u8; 6];

/// A dissected frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The source and the destination, if the link has addresses. A cooked frame has only the source.
    pub macs: (Option<MacAddress>, Option<MacAddress>),
    /// The identifiers of the VLAN tags, the outermost first.
    pub vlans: Vec<u16>,
    /// The packet that the frame carries.
    pub network: Network,
    /// Why the frame was not dissected to its end, or `None` if it was.
    pub problem: Option<FrameProblem>,
}

/// Why a frame was not dissected to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameProblem {
    /// The capture kept only the first bytes of the frame, and they end in this header.
    Cut(&'static str),
    /// This header contradicts itself or the bytes after it.
    Malformed(&'static str),
}

/// The packet that a frame carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// An IPv4 or IPv6 packet.
    Ip(Box<Ip>),
    /// An ARP packet for IPv4 over Ethernet.
    Arp(Arp),
    /// Another protocol, by its EtherType, or a packet whose header is cut or malformed. A number below 1536 is not an
    /// EtherType but the length of an IEEE 802.3 frame, for example of spanning tree.
    Other(u16),
    /// The frame ends before its EtherType, or its link type is not dissected.
    Unknown,
}

/// An ARP packet (RFC 826).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// The operation: 1 is a request, 2 is a reply.
    pub operation: u16,
    /// The hardware and the protocol address of the sender.
    pub sender: (MacAddress, IpAddr),
    /// The hardware and the protocol address of the target.
    pub target: (MacAddress, IpAddr),
}

/// An IPv4 or IPv6 packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ip {
    /// The source address.
    pub source: IpAddr,
    /// The destination address.
    pub destination: IpAddr,
    /// The number of the protocol after the IP header and its extensions, as far as the frame has them.
    pub protocol: u8,
    /// The time to live, or the hop limit.
    pub ttl: u8,
    /// The two bits of explicit congestion notification (RFC 3168): 3 means that a router saw congestion.
    pub ecn: u8,
    /// The identification of IPv4, or of an IPv6 fragment header.
    pub id: Option<u32>,
    /// The flag "don't fragment" of IPv4.
    pub dont_fragment: bool,
    /// The place in the original packet, if this packet is a fragment.
    pub fragment: Option<Fragment>,
    /// The length in bytes that the IP header states, with this header. A packet that is longer than the header can
    /// say (segmentation offload) states 0, and this is its length on the wire.
    pub length: u32,
    /// What the packet carries.
    pub transport: Transport,
}

/// The place of a fragment in its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The first byte of this fragment in the payload of the packet.
    pub offset: u16,
    /// More fragments follow.
    pub more: bool,
}

/// What an IP packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp(Box<Tcp>),
    /// UDP.
    Udp(Box<Udp>),
    /// SCTP, with its source and destination port and its verification tag.
    Sctp(u16, u16, u32),
    /// ICMP of either version.
    Icmp(Box<Icmp>),
    /// The ports of a TCP, UDP or SCTP header that is not complete, and TCP's sequence number if it is there. An ICMP
    /// error needs to repeat only 8 bytes of this header (RFC 792).
    Ports(u16, u16, Option<u32>),
    /// Another protocol, or a fragment that is not the first.
    Other,
    /// The frame ends before the header.
    Unknown,
}

/// A TCP segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// The source port.
    pub source: u16,
    /// The destination port.
    pub destination: u16,
    /// The sequence number.
    pub sequence: u32,
    /// The acknowledgment number. It means something only if the flag ACK is set.
    pub acknowledgment: u32,
    /// The flags, of which [`Tcp::FIN`] and so on are single bits.
    pub flags: u16,
    /// The window as the header has it, without its scale.
    pub window: u16,
    /// The maximum segment size that a SYN offers, in bytes.
    pub mss: Option<u16>,
    /// The shift of the window that a SYN offers (RFC 7323).
    pub window_scale: Option<u8>,
    /// The ranges that a selective acknowledgment names (RFC 2018).
    pub sack: Vec<(u32, u32)>,
    /// The value and the echo of the timestamp option (RFC 7323).
    pub timestamps: Option<(u32, u32)>,
    /// The length of the payload in bytes, as the IP header states it.
    pub payload: u32,
    /// The TLS records that begin in this segment and say how the connection goes.
    pub tls: Vec<Tls>,
}

impl Tcp {
    /// The flag FIN.
    pub const FIN: u16 = 1;
    /// The flag SYN.
    pub const SYN: u16 = 2;
    /// The flag RST.
    pub const RST: u16 = 4;
    /// The flag PSH.
    pub const PSH: u16 = 8;
    /// The flag ACK.
    pub const ACK: u16 = 16;
}

/// A TLS record that says how a connection goes (RFC 8446).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// A hello of the client, with the name of the server that it asks for. `None` if the hello has no name, or if the
    /// name is in the next segment.
    ClientHello(Option<String>),
    /// A hello of the server.
    ServerHello,
    /// An alert that is not encrypted: its level (2 is fatal) and its description.
    Alert(u8, u8),
}

/// A UDP datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udp {
    /// The source port.
    pub source: u16,
    /// The destination port.
    pub destination: u16,
    /// The length of the payload in bytes, as the header states it.
    pub payload: u32,
    /// What the datagram carries.
    pub content: UdpContent,
}

/// What a UDP datagram carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UdpContent {
    /// A Geneve tunnel: destination port 6081. The third tunnel in tunnels is not dissected.
    Geneve(Box<Geneve>),
    /// A DNS message: port 53 or 5353.
    Dns(Box<Dns>),
    /// Something else.
    Other,
}

/// A packet in a Geneve tunnel (RFC 8926).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geneve {
    /// The virtual network identifier: OVN writes the tunnel key of the datapath here (ovn-architecture(7)).
    pub vni: u32,
    /// The ports of the datapath, if the tunnel has OVN's option (class 0x0102, type 0x80).
    pub ports: Option<OvnPorts>,
    /// The flag O: a control packet, for example of BFD.
    pub control: bool,
    /// The packet inside the tunnel.
    pub inner: Frame,
}

/// The tunnel keys of two logical ports (ovn-architecture(7), "Tunnel Encapsulations").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OvnPorts {
    /// The ingress port: 15 bits.
    pub ingress: u16,
    /// The egress port, or a multicast group from 32768 on: 16 bits.
    pub egress: u16,
}

/// A DNS message (RFC 1035). Names are as the message has them; characters that are not printable are escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// The identifier that joins a question and its answer.
    pub id: u16,
    /// The message is an answer.
    pub answer: bool,
    /// The response code of an answer: 0 is no error, 2 is SERVFAIL, 3 is NXDOMAIN.
    pub code: u8,
    /// The first question: its name and its type.
    pub question: Option<(String, u16)>,
    /// The number of answers.
    pub answers: u16,
}

/// An ICMP or ICMPv6 message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// The message is of ICMPv6 (RFC 4443), otherwise of ICMP (RFC 792).
    pub v6: bool,
    /// The type.
    pub kind: u8,
    /// The code.
    pub code: u8,
    /// The identifier and the sequence number of an echo request or reply.
    pub echo: Option<(u16, u16)>,
    /// The next hop's MTU in bytes of "fragmentation needed" or "packet too big".
    pub mtu: Option<u32>,
    /// The packet that an error is about.
    pub about: Option<Box<Ip>>,
    /// The address that a neighbor solicitation or advertisement is about (RFC 4861).
    pub neighbor: Option<IpAddr>,
}
