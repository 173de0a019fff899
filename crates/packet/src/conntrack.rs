//! The connection tracking state and the tuple of a packet.

use crate::{Field, Packet};
use std::{fmt, ops::BitOr, str::FromStr};

/// The bits of `ct_state`, with the positions of Open vSwitch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CtState(pub u32);

impl CtState {
    /// The packet begins a connection that is not committed.
    pub const NEW: Self = Self(1);
    /// The packet belongs to a committed connection.
    pub const EST: Self = Self(1 << 1);
    /// The packet is related to a connection: an ICMP error, or an FTP data channel.
    pub const REL: Self = Self(1 << 2);
    /// The packet comes from the side that did not open the connection.
    pub const RPL: Self = Self(1 << 3);
    /// The packet is invalid for connection tracking.
    pub const INV: Self = Self(1 << 4);
    /// The packet is tracked. All other bits are zero without this bit.
    pub const TRK: Self = Self(1 << 5);
    /// The source address was translated.
    pub const SNAT: Self = Self(1 << 6);
    /// The destination address was translated.
    pub const DNAT: Self = Self(1 << 7);

    /// The names of the bits, beginning with the lowest.
    pub const NAMES: [&'static str; 8] = ["new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"];

    /// Returns whether all of these bits are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the state without these bits.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for CtState {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for CtState {
    /// Prints the names of the bits, such as `new|trk`, or `0` if no bit is set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = Self::NAMES.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 == 1);
        let names: Vec<&str> = set.map(|(_, name)| *name).collect();
        f.write_str(if names.is_empty() { "0".to_owned() } else { names.join("|") }.as_str())
    }
}

impl FromStr for CtState {
    type Err = String;

    /// Parses names that are separated by commas, bars or spaces. The error is the first unknown name.
    fn from_str(text: &str) -> Result<Self, String> {
        let names = text.split([',', '|', ' ']).filter(|name| !name.is_empty() && *name != "0");
        let mut state = Self::default();
        for name in names {
            let bit = Self::NAMES.iter().position(|it| *it == name).ok_or_else(|| name.to_owned())?;
            state = state | Self(1 << bit);
        }
        Ok(state)
    }
}

/// The tuple that identifies a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tuple {
    /// True for IPv6, false for IPv4.
    pub ip6: bool,
    /// The IP protocol number.
    pub protocol: u8,
    /// The source address.
    pub source: u128,
    /// The destination address.
    pub destination: u128,
    /// The source port, or the ICMP type.
    pub source_port: u16,
    /// The destination port, or the ICMP code.
    pub destination_port: u16,
}

impl Tuple {
    /// Returns the tuple of an IP packet, or `None` for other packets.
    #[must_use]
    pub fn of(packet: &Packet) -> Option<Self> {
        let ip6 = packet.is_ip6();
        if !ip6 && !packet.is_ip4() {
            return None;
        }
        let (source, destination) =
            if ip6 { (Field::IPV6_SRC, Field::IPV6_DST) } else { (Field::IP_SRC, Field::IP_DST) };
        Some(Self {
            ip6,
            protocol: packet.get(Field::IP_PROTO) as u8,
            source: packet.get(source),
            destination: packet.get(destination),
            source_port: packet.get(Field::TCP_SRC) as u16,
            destination_port: packet.get(Field::TCP_DST) as u16,
        })
    }

    /// Returns the tuple of the reply. Does not exchange the type and code of ICMP.
    #[must_use]
    pub fn reversed(self) -> Self {
        let (source_port, destination_port) = match self.protocol {
            1 | 58 => (self.source_port, self.destination_port),
            _ => (self.destination_port, self.source_port),
        };
        let (source, destination) = (self.destination, self.source);
        Self { source, destination, source_port, destination_port, ..self }
    }

    /// Writes the addresses and ports into a packet.
    pub fn write(self, packet: &mut Packet) {
        let (source, destination) =
            if self.ip6 { (Field::IPV6_SRC, Field::IPV6_DST) } else { (Field::IP_SRC, Field::IP_DST) };
        packet.set(source, self.source);
        packet.set(destination, self.destination);
        packet.set(Field::TCP_SRC, self.source_port.into());
        packet.set(Field::TCP_DST, self.destination_port.into());
    }
}

/// The side that a NAT changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NatKind {
    /// The source of the first packet of the connection.
    Source,
    /// The destination of the first packet of the connection.
    Destination,
}

/// The NAT of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nat {
    /// The side that changes.
    pub kind: NatKind,
    /// The address before the NAT.
    pub from: u128,
    /// The address after the NAT.
    pub to: u128,
    /// The port before and after the NAT, if it changes.
    pub port: Option<(u16, u16)>,
}
