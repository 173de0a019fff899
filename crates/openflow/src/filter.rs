//! Filters that select flows.

use crate::{Flow, Ports, Token, field, tokens};
use std::{net::IpAddr, str::FromStr};

/// A filter for flows. A flow must meet all conditions that are set.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The table of the flow.
    pub table: Option<u8>,
    /// The cookie and the mask of its bits that must match.
    pub cookie: Option<(u64, u64)>,
    /// The exact priority.
    pub priority: Option<u16>,
    /// The fields that the match must have.
    pub fields: Vec<FieldFilter>,
    /// A text that the actions must contain, with the names of ports.
    pub action: Option<String>,
    /// Whether the flow must have matched packets.
    pub nonzero: bool,
}

/// A condition on one field of a match.
///
/// * `nw_dst=10.244.0.0/16`: the flow matches some packets with these values, so that its own mask may be wider or
///   narrower.
/// * `nw_dst==10.244.0.0/16`: the flow matches exactly these values.
/// * `tcp`, `nw_proto=6`, `dl_type=0x800`: the flow matches this protocol, in whichever form it names the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFilter {
    name: String,
    value: Option<String>,
    is_exact: bool,
}

/// The error for a text that is neither a field with its value nor a protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a field with its value (nw_dst=10.244.0.4) nor a protocol (tcp)")]
pub struct BadWanted(String);

impl FromStr for FieldFilter {
    type Err = BadWanted;

    fn from_str(text: &str) -> Result<Self, BadWanted> {
        let Token { name, value } = Token::parse(text.trim());
        let word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let (value, is_exact) = match value.and_then(|value| value.strip_prefix('=')) {
            Some(exact) => (Some(exact), true),
            None => (value, false),
        };
        match word && value != Some("") {
            true => Ok(Self { name: canonical(name).to_owned(), value: value.map(str::to_owned), is_exact }),
            false => Err(BadWanted(text.chars().take(60).collect())),
        }
    }
}

/// Returns one name for a field that has several: the old and the new name in OpenFlow (ovs-fields(7)).
fn canonical(name: &str) -> &str {
    match name {
        "eth_src" => "dl_src",
        "eth_dst" => "dl_dst",
        "eth_type" => "dl_type",
        "ip_src" => "nw_src",
        "ip_dst" => "nw_dst",
        "ip_proto" => "nw_proto",
        "tcp_src" | "udp_src" | "sctp_src" => "tp_src",
        "tcp_dst" | "udp_dst" | "sctp_dst" => "tp_dst",
        "icmpv6_type" => "icmp_type",
        "icmpv6_code" => "icmp_code",
        name => name,
    }
}

impl Filter {
    /// Returns whether the filter has a condition besides the table. Otherwise it selects all flows, or all flows of
    /// a table.
    pub fn is_narrow(&self) -> bool {
        let Self { table: _, cookie, priority, fields, action, nonzero } = self;
        cookie.is_some() || priority.is_some() || !fields.is_empty() || action.is_some() || *nonzero
    }

    /// Returns whether the filter selects this flow.
    pub fn wants(&self, flow: &Flow<'_>, ports: &Ports) -> bool {
        let protocol = Protocols::of(&flow.fields);
        let has = |wanted: &FieldFilter| match wanted.protocols() {
            Some(wanted) => protocol.are(wanted),
            None => flow.fields.iter().any(|field| wanted.is(field, ports)),
        };
        self.table.is_none_or(|table| table == flow.table())
            && self.cookie.is_none_or(|(cookie, mask)| cookie & mask == flow.cookie() & mask)
            && self.priority.is_none_or(|priority| priority == flow.priority())
            && (!self.nonzero || flow.packets().is_none_or(|packets| packets > 0))
            && self.fields.iter().all(has)
            && self.action.as_ref().is_none_or(|action| {
                flow.actions.contains(action.as_str())
                    || ports.named_actions(flow.actions).contains(action.as_str())
            })
    }
}

/// The protocols of a match, in whichever form it names them. `tcp` stands for the Ethernet type of IPv4 and the IP
/// protocol 6 (ovs-ofctl(8), "Flow Syntax").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Protocols {
    ethernet: Option<u64>,
    ip: Option<u64>,
}

impl Protocols {
    /// Returns the protocols of a keyword such as `tcp`.
    fn named(name: &str) -> Option<Self> {
        let (ethernet, ip) = match name {
            "ip" => (0x0800, None),
            "ipv6" | "ip6" => (0x86dd, None),
            "icmp" => (0x0800, Some(1)),
            "tcp" => (0x0800, Some(6)),
            "udp" => (0x0800, Some(17)),
            "sctp" => (0x0800, Some(132)),
            "icmp6" => (0x86dd, Some(58)),
            "tcp6" => (0x86dd, Some(6)),
            "udp6" => (0x86dd, Some(17)),
            "sctp6" => (0x86dd, Some(132)),
            "arp" => (0x0806, None),
            "rarp" => (0x8035, None),
            "mpls" => (0x8847, None),
            "mplsm" => (0x8848, None),
            _ => return None,
        };
        Some(Self { ethernet: Some(ethernet), ip })
    }

