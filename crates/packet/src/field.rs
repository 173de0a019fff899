//! Fields: their names, their widths, and which of them share bits.

use crate::{
    FieldNotation, Packet,
    registry::{FIELDS, FieldInfo},
};
use std::fmt;

/// A field of a packet. Use the constants or [`Field::named`] to get one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Field(pub(crate) u8);

/// An iterator over all fields, in the order of the registry.
pub type Fields = std::iter::Map<std::ops::Range<u8>, fn(u8) -> Field>;

impl Field {
    /// The fields of connection tracking. All of them are zero for an untracked packet.
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
        reason = "fields are created only from the table, and hold an index into it"
    )]
    pub(crate) fn place(self) -> &'static FieldInfo {
        &FIELDS[usize::from(self.0)]
    }

    /// Returns all fields.
    pub fn all() -> Fields {
        (0..FIELDS.len() as u8).map(Field as fn(u8) -> Self)
    }

    /// Returns the field with a name of ovs-fields(7) or ovs-ofctl(8): `ip_src` and `nw_src` are the same field.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|field| field.name() == name || field.place().aliases.contains(&name))
    }

    /// Returns the 32-bit register n: `reg0` to `reg15`.
    #[must_use]
    pub fn reg(n: u8) -> Option<Self> {
        (n < 16).then(|| Self(Self::REG0.0 + n))
    }

    /// Returns the 64-bit register n: `xreg0` to `xreg7`. Register 2n is its upper half.
    #[must_use]
    pub fn xreg(n: u8) -> Option<Self> {
        (n < 8).then(|| Self(Self::XREG0.0 + n))
    }

    /// Returns the 128-bit register n: `xxreg0` to `xxreg3`. Register 4n is its top 32 bits.
    #[must_use]
    pub fn xxreg(n: u8) -> Option<Self> {
        (n < 4).then(|| Self(Self::XXREG0.0 + n))
    }

    /// Returns tunnel option n: `tun_metadata0` to `tun_metadata7`. A packet stores 128 bits of it.
    #[must_use]
    pub fn tun_metadata(n: u8) -> Option<Self> {
        (n < 8).then(|| Self(Self::TUN_METADATA0.0 + n))
    }

    /// Returns the name in ovs-fields(7).
    #[must_use]
    pub fn name(self) -> &'static str {
        self.place().name
    }

    /// Returns the width in bits.
    #[must_use]
    pub fn width(self) -> u8 {
        self.place().width
    }

    /// Returns the notation of the values.
    #[must_use]
    pub fn kind(self) -> FieldNotation {
        self.place().kind
    }

    /// Returns whether two fields share bits, so that setting one changes the other.
    #[must_use]
    pub fn shares_bits_with(self, other: Self) -> bool {
        let (a, b) = (self.place(), other.place());
        a.cell == b.cell && a.shift < b.shift + b.width && b.shift < a.shift + a.width
    }

    /// Returns whether a packet prints its bits under this field. Only one of the fields that share bits is printed;
    /// the protocol of the packet decides which one.
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
