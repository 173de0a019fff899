//! Connections, from the output of conntrack(8): `conntrack -L` with and without `-o extended`, and `conntrack -E`.
//!
//! ```text
//! ipv4     2 tcp      6 112 TIME_WAIT src=172.18.0.2 dst=172.18.0.1 sport=54458 dport=80
//!     src=172.18.0.1 dst=172.18.0.2 sport=80 dport=54458 [ASSURED] mark=2 zone=64000 use=1
//! ```

use memchr::{memchr, memmem};
use std::{borrow::Cow, fmt, net::IpAddr};

/// Removes the count that conntrack writes to standard error. A program that collects both outputs in one file may put
/// the count into the middle of a connection's line; this function joins the two parts again.
pub fn without_count(output: &[u8]) -> Cow<'_, [u8]> {
    const BEGINNING: &[u8] = b"conntrack v";
    const END: &[u8] = b" flow entries have been shown.";
    let mut kept = Vec::new();
    let mut rest = output;
    while let Some(at) = memmem::find(rest, BEGINNING) {
        let (before, from) = rest.split_at(at);
        // The count is a sentence within one line. Any other text with this beginning is kept.
        let line = memchr(b'\n', from).map_or(from.len(), |end| end + 1);
        let (said, after) = from.split_at(line);
        kept.extend_from_slice(before);
        if !said.trim_ascii_end().ends_with(END) {
            kept.extend_from_slice(said);
        }
        rest = after;
    }
    if rest.len() == output.len() {
        return Cow::Borrowed(output);
    }
    kept.extend_from_slice(rest);
    Cow::Owned(kept)
}

/// A connection, or an event about one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection<'a> {
    /// The type of the event: `[NEW]`, `[UPDATE]` or `[DESTROY]`, after the time if `-o timestamp` was given.
    pub event: Vec<&'a str>,
    /// The address family and its number: `ipv4`, `2`.
    pub family: Option<(&'a str, &'a str)>,
    /// The protocol and its number: `tcp`, `6`.
    pub protocol: (&'a str, &'a str),
    /// The number of seconds until the kernel removes the entry. Events of the type `[DESTROY]` have none.
    pub timeout: Option<&'a str>,
    /// The state, such as `ESTABLISHED`, if the protocol has states.
    pub state: Option<&'a str>,
    /// The original direction: `src=…`, `dst=…`, `sport=…`, `packets=…`.
    pub original: Vec<(&'a str, &'a str)>,
    /// Whether no reply was seen.
    pub unreplied: bool,
    /// The reply direction. With NAT it is not the mirror of the original direction.
    pub reply: Vec<(&'a str, &'a str)>,
    /// The other words: `mark=…`, `zone=…`, `use=…`, and flags such as `[ASSURED]`.
    pub rest: Vec<&'a str>,
}

impl<'a> Connection<'a> {
    /// Parses a line. Returns `None` if the line is not a connection.
    pub fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split_whitespace().peekable();
        let mut it = Self::default();
        while let Some(word) = words.next_if(|word| word.starts_with('[')) {
            it.event.push(word);
        }
        let number = |word: Option<&&str>| word.is_some_and(|word| word.bytes().all(|b| b.is_ascii_digit()));
        let first = words.next()?;
        let second = words.next_if(|word| number(Some(word)))?;
        it.protocol = (first, second);
        if first.starts_with("ipv") {
            it.family = Some((first, second));
            it.protocol = (words.next()?, words.next_if(|word| number(Some(word)))?);
        }
        it.timeout = words.next_if(|word| number(Some(word)));
        it.state = words
            .next_if(|word| word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_' || b.is_ascii_digit()));
        for word in words {
            let Some((key, value)) = word.split_once('=').filter(|_| it.rest.is_empty()) else {
                match word {
                    "[UNREPLIED]" if it.reply.is_empty() && !it.unreplied => it.unreplied = true,
                    _ => it.rest.push(word),
                }
                continue;
            };
            let has = |tuple: &[(&str, &str)], key: &str| tuple.iter().any(|(have, _)| *have == key);
            let tuple = if it.reply.is_empty() && !(key == "src" && has(&it.original, "src")) {
                &mut it.original
            } else {
                &mut it.reply
            };
            // `id` is the identifier of an ICMP echo in a tuple, and the number of the entry elsewhere.
            let of_tuple = match key {
                "src" | "dst" | "sport" | "dport" | "type" | "code" | "packets" | "bytes" | "srckey"
                | "dstkey" | "zone-orig" | "zone-reply" => true,
                "id" => has(tuple, "type") && !has(tuple, "id"),
                _ => false,
            };
            if of_tuple && !has(tuple, key) { tuple.push((key, value)) } else { it.rest.push(word) }
        }
        (!it.original.is_empty()).then_some(it)
    }