    fn of(fields: &[Token<'_>]) -> Self {
        let mut all = Self::default();
        for field in fields {
            let one = Self::of_field(canonical(field.name), field.value).unwrap_or_default();
            all = Self { ethernet: one.ethernet.or(all.ethernet), ip: one.ip.or(all.ip) };
        }
        all
    }

    /// Returns the protocols that a field of this name and value requires.
    fn of_field(name: &str, value: Option<&str>) -> Option<Self> {
        match (name, value) {
            (_, None) => Self::named(name),
            ("dl_type", Some(value)) => Some(Self { ethernet: Some(tokens::number(value)?), ip: None }),
            ("nw_proto", Some(value)) => Some(Self { ethernet: None, ip: Some(tokens::number(value)?) }),
            _ => None,
        }
    }

    /// Returns whether these protocols include all wanted ones.
    fn are(self, wanted: Self) -> bool {
        wanted.ethernet.is_none_or(|it| self.ethernet == Some(it))
            && wanted.ip.is_none_or(|it| self.ip == Some(it))
    }
}

impl FieldFilter {
    /// Returns the name of the field.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether Open vSwitch has a field or a keyword of this name.
    pub fn is_known(&self) -> bool {
        self.protocols().is_some() || field::named(&self.name).is_some()
    }

    /// Returns whether a field of a flow has this name.
    pub fn is_of(&self, field: &Token<'_>) -> bool {
        canonical(field.name) == self.name
    }

    fn protocols(&self) -> Option<Protocols> {
        Protocols::of_field(&self.name, self.value.as_deref())
    }

    /// Returns whether a flow with this field matches packets that have the wanted value.
    fn is(&self, field: &Token<'_>, ports: &Ports) -> bool {
        if !self.is_of(field) {
            return false;
        }
        let (Some(wanted), Some(has)) = (&self.value, field.value) else { return self.value.is_none() };
        let port = || self.name == "in_port" && ports.name(has).is_some_and(|name| name == wanted);
        let masked = MaskedValue::parse(wanted).zip(MaskedValue::parse(has));
        let is_same = masked.is_some_and(|(wanted, has)| match self.is_exact {
            true => wanted == has,
            false => wanted.overlaps(has),
        });
        wanted == has || port() || is_same || (!self.is_exact && flags(wanted, has))
    }
}

/// A value with the mask of the bits that count: a number, an IP address or a MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MaskedValue {
    form: ValueForm,
    value: u128,
    mask: u128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ValueForm {
    Number,
    Ipv4,
    Ipv6,
    Mac,
}

impl MaskedValue {
    /// Parses `value` or `value/mask`. The mask of an IP address is an address or the length of a prefix.
    fn parse(text: &str) -> Option<Self> {
        let (value, mask) = text.split_once('/').map_or((text, None), |(value, mask)| (value, Some(mask)));
        let (form, value) = Self::value(value)?;
        let width = match form {
            ValueForm::Ipv4 => 32,
            ValueForm::Mac => 48,
            ValueForm::Number | ValueForm::Ipv6 => 128,
        };
        let all = u128::MAX >> (128 - width);
        let mask = match (mask, form) {
            (None, _) => all,
            (Some(mask), ValueForm::Ipv4 | ValueForm::Ipv6) if mask.bytes().all(|b| b.is_ascii_digit()) => {
                let length: u32 = mask.parse().ok().filter(|length| *length <= width)?;
                all & !all.checked_shr(length).unwrap_or(0)
            }
            (Some(mask), _) => Self::value(mask).filter(|(of, _)| *of == form)?.1,
        };
        Some(Self { form, value: value & mask, mask })
    }

    fn value(text: &str) -> Option<(ValueForm, u128)> {
        match text.parse() {
            Ok(IpAddr::V4(address)) => return Some((ValueForm::Ipv4, address.to_bits().into())),
            Ok(IpAddr::V6(address)) => return Some((ValueForm::Ipv6, address.to_bits())),
            Err(_) => {}
        }
        let bytes: Vec<&str> = text.split(':').collect();
        if bytes.len() == 6 && bytes.iter().all(|byte| byte.len() == 2) {
            return Some((ValueForm::Mac, u128::from_str_radix(&bytes.concat(), 16).ok()?));
        }
        let number = match text.strip_prefix("0x") {
            Some(digits) => u128::from_str_radix(digits, 16).ok()?,
            None => text.parse().ok()?,
        };
        Some((ValueForm::Number, number))
    }

