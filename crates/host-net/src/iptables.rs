//! iptables rules, from the dump of `iptables-save -c` or the list of `iptables -t <table> -nvL` or `iptables -vnxL`.

use crate::{
    address_filter::AddressFilter,
    lines::{Parsed, Text, words},
};

/// A chain or a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IptablesRule {
    /// The name of the table: `nat`.
    pub table: String,
    /// The name of the chain: `POSTROUTING`.
    pub chain: String,
    /// The text of the rule: options (`-s 10.244.0.0/16 -j MASQUERADE`), or the columns of a list. `None` for the chain
    /// itself.
    pub text: Option<String>,
    /// Whether the text consists of the columns of a list and not of options.
    pub listed: bool,
    /// The policy of a built-in chain.
    pub policy: Option<String>,
    /// The number of rules that lead to a chain that is not built in. Only a list contains it.
    pub references: Option<String>,
    /// The number of packets and bytes, if the command printed them. A list may abbreviate them: `12K`.
    pub counters: Option<(String, String)>,
}

impl IptablesRule {
    /// Returns whether a packet matched the rule, or `None` without counters.
    pub fn hit(&self) -> Option<bool> {
        self.counters.as_ref().map(|(packets, _)| packets != "0")
    }

    /// Prints the rule as `iptables-save` does. A rule from a list is printed as the chain and the columns of the list.
    pub fn print(&self) -> String {
        let counters = self.counters.as_ref().map(|(packets, bytes)| format!("[{packets}:{bytes}]"));
        match &self.text {
            None => {
                let references = self.references.as_ref().map(|n| format!("({n} references)"));
                let policy = self.policy.as_deref().unwrap_or("-");
                format!(":{} {policy} {}", self.chain, counters.or(references).unwrap_or_default())
            }
            Some(text) => {
                let counters = counters.map(|counters| counters + " ").unwrap_or_default();
                let append = if self.listed { "" } else { "-A " };
                format!("{counters}{append}{} {text}", self.chain)
            }
        }
    }

    /// Returns true if the rule contains the address and the port of the filter. A negated condition (`! --dport 80`)
    /// counts.
    pub fn matches(&self, wanted: AddressFilter) -> bool {
        let Some(text) = &self.text else { return false };
        let (mut address, mut port) = (false, false);
        let words = words(text);
        let mut words = words.iter().copied().filter(|word| *word != "!");
        while let Some(word) = words.next() {
            match word {
                // The next word is free text.
                "--comment" | "--log-prefix" | "--nflog-prefix" => _ = words.next(),
                "/*" => _ = words.by_ref().find(|word| *word == "*/"),
                _ if is_port_option(word) => {
                    port |= words.next().is_some_and(|value| wanted.matches_port(value))
                }
                _ => {
                    // A list contains `dpt:80`, `dpts:30000:32767`, `to:10.244.0.4:8080`, `to::80`.
                    let (name, value) = word.split_once(':').unwrap_or(("", word));
                    match name {
                        "dpt" | "spt" | "dpts" | "spts" => port |= wanted.matches_port(value),
                        "to" => {
                            address |= wanted.matches_address(value);
                            port |= wanted.matches_nat_target(value);
                        }
                        _ => {
                            address |= wanted.matches_address(word);
                            port |= wanted.matches_nat_target(word);
                        }
                    }
                }
            }
        }
        wanted.is_satisfied(address, port)
    }
}

/// Returns true if a port follows the word, which is an option of a dump or a word of a list.
fn is_port_option(word: &str) -> bool {
    const OPTIONS: [&str; 14] = [
        "dport",
        "sport",
        "dports",
        "sports",
        "ports",
        "destination-port",
        "source-port",
        "to-ports",
        "on-port",
        "ctorigsrcport",
        "ctorigdstport",
        "ctreplsrcport",
        "ctrepldstport",
        "ports:",
    ];
    OPTIONS.contains(&word.strip_prefix("--").unwrap_or(word))
}

/// Parses the output of `iptables-save`.
pub fn parse_save<'a>(text: impl Into<Text<'a>>) -> Parsed<IptablesRule> {
    let mut parsed = Parsed::<IptablesRule>::default();
    let mut table = String::new();
    let lines = text.into().lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('*') {
            name.clone_into(&mut table);
        } else if line == "COMMIT" {
            table.clear();
        } else {
            match rule(line, &table).filter(|_| !table.is_empty()) {
                Some(rule) => parsed.rows.push(rule),
                None => parsed.other.push(line.to_owned()),
            }
        }
    }
    parsed
}

