//! Fields: their names, widths, and which of them share bits.

use crate::{
    Kind, Packet,
    registry::{FIELDS, Info},
};
use std::fmt;

/// A field of a packet. The constants and [`Field::named`] are the ways to one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Field(pub(crate) u8);

/// All fields, in the order of the registry.
pub type Fields = std::iter::Map<std::ops::Range<u8>, fn(u8) -> Field>;

impl Field {
    /// What connection tracking says of a packet. All are zero before it saw the packet.
    pub const CONNECTION_TRACKING: &'static [Self] = &[
        Self::CT_STATE,
        Self::CT_ZONE,
        Self::CT_MARK,
        Self::CT_LABEL,
        Self::CT_NW_PROTO,
        Self::CT_NW_SRC,
        Self::CT_NW_DST,
        Self::CT_IPV6_SRC,
        Self::CT_IPV6_DST,
        Self::CT_TP_SRC,
        Self::CT_TP_DST,
    ];

    #[expect(
        clippy::indexing_slicing,
        reason = "fields are made from the table only, and hold a place in it"
    )]
    pub(crate) fn place(self) -> &'static Info {
        &FIELDS[usize::from(self.0)]
    }

    /// All fields.
    pub fn all() -> Fields {
        (0..FIELDS.len() as u8).map(Field as fn(u8) -> Self)
    }

    /// The field of a name of `ovs-fields(7)` or `ovs-ofctl(8)`: `ip_src` and `nw_src` are one field.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|field| field.name() == name || field.place().aliases.contains(&name))
    }

    /// Register n, of 32 bits: `reg0` to `reg15`.
    #[must_use]
    pub fn reg(n: u8) -> Option<Self> {
        (n < 16).then(|| Self(Self::REG0.0 + n))
    }

    /// Double register n, of 64 bits: `xreg0` to `xreg7`. The first register is its upper half.
    #[must_use]
    pub fn xreg(n: u8) -> Option<Self> {
        (n < 8).then(|| Self(Self::XREG0.0 + n))
    }

    /// Quadruple register n, of 128 bits: `xxreg0` to `xxreg3`. The first register is its top.
    #[must_use]
    pub fn xxreg(n: u8) -> Option<Self> {
        (n < 4).then(|| Self(Self::XXREG0.0 + n))
    }

    /// Tunnel option n: `tun_metadata0` to `tun_metadata7`, of which 128 bits are kept.
    #[must_use]
    pub fn tun_metadata(n: u8) -> Option<Self> {
        (n < 8).then(|| Self(Self::TUN_METADATA0.0 + n))
    }

    /// Its name in `ovs-fields(7)`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.place().name
    }

    /// How many bits it has.
    #[must_use]
    pub fn width(self) -> u8 {
        self.place().width
    }

    /// How its values are written.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.place().kind
    }

    /// Do two fields have bits in common? Then setting one changes the other.
    #[must_use]
    pub fn shares_bits_with(self, other: Self) -> bool {
        let (a, b) = (self.place(), other.place());
        a.cell == b.cell && a.shift < b.shift + b.width && b.shift < a.shift + a.width
    }

    /// Is it the name under which a packet's bits are shown? Of fields that share bits, only one is; which one
    /// depends on what the packet is.
    pub(crate) fn is_shown(self, packet: &Packet) -> bool {
        (self.place().shown)(packet)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
