//! What happened in a TCP conversation.

use std::fmt;

/// What happened in a TCP conversation. A pair has a value for each end of the conversation, in the order of
/// [`super::Conversation::ends`], and a side is an index into that pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpReport {
    /// The side that opened the connection: it sent a SYN, or the other side answered with a SYN-ACK.
    pub opener: Option<usize>,
    /// How the connection began.
    pub handshake: Handshake,
    /// How the connection ended.
    pub end: TcpEnd,
    /// The first reset.
    pub reset: Option<Reset>,
    /// The number of segments with the flag RST that each side sent.
    pub resets: [u32; 2],
    /// The maximum segment size in bytes that the SYN of each side offered.
    pub mss: [Option<u16>; 2],
    /// The counts of the segments that each side sent.
    pub segments: [SegmentCounts; 2],
    /// Data that a side sent again and again, and that the other side never acknowledged.
    pub stuck: [Option<Stuck>; 2],
    /// TLS, if a side sent a hello or an alert.
    pub tls: Option<TlsReport>,
}

/// How a TCP connection began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// SYN, SYN-ACK and ACK.
    Complete {
        /// Nanoseconds from the last SYN to the ACK that ends the handshake.
        round_trip: u64,
    },
    /// SYNs without any answer.
    SynWithoutAnswer {
        /// The number of SYNs.
        syns: u32,
        /// Nanoseconds from the first SYN to the end of the capture at this point.
        waited: u64,
    },
    /// A reset answers the SYN.
    Refused,
    /// The opener did not acknowledge the SYN-ACK.
    SynAckWithoutAck {
        /// The number of SYN-ACKs.
        syn_acks: u32,
        /// Nanoseconds from the first SYN-ACK to the end of the capture at this point.
        waited: u64,
    },
    /// The capture lacks the SYN or the SYN-ACK, but a side acknowledged it: the segment took another way, or the
    /// capture missed it.
    PartlyCaptured,
    /// The connection began before the capture.
    BeforeCapture,
}

impl fmt::Display for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete { .. } => f.write_str("handshake complete"),
            Self::SynWithoutAnswer { syns: 1, .. } => f.write_str("SYN without answer"),
            Self::SynWithoutAnswer { syns, .. } => write!(f, "{syns} SYNs without answer"),
            Self::Refused => f.write_str("refused by a reset"),
            Self::SynAckWithoutAck { syn_acks: 1, .. } => f.write_str("SYN-ACK without ACK"),
            Self::SynAckWithoutAck { syn_acks, .. } => write!(f, "{syn_acks} SYN-ACKs without ACK"),
            Self::PartlyCaptured => f.write_str("handshake seen in part"),
            Self::BeforeCapture => f.write_str("begun before the capture"),
        }
    }
}

/// How a TCP connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpEnd {
    /// Neither side closed the connection during the capture.
    Open,
    /// Only this side sent a FIN.
    HalfClosed(usize),
    /// Both sides sent a FIN.
    Closed,
    /// This side reset the connection.
    Reset(usize),
}

impl fmt::Display for TcpEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open at the end of the capture",
            Self::HalfClosed(_) => "closed by one side",
            Self::Closed => "closed by both sides",
            Self::Reset(_) => "reset",
        })
    }
}

/// The first reset of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// The side that sent it.
    pub by: usize,
    /// The time in nanoseconds since 1970.
    pub nanos: u64,
    /// What had happened before.
    pub after: ResetAfter,
}

/// What had happened before a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResetAfter {
    /// The other side had sent a SYN: nothing listens, or a firewall or a load balancer rejects.
    Syn,
    /// The SYN-ACK had come, and the opener resets: it does not know the connection, or has given up.
    SynAck,
    /// The handshake was complete, and no data had come.
    Handshake,
    /// Data had come.
    Data,
    /// A side had sent a FIN.
    Fin,
    /// The capture has nothing before it.
    Nothing,
}

impl fmt::Display for ResetAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syn => "after the SYN",
            Self::SynAck => "after the SYN-ACK",
            Self::Handshake => "after the handshake, before data",
            Self::Data => "after data",
            Self::Fin => "after a FIN",
            Self::Nothing => "as the first packet of the capture",
        })
    }
}

/// The counts of the segments of one direction. The rules are those of tshark(1) 4.0 for its fields `tcp.analysis.*`;
/// [`super::tcp`] states them. Each segment counts in at most one of the three kinds of retransmissions or as out of
/// order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentCounts {
    /// Bytes of payload, with those of retransmissions.
    pub payload: u64,
    /// Segments that were sent again after a timeout.
    pub retransmissions: u32,
    /// Segments that were sent again because duplicate acknowledgments asked for them.
    pub fast_retransmissions: u32,
    /// Segments that were sent again although the other side had acknowledged them.
    pub spurious_retransmissions: u32,
    /// Segments that came after a later segment.
    pub out_of_order: u32,
    /// Acknowledgments that repeat the acknowledgment before.
    pub duplicate_acks: u32,
    /// Segments that offer a window of 0 bytes.
    pub zero_windows: u32,
    /// Segments before which the capture lacks at least one segment.
    pub gaps: u32,
    /// Acknowledgments of data that the capture lacks.
    pub acked_unseen: u32,
    /// Keep-alive segments.
    pub keep_alives: u32,
}

/// Data without acknowledgment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Bytes of payload of the segment. It is 0 if the segment has only a SYN or a FIN.
    pub payload: u32,
    /// How many times the capture has the segment.
    pub times: u32,
    /// Nanoseconds from the first of them to the end of the capture at this point.
    pub waited: u64,
    /// Bytes of payload of the largest segment of this side that the other side acknowledged. If it is much less than
    /// `payload`, the way may have a smaller MTU than the ends expect.
    pub largest_acknowledged: u32,
}

/// What the TLS records of a connection say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsReport {
    /// The side that sent a ClientHello.
    pub client: Option<usize>,
    /// The name of the server that the ClientHello asks for.
    pub server_name: Option<String>,
    /// The answer to the ClientHello.
    pub server_hello: ServerHello,
    /// The alerts that were not encrypted, at most 16: the side, the level (2 is fatal) and the description.
    pub alerts: Vec<(usize, u8, u8)>,
}

/// The answer to a ClientHello.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerHello {
    /// The capture has no ClientHello.
    #[default]
    NotAsked,
    /// A ServerHello came.
    Seen,
    /// No ServerHello came, and the capture has the whole direction of the server: nanoseconds that the client waited.
    Missing(u64),
    /// The capture lacks parts of the direction of the server, so that the ServerHello may be among them.
    Unknown,
}

impl fmt::Display for ServerHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAsked => "no ClientHello",
            Self::Seen => "ServerHello seen",
            Self::Missing(_) => "ClientHello without ServerHello",
            Self::Unknown => "ServerHello may be missing from the capture",
        })
    }
}
