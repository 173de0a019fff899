//! Values of up to 128 bits, of which some count, and runs of bits of a field.

use crate::Field;
use std::fmt;

/// The lowest `width` bits set: the mask of a whole field.
#[must_use]
pub const fn bits(width: u8) -> u128 {
    if width >= 128 { u128::MAX } else { (1 << width) - 1 }
}

/// A value of which only the bits in `mask` count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Masked {
    /// The value. Its bits outside the mask are zero.
    pub value: u128,
    /// Which bits count.
    pub mask: u128,
}

impl Masked {
    /// A value with a mask. Bits of the value outside the mask are cleared.
    #[must_use]
    pub const fn new(value: u128, mask: u128) -> Self {
        Self { value: value & mask, mask }
    }

    /// All bits of a field of this width count.
    #[must_use]
    pub const fn exact(value: u128, width: u8) -> Self {
        Self::new(value, bits(width))
    }

    /// The first `length` of `width` bits count, as in `10.0.0.0/8`. A length over the width is the width.
    #[must_use]
    pub const fn prefix(value: u128, width: u8, length: u8) -> Self {
        let rest = width.saturating_sub(length);
        Self::new(value, bits(width) & !bits(rest))
    }

    /// Does a value agree with this one in all bits that count?
    #[must_use]
    pub const fn matches(self, value: u128) -> bool {
        value & self.mask == self.value
    }

    /// How long the prefix is, if the mask is one of a field of this width.
    #[must_use]
    pub fn prefix_length(self, width: u8) -> Option<u8> {
        let rest = self.mask.trailing_zeros().min(u32::from(width)) as u8;
        (self.mask == bits(width) & !bits(rest)).then(|| width - rest)
    }
}

/// A run of bits of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subfield {
    field: Field,
    first: u8,
    width: u8,
}

impl Subfield {
    /// `width` bits from bit `first` on, where bit 0 is the lowest. Nothing if they are not all in the field.
    #[must_use]
    pub fn of(field: Field, first: u8, width: u8) -> Option<Self> {
        let end = first.checked_add(width)?;
        (width > 0 && end <= field.width()).then_some(Self { field, first, width })
    }

    /// All of a field.
    #[must_use]
    pub fn whole(field: Field) -> Self {
        Self { field, first: 0, width: field.width() }
    }

    /// A run of bits of these bits.
    #[must_use]
    pub fn part(self, first: u8, width: u8) -> Option<Self> {
        let end = first.checked_add(width)?;
        (width > 0 && end <= self.width).then(|| Self { field: self.field, first: self.first + first, width })
    }

    /// The field.
    #[must_use]
    pub fn field(self) -> Field {
        self.field
    }

    /// The lowest bit, counted from the field's lowest.
    #[must_use]
    pub fn first(self) -> u8 {
        self.first
    }

    /// How many bits.
    #[must_use]
    pub fn width(self) -> u8 {
        self.width
    }

    /// Is it all of the field?
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.width == self.field.width()
    }

    /// Of a value of the field, these bits, moved to bit 0.
    #[must_use]
    pub fn extract(self, value: u128) -> u128 {
        (value >> self.first) & bits(self.width)
    }

    /// A value of the field with these bits replaced.
    #[must_use]
    pub fn insert(self, into: u128, value: u128) -> u128 {
        let mask = bits(self.width) << self.first;
        (into & !mask) | ((value << self.first) & mask)
    }
}

impl From<Field> for Subfield {
    fn from(field: Field) -> Self {
        Self::whole(field)
    }
}

impl fmt::Display for Subfield {
    /// As both languages write it: `reg0`, `reg0[3]`, `reg0[4..7]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field.name())?;
        match (self.is_whole(), self.width) {
            (true, _) => Ok(()),
            (false, 1) => write!(f, "[{}]", self.first),
            (false, width) => write!(f, "[{}..{}]", self.first, self.first + width - 1),
        }
    }
}
