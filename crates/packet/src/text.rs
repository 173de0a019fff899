//! Parses and prints the values of fields.

use crate::{CtState, Field, FieldNotation, Masked, bits};
use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

/// The error for a text that is not a value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadValue {
    /// The field.
    pub field: Field,
    /// The invalid text.
    pub text: String,
}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, text } = self;
        write!(
            f,
            "{text:?} is not a value of {}, which has {} bits and takes {}",
            field.name(),
            field.width(),
            field.kind()
        )
    }
}

impl std::error::Error for BadValue {}

/// Prints a MAC address: `0a:58:0a:80:01:05`.
#[must_use]
pub fn show_mac(value: u128) -> String {
    let octets: Vec<String> = (0..6).rev().map(|at| format!("{:02x}", value >> (8 * at) & 0xff)).collect();
    octets.join(":")
}

/// Parses a MAC address. Returns `None` if the text is not a MAC address.
#[must_use]
pub fn parse_mac(text: &str) -> Option<u128> {
    let octets: Vec<&str> = text.split(':').collect();
    let valid =
        |octet: &&str| (1..=2).contains(&octet.len()) && octet.bytes().all(|byte| byte.is_ascii_hexdigit());
    if octets.len() != 6 || !octets.iter().all(valid) {
        return None;
    }
    octets.iter().try_fold(0, |value, octet| Some(value << 8 | u128::from_str_radix(octet, 16).ok()?))
}

impl Field {
    /// Prints a value as flows do.
    #[must_use]
    pub fn show(self, value: u128) -> String {
        match self.kind() {
            FieldNotation::Mac => show_mac(value),
            FieldNotation::Ip4 => Ipv4Addr::from_bits(value as u32).to_string(),
            FieldNotation::Ip6 => Ipv6Addr::from_bits(value).to_string(),
            // If a bit has no name, the whole value is printed as a number.
            FieldNotation::CtState if value <= 0xff => CtState(value as u32).to_string(),
            FieldNotation::Hex if value == 0 => "0".into(),
            FieldNotation::Hex | FieldNotation::CtState => format!("{value:#x}"),
            FieldNotation::Decimal => value.to_string(),
        }
    }

    /// Prints a value with its mask: `10.0.0.0/8`, `0x1/0x3`.
    #[must_use]
    pub fn show_masked(self, Masked { value, mask }: Masked) -> String {
        let address = matches!(self.kind(), FieldNotation::Ip4 | FieldNotation::Ip6);
        match Masked::new(value, mask).prefix_length(self.width()) {
            _ if mask == bits(self.width()) => self.show(value),
            Some(length) if address => format!("{}/{length}", self.show(value)),
            _ if address || self.kind() == FieldNotation::Mac => {
                format!("{}/{}", self.show(value), self.show(mask))
            }
            _ => format!("{value:#x}/{mask:#x}"),
        }
    }

    /// Parses a value: an address for an address field, or a number (decimal or `0x…`) for any field.
    ///
    /// # Errors
    /// Returns an error if the text is not a value, or the number is wider than the field.
    pub fn parse(self, text: &str) -> Result<u128, BadValue> {
        let number = || match text.strip_prefix("0x") {
            Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                u128::from_str_radix(hex, 16).ok()
            }
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        };
        let value = match self.kind() {
            FieldNotation::Mac => parse_mac(text).or_else(number),
            FieldNotation::Ip4 => {
                text.parse().ok().map(|it: Ipv4Addr| u128::from(it.to_bits())).or_else(number)
            }
            FieldNotation::Ip6 => text.parse().ok().map(Ipv6Addr::to_bits).or_else(number),
            FieldNotation::CtState => number().or_else(|| text.parse().ok().map(|it: CtState| it.0.into())),
            FieldNotation::Hex | FieldNotation::Decimal => number(),
        };
        let fits = value.filter(|value| *value <= bits(self.width()));
        fits.ok_or_else(|| BadValue { field: self, text: text.to_owned() })
    }

    /// Parses a value with an optional mask: `10.0.0.0/8`, `0x1/0x3`, `01:00:00:00:00:00/01:00:00:00:00:00`.
    ///
    /// # Errors
    /// Returns an error if the value or the mask is invalid, or wider than the field.
    pub fn parse_masked(self, text: &str) -> Result<Masked, BadValue> {
        let Some((value, mask)) = text.split_once('/') else {
            return Ok(Masked::exact(self.parse(text)?, self.width()));
        };
        let value = self.parse(value)?;
        let address = matches!(self.kind(), FieldNotation::Ip4 | FieldNotation::Ip6);
        match mask.parse() {
            Ok(length) if address && length <= self.width() => {
                Ok(Masked::prefix(value, self.width(), length))
            }
            Ok(_) if address => Err(BadValue { field: self, text: text.to_owned() }),
            _ => Ok(Masked::new(value, self.parse(mask)?)),
        }
    }
}
