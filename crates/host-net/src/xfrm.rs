//! IPsec policies and states of the kernel, from `ip xfrm policy` and `ip xfrm state`.
//!
//! A block begins with `src … dst …` and continues with indented lines.

use crate::{
    interface::word_after,
    lines::{Parsed, Text},
};
use std::collections::BTreeSet;

/// A policy or a state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct XfrmEntry {
    /// The first line: the selector of a policy, or the two hosts of a state.
    pub head: String,
    /// The other lines, without their indentation and without keys.
    pub lines: Vec<String>,
    words: Vec<String>,
}

impl XfrmEntry {
    /// Returns the word after a keyword, anywhere in the block.
    pub fn get(&self, key: &str) -> Option<&str> {
        word_after(&self.words, key)
    }

    /// Returns the word after a keyword in the template: `tmpl src … dst … proto esp reqid 16401 mode transport`.
    fn of_template(&self, key: &str) -> Option<&str> {
        let at = self.words.iter().position(|word| word == "tmpl")?;
        word_after(self.words.get(at..)?, key)
    }

    /// Returns true for a policy of one socket. An IKE daemon uses such policies to exempt its own traffic from
    /// encryption.
    pub fn is_of_socket(&self) -> bool {
        self.lines.iter().any(|line| line.starts_with("socket "))
    }

    /// Returns the direction of a policy: `out`, `in` or `fwd`.
    pub fn direction(&self) -> &str {
        self.get("dir").unwrap_or_default()
    }

    /// Prints the block as ip does, without lifetime limits and anti-replay windows.
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

/// Parses the output of `ip xfrm policy` or `ip xfrm state`.
pub fn parse<'a>(text: impl Into<Text<'a>>) -> Parsed<XfrmEntry> {
    let mut parsed = Parsed::<XfrmEntry>::default();
    for line in text.into().lines().filter(|line| !line.trim().is_empty()) {
        let shown = without_keys(line);
        if line.starts_with("src ") {
            parsed.rows.push(XfrmEntry { head: shown.clone(), ..XfrmEntry::default() });
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

/// Removes the keys of algorithms from a line: `aead rfc4106(gcm(aes)) 0x75af… (288 bits) 128`. No row ever contains a
/// key, so keys do not depend on a later filter.
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
    // With `nokeys`, ip prints `<<Keys hidden>>` instead of a key.
    words.retain(|word| *word != "hidden>>");
    words.join(" ")
}

/// Returns notes about policies without a state, states without a policy, and states in one direction only.
pub fn mismatches(policies: &[XfrmEntry], states: &[XfrmEntry]) -> Vec<String> {
    let hosts = |block: &XfrmEntry| {
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
            // Tunnel mode has its own endpoints. Transport mode uses the endpoints of the packet.
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
                "packets are queued or dropped (XfrmOutNoStates) until IKE creates a state"
            } else {
                "packets that arrive unencrypted are dropped (XfrmInTmplMismatch)"
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
                "incomplete state: {}: the kernel requested it, and IKE has not created it yet",
                state.head
            ));
        } else if !asked.iter().any(|(of, _)| *of == hosts(state)) {
            notes.push(format!("state without a policy: {}: no packet uses it", state.head));
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
    fn a_policy_needs_a_state_and_states_need_both_directions() {
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
        assert_eq!(notes, ["state without a policy: src 172.18.0.3 dst 172.18.0.2: no packet uses it"]);
    }

    #[test]
    fn rows_contain_no_keys() {
        let states = parse(&format!("{STATE}{BACK}")).rows;
        let texts: Vec<String> = states.iter().map(XfrmEntry::text).collect();
        assert!(
            texts.iter().all(|text| text.contains("aead rfc4106(gcm(aes)) [key]") && !text.contains("75af")),
            "{texts:?}"
        );
    }
}
