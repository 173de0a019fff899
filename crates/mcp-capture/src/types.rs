//! Parameters that several tools share, and functions that parse them.

use capture::select::{Protocol, Select};
use jiff::Timestamp;
use mcp_core::{ToolError, moment};
use schemars::JsonSchema;
use serde::Deserialize;
use std::net::IpAddr;

/// Which packets of a capture a question is about.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Question {
    /// Address or prefix of either end, also inside tunnels; a,b for both ends.
    address: Option<String>,
    /// Port of either end.
    port: Option<u16>,
    /// `tcp`, `udp`, `sctp`, `icmp`, `arp` or the number of an IP protocol.
    protocol: Option<String>,
    /// Time of the first packet: a UTC time such as 2026-11-22T08:35:03Z.
    since: Option<String>,
    /// Time of the last packet.
    until: Option<String>,
    /// List the packets as tcpdump prints them, instead of the analysis.
    packets: bool,
}

impl Question {
    /// Whether the packets are listed.
    pub(crate) fn packets(&self) -> bool {
        self.packets
    }

    /// Returns the conditions on packets.
    pub(crate) fn select(&self, now: Option<Timestamp>) -> Result<Select, ToolError> {
        let addresses = self.address.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let addresses = addresses.iter().flat_map(|text| text.split(','));
        Ok(Select {
            addresses: addresses.map(|text| prefix(text.trim())).collect::<Result<_, _>>()?,
            ports: self.port.into_iter().collect(),
            protocol: self.protocol.as_deref().map(protocol).transpose()?,
            from: time("since", self.since.as_deref(), now)?,
            until: time("until", self.until.as_deref(), now)?,
            ..Select::default()
        })
    }
}

fn prefix(text: &str) -> Result<ipnet::IpNet, ToolError> {
    let address = text.parse::<IpAddr>().map(ipnet::IpNet::from);
    address.or_else(|_| text.parse()).map_err(|_| {
        ToolError::bad(
            format!("parameter `address` has the invalid value `{text}`"),
            "Pass an address or a prefix, such as 10.244.1.5 or 10.244.0.0/16, or two of them as a,b.",
        )
    })
}

fn protocol(text: &str) -> Result<Protocol, ToolError> {
    let known = match text.trim().to_lowercase().as_str() {
        "tcp" => Some(Protocol::TCP),
        "udp" => Some(Protocol::UDP),
        "sctp" => Some(Protocol::SCTP),
        "icmp" | "icmpv6" => Some(Protocol::Icmp),
        "arp" => Some(Protocol::Arp),
        number => number.parse().ok().map(Protocol::Number),
    };
    known.ok_or_else(|| {
        ToolError::bad(
            format!("parameter `protocol` has the invalid value `{text}`"),
            "Pass tcp, udp, sctp, icmp, arp, or the number of an IP protocol.",
        )
    })
}

fn time(name: &str, text: Option<&str>, now: Option<Timestamp>) -> Result<Option<u64>, ToolError> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let time = moment(name, text, now)?;
    Ok(Some(u64::try_from(time.as_nanosecond()).unwrap_or_default()))
}
