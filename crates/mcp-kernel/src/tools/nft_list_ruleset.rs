//! The tool `nft_list_ruleset`: the rules, sets and maps of nftables.

use crate::{
    commands,
    compare::{self, identity},
    nft_names::NftNames,
    output::{text, timed, understood},
    types,
};
use host_net::{
    address_filter::AddressFilter,
    lines::Parsed,
    nft::{self, NftObject, NftRule},
};
use mcp_core::{
    Answer, Node, Output, ReadError, Reading, Row, RowField, RowIdentity, Tool, ToolError, counted,
};
use ovn_model::host;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};

pub(crate) struct NftListRuleset;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Table, with or without its family.
    #[serde(default)]
    table: Option<String>,
    /// Name of a chain.
    #[serde(default)]
    chain: Option<String>,
    /// Name of a set or map.
    #[serde(default)]
    set: Option<String>,
    /// Only rules and elements that match this address.
    #[serde(default)]
    address: Option<String>,
    /// Only rules and elements that match this port.
    #[serde(default)]
    port: Option<u16>,
    /// Only rules that counted packets.
    #[serde(default)]
    hit: bool,
}

impl Tool for NftListRuleset {
    const NAME: &'static str = "nft_list_ruleset";
    const TITLE: &'static str = "nftables";
    const TOOLSET: &'static str = "netfilter";
    const DESCRIPTION: &'static str = "Lists nftables rules, sets and maps, by table, chain, set, address \
         or port. OVN-Kubernetes uses the table ovn-kubernetes.";
    type Params = Params;

    fn title(_: &Params) -> String {
        "nftables".into()
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let names = NftNames::parse(params.table.as_deref(), params.chain.as_deref(), params.set.as_deref())?;
        let wanted = AddressFilter { address: types::address(params.address.as_deref())?, port: params.port };
        let parsed = read(node, &names, wanted).await?;
        names.check(&parsed.rows)?;
        let index = RulesetIndex { sets: nft::sets(&parsed.rows), counters: nft::counters(&parsed.rows) };
        let of: Vec<&NftObject> = parsed.rows.iter().filter(|object| names.matches(object)).collect();
        let total: usize = of.iter().map(|object| object.rules.len()).sum();
        let filtered = wanted.is_set() || params.hit;
        let rows: Vec<Row> = of.iter().flat_map(|object| rows(object, wanted, params.hit, &index)).collect();
        let mut notes = parsed.notes();
        if params.hit {
            let uncounted = |object: &&NftObject| {
                object.rules.iter().filter(|rule| rule.packets(&index.counters, object).is_none()).count()
            };
            let uncounted: usize = of.iter().map(uncounted).sum();
            if uncounted > 0 {
                notes.insert(
                    0,
                    format!(
                        "{uncounted} rules have no counter, so hit=true leaves them out even if they matched packets"
                    ),
                );
            }
        }
        if filtered {
            notes.insert(
                0,
                format!(
                    "{} in {}, and all sets and maps, were searched",
                    counted(total, "rule"),
                    counted(of.len(), "chain")
                ),
            );
        }
        Ok(Answer {
            rows,
            if_empty: "no rule or element matches".into(),
            notes,
            facts: compare::facts(node).await,
            not_compared: vec!["counters, handles and the remaining lifetime of elements".into()],
            ..Answer::default()
        })
    }
}

async fn read(
    node: &Node<'_>,
    names: &NftNames,
    wanted: AddressFilter,
) -> Result<Parsed<NftObject>, ReadError> {
    let parse = |output: Output| nft::parse(timed(&text(&output)));
    let place = compare::place(node);
    // A filter has to look up the sets that rules refer to, so it needs the whole ruleset.
    let listings = if wanted.is_set() { Vec::new() } else { names.listings() };
    for listing in listings {
        match node.command(place.clone(), &listing).await {
            Ok(output) => return Ok(parse(output)),
            // The name does not exist, or only the whole ruleset was recorded. The whole ruleset answers both.
            Err(ReadError::Failed { .. } | ReadError::NotCollected { .. }) => {}
            Err(e) => return Err(e),
        }
    }
    let readings = vec![
        Reading::command(place.clone(), commands::nft_ruleset(), parse),
        Reading::recorded(place.clone(), "nft list ruleset", parse),
        Reading::recorded(place, "nft -j list ruleset", parse),
    ];
    understood("the nftables rules", node.first(readings).await?)
}

