//! The filter for connections that `conntrack_list` and `conntrack_events` share.

use crate::types;
use host_net::{connection::Connection, state};
use mcp_core::ToolError;
use schemars::JsonSchema;
use serde::Deserialize;
use std::net::IpAddr;

/// The parameters that select connections.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Address, before or after NAT.
    #[serde(default)]
    address: Option<String>,
    /// Port, before or after NAT.
    #[serde(default)]
    port: Option<u16>,
    /// Protocol, such as tcp.
    #[serde(default)]
    protocol: Option<String>,
    /// Conntrack zone.
    #[serde(default)]
    zone: Option<u16>,
    /// Mark, such as 0x2.
    #[serde(default)]
    mark: Option<String>,
    /// State, such as SYN_SENT or UNREPLIED.
    #[serde(default)]
    state: Option<String>,
}

/// The parsed parameters of a call, which match or reject a connection.
pub(crate) struct ConnectionFilter<'a> {
    address: Option<IpAddr>,
    mark: Option<u32>,
    params: &'a Params,
}

impl Params {
    /// Parses the parameters.
    ///
    /// # Errors
    /// The address, the mark or the state is not valid.
    pub(crate) fn filter(&self) -> Result<ConnectionFilter<'_>, ToolError> {
        types::state(self.state.as_deref(), &state::CONNECTION_STATES)?;
        Ok(ConnectionFilter {
            address: types::address(self.address.as_deref())?,
            mark: types::mark(self.mark.as_deref())?,
            params: self,
        })
    }
}

impl ConnectionFilter<'_> {
    /// Returns true if the connection matches all parameters.
    pub(crate) fn matches(&self, it: &Connection<'_>) -> bool {
        let Params { port, protocol, zone, state: asked, .. } = self.params;
        let in_state = |asked: &String| {
            let flags = it.rest.iter().filter(|word| word.starts_with('['));
            it.state.into_iter().chain(flags.copied()).any(|printed| state::is_same(printed, asked))
                || (it.unreplied && state::is_same("UNREPLIED", asked))
        };
        self.address.is_none_or(|ip| it.has_address(|is| is == ip))
            && port.is_none_or(|port| it.has_port(port))
            && protocol.as_ref().is_none_or(|protocol| it.protocol.0.eq_ignore_ascii_case(protocol))
            && zone.is_none_or(|zone| it.zone() == zone || it.reply_zone() == zone)
            && self.mark.is_none_or(|mark| it.mark() == mark)
            && asked.as_ref().is_none_or(in_state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcp_testing::unpack;

    /// A random number generator (SplitMix64).
    struct Random(u64);

    impl Random {
        fn below(&mut self, most: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) % most as u64) as usize
        }

        fn value(&mut self, of: &[String]) -> Option<String> {
            (self.below(3) == 0).then(|| of[self.below(of.len())].clone())
        }
    }

    /// Returns the distinct values of these keys in all lines, and one value that no line contains.
    fn values(lines: &[&str], keys: &[&str], none: &str) -> Vec<String> {
        let words = lines.iter().flat_map(|line| line.split_whitespace());
        let of = |word: &str| keys.iter().find_map(|key| Some(word.strip_prefix(key)?.to_owned()));
        let mut values: Vec<String> = words.filter_map(of).collect();
        values.push(none.into());
        values.sort();
        values.dedup();
        values
    }

    /// Applies 1,000 random filters to the connections of a captured node, and compares with a search for words in the
    /// lines.
    #[test]
    fn a_filter_matches_the_lines_that_contain_its_words() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        unpack("capture/nodes.tar.xz", dir.path()).expect("an archive of the test data");
        let text = std::fs::read(dir.path().join("nodes/ovn-worker/conntrack_L")).expect("a listing");
        let text = String::from_utf8_lossy(&host_net::connection::without_count(&text)).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let addresses = values(&lines, &["src=", "dst="], "192.0.2.1");
        let ports = values(&lines, &["sport=", "dport="], "7");
        let zones = values(&lines, &["zone="], "0");
        let marks = values(&lines, &["mark="], "12345");
        let states: Vec<String> =
            ["ESTABLISHED", "ESTAB", "time-wait", "UNREPLIED", "ASSURED", "CLOSE", "SYN_SENT"]
                .map(str::to_owned)
                .to_vec();
        let protocols: Vec<String> = ["tcp", "UDP", "icmp", "sctp"].map(str::to_owned).to_vec();
        let mut random = Random(7);
        let mut kept = 0;
        for _ in 0..1_000 {
            let params = Params {
                address: random.value(&addresses),
                port: random.value(&ports).and_then(|port| port.parse().ok()),
                protocol: random.value(&protocols),
                zone: random.value(&zones).and_then(|zone| zone.parse().ok()),
                mark: random.value(&marks),
                state: random.value(&states),
            };
            let filter = params.filter().expect("parameters");
            for line in &lines {
                let words: Vec<String> =
                    line.to_uppercase().split_whitespace().map(|word| word.replace(['[', ']'], "")).collect();
                let has = |word: String| words.contains(&word.to_uppercase());
                let zone = |zone: u16| has(format!("zone={zone}")) || (zone == 0 && !line.contains("zone="));
                let state = |state: &String| {
                    has(match state.as_str() {
                        "ESTAB" => "ESTABLISHED".into(),
                        "time-wait" => "TIME_WAIT".into(),
                        other => other.into(),
                    })
                };
                let expected = params
                    .address
                    .as_ref()
                    .is_none_or(|it| has(format!("src={it}")) || has(format!("dst={it}")))
                    && params.port.is_none_or(|it| has(format!("sport={it}")) || has(format!("dport={it}")))
                    && params.protocol.clone().is_none_or(has)
                    && params.zone.is_none_or(zone)
                    && params.mark.as_ref().is_none_or(|it| has(format!("mark={it}")))
                    && params.state.as_ref().is_none_or(state);
                let it = Connection::parse(line).expect("a connection");
                assert_eq!(filter.matches(&it), expected, "{params:?}: {line}");
                kept += usize::from(expected);
            }
        }
        assert!(kept > 1_000, "{kept}");
    }
}
