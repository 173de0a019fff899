//! Cookies, which name the rows that OpenFlow flows come from.

use ovsdb::Uuid;
use std::{fmt, str::FromStr};

/// The first digits of a row's UUID.
///
/// ovn-controller gives each OpenFlow flow the first 32 bits of the UUID of its southbound row as a cookie, and
/// ovn-northd puts the first eight digits of a northbound row's UUID into `external_ids:stage-hint` of a logical flow
/// (ovn-sb(5), `Logical_Flow`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UuidPrefix(String);

/// The error for a text that is neither a cookie nor the beginning of a UUID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is neither a cookie (0x and up to 8 hexadecimal digits) nor the first 4 or more digits of a UUID"
)]
pub struct BadPrefix(String);

impl UuidPrefix {
    /// Returns the prefix for the cookie of a row's flows.
    pub fn cookie(cookie: u32) -> Self {
        Self(format!("{cookie:08x}"))
    }

    /// Returns whether the UUID begins with this prefix.
    pub fn is_of(&self, uuid: Uuid) -> bool {
        uuid.starts_with(&self.0)
    }

    /// Returns the lowest UUID with this prefix.
    pub(crate) fn lowest(&self) -> Uuid {
        const ZEROS: &str = "00000000-0000-0000-0000-000000000000";
        let rest = ZEROS.get(self.0.len()..).unwrap_or_default();
        format!("{}{rest}", self.0).parse().unwrap_or_default()
    }

    /// Returns the UUID if the text is a whole one.
    pub fn whole(&self) -> Option<Uuid> {
        self.0.parse().ok()
    }
}

impl FromStr for UuidPrefix {
    type Err = BadPrefix;

    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        let bad = || BadPrefix(text.chars().take(60).collect());
        // Open vSwitch prints a cookie as a number without leading zeros.
        if let Some(digits) = text.strip_prefix("0x") {
            return u32::from_str_radix(digits, 16).map(Self::cookie).map_err(|_| bad());
        }
        let digits = text.to_ascii_lowercase();
        let fits = |(at, c): (usize, char)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        };
        match (4..=36).contains(&digits.len()) && digits.char_indices().all(fits) {
            true => Ok(Self(digits)),
            false => Err(bad()),
        }
    }
}

impl fmt::Display for UuidPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cookie_has_lost_its_leading_zeros() {
        let uuid: Uuid = "0a25f300-43f2-4908-99f9-dcc970e470eb".parse().unwrap();
        for text in [
            "0xa25f300",
            "0x0a25f300",
            "0a25",
            "0A25F300",
            "0a25f300-43f2",
            "0a25f300-43f2-4908-99f9-dcc970e470eb",
        ] {
            assert!(text.parse::<UuidPrefix>().unwrap().is_of(uuid), "{text}");
        }
        for text in ["0xa25f", "a25f300", "0a25f301"] {
            assert!(!text.parse::<UuidPrefix>().unwrap().is_of(uuid), "{text}");
        }
        for text in
            ["", "0x", "0x1a25f3000", "0a2", "0a25f30043", "web_pod", "0a25f300-43f2-4908-99f9-dcc970e470eb0"]
        {
            assert!(text.parse::<UuidPrefix>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_uuid_has_its_cookie_and_its_digits(bytes: [u8; 16], digits in 4usize..36) {
            let uuid = Uuid::from_bytes(bytes);
            let cookie: UuidPrefix = format!("0x{:x}", uuid.first32()).parse().unwrap();
            prop_assert!(cookie.is_of(uuid));
            let prefix: UuidPrefix = uuid.to_string()[..digits].parse().unwrap();
            prop_assert!(prefix.is_of(uuid));
            prop_assert!(prefix.is_of(prefix.lowest()) && prefix.lowest() <= uuid);
        }

        #[test]
        fn no_text_panics(text in ".*|0x.*|[0-9a-f-]{0,40}") {
            _ = text.parse::<UuidPrefix>();
        }
    }
}
