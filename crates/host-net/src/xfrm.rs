//! What is encrypted, and with which associations: `ip xfrm policy` and `ip xfrm state`.
//!
//! A block begins with `src … dst …` and goes on with indented lines.

use crate::{interface::after, lines::Parsed};
use std::collections::BTreeSet;

/// A policy or a state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The first line: what is selected, or between which hosts.
    pub head: String,
    /// The lines below, without their indentation and without keys.
    pub lines: Vec<String>,
    words: Vec<String>,
}

impl Block {
    /// The word after a word, anywhere in it.
    pub fn get(&self, key: &str) -> Option<&str> {
        after(&self.words, key)
    }

    /// The word after a word in the template: `tmpl src … dst … proto esp reqid 16401 mode transport`.
    fn of_template(&self, key: &str) -> Option<&str> {
        let at = self.words.iter().position(|word| word == "tmpl")?;
        after(self.words.get(at..)?, key)
    }

    /// A policy of one socket: an IKE daemon keeps its own traffic out of what it encrypts.
    pub fn is_of_socket(&self) -> bool {
        self.lines.iter().any(|line| line.starts_with("socket "))
    }

    /// `out`, `in`, `fwd`.
    pub fn direction(&self) -> &str {
        self.get("dir").unwrap_or_default()
    }

    /// As ip prints it, without the configured limits and the windows against replay.
    pub fn text(&self) -> String {
        const LEFT_OUT: [&str; 7] = [
            "limit:",
            "expire ",
            "lifetime config:",
            "lifetime current:",
            "anti-replay ",
            "seq-hi ",
            "replay_window ",
        ];
        let told = |line: &&String| {
            let bitmap =
                line.split(' ').all(|word| word.len() == 8 && word.bytes().all(|b| b.is_ascii_hexdigit()));
            !bitmap && *line != "stats:" && !LEFT_OUT.iter().any(|start| line.starts_with(start))
        };
        self.lines.iter().filter(told).fold(self.head.clone(), |text, line| text + "\n    " + line)
    }
}

/// Reads either list.
pub fn parse(text: &str) -> Parsed<Block> {
    let mut parsed = Parsed::<Block>::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let shown = without_keys(line);
        if line.starts_with("src ") {
            parsed.rows.push(Block { head: shown.clone(), ..Block::default() });
        } else if !line.starts_with(char::is_whitespace) || parsed.rows.is_empty() {
            parsed.other.push(shown);
            continue;
        }
        if let Some(block) = parsed.rows.last_mut() {
            block.words.extend(shown.split_whitespace().map(str::to_owned));
            if block.head != shown || !line.starts_with("src ") {
                block.lines.push(shown);
            }
        }
    }
    parsed
}

/// A line without the keys of its algorithms: `aead rfc4106(gcm(aes)) 0x75af… (288 bits) 128`. Core leaves them out of
/// every answer too; here they do not even get into a row.
fn without_keys(line: &str) -> String {
    const ALGORITHMS: [&str; 5] = ["aead", "auth", "auth-trunc", "enc", "comp"];
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let algorithms: Vec<usize> =
        words.iter().enumerate().filter(|(_, word)| ALGORITHMS.contains(word)).map(|(at, _)| at).collect();
    for at in algorithms {
        if let Some(key) = words.get_mut(at + 2) {
            *key = "[key]";
        }
    }
    // `<<Keys hidden>>` is what `nokeys` prints.
    words.retain(|word| *word != "hidden>>");
    words.join(" ")
}

