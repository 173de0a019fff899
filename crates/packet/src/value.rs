//! Masked values of up to 128 bits, and bit ranges of a field.

use crate::Field;
use std::fmt;

/// Returns the mask of a field with `width` bits.
#[must_use]
pub const fn bits(width: u8) -> u128 {
    if width >= 128 { u128::MAX } else { (1 << width) - 1 }
}

/// A value with a mask. Only the bits in the mask are significant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Masked {
    /// The value. Its bits outside the mask are zero.
    pub value: u128,
    /// The significant bits.
    pub mask: u128,
}

impl Masked {
    /// Builds a value with a mask. Clears the bits of the value outside the mask.
    #[must_use]
    pub const fn new(value: u128, mask: u128) -> Self {
        Self { value: value & mask, mask }
    }

    /// Builds a value with the mask of a whole field of `width` bits.
    #[must_use]
    pub const fn exact(value: u128, width: u8) -> Self {
        Self::new(value, bits(width))
    }

    /// Builds a value with a mask of the first `length` of `width` bits, as in `10.0.0.0/8`. A `length` over `width`
    /// counts as `width`.
    #[must_use]
    pub const fn prefix(value: u128, width: u8, length: u8) -> Self {
        let rest = width.saturating_sub(length);
        Self::new(value, bits(width) & !bits(rest))
    }

    /// Returns whether a value is equal to this one in all significant bits.
    #[must_use]
    pub const fn matches(self, value: u128) -> bool {
        value & self.mask == self.value
    }

    /// Returns the length of the prefix, if the mask is a prefix of a field of this width.
    #[must_use]
    pub fn prefix_length(self, width: u8) -> Option<u8> {
        let rest = self.mask.trailing_zeros().min(u32::from(width)) as u8;
        (self.mask == bits(width) & !bits(rest)).then(|| width - rest)
    }
}

/// A range of bits of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subfield {
    field: Field,
    first: u8,
    width: u8,
}

impl Subfield {
    /// Returns `width` bits from bit `first`, where bit 0 is the lowest. Returns `None` if the field does not have
    /// these bits.
    #[must_use]
    pub fn of(field: Field, first: u8, width: u8) -> Option<Self> {
        let end = first.checked_add(width)?;
        (width > 0 && end <= field.width()).then_some(Self { field, first, width })
    }

    /// Returns all bits of a field.
    #[must_use]
    pub fn whole(field: Field) -> Self {
        Self { field, first: 0, width: field.width() }
    }

    /// Returns a range within these bits, or `None` if it exceeds them.
    #[must_use]
    pub fn part(self, first: u8, width: u8) -> Option<Self> {
        let end = first.checked_add(width)?;
        (width > 0 && end <= self.width).then(|| Self { field: self.field, first: self.first + first, width })
    }

    /// Returns the field.
    #[must_use]
    pub fn field(self) -> Field {
        self.field
    }

    /// Returns the number of the lowest bit in the field.
    #[must_use]
    pub fn first(self) -> u8 {
        self.first
    }

    /// Returns the number of bits.
    #[must_use]
    pub fn width(self) -> u8 {
        self.width
    }

    /// Returns whether the range is the whole field.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.width == self.field.width()
    }

    /// Extracts these bits from a value of the field and moves them to bit 0.
    #[must_use]
    pub fn extract(self, value: u128) -> u128 {
        (value >> self.first) & bits(self.width)
    }

    /// Returns the value `into` of the field with these bits replaced by `value`.
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
    /// Prints the range as OVN and OpenFlow do: `reg0`, `reg0[3]`, `reg0[4..7]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field.name())?;
        match (self.is_whole(), self.width) {
            (true, _) => Ok(()),
            (false, 1) => write!(f, "[{}]", self.first),
            (false, width) => write!(f, "[{}..{}]", self.first, self.first + width - 1),
        }
    }
}
