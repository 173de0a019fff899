//! The tool `iptables_save`: the rules of iptables.

use crate::{
    commands,
    compare::{self, identity},
    output::{text, timed, understood},
    types,
};
use host_net::{
    address_filter::AddressFilter,
    iptables::{self, IptablesRule},
    lines::Parsed,
};
use mcp_core::{
    Answer, CommandPlace, Node, Output, ReadError, Reading, Row, RowField, RowIdentity, Tool, ToolError,
};
use ovn_model::host;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(crate) struct IptablesSave;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Address family.
    #[serde(default)]
    family: Option<Family>,
    /// Name of a table, such as filter or nat.
    #[serde(default)]
    table: Option<String>,
    /// Name of a chain.
    #[serde(default)]
    chain: Option<String>,
    /// Only rules that match this address.
    #[serde(default)]
    address: Option<String>,
    /// Only rules that match this port.
    #[serde(default)]
    port: Option<u16>,
    /// Only rules that counted packets.
    #[serde(default)]
    hit: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Family {
    Ipv4,
    Ipv6,
}

impl Tool for IptablesSave {
    const NAME: &'static str = "iptables_save";
    const TITLE: &'static str = "iptables";
    const TOOLSET: &'static str = "netfilter";
    const DESCRIPTION: &'static str = "Lists iptables rules with counters. New versions of OVN-Kubernetes \
         use nftables instead (nft_list_ruleset).";
    type Params = Params;

    fn title(_: &Params) -> String {
        "iptables".into()
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let wanted = AddressFilter { address: types::address(params.address.as_deref())?, port: params.port };
        let place = compare::place(node);
        let mut answer = Answer {
            if_empty: "no rule matches".into(),
            not_compared: vec!["counters".into()],
            ..Answer::default()
        };
        let families =
            [Family::Ipv4, Family::Ipv6].into_iter().filter(|it| params.family.is_none_or(|of| of == *it));
        let mut all: Vec<(Family, IptablesRule)> = Vec::new();
        for family in families {
            let parsed = match read(node, place.clone(), family).await {
                // The rules of IPv4 alone are still a useful answer.
                Err(e) if family == Family::Ipv6 && params.family.is_none() => {
                    answer.notes.push(format!("IPv6 rules are not shown: {e}"));
                    continue;
                }
                read => understood("the iptables rules", read?)?,
            };
            answer.notes.extend(parsed.notes());
            all.extend(parsed.rows.into_iter().map(|rule| (family, rule)));
        }
        types::known("iptables table", params.table.as_deref(), all.iter().map(|(_, it)| it.table.as_str()))?;
        let of_table = |rule: &IptablesRule| params.table.as_ref().is_none_or(|table| *table == rule.table);
        let chains = all.iter().filter(|(_, it)| of_table(it)).map(|(_, it)| it.chain.as_str());
        types::known("iptables chain", params.chain.as_deref(), chains)?;
        let filtered = wanted.is_set() || params.hit;
        let of = |rule: &IptablesRule| {
            of_table(rule) && params.chain.as_ref().is_none_or(|chain| *chain == rule.chain)
        };
        let is_wanted = |rule: &IptablesRule| {
            (!wanted.is_set() || rule.matches(wanted))
                && (!params.hit || (rule.text.is_some() && rule.hit() == Some(true)))
        };
        let total = all.iter().filter(|(_, rule)| of(rule) && rule.text.is_some()).count();
        let uncounted =
            all.iter().filter(|(_, rule)| of(rule) && rule.text.is_some() && rule.hit().is_none()).count();
        if params.hit && uncounted > 0 {
            answer.notes.insert(
                0,
                format!(
                    "{uncounted} rules were recorded without counters, so hit=true leaves them out even if they \
                     matched packets"
                ),
            );
        }
        if filtered {
            answer.notes.insert(0, format!("{total} rules were searched"));
        }
        let shown = all.iter().filter(|(_, rule)| of(rule) && is_wanted(rule));
        answer.rows = shown.map(|(family, rule)| row(*family, rule)).collect();
        answer.facts = compare::facts(node).await;
        Ok(answer)
    }
}

/// Reads the dump, or the list of each table, which older reports contain instead. On a live node it never runs a list
/// command, because that would make the legacy program register the table.
async fn read(
    node: &Node<'_>,
    place: CommandPlace,
    family: Family,
) -> Result<Parsed<IptablesRule>, ReadError> {
    let parse = |output: Output| iptables::parse_save(timed(&text(&output)));
    let (command, plain, lists) = match family {
        Family::Ipv4 => (commands::iptables(), "iptables-save", LISTS),
        Family::Ipv6 => (commands::ip6tables(), "ip6tables-save", LISTS_V6),
    };
    let dump =
        vec![Reading::command(place.clone(), command, parse), Reading::recorded(place.clone(), plain, parse)];
    let absent = match node.first(dump).await {
        Err(e @ (ReadError::NotCollected { .. } | ReadError::NoProgram { .. })) => e,
        read => return read,
    };
    let mut all = Parsed::default();
    for (table, lists) in lists {
        let parse = move |output: Output| iptables::parse_list(timed(&text(&output)), table);
        let lists = lists.iter().map(|list| Reading::recorded(place.clone(), list, parse));
        match node.first(lists.collect()).await {
            Ok(parsed) => {
                all.rows.extend(parsed.rows);
                all.other.extend(parsed.other);
            }
            Err(ReadError::NotCollected { .. } | ReadError::NoProgram { .. }) => {}
            Err(e) => return Err(e),
        }
    }
    if all.rows.is_empty() { Err(absent) } else { Ok(all) }
}

/// The tables, and the recorded commands that list each of them.
type Lists = [(&'static str, &'static [&'static str]); 4];

const LISTS: Lists = [
    ("filter", &["iptables -t filter -nvL", "iptables -vnxL"]),
    ("nat", &["iptables -t nat -nvL"]),
    ("mangle", &["iptables -t mangle -nvL"]),
    ("raw", &["iptables -t raw -nvL"]),
];
const LISTS_V6: Lists = [
    ("filter", &["ip6tables -t filter -nvL", "ip6tables -vnxL"]),
    ("nat", &["ip6tables -t nat -nvL"]),
    ("mangle", &["ip6tables -t mangle -nvL"]),
    ("raw", &["ip6tables -t raw -nvL"]),
];

fn row(family: Family, rule: &IptablesRule) -> Row {
    let name = match family {
        Family::Ipv4 => "iptables",
        Family::Ipv6 => "ip6tables",
    };
    let heading: Arc<str> = format!("{name} *{}", rule.table).into();
    let meaning = host::chain(&rule.chain).filter(|_| rule.text.is_none()).map(|it| format!("  # {it}"));
    let text = format!("  {}{}", rule.print(), meaning.unwrap_or_default());
    let lasting = IptablesRule { counters: None, policy: None, references: None, ..rule.clone() };
    let key = format!("{heading} {}", lasting.print().trim());
    let fields = rule.policy.iter().map(|policy| RowField::one("policy", policy)).collect();
    let sequence = rule.text.is_some().then(|| format!("{heading} {}", rule.chain));
    let identity = RowIdentity { sequence, ..identity(key, fields, rule.chain.starts_with("CNI-")) };
    Row::with(text, identity).under(&heading)
}
