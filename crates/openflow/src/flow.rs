//! OpenFlow flows, as ovs-ofctl(8) `dump-flows` and ovs-vswitchd(8) `bridge/dump-flows` print them.
//!
//! ```text
//!  cookie=0xdeff105, duration=95.5s, table=0, n_packets=36, n_bytes=3060, priority=100,ip,in_port=2 actions=output:1
//! cookie=0xdeff105, duration=95s, n_packets=36, n_bytes=3060, priority=100,ip,in_port=LOCAL,actions=output:1
//! ```

use crate::tokens;
use std::fmt;

/// A flow, split into the words of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow<'a> {
    /// The attributes before the priority, such as the cookie and the counters.
    pub attributes: Vec<Token<'a>>,
    /// The printed priority. The default priority is not printed.
    pub priority: Option<&'a str>,
    /// The fields of the match.
    pub fields: Vec<Token<'a>>,
    /// The text of the actions.
    pub actions: &'a str,
}

/// A name with an optional value: `in_port=3`, `tcp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// The name.
    pub name: &'a str,
    /// The value.
    pub value: Option<&'a str>,
}

/// The priority of a flow without a printed priority (OpenFlow 1.0, `OFP_DEFAULT_PRIORITY`).
const DEFAULT_PRIORITY: u16 = 32768;

/// The attributes of a flow besides its match, as named in ovs-ofctl(8), "Flow Statistics" and "flow syntax".
const ATTRIBUTES: [&str; 19] = [
    "cookie",
    "duration",
    "table",
    "table_id",
    "n_packets",
    "n_bytes",
    "n_offload_packets",
    "n_offload_bytes",
    "idle_timeout",
    "hard_timeout",
    "idle_age",
    "hard_age",
    "importance",
    "send_flow_rem",
    "check_overlap",
    "reset_counts",
    "no_packet_counts",
    "no_byte_counts",
    "out_port",
];

impl<'a> Token<'a> {
    pub(crate) fn parse(part: &'a str) -> Self {
        let (name, value) = tokens::name_and_value(part, &['=']);
        Self { name, value }
    }
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.value.map_or(Ok(()), |value| write!(f, "={value}"))
    }
}

impl<'a> Flow<'a> {
    /// Parses a line. Returns `None` if the line is not a flow.
    pub fn parse(line: &'a str) -> Option<Self> {
        let line = line.trim();
        let begins = |at: &usize| {
            line.get(..*at).is_none_or(|before| before.ends_with([' ', ',']) || before.is_empty())
        };
        let (at, _) = line.match_indices("actions=").find(|(at, _)| begins(at))?;
        let (head, actions) = (line.get(..at)?, line.get(at + "actions=".len()..)?);
        let mut flow = Self { attributes: Vec::new(), priority: None, fields: Vec::new(), actions };
        // Spaces separate flags: `send_flow_rem reset_counts idle_age=40`.
        let words = |part: &'a str| part.split(if part.contains('"') { '\0' } else { ' ' });
        for token in tokens::split(head).flat_map(words).filter(|word| !word.is_empty()).map(Token::parse) {
            match token.name {
                "priority" => flow.priority = token.value,
                name if ATTRIBUTES.contains(&name) => flow.attributes.push(token),
                _ => flow.fields.push(token),
            }
        }
        Some(flow)
    }

    fn attribute(&self, name: &str) -> Option<&'a str> {
        self.attributes.iter().find(|token| token.name == name)?.value
    }

    /// Returns the cookie, or 0 if none is printed.
    pub fn cookie(&self) -> u64 {
        self.attribute("cookie").and_then(tokens::number).unwrap_or(0)
    }

    /// Returns the table, or 0 if none is printed. `bridge/dump-flows` also prints the hidden tables above 253.
    pub fn table(&self) -> u8 {
        let table = self.attribute("table").or_else(|| self.attribute("table_id"));
        table.and_then(|table| table.parse().ok()).unwrap_or(0)
    }

    /// Returns the priority, or the default priority if none is printed.
    pub fn priority(&self) -> u16 {
        self.priority.and_then(|priority| priority.parse().ok()).unwrap_or(DEFAULT_PRIORITY)
    }

    /// Returns whether the line is one flow, and each attribute has a value of its kind. Otherwise the line is damaged:
    /// an attribute that runs into another one may hide the table.
    pub fn is_whole(&self) -> bool {
        let is_sound = |token: &Token<'_>| match (token.name, token.value) {
            ("table" | "table_id", value) => value.is_some_and(|table| table.parse::<u8>().is_ok()),
            ("cookie", value) => value.is_some_and(|cookie| tokens::number(cookie).is_some()),
            ("duration", value) => {
                value.is_some_and(|time| time.strip_suffix('s').unwrap_or(time).parse::<f64>().is_ok())
            }
            ("out_port", _) | (_, None) => true,
            (_, Some(value)) => value.parse::<u64>().is_ok(),
        };
        self.attributes.iter().all(is_sound)
            && self.priority.is_none_or(|priority| priority.parse::<u16>().is_ok())
            && !self.actions.trim().is_empty()
            && !self.actions.contains("actions=")
    }

    /// Returns the number of packets that matched, if counters were printed.
    pub fn packets(&self) -> Option<u64> {
        self.attribute("n_packets")?.parse().ok()
    }

    /// Returns the number of bytes that matched, if counters were printed.
    pub fn bytes(&self) -> Option<u64> {
        self.attribute("n_bytes")?.parse().ok()
    }

    /// Returns the match as it is printed: `priority=100,ip,in_port=LOCAL`.
    pub fn matched(&self) -> String {
        let priority = self.priority.map(|priority| format!("priority={priority}"));
        let fields = self.fields.iter().map(Token::to_string);
        priority.into_iter().chain(fields).collect::<Vec<_>>().join(",")
    }
}

