//! Events in words.

use super::{Conntrack, End, KernelEvent, NftVerdict, PacketPath, Tuple};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

/// Shows the ends: `TCP 10.244.0.4:40546 > 10.244.1.5:8080 [SYN]`.
impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            Some(1) => f.write_str("ICMP ")?,
            Some(6) => f.write_str("TCP ")?,
            Some(17) => f.write_str("UDP ")?,
            Some(58) => f.write_str("ICMPv6 ")?,
            Some(132) => f.write_str("SCTP ")?,
            Some(number) => write!(f, "IP protocol {number} ")?,
            None => {}
        }
        let end = |address: IpAddr, port: Option<u16>| match port {
            Some(port) => SocketAddr::new(address, port).to_string(),
            None => address.to_string(),
        };
        let (source, destination) = self.ports.unzip();
        write!(f, "{} > {}", end(self.source, source), end(self.destination, destination))?;
        self.flags.as_ref().map_or(Ok(()), |flags| write!(f, " [{flags}]"))
    }
}

/// Shows how a packet ended: `dropped (NETFILTER_DROP) in nft_do_chain`.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, at) = match self {
            Self::Dropped { reason: Some(reason), at } => (format!("dropped ({reason})"), at),
            Self::Dropped { reason: None, at } => ("dropped; this kernel gives no reason".to_owned(), at),
            Self::Consumed { at } => ("delivered or sent, and freed".to_owned(), at),
            Self::Seen(function) => {
                return write!(f, "last seen in {function}; the recording does not show how it ended");
            }
        };
        f.write_str(&what)?;
        if at.is_empty() { Ok(()) } else { write!(f, " in {}", at.join(", called by ")) }
    }
}

/// Shows the decision and its rule: `nftables: drop in table filter (handle 3) chain forward (handle 1) rule handle 7`.
impl fmt::Display for NftVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handle = |handle: Option<i64>| handle.map(|it| format!(" (handle {it})")).unwrap_or_default();
        let target = self.target.as_deref().map(|target| format!(" {target}")).unwrap_or_default();
        let policy = if self.is_policy { " (the policy of the chain)" } else { "" };
        write!(
            f,
            "nftables: {}{target}{policy} in table {}{} chain {}{}",
            self.verdict,
            self.table.0,
            handle(self.table.1),
            self.chain.0,
            handle(self.chain.1)
        )?;
        self.rule.map_or(Ok(()), |rule| write!(f, " rule handle {rule}"))
    }
}

/// Shows the connection: `conntrack: new in zone 7`.
impl fmt::Display for Conntrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conntrack: {}", self.state)?;
        if let Some(state) = &self.protocol_state {
            write!(f, " ({state})")?;
        }
        self.zone.map_or(Ok(()), |zone| write!(f, " in zone {zone}"))
    }
}

impl PacketPath {
    /// Says in one line what happened to the packet: its ends, how they changed, how it ended, and what nftables and
    /// connection tracking said about it.
    pub fn summary(&self, events: &[KernelEvent]) -> String {
        let ends: Vec<String> = self.tuples.iter().map(ToString::to_string).collect();
        let ends = if ends.is_empty() { "a packet without addresses".into() } else { ends.join(", then ") };
        let mut summary = format!("{ends}: {}", self.end);
        if let Some(verdict) = self.verdict(events) {
            summary += &format!("; {verdict}");
        }
        if let Some(connection) = self.conntrack(events) {
            summary += &format!("; {connection}");
        }
        summary
    }
}
