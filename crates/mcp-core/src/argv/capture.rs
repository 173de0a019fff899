//! The filter of a capture.

mod lex;
mod names;
mod number;
mod parse;
mod tree;
mod value;

#[cfg(test)]
mod tests;

use super::{BadWord, Word};
pub use names::FilterProtocol;
use std::net::IpAddr;
use tree::{Condition, Test, Value};

/// A filter for packets in the language of pcap-filter(7), which tcpdump, pwru and retis compile with libpcap:
///
/// ```text
/// tcp dst port 80 and (src net 10.244.0.0/16 or host 10.96.0.10) and tcp[tcpflags] & (tcp-syn|tcp-ack) != 0
/// ```
///
/// A program gets the filter as one argument that our grammar printed, not as the text that came in. So no option, file
/// name or second command reaches it, and what it compiles is what an answer shows:
///
/// - Every test has its own qualifiers: `port 80 or 443` becomes `port 80 or port 443`.
/// - Parentheses show the order, because `and` and `or` have the same precedence: `a or b and c` becomes
///   `(a or b) and c`.
/// - Networks have their length: `net 10` becomes `net 10.0.0.0/8`, and `net 10.0.0.0`, which is only one address,
///   becomes `net 10.0.0.0/32`.
///
/// Names of hosts and services are refused, because the program would look them up on the node, with DNS. The filter is
/// refused also where the programs differ (`inbound`, `vxlan`) and where the kernel cannot run it (`protochain`).
///
/// # Tunnels
///
/// `geneve` and `vlan` change the meaning of everything after them, also after an `or` and outside of their
/// parentheses: libpcap then reads at the offsets of what the tunnel carries. `geneve and host 10.244.0.4` is about the
/// inner packet and `host 172.18.0.2 and geneve` is about the outer one, but `geneve or host 172.18.0.2` finds no
/// packet of the host outside of a tunnel, and `not geneve and host 172.18.0.2` finds no packet at all.
/// [`CaptureFilter::warning`] says so. Further:
///
/// - `geneve` looks for UDP port 6081 only, and needs libpcap 1.8.0.
/// - pwru and retis look at packets that have no outer header before the tunnel's device adds it, and none after the
///   tunnel's device has removed it. On these packets `geneve` matches nothing.
///
/// So a filter that a server makes names the outer packet: [`CaptureFilter::of`] with UDP and port 6081 for a capture
/// on the uplink, and the addresses of pods for a capture on a pod or on `genev_sys_6081`. What is inside a captured
/// tunnel is selected when the packets are dissected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureFilter {
    condition: Condition,
    word: Word,
}

/// The error of a text that is not a valid filter. Places are counted after the spaces at the beginning.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFilter {
    /// The text cannot be an argument on a command line.
    #[error("the filter cannot be a command-line argument: {0}")]
    Word(BadWord),
    /// The text is longer than [`CaptureFilter::MAX`], as it is or with all its qualifiers.
    #[error("the filter is longer than {} bytes", CaptureFilter::MAX)]
    Long,
    /// The text contains a character that no filter has.
    #[error("unexpected {found:?} at byte {}", at + 1)]
    Character {
        /// The character.
        found: String,
        /// The place of the character in bytes, from 0.
        at: usize,
    },
    /// Something else is expected here.
    #[error("expected {wanted} {}", place(.found.as_deref(), *.at))]
    Wanted {
        /// What is expected.
        wanted: String,
        /// The beginning of the rest of the text, or `None` at its end.
        found: Option<String>,
        /// The place of the rest in bytes, from 0.
        at: usize,
    },
    /// The filter language has this, but a filter here does not.
    #[error("{found:?} at byte {}: {why}", at + 1)]
    Refused {
        /// The part of the text.
        found: String,
        /// The place of the part in bytes, from 0.
        at: usize,
        /// Why it is refused, and what to write instead.
        why: String,
    },
    /// The filter is nested too deeply.
    #[error("the filter is nested more than {} levels deep", BadFilter::DEEPEST)]
    Deep,
    /// The filter has too many tests.
    #[error("the filter has more than {} tests and numbers", BadFilter::MOST)]
    Many,
}

/// Returns the words for a place before a text, or at the end.
fn place(found: Option<&str>, at: usize) -> String {
    match found {
        Some(found) => format!("before {found:?} at byte {}", at + 1),
        None => "at the end of the filter".to_owned(),
    }
}

impl BadFilter {
    /// The maximum number of levels of parentheses.
    const DEEPEST: usize = 32;

    /// The maximum number of tests, and of numbers in them.
    const MOST: usize = 200;