/// The sets and counters that rules refer to, by key.
struct RulesetIndex<'a> {
    sets: BTreeMap<String, &'a NftObject>,
    counters: BTreeMap<String, u64>,
}

fn rows(object: &NftObject, wanted: AddressFilter, hit: bool, index: &RulesetIndex<'_>) -> Vec<Row> {
    let filtered = wanted.is_set() || hit;
    let title = host::chain(&object.name).map(|meaning| format!("  # {meaning}")).unwrap_or_default();
    let heading: Arc<str> = format!("{} {}{title}", object.kind, object.key()).into();
    let mut rows = Vec::new();
    // This line describes the object itself. A chain without a hook has no properties and gets no such line.
    if !filtered && (!object.properties.is_empty() || object.rules.is_empty()) {
        rows.push(Row::with(format!("  {}", about(object)), of_object(object)).under(&heading));
    }
    let is_wanted = |rule: &&NftRule| {
        (!wanted.is_set() || rule.matches(wanted, &index.sets, object))
            && (!hit || rule.packets(&index.counters, object).is_some_and(|n| n > 0))
    };
    rows.extend(object.rules.iter().filter(is_wanted).map(|rule| of_rule(object, rule, &heading)));
    let is_wanted = |element: &&String| {
        object.element_matches(element, wanted) && (!hit || nft::packets(element).is_some_and(|n| n > 0))
    };
    rows.extend(
        object.elements.iter().filter(is_wanted).map(|element| of_element(object, element, &heading)),
    );
    rows
}

/// Returns the properties of an object. Each one passes through [`Row::shown`] by itself, because a secret would not be
/// recognized in the middle of a line.
fn about(object: &NftObject) -> String {
    let said: Vec<_> = object.property_texts().into_iter().map(Row::shown).collect();
    match (said.is_empty(), object.is_empty()) {
        (false, false) => said.join("; "),
        (false, true) => format!("{}; empty", said.join("; ")),
        (true, _) => "empty".into(),
    }
}

fn of_object(object: &NftObject) -> RowIdentity {
    let properties =
        RowField { name: "properties".into(), values: object.properties.clone(), spanning: true };
    identity(format!("{} {}", object.kind, object.key()), vec![properties], is_local(object))
}

fn of_rule(object: &NftObject, rule: &NftRule, heading: &Arc<str>) -> Row {
    let handle = rule.handle.as_ref().map(|handle| format!(" # handle {handle}")).unwrap_or_default();
    let key = format!("{} {}: {}", object.kind, object.key(), rule.without_counters());
    let sequence = Some(format!("{} {}", object.kind, object.key()));
    let identity = RowIdentity { sequence, ..identity(key, Vec::new(), is_local(object)) };
    Row::with(format!("  {}{handle}", rule.text), identity).under(heading)
}

fn of_element(object: &NftObject, element: &str, heading: &Arc<str>) -> Row {
    let own = object.table == host::NFT_TABLE && host::is_set_of_own_pods(&object.name);
    let key = format!("{} {}: {}", object.kind, object.key(), nft::without_counters(element));
    Row::with(format!("  {element}"), identity(key, Vec::new(), own || is_local(object))).under(heading)
}

/// Returns true for the chains that the CNI plugin portmap creates, each for one pod.
fn is_local(object: &NftObject) -> bool {
    object.name.starts_with("CNI-")
}