    /// Returns whether some packet has both values.
    fn overlaps(self, other: Self) -> bool {
        let common = self.mask & other.mask;
        self.form == other.form && (self.value ^ other.value) & common == 0 && common != 0
    }
}

/// Returns whether each of the wanted flags is set: `+new+trk`.
fn flags(wanted: &str, has: &str) -> bool {
    let flags = |text: &str| -> Vec<String> {
        let starts: Vec<usize> = text.match_indices(['+', '-']).map(|(at, _)| at).collect();
        let ends = starts.iter().skip(1).copied().chain([text.len()]);
        starts.iter().zip(ends).filter_map(|(start, end)| text.get(*start..end)).map(str::to_owned).collect()
    };
    let has = flags(has);
    let wanted = flags(wanted);
    !wanted.is_empty() && wanted.iter().all(|flag| has.contains(flag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_filter_selects_flows_by_the_packets_that_they_match() {
        let line = "cookie=0x1ea6f103, table=8, n_packets=3, n_bytes=9, priority=110,ct_state=+new-est+trk,tcp,reg0=0x2/0x2,\
                    in_port=4,dl_src=0a:58:0a:f4:00:04,nw_dst=10.96.0.0/16,tp_dst=80 actions=ct(zone=NXM_NX_REG11[0..15]),output:4";
        let flow = Flow::parse(line).unwrap();
        let ports = Ports::of([(4, "web")]);
        let wants = |text: &str| {
            let filter = Filter { fields: vec![text.parse().unwrap()], ..Filter::default() };
            filter.wants(&flow, &ports)
        };
        for wanted in [
            "tcp",
            "tcp_dst=80",
            "tp_dst=80",
            "ip_dst=10.96.0.10",
            "nw_dst=10.96.0.0/24",
            "nw_dst=10.0.0.0/8",
            "in_port=4",
            "in_port=web",
            "reg0=0x2",
            "reg0=3",
            "ct_state=+trk",
            "ct_state=+new+trk",
            "eth_src=0a:58:0a:f4:00:04",
            "reg0",
            "ip",
            "nw_proto=6",
            "eth_type=0x800",
            "nw_dst==10.96.0.0/16",
            "nw_dst==10.96.0.0/255.255.0.0",
            "nw_dst=10.0.0.10/255.0.0.255",
            "dl_src=0a:58:00:00:00:00/ff:ff:00:00:00:00",
        ] {
            assert!(wants(wanted), "{wanted}");
        }
        for unwanted in [
            "udp",
            "tp_dst=81",
            "nw_dst=10.97.0.1",
            "in_port=5",
            "in_port=db",
            "reg0=0x1",
            "ct_state=+est",
            "nw_src=10.96.0.1",
            "ipv6",
            "icmp",
            "nw_proto=17",
            "dl_type=0x806",
            "nw_dst==10.96.0.10",
            "nw_dst==10.0.0.0/8",
            "nw_dst=10.1.0.0/255.1.0.0",
            "dl_src=0a:59:00:00:00:00/ff:ff:00:00:00:00",
            "dl_src==0a:58:00:00:00:00/ff:ff:00:00:00:00",
            "nw_dst=::1",
        ] {
            assert!(!wants(unwanted), "{unwanted}");
        }
        for bad in ["", "=80", "nw_dst=", "nw dst", "-generate"] {
            assert!(bad.parse::<FieldFilter>().is_err(), "{bad}");
        }
        let filter = |filter: Filter| filter.wants(&flow, &ports);
        assert!(filter(Filter { action: Some("output:web".into()), nonzero: true, ..Filter::default() }));
        assert!(filter(Filter {
            cookie: Some((0x1ea6_f103, u64::MAX)),
            table: Some(8),
            ..Filter::default()
        }));
        assert!(!filter(Filter { priority: Some(111), ..Filter::default() }));
    }
    proptest! {
        #[test]
        fn no_text_panics_and_other_fields_do_not_match(wanted in ".*|[a-z_]{1,8}=[-+0-9a-fx./:]{0,20}", line in " cookie=0x1, table=0, priority=1,[a-z_]{1,8}=[-+0-9a-fx./:]{0,20} actions=drop") {
            if let (Ok(wanted), Some(flow)) = (wanted.parse::<FieldFilter>(), Flow::parse(&line)) {
                let named = line.contains(&wanted.name);
                let filter = Filter { fields: vec![wanted], ..Filter::default() };
                prop_assert!(named || !filter.wants(&flow, &Ports::default()));
            }
        }
    }
}
