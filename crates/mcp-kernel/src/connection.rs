//! Connections as conntrack(8) prints them: `conntrack -L`, with `-o extended` or without, and `conntrack -E`.
//!
//! ```text
//! ipv4     2 tcp      6 112 TIME_WAIT src=172.18.0.2 dst=172.18.0.1 sport=54458 dport=80
//!     src=172.18.0.1 dst=172.18.0.2 sport=80 dport=54458 [ASSURED] mark=2 zone=64000 use=1
//! ```

use std::{fmt, net::IpAddr};

/// A connection, or what happened to one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Connection<'a> {
    /// `[NEW]`, `[UPDATE]`, `[DESTROY]`, with the time before it where one was asked for.
    pub(crate) event: Vec<&'a str>,
    /// Family and its number: `ipv4`, `2`.
    pub(crate) family: Option<(&'a str, &'a str)>,
    /// Protocol and its number: `tcp`, `6`.
    pub(crate) protocol: (&'a str, &'a str),
    /// Seconds until it is forgotten; not in events of its end.
    pub(crate) timeout: Option<&'a str>,
    /// `ESTABLISHED`, of protocols that have states.
    pub(crate) state: Option<&'a str>,
    /// As it was begun: `src=…`, `dst=…`, `sport=…`, `packets=…`.
    pub(crate) original: Vec<(&'a str, &'a str)>,
    /// Nothing has come back.
    pub(crate) unreplied: bool,
    /// As answers come; not the mirror of the original where addresses are translated.
    pub(crate) reply: Vec<(&'a str, &'a str)>,
    /// `mark=…`, `zone=…`, `use=…`, and what stands alone: `[ASSURED]`.
    pub(crate) rest: Vec<&'a str>,
}

impl<'a> Connection<'a> {
    /// Reads a line. None: it is of another form.
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
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
            // `id` is the identifier of an ICMP echo, or the number of the entry.
            let of_tuple = match key {
                "src" | "dst" | "sport" | "dport" | "type" | "code" | "packets" | "bytes" | "srckey"
                | "dstkey" => true,
                "id" => has(tuple, "type") && !has(tuple, "id"),
                _ => false,
            };
            if of_tuple && !has(tuple, key) { tuple.push((key, value)) } else { it.rest.push(word) }
        }
        (!it.original.is_empty()).then_some(it)
    }

    /// One of `mark`, `zone`, `use` and the like.
    pub(crate) fn attribute(&self, name: &str) -> Option<&'a str> {
        self.rest.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// The zone; conntrack leaves out the first.
    pub(crate) fn zone(&self) -> u16 {
        self.attribute("zone").and_then(|zone| zone.parse().ok()).unwrap_or(0)
    }

    /// The mark, which is printed in decimal.
    pub(crate) fn mark(&self) -> u32 {
        self.attribute("mark").and_then(|mark| mark.parse().ok()).unwrap_or(0)
    }

    /// Source, destination and ports of one direction.
    fn value(tuple: &[(&str, &'a str)], key: &str) -> Option<&'a str> {
        tuple.iter().find(|(have, _)| *have == key).map(|(_, value)| *value)
    }

    /// Has it this address, in either direction?
    pub(crate) fn has_address(&self, wanted: impl Fn(IpAddr) -> bool) -> bool {
        let all = self.original.iter().chain(&self.reply).filter(|(key, _)| matches!(*key, "src" | "dst"));
        all.filter_map(|(_, value)| value.parse().ok()).any(wanted)
    }

    /// Has it this port, in either direction?
    pub(crate) fn has_port(&self, port: u16) -> bool {
        let mut all =
            self.original.iter().chain(&self.reply).filter(|(key, _)| matches!(*key, "sport" | "dport"));
        all.any(|(_, value)| value.parse() == Ok(port))
    }

    /// Are addresses or ports translated: is an answer not the mirror of what was sent?
    pub(crate) fn is_translated(&self) -> bool {
        [("src", "dst"), ("dst", "src"), ("sport", "dport"), ("dport", "sport")].iter().any(|(one, other)| {
            let (sent, back) = (Self::value(&self.original, one), Self::value(&self.reply, other));
            sent.is_some() && back.is_some() && sent != back
        })
    }
}

/// As conntrack prints it, with single spaces.
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
    fn parts_are_where_they_belong() {
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

    /// One line of the capture was broken by a message; of the others no word is lost.
    #[test]
    fn recorded_connections_are_printed_again() {
        for text in crate::recorded::files("conntrack_L") {
            let mut read = 0;
            for line in text.lines().filter(|line| line.starts_with("ipv") && !line.contains("conntrack v")) {
                let printed = Connection::parse(line).map(|it| it.to_string()).unwrap_or_default();
                assert_eq!(
                    printed.split(' ').collect::<Vec<_>>(),
                    line.split_whitespace().collect::<Vec<_>>()
                );
                read += 1;
            }
            assert!(read > 20, "{read}");
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
