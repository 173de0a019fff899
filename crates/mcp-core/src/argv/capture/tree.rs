//! The parsed filter, and its text.

use super::FilterProtocol;
use std::{
    fmt::{self, Display, Formatter},
    net::{IpAddr, Ipv4Addr},
};

/// A condition on a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Several conditions, of which all or one hold. The first one is never of the same kind.
    Join(Join, Vec<Condition>),
    /// The condition does not hold.
    Not(Box<Condition>),
    /// A single test.
    Test(Test),
}

/// How conditions are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Join {
    And,
    Or,
}

impl Condition {
    /// Joins another condition to this one. The language has no precedence: `a or b and c` is `(a or b) and c`.
    pub(super) fn join(self, join: Join, other: Self) -> Self {
        match self {
            Self::Join(old, mut all) if old == join => {
                all.push(other);
                Self::Join(old, all)
            }
            first => Self::Join(join, vec![first, other]),
        }
    }

    /// Returns how deeply the parentheses of the text are nested, or a larger number.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::Join(_, all) => 1 + all.iter().map(Self::depth).max().unwrap_or(0),
            Self::Not(condition) => 1 + condition.depth(),
            Self::Test(Test::Compare(left, _, right)) => left.depth().max(right.depth()),
            Self::Test(_) => 0,
        }
    }

    /// Calls a function with every test, in the order of the text, until it returns true.
    pub(super) fn any(&self, is_found: &mut dyn FnMut(&Test) -> bool) -> bool {
        match self {
            Self::Join(_, all) => all.iter().any(|condition| condition.any(is_found)),
            Self::Not(condition) => condition.any(is_found),
            Self::Test(test) => is_found(test),
        }
    }
}

/// A single test of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// The packet has a header of the protocol.
    Protocol(FilterProtocol),
    /// The packet has an address or a port at one or both ends.
    End(Ends, Value),
    /// A header announces the protocol with this number.
    Number(Option<FilterProtocol>, u32),
    /// The packet goes to many receivers: a broadcast or a multicast.
    Many(Option<FilterProtocol>, &'static str),
    /// The frame has at least or at most this length in bytes: `greater` or `less`.
    Length(&'static str, u32),
    /// The packet has a tag or a tunnel, with this number if there is one: `vlan` or `geneve`. All tests after
    /// this one are about what the tag or the tunnel carries.
    Inside(&'static str, Option<u32>),
    /// Two numbers compare like this.
    Compare(Number, &'static str, Number),
}

/// The ends of a packet that a test is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) protocol: Option<FilterProtocol>,
    pub(super) direction: Direction,
}

/// Which of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Either,
    Source,
    Destination,
    Both,
}

/// What an end is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Host(IpAddr),
    Mac([u8; 6]),
    Net(IpAddr, u8),
    Mask(Ipv4Addr, Ipv4Addr),
    Port(u16),
    Ports(u16, u16),
}

/// A number that is calculated from the bytes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// A number, and whether it is hexadecimal.
    Constant(u32, bool),
    /// A number that has a name in the language.
    Name(&'static str),
    /// The length of the frame in bytes.
    Length,
    /// The bytes of a header at an offset: one, two or four.
    Bytes(FilterProtocol, Box<Number>, u8),
    /// The result of an operator.
    Of(Box<Number>, &'static str, Box<Number>),
}

impl Number {
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::Constant(..) | Self::Name(_) | Self::Length => 0,
            Self::Bytes(_, offset, _) => 1 + offset.depth(),
            Self::Of(left, _, right) => 1 + left.depth().max(right.depth()),
        }
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let part = |f: &mut Formatter<'_>, part: &Self| match part {
            Self::Join(..) => write!(f, "({part})"),
            Self::Not(_) | Self::Test(_) => write!(f, "{part}"),
        };
        match self {
            Self::Join(join, all) => {
                for (index, condition) in all.iter().enumerate() {
                    match (index, join) {
                        (0, _) => {}
                        (_, Join::And) => f.write_str(" and ")?,
                        (_, Join::Or) => f.write_str(" or ")?,
                    }
                    part(f, condition)?;
                }
                Ok(())
            }
            Self::Not(condition) => {
                f.write_str("not ")?;
                part(f, condition)
            }
            Self::Test(test) => test.fmt(f),
        }
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let prefix = |protocol: &Option<FilterProtocol>| protocol.map(|it| it.as_str().to_owned() + " ");
        match self {
            Self::Protocol(protocol) => f.write_str(protocol.as_str()),
            Self::End(ends, value) => {
                let direction = match ends.direction {
                    Direction::Either => "",
                    Direction::Source => "src ",
                    Direction::Destination => "dst ",
                    Direction::Both => "src and dst ",
                };
                write!(f, "{}{direction}{value}", prefix(&ends.protocol).unwrap_or_default())
            }
            Self::Number(protocol @ Some(FilterProtocol::Ether), number) => {
                write!(f, "{}proto {number:#06x}", prefix(protocol).unwrap_or_default())
            }
            Self::Number(protocol, number) => {
                write!(f, "{}proto {number}", prefix(protocol).unwrap_or_default())
            }
            Self::Many(protocol, which) => write!(f, "{}{which}", prefix(protocol).unwrap_or_default()),
            Self::Length(which, bytes) => write!(f, "{which} {bytes}"),
            Self::Inside(what, None) => f.write_str(what),
            Self::Inside(what, Some(number)) => write!(f, "{what} {number}"),
            Self::Compare(left, sign, right) => write!(f, "{left} {sign} {right}"),
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(address) => write!(f, "host {address}"),
            Self::Mac([a, b, c, d, e, g]) => {
                write!(f, "host {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
            }
            Self::Net(address, length) => write!(f, "net {address}/{length}"),
            Self::Mask(address, mask) => write!(f, "net {address} mask {mask}"),
            Self::Port(port) => write!(f, "port {port}"),
            Self::Ports(first, last) => write!(f, "portrange {first}-{last}"),
        }
    }
}

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let part = |f: &mut Formatter<'_>, part: &Self| match part {
            Self::Of(..) => write!(f, "({part})"),
            _ => write!(f, "{part}"),
        };
        match self {
            Self::Constant(number, false) => write!(f, "{number}"),
            Self::Constant(number, true) => write!(f, "{number:#x}"),
            Self::Name(name) => f.write_str(name),
            Self::Length => f.write_str("len"),
            Self::Bytes(protocol, offset, 1) => write!(f, "{}[{offset}]", protocol.as_str()),
            Self::Bytes(protocol, offset, size) => write!(f, "{}[{offset}:{size}]", protocol.as_str()),
            Self::Of(left, sign, right) => {
                part(f, left)?;
                write!(f, " {sign} ")?;
                part(f, right)
            }
        }
    }
}