    /// The length of the text that an error shows.
    const SHOWN: usize = 40;

    fn wanted(wanted: &str, rest: &str, at: usize) -> Self {
        let found = rest.chars().take(Self::SHOWN).collect::<String>();
        Self::Wanted { wanted: wanted.to_owned(), found: Some(found).filter(|found| !found.is_empty()), at }
    }

    fn refused(found: &str, at: usize, why: &str) -> Self {
        Self::Refused { found: found.chars().take(Self::SHOWN).collect(), at, why: why.to_owned() }
    }
}

impl CaptureFilter {
    /// The maximum length of a filter in bytes.
    pub const MAX: usize = 4096;

    /// Parses a filter.
    ///
    /// # Errors
    ///
    /// An error says where the text is wrong and what is expected there.
    pub fn parse(text: &str) -> Result<Self, BadFilter> {
        let text = text.trim_matches(' ');
        if text.len() > Self::MAX {
            return Err(BadFilter::Long);
        }
        match Word::parse(text) {
            Err(BadWord::Empty) => {
                return Err(BadFilter::wanted("a test such as `host 10.244.0.4` or `icmp`", "", 0));
            }
            Err(error) => return Err(BadFilter::Word(error)),
            Ok(_) => {}
        }
        let condition = parse::parse(text)?;
        let printed = condition.to_string();
        if printed.len() > Self::MAX {
            return Err(BadFilter::Long);
        }
        let word = Word::parse(printed).map_err(BadFilter::Word)?;
        Ok(Self { condition, word })
    }

    /// Returns the filter of the packets of a protocol that go from or to each of some addresses, and from or to one of
    /// some ports. For example, UDP and port 6081 are the Geneve tunnels on an uplink, and with the addresses of two
    /// nodes, the tunnel between them.
    ///
    /// # Errors
    ///
    /// Returns an error if nothing is given, if the protocol has no ports, or if the filter becomes too long.
    pub fn of(protocol: Option<FilterProtocol>, hosts: &[IpAddr], ports: &[u16]) -> Result<Self, BadFilter> {
        let qualifier = protocol.filter(|_| !ports.is_empty());
        let prefix = qualifier.map_or_else(String::new, |protocol| format!("{} ", protocol.as_str()));
        let port = ports.iter().map(|port| format!("{prefix}port {port}")).collect::<Vec<_>>().join(" or ");
        let mut tests: Vec<String> = hosts.iter().map(|host| format!("host {host}")).collect();
        tests.extend(Some(format!("({port})")).filter(|_| !ports.is_empty()));
        tests.extend(protocol.filter(|_| ports.is_empty()).map(|protocol| protocol.as_str().to_owned()));
        Self::parse(&tests.join(" and "))
    }

    /// Returns the filter of the packets that match this filter and another one. `geneve` and `vlan` in this filter
    /// change the meaning of the other one.
    ///
    /// # Errors
    ///
    /// Returns an error if the filter becomes too long.
    pub fn and(&self, other: &Self) -> Result<Self, BadFilter> {
        Self::parse(&format!("({self}) and ({other})"))
    }

    /// Returns a warning if a test comes after `geneve` or `vlan`, and so is about what they carry.
    pub fn warning(&self) -> Option<String> {
        let mut inside = None;
        let moved = self.condition.any(&mut |test| match (test, inside) {
            // Two tags, one after another, are meant so.
            (Test::Inside(what, _), before) if before.is_none_or(|before| before == *what) => {
                inside = Some(*what);
                false
            }
            (_, before) => before.is_some(),
        });
        let what = inside.filter(|_| moved)?;
        Some(format!("everything after `{what}` in the filter is about what is inside, also after `or`"))
    }

    /// Whether the filter asks for what only a frame with a link header has: the address of a network card, a VLAN, a
    /// broadcast of the link. pwru refuses such a filter, because it compiles it also for packets without that header;
    /// retis then misses the packets that have no link header yet.
    pub fn needs_link(&self) -> bool {
        let mut is_inner = false;
        self.condition.any(&mut |test| match test {
            // What a tunnel carries has a link header of its own.
            Test::Inside("geneve", _) => {
                is_inner = true;
                false
            }
            Test::Inside(..) | Test::Many(None, _) | Test::End(_, Value::Mac(_)) => !is_inner,
            _ => false,
        })
    }

    /// Returns the filter as a program gets it.
    pub fn as_str(&self) -> &str {
        self.word.as_str()
    }

    pub(super) fn word(&self) -> Word {
        self.word.clone()
    }
}

impl std::fmt::Display for CaptureFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