/// What is odd about policies and states taken together.
pub fn mismatches(policies: &[Block], states: &[Block]) -> Vec<String> {
    let hosts = |block: &Block| {
        let host = |key| block.get(key).map(|it| it.split('/').next().unwrap_or(it).to_owned());
        Some((host("src")?, host("dst")?))
    };
    let reqid = |word: Option<&str>| word.map(|it| it.split('(').next().unwrap_or(it).to_owned());
    let have: BTreeSet<_> = states.iter().map(|state| (hosts(state), reqid(state.get("reqid")))).collect();
    let mut notes = Vec::new();
    let wanted =
        policies.iter().filter(|policy| !policy.is_of_socket() && policy.of_template("proto").is_some());
    let mut asked = BTreeSet::new();
    for policy in wanted {
        let ends = match (policy.of_template("src"), policy.of_template("dst")) {
            // A tunnel has its own ends, transport mode those of the packet.
            (Some(src), Some(dst)) if !is_unspecified(src) && !is_unspecified(dst) => {
                Some((src.to_owned(), dst.to_owned()))
            }
            _ => hosts(policy),
        };
        let reqid = reqid(policy.of_template("reqid"));
        let found =
            have.iter().any(|(of, id)| *of == ends && (*id == reqid || reqid.as_deref() == Some("0")));
        asked.insert((ends, reqid));
        if !found && policy.of_template("level") != Some("use") {
            let effect = if policy.direction() == "out" {
                "packets are held back or lost (XfrmOutNoStates), until IKE makes one"
            } else {
                "what arrives unencrypted is dropped (XfrmInTmplMismatch)"
            };
            notes.push(format!(
                "policy without a state: {} dir {}: {effect}",
                policy.head,
                policy.direction()
            ));
        }
    }
    for state in states {
        if state.lines.iter().any(|line| line.contains("spi 0x00000000")) {
            notes.push(format!(
                "state without a partner yet: {}: it was asked for, IKE has not answered",
                state.head
            ));
        } else if !asked.iter().any(|(of, _)| *of == hosts(state)) {
            notes.push(format!("state without a policy: {}: nothing is sent through it", state.head));
        }
    }
    let pairs: BTreeSet<(String, String)> = states.iter().filter_map(hosts).collect();
    for (src, dst) in pairs.iter().filter(|(src, dst)| !pairs.contains(&(dst.clone(), src.clone()))) {
        notes.push(format!("states in one direction only: {src} to {dst}"));
    }
    notes
}

fn is_unspecified(address: &str) -> bool {
    address.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: &str = "src 172.18.0.2/32 dst 172.18.0.3/32 proto udp dport 6081 \n\tdir out priority 1360065 ptype main \n\
                       \ttmpl src 0.0.0.0 dst 0.0.0.0\n\t\tproto esp reqid 16401 mode transport\n\
                       src ::/0 dst ::/0 \n\tsocket out priority 0 ptype main \n";
    const STATE: &str = "src 172.18.0.2 dst 172.18.0.3\n\tproto esp spi 0xb68c384d(3062642765) reqid 16401(0x00004011) mode transport\n\
                         \taead rfc4106(gcm(aes)) 0x75af7405 (288 bits) 128\n";
    const BACK: &str = "src 172.18.0.3 dst 172.18.0.2\n\tproto esp spi 0xf8c30232 reqid 16401 mode transport\n\
                        \taead rfc4106(gcm(aes)) <<Keys hidden>> 128\n";

    #[test]
    fn a_policy_needs_a_state_and_a_state_a_way_back() {
        let policies = parse(OUT).rows;
        assert_eq!((policies.len(), policies.iter().filter(|it| it.is_of_socket()).count()), (2, 1));
        let notes = mismatches(&policies, &[]);
        assert!(
            matches!(notes.as_slice(), [one] if one.starts_with("policy without a state: src 172.18.0.2/32")),
            "{notes:?}"
        );
        let states = parse(STATE).rows;
        assert_eq!(
            mismatches(&policies, &states),
            ["states in one direction only: 172.18.0.2 to 172.18.0.3"]
        );
        let states = parse(&format!("{STATE}{BACK}")).rows;
        let notes = mismatches(&policies, &states);
        assert_eq!(
            notes,
            ["state without a policy: src 172.18.0.3 dst 172.18.0.2: nothing is sent through it"]
        );
    }

    #[test]
    fn keys_do_not_get_into_a_row() {
        let states = parse(&format!("{STATE}{BACK}")).rows;
        let texts: Vec<String> = states.iter().map(Block::text).collect();
        assert!(
            texts.iter().all(|text| text.contains("aead rfc4106(gcm(aes)) [key]") && !text.contains("75af")),
            "{texts:?}"
        );
    }
}
