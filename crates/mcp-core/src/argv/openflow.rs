//! Names and flows of Open vSwitch.

use super::{BadWord, Word};

/// The name of a bridge. Where ovs-ofctl(8) accepts a bridge, it also accepts `tcp:HOST:PORT`, `ssl:…`, the path of a
/// socket and `@`, so a name must not contain any of their characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeName(Word);

/// The error of a text that is not a valid bridge name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a bridge name: use at most 15 letters, digits, `_`, `.` and `-`, without `-` or `.` at the beginning"
)]
pub struct BadBridge(String);

impl BridgeName {
    /// Parses a name.
    pub fn parse(text: &str) -> Result<Self, BadBridge> {
        // A name has at most 15 bytes, because Linux allows 16 bytes with the NUL at the end (IFNAMSIZ).
        let fits = (1..=15).contains(&text.len()) && !text.starts_with(['-', '.']);
        let letters = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        let bad = || BadBridge(text.chars().take(60).collect());
        let word = Word::parse(text).map_err(|_| bad())?;
        if fits && letters { Ok(Self(word)) } else { Err(bad()) }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(super) fn word(&self) -> Word {
        self.0.clone()
    }
}

/// The match of a flow in the syntax of ovs-fields(7): a list of fields with values, and of protocols.
///
/// ```text
/// in_port=4,tcp,dl_src=0a:58:0a:f4:00:04,nw_dst=10.96.0.10,tp_dst=80,ct_state=+new+trk
/// ```
///
/// A match is never a packet in hexadecimal and never an option: each part is `field=value` with a known field, or a
/// known protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowMatch(Word);

/// The error of a text that is not a valid match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMatch {
    /// The text cannot be an argument on a command line.
    #[error("the match cannot be a command-line argument: {0}")]
    Word(BadWord),
    /// A part is neither a field with a value nor a protocol.
    #[error("`{0}` is neither a known protocol nor field=value with a known field")]
    Part(String),
    /// A value contains a character that no value has.
    #[error("`{0}` has an invalid character: use letters, digits, `.`, `:`, `/`, `+`, `-`, `_`")]
    Value(String),
}

/// The protocols, each of which matches on packet types (ovs-ofctl(8), "Flow Syntax").
const PROTOCOLS: &[&str] = &[
    "ip", "ipv6", "icmp", "icmp6", "tcp", "tcp6", "udp", "udp6", "sctp", "sctp6", "arp", "rarp", "mpls",
    "mplsm", "eth",
];

/// The fields of ovs-fields(7) by all of their names. A name that ends in `*` is followed by a number.
const FIELDS: &[&str] = &[
    "in_port",
    "in_port_oxm",
    "dl_src",
    "dl_dst",
    "dl_type",
    "dl_vlan",
    "dl_vlan_pcp",
    "eth_src",
    "eth_dst",
    "eth_type",
    "vlan_tci",
    "vlan_vid",
    "vlan_pcp",
    "nw_src",
    "nw_dst",
    "nw_proto",
    "nw_tos",
    "nw_ecn",
    "nw_ttl",
    "nw_frag",
    "ip_src",
    "ip_dst",
    "ip_proto",
    "ip_dscp",
    "ip_ecn",
    "ip_frag",
    "ipv6_src",
    "ipv6_dst",
    "ipv6_label",
    "tp_src",
    "tp_dst",
    "tcp_src",
    "tcp_dst",
    "tcp_flags",
    "udp_src",
    "udp_dst",
    "sctp_src",
    "sctp_dst",
    "icmp_type",
    "icmp_code",
    "icmpv6_type",
    "icmpv6_code",
    "nd_target",
    "nd_sll",
    "nd_tll",
    "arp_op",
    "arp_spa",
    "arp_tpa",
    "arp_sha",
    "arp_tha",
    "metadata",
    "conj_id",
    "recirc_id",
    "dp_hash",
    "pkt_mark",
    "skb_priority",
    "ct_state",
    "ct_zone",
    "ct_mark",
    "ct_label",
    "ct_nw_src",
    "ct_nw_dst",
    "ct_nw_proto",
    "ct_ipv6_src",
    "ct_ipv6_dst",
    "ct_tp_src",
    "ct_tp_dst",
    "tun_id",
    "tunnel_id",
    "tun_src",
    "tun_dst",
    "tun_ipv6_src",
    "tun_ipv6_dst",
    "tun_flags",
    "tun_gbp_id",
    "tun_metadata*",
    "reg*",
    "xreg*",
    "xxreg*",
    "packet_type",
    "mpls_label",
    "mpls_tc",
    "mpls_bos",
    "mpls_ttl",
];

impl FlowMatch {
    /// The maximum length of a match in bytes, which is more than any match has.
    pub const MAX: usize = 2048;

