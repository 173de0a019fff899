//! The operands that configure a private switch like the collected one.

use super::{BadWord, Word};
use ipnet::IpNet;
use std::{fmt, str::FromStr};

/// The name of a port in Open vSwitch's own database. It may be longer than the name of a Linux device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortName(Word);

/// The error of a text that is not a valid port name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a port name: use letters, digits, `_`, `.` and `-`, without `-` or `.` at the beginning"
)]
pub struct BadPort(String);

impl PortName {
    /// Parses a name.
    pub fn parse(text: &str) -> Result<Self, BadPort> {
        let letters = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        let bad = || BadPort(text.chars().take(60).collect());
        let word = Word::parse(text).map_err(|_: BadWord| bad())?;
        if letters && !text.starts_with('.') && text.len() <= 255 { Ok(Self(word)) } else { Err(bad()) }
    }

    pub(super) fn word(&self) -> Word {
        self.0.clone()
    }
}

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EthernetAddress([u8; 6]);

/// The error of a text that is not an Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an Ethernet address must be six hexadecimal bytes separated by colons")]
pub struct BadEthernetAddress;

impl FromStr for EthernetAddress {
    type Err = BadEthernetAddress;
    fn from_str(text: &str) -> Result<Self, BadEthernetAddress> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part =
                parts.next().filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()));
            *byte =
                u8::from_str_radix(part.ok_or(BadEthernetAddress)?, 16).map_err(|_| BadEthernetAddress)?;
        }
        if parts.next().is_none() { Ok(Self(bytes)) } else { Err(BadEthernetAddress) }
    }
}

impl fmt::Display for EthernetAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A network, or an address with the prefix length of its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(pub IpNet);

/// A Geneve option that flows use as a field (ovs-ofctl(8), `add-tlv-map`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlvMapping {
    /// The class of the option.
    pub class: u16,
    /// The type of the option.
    pub kind: u8,
    /// The length of the option in bytes.
    pub len: u8,
    /// The number of the `tun_metadata` field.
    pub field: u8,
}

impl fmt::Display for TlvMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, kind, len, field } = self;
        write!(f, "{{class={class:#x},type={kind:#x},len={len}}}->tun_metadata{field}")
    }
}

/// A meter with this number, so that flows can refer to it (ovs-ofctl(8), `add-meter`). Its rate does not matter,
/// because no packet passes the private switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meter(pub u32);

impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "meter={},pktps,bands=type=drop,rate=1", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn invalid_operands_are_rejected() {
        for name in
            ["", "-", "--", "-x", ".", "..", "a b", "a\n", "a;b", "a,b", "a=b", "tcp:x", "a/b", "@a", "$x"]
        {
            assert!(PortName::parse(name).is_err(), "{name:?}");
        }
        for text in [
            "",
            "0a:58:0a:f4:00",
            "0a:58:0a:f4:00:04:05",
            "0a-58-0a-f4-00-04",
            "0a:58:0a:f4:00:zz",
            "a:b:c:d:e:f",
            "+a:58:0a:f4:00:04",
        ] {
            assert!(text.parse::<EthernetAddress>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn operands_have_the_form_that_the_program_takes() {
        let mapping = TlvMapping { class: 0x102, kind: 0x80, len: 4, field: 0 };
        assert_eq!(mapping.to_string(), "{class=0x102,type=0x80,len=4}->tun_metadata0");
        assert_eq!(Meter(3).to_string(), "meter=3,pktps,bands=type=drop,rate=1");
        let name = "patch-br-int-to-br-ex_ovn-control-plane";
        assert_eq!(PortName::parse(name).map(|it| it.word().to_string()).as_deref(), Ok(name));
    }

    proptest! {
        #[test]
        fn an_address_is_as_it_was_written(text in ".*|([0-9a-f]{2}:){5}[0-9a-f]{2}") {
            if let Ok(address) = text.parse::<EthernetAddress>() {
                prop_assert_eq!(address.to_string(), text.to_lowercase());
            }
        }

        #[test]
        fn a_port_is_no_option(text in ".*|[a-z0-9._-]{1,20}") {
            if let Ok(port) = PortName::parse(&text) {
                let word = port.word();
                prop_assert!(!word.as_str().starts_with(['-', '.']));
                prop_assert!(!word.as_str().contains([':', '/', '@', ' ', '=', ',', ';', '\n']));
            }
        }
    }
}