/// Prints the flow as `dump-flows` does.
impl fmt::Display for Flow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for attribute in &self.attributes {
            write!(f, "{attribute}, ")?;
        }
        match self.matched().as_str() {
            "" => write!(f, "actions={}", self.actions),
            matched => write!(f, "{matched} actions={}", self.actions),
        }
    }
}

/// Returns whether the line is the header of a message with flows.
pub fn is_header(line: &str) -> bool {
    line.contains("_FLOW reply") || line.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_runs_into_another_attribute_is_no_whole_flow() {
        let whole =
            " cookie=0x7, duration=150.225s, table=28, n_packets=19, idle_age=36, priority=0 actions=drop";
        assert!(Flow::parse(whole).is_some_and(|flow| flow.is_whole()));
        for (part, damaged) in
            [("s, t", "!##t"), ("6, p", "6##p"), ("=28", ""), ("0x7", "0x7!"), ("=19", "=1?")]
        {
            let line = whole.replace(part, damaged);
            assert!(!Flow::parse(&line).is_some_and(|flow| flow.is_whole()), "{line}");
        }
    }

    #[test]
    fn each_form_of_a_dump() {
        for (line, cookie, table, priority, packets, matched) in [
            (
                " cookie=0xdeff105, duration=95.5s, table=1, n_packets=31, n_bytes=2550, idle_age=9, priority=100,ip,in_port=2 actions=ct(commit,zone=64000,exec(set_field:0x1->ct_mark)),output:1",
                0xdef_f105,
                1,
                100,
                Some(31),
                "priority=100,ip,in_port=2",
            ),
            // The dump was made with `--no-stats`, and the table is not printed because it is 0.
            (" priority=0 actions=drop", 0, 0, 0, None, "priority=0"),
            // The priority is not printed because it is the default.
            (
                " cookie=0xdeff105, duration=1s, table=3, n_packets=0, n_bytes=0, actions=LOCAL",
                0xdef_f105,
                3,
                32768,
                Some(0),
                "",
            ),
            (
                " cookie=0x0, duration=40s, table=0, n_packets=1, n_bytes=2, send_flow_rem reset_counts idle_age=4, priority=7,ip,in_port=\"a b\" actions=drop",
                0,
                0,
                7,
                Some(1),
                "priority=7,ip,in_port=\"a b\"",
            ),
            // This is the format of `bridge/dump-flows`.
            (
                "table_id=254, duration=95s, n_packets=4, n_bytes=0, priority=0,reg0=0x1,actions=drop",
                0,
                254,
                0,
                Some(4),
                "priority=0,reg0=0x1",
            ),
        ] {
            let flow = Flow::parse(line).unwrap();
            assert_eq!(
                (flow.cookie(), flow.table(), flow.priority(), flow.packets()),
                (cookie, table, priority, packets)
            );
            assert_eq!(flow.matched(), matched);
        }
        assert_eq!(Flow::parse("NXST_FLOW reply (xid=0x4): flags=[more]"), None);
        assert_eq!(Flow::parse("ovs-ofctl: br-x is not a bridge or a socket"), None);
    }

    proptest! {
        #[test]
        fn no_line_panics(line in ".*|[a-z0-9=,() \"]{0,40}actions=.*") {
            _ = Flow::parse(&line).map(|flow| flow.to_string());
        }
    }
}