    /// Returns the value of an attribute such as `mark`, `zone` or `use`.
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        self.rest.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// Returns the zone of the original direction. conntrack omits zone 0.
    pub fn zone(&self) -> u16 {
        let zone = self.attribute("zone").or_else(|| Self::value(&self.original, "zone-orig"));
        zone.and_then(|zone| zone.parse().ok()).unwrap_or(0)
    }

    /// Returns the zone of the reply direction. It differs from the original zone only if each direction has its own
    /// zone.
    pub fn reply_zone(&self) -> u16 {
        match (self.attribute("zone"), Self::value(&self.reply, "zone-reply")) {
            (None, Some(zone)) => zone.parse().unwrap_or(0),
            (Some(_), _) => self.zone(),
            (None, None) => 0,
        }
    }

    /// Returns the mark, which conntrack prints in decimal, or 0 if there is none.
    pub fn mark(&self) -> u32 {
        self.attribute("mark").and_then(|mark| mark.parse().ok()).unwrap_or(0)
    }

    /// Returns the value of a key in one direction.
    fn value(tuple: &[(&str, &'a str)], key: &str) -> Option<&'a str> {
        tuple.iter().find(|(have, _)| *have == key).map(|(_, value)| *value)
    }

    /// Returns true if a source or destination address of either direction matches.
    pub fn has_address(&self, wanted: impl Fn(IpAddr) -> bool) -> bool {
        let all = self.original.iter().chain(&self.reply).filter(|(key, _)| matches!(*key, "src" | "dst"));
        all.filter_map(|(_, value)| value.parse().ok()).any(wanted)
    }

    /// Returns true if either direction has this source or destination port.
    pub fn has_port(&self, port: u16) -> bool {
        let mut all =
            self.original.iter().chain(&self.reply).filter(|(key, _)| matches!(*key, "sport" | "dport"));
        all.any(|(_, value)| value.parse() == Ok(port))
    }

    /// Returns true if NAT changes addresses or ports, so that the reply is not the mirror of the original direction.
    pub fn is_translated(&self) -> bool {
        [("src", "dst"), ("dst", "src"), ("sport", "dport"), ("dport", "sport")].iter().any(|(one, other)| {
            let (sent, back) = (Self::value(&self.original, one), Self::value(&self.reply, other));
            sent.is_some() && back.is_some() && sent != back
        })
    }
}

/// Prints the connection as conntrack does, with single spaces.
impl fmt::Display for Connection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.event {
            write!(f, "{event} ")?;
        }
        if let Some((family, number)) = self.family {
            write!(f, "{family} {number} ")?;
        }
        write!(f, "{} {}", self.protocol.0, self.protocol.1)?;
        for word in self.timeout.iter().chain(&self.state) {
            write!(f, " {word}")?;
        }
        for (key, value) in &self.original {
            write!(f, " {key}={value}")?;
        }
        if self.unreplied {
            f.write_str(" [UNREPLIED]")?;
        }
        for (key, value) in &self.reply {
            write!(f, " {key}={value}")?;
        }
        for word in &self.rest {
            write!(f, " {word}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TCP: &str = "ipv4     2 tcp      6 431994 ESTABLISHED src=10.244.0.4 dst=10.96.0.10 sport=40696 dport=80 \
                       src=10.244.1.5 dst=10.244.0.4 sport=8080 dport=40696 [ASSURED] mark=2 zone=64000 use=1";

    #[test]
    fn a_line_is_split_into_its_parts() {
        let it = Connection::parse(TCP).unwrap();
        assert_eq!(
            (it.family, it.protocol, it.state),
            (Some(("ipv4", "2")), ("tcp", "6"), Some("ESTABLISHED"))
        );
        assert_eq!((it.zone(), it.mark(), it.is_translated()), (64000, 2, true));
        assert!(it.has_address(|ip| ip.to_string() == "10.244.1.5") && it.has_port(8080) && !it.has_port(81));
        let icmp = "icmp     1 29 src=172.18.0.2 dst=172.18.0.3 type=8 code=0 id=24826 [UNREPLIED] src=172.18.0.3 \
                    dst=172.18.0.2 type=0 code=0 id=24826 mark=0 use=1 id=778290250";
        let it = Connection::parse(icmp).unwrap();
        assert_eq!((it.original.len(), it.reply.len(), it.unreplied), (5, 5, true));
        assert_eq!(it.rest, ["mark=0", "use=1", "id=778290250"]);
        let event = "[1795332027.608963]\t    [NEW] ipv4     2 tcp      6 120 SYN_SENT src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 \
                     [UNREPLIED] src=2.2.2.2 dst=1.1.1.1 sport=2 dport=1";
        assert_eq!(Connection::parse(event).unwrap().event, ["[1795332027.608963]", "[NEW]"]);
        assert_eq!(
            Connection::parse("conntrack v1.4.7 (conntrack-tools): 8 flow entries have been shown."),
            None
        );
    }

    #[test]
    fn each_direction_may_have_its_own_zone() {
        let line = "ipv4 2 udp 17 29 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 zone-orig=7 [UNREPLIED] src=10.0.0.2 \
                    dst=10.0.0.1 sport=2 dport=1 mark=0 zone-reply=9 use=1";
        for line in [line.to_owned(), line.replace(" mark=0 zone-reply=9", " zone-reply=9 mark=0")] {
            let it = Connection::parse(&line).unwrap();
            assert_eq!((it.zone(), it.reply.len() >= 4, it.unreplied), (7, true, true), "{line}");
        }
        let line = line.replace(" mark=0 zone-reply=9", " zone-reply=9 mark=0");
        let it = Connection::parse(&line).unwrap();
        assert_eq!((it.reply_zone(), it.is_translated()), (9, false));
        assert_eq!(Connection::parse(TCP).unwrap().reply_zone(), 64000);
    }

    #[test]
    fn a_count_in_the_middle_of_a_line_is_removed() {
        let count = "conntrack v1.4.7 (conntrack-tools): 2 flow entries have been shown.\n";
        let whole = format!("{TCP}\n{TCP}\n");
        for at in [0, 7, TCP.len(), TCP.len() + 1, whole.len()] {
            let (before, after) = whole.split_at(at);
            let recorded = format!("{before}{count}{after}");
            assert_eq!(without_count(recorded.as_bytes()), whole.as_bytes(), "{at}");
        }
        for other in ["", "conntrack v1.4.7 (conntrack-tools): Operation failed: sorry\n", &whole] {
            assert_eq!(without_count(other.as_bytes()), other.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn no_line_panics_and_no_word_is_lost(
            line in "(\\[NEW\\] )?(ipv4 2 )?[a-z]{2,6} [0-9]{1,3} [0-9]{0,6} ?[A-Z_]{0,11}( [a-z]{1,5}=[0-9.]{1,9}){0,16}( \\[[A-Z]{1,9}\\])?( [a-z]{1,5}=[0-9]{1,4}){0,4}|.*",
        ) {
            if let Some(it) = Connection::parse(&line) {
                let sorted = |text: &str| {
                    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
                    words.sort();
                    words
                };
                prop_assert_eq!(sorted(&it.to_string()), sorted(&line));
            }
        }
    }
}
