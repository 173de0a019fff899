//! Filters that select flows.

use crate::{Flow, Ports, Token, tokens};
use ipnet::IpNet;
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

/// A condition on one field of a match: `nw_dst=10.244.0.4`, `tcp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldFilter {
    name: String,
    value: Option<String>,
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
        match word && value != Some("") {
            true => Ok(Self { name: canonical(name).to_owned(), value: value.map(str::to_owned) }),
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
        let has = |wanted: &FieldFilter| flow.fields.iter().any(|field| wanted.is(field, ports));
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

impl FieldFilter {
    /// Returns whether a flow with this field matches packets that have the wanted value.
    fn is(&self, field: &Token<'_>, ports: &Ports) -> bool {
        if canonical(field.name) != self.name {
            return false;
        }
        let (Some(wanted), Some(has)) = (&self.value, field.value) else { return self.value.is_none() };
        let port = || self.name == "in_port" && ports.name(has).is_some_and(|name| name == wanted);
        wanted == has || port() || address(wanted, has) || number(wanted, has) || flags(wanted, has)
    }
}

/// Returns whether one network contains the other.
fn address(wanted: &str, has: &str) -> bool {
    let net = |text: &str| -> Option<IpNet> {
        let (address, mask) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = address.parse().ok()?;
        match mask.parse::<IpAddr>() {
            Ok(mask) => IpNet::with_netmask(address, mask).ok(),
            Err(_) if mask.is_empty() => Some(address.into()),
            Err(_) => IpNet::new(address, mask.parse().ok()?).ok(),
        }
    };
    match (net(wanted), net(has)) {
        (Some(wanted), Some(has)) => has.contains(&wanted) || wanted.contains(&has),
        _ => false,
    }
}

/// Returns whether a number has the wanted value in the bits that both masks cover.
fn number(wanted: &str, has: &str) -> bool {
    match (tokens::masked(wanted), tokens::masked(has)) {
        (Some((wanted, all)), Some((has, mask))) => {
            wanted & mask & all == has & mask & all && mask & all != 0
        }
        _ => false,
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