    /// Parses a match.
    pub fn parse(text: &str) -> Result<Self, BadMatch> {
        let cut = |text: &str| text.chars().take(60).collect::<String>();
        if text.len() > Self::MAX {
            return Err(BadMatch::Word(BadWord::Long));
        }
        let word = Word::parse(text).map_err(BadMatch::Word)?;
        for part in text.split(',') {
            let known = match part.split_once('=') {
                Some((field, value)) if is_field(field) => {
                    if !is_value(value) {
                        return Err(BadMatch::Value(cut(part)));
                    }
                    true
                }
                Some(_) => false,
                None => PROTOCOLS.contains(&part),
            };
            if !known {
                return Err(BadMatch::Part(cut(part)));
            }
        }
        Ok(Self(word))
    }

    /// Returns the text of the match.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the value of a field.
    pub fn value(&self, field: &str) -> Option<&str> {
        self.as_str().split(',').find_map(|part| part.strip_prefix(field)?.strip_prefix('='))
    }

    pub(super) fn word(&self) -> Word {
        self.0.clone()
    }
}

fn is_field(name: &str) -> bool {
    FIELDS.iter().any(|field| match field.strip_suffix('*') {
        Some(stem) => {
            let number = name.strip_prefix(stem).unwrap_or_default();
            (1..=3).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
        }
        None => *field == name,
    })
}

fn is_value(value: &str) -> bool {
    !value.is_empty()
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'/' | b'+' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn valid_names_and_matches_are_accepted() {
        for name in ["br-int", "br-ex", "ovsbr1", "br_0.1", "brenp3s0f0np0"] {
            assert_eq!(BridgeName::parse(name).map(|it| it.as_str().to_owned()).as_deref(), Ok(name));
        }
        for text in [
            "in_port=4,tcp,dl_src=0a:58:0a:f4:00:04,dl_dst=0a:58:0a:f4:00:01,nw_src=10.244.0.4,nw_dst=10.96.0.10,nw_ttl=64,tp_src=40000,tp_dst=80",
            "in_port=LOCAL,udp,udp_dst=6081",
            "in_port=patch-br-ex_w-to-br-int,icmp6,ipv6_dst=fd00::1/64",
            "ct_state=+new-est+trk,ip,reg14=0x2/0xffff,metadata=0x3,tun_metadata0=0x30002,dp_hash=0x1,ct_label=0/0x1",
            "arp,arp_tpa=10.244.0.1",
        ] {
            assert_eq!(FlowMatch::parse(text).map(|it| it.as_str().to_owned()).as_deref(), Ok(text));
        }
        assert_eq!(FlowMatch::parse("tcp,in_port=web,tp_dst=80").unwrap().value("in_port"), Some("web"));
    }

    #[test]
    fn invalid_names_and_matches_are_rejected() {
        for name in [
            "",
            "-",
            "--",
            "-generate",
            "tcp:192.0.2.1:6653",
            "ssl:192.0.2.1:6653",
            "unix:/run/x",
            "/var/run/x.mgmt",
            "punix:x",
            "br@x",
            "br int",
            "br\nint",
            "br;id",
            "br-int,table=1",
            "br=x",
            "averylongbridge1",
            "..",
            ".br",
            "br\0",
        ] {
            assert!(BridgeName::parse(name).is_err(), "{name:?}");
        }
        for text in [
            "",
            "-generate",
            "--",
            "--log-file=/tmp/x",
            "--names",
            // This is a packet. Open vSwitch would send it through conntrack and learn from it.
            "0a580af400010a580af400040800450000280001000040066ac80af400040a600a0a9c4000500000000000000000500220001c3e0000",
            "ffffffffffff",
            "tcp,-generate",
            "tcp -generate",
            "tcp\n-generate",
            "in_port=4 tcp",
            "in_port=\"4\"",
            "in_port=4,,tcp",
            "in_port=",
            "=4",
            "in_port=4;id",
            "in_port=$(id)",
            "actions=drop",
            "tcp,actions=output:1",
            "cookie=0x1",
            "table=0",
            "regx=1",
            "reg=1",
            "load=1",
            "@/etc/passwd",
            "in_port=@/etc/passwd",
            "tcp\0",
        ] {
            assert!(FlowMatch::parse(text).is_err(), "{text:?}");
        }
        assert!(FlowMatch::parse(&"tcp,".repeat(1000)).is_err());
    }

    proptest! {
        #[test]
        fn a_match_is_one_harmless_list(text in ".*|(tcp|in_port=[a-z0-9:./+-]{1,8}|-generate|[0-9a-f]{2,40})(,(udp|nw_src=.{0,6}|reg[0-9]=.{0,3})){0,4}") {
            if let Ok(flow) = FlowMatch::parse(&text) {
                let word = flow.word();
                prop_assert!(!word.as_str().starts_with('-'));
                prop_assert!(!word.as_str().contains([' ', '\n', '"', '\'', ';', '$', '@', '(', '\\']));
                let hex = word.as_str().bytes().all(|b| b.is_ascii_hexdigit());
                prop_assert!(!hex, "the match is a packet: {}", word);
            }
        }

        #[test]
        fn a_bridge_is_no_target(text in ".*|[a-z:/@.-]{1,20}") {
            if let Ok(bridge) = BridgeName::parse(&text) {
                prop_assert!(!bridge.as_str().starts_with('-'));
                prop_assert!(!bridge.as_str().contains([':', '/', '@', ' ', '=', ',', '\n']));
            }
        }
    }
}