fn rule(line: &str, table: &str) -> Option<IptablesRule> {
    let counters = |text: &str| {
        let (packets, bytes) = text.strip_prefix('[')?.strip_suffix(']')?.split_once(':')?;
        Some((packets.to_owned(), bytes.to_owned()))
    };
    let table = table.to_owned();
    if let Some(chain) = line.strip_prefix(':') {
        let mut words = chain.split_whitespace();
        let (chain, policy, counted) = (words.next()?.to_owned(), words.next()?, words.next());
        let policy = (policy != "-").then(|| policy.to_owned());
        return Some(IptablesRule {
            table,
            chain,
            policy,
            counters: counted.and_then(counters),
            ..IptablesRule::default()
        });
    }
    let (counted, rest) = match line.split_once(' ') {
        Some((first, rest)) if first.starts_with('[') => (counters(first), rest),
        _ => (None, line),
    };
    let rest = rest.strip_prefix("-A ")?;
    let (chain, text) = rest.split_once(' ').unwrap_or((rest, ""));
    Some(IptablesRule {
        table,
        chain: chain.into(),
        text: Some(text.into()),
        counters: counted,
        ..IptablesRule::default()
    })
}

/// Parses the output of `iptables -t <table> -nvL`.
pub fn parse_list<'a>(text: impl Into<Text<'a>>, table: &str) -> Parsed<IptablesRule> {
    let mut parsed = Parsed::<IptablesRule>::default();
    let mut chain = None;
    for line in text.into().lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["Chain", name, rest @ ..] => {
                chain = Some((*name).to_owned());
                // The line ends with `(policy ACCEPT 0 packets, 0 bytes)` or `(1 references)`.
                let mut chain = IptablesRule {
                    table: table.into(),
                    chain: (*name).into(),
                    listed: true,
                    ..IptablesRule::default()
                };
                match rest {
                    ["(policy", policy, packets, "packets,", bytes, "bytes)"] => {
                        chain.policy = Some((*policy).into());
                        chain.counters = Some(((*packets).into(), (*bytes).into()));
                    }
                    [references, "references)"] => {
                        chain.references = references.strip_prefix('(').map(str::to_owned)
                    }
                    _ => {}
                }
                parsed.rows.push(chain);
            }
            ["pkts", "bytes", ..] => {}
            [packets, bytes, rest @ ..]
                if chain.is_some() && packets.starts_with(|c: char| c.is_ascii_digit()) =>
            {
                parsed.rows.push(IptablesRule {
                    table: table.to_owned(),
                    chain: chain.clone().unwrap_or_default(),
                    text: Some(rest.join(" ")),
                    listed: true,
                    counters: Some(((*packets).to_owned(), (*bytes).to_owned())),
                    ..IptablesRule::default()
                });
            }
            _ => parsed.other.push(line.to_owned()),
        }
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAVED: &str = "# Generated\n*nat\n:PREROUTING ACCEPT [7:420]\n:OVN-KUBE-NODEPORT - [0:0]\n\
                         [3:180] -A PREROUTING -m addrtype --dst-type LOCAL -j OVN-KUBE-NODEPORT\n\
                         -A OVN-KUBE-NODEPORT -p tcp -m tcp --dport 30080 -m comment --comment \"a b\" -j DNAT --to-destination 10.96.0.10:80\nCOMMIT\nodd\n";

    #[test]
    fn rules_are_parsed_and_printed_again() {
        let parsed = parse_save(SAVED);
        assert_eq!((parsed.rows.len(), parsed.other.as_slice()), (4, &["odd".to_owned()][..]));
        for rule in &parsed.rows {
            assert!(SAVED.lines().any(|line| line == rule.print()), "{}", rule.print());
        }
        let concerned = |address: Option<&str>, port| -> usize {
            let wanted = AddressFilter { address: address.and_then(|a| a.parse().ok()), port };
            parsed.rows.iter().filter(|rule| rule.matches(wanted)).count()
        };
        assert_eq!(
            (concerned(None, Some(30080)), concerned(None, Some(80)), concerned(None, Some(81))),
            (1, 1, 0)
        );
        assert_eq!((concerned(Some("10.96.0.10"), None), concerned(Some("10.96.0.10"), Some(53))), (1, 0));
    }

    #[test]
    fn a_list_is_parsed() {
        let text = "Chain PREROUTING (policy ACCEPT 12 packets, 720 bytes)\n pkts bytes target     prot opt in     out     source               destination         \n\
                    \x20  3   180 DNAT       tcp  --  *      *       0.0.0.0/0            10.0.0.0/8           tcp dpt:30080 to:10.96.0.10:80\n\nChain X (1 references)\n";
        let parsed = parse_list(text, "nat");
        assert_eq!((parsed.rows.len(), parsed.other.len()), (3, 0));
        assert_eq!(parsed.rows[0].policy.as_deref(), Some("ACCEPT"));
        let concerned = |address: &str, port| {
            parsed.rows[1].matches(AddressFilter { address: address.parse().ok(), port: Some(port) })
        };
        assert!(concerned("10.96.0.10", 80) && concerned("10.1.1.1", 30080) && !concerned("192.0.2.1", 80));
    }

    proptest! {
        #[test]
        fn no_line_is_lost(text in "(\\*nat\n|:[A-Z]{1,4} (-|ACCEPT) \\[0:0\\]\n|-A [A-Z]{1,3} -j x\n|[a-z \\[\\]:]{0,9}\n|COMMIT\n){0,20}") {
            let parsed = parse_save(&text);
            let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with(['#', '*']) && *l != "COMMIT");
            prop_assert_eq!(parsed.rows.len() + parsed.other.len(), lines.count());
        }
    }
}
