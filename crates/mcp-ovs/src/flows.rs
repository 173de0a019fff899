//! OpenFlow flows of a bridge in the form in which they are shown and compared.

use crate::switch::Bridge;
use mcp_core::{Db, Node, ReadError, Row, RowField, RowIdentity, ToolError, counted, lines};
use openflow::{Filter, Flow, is_header};
use ovn_model::{
    UuidPrefix,
    detrace::{Index, summary},
    lflow::{Datapaths, Flow as LogicalFlow},
    openflow::names::Tables,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The flows of a bridge that a filter selects, with totals for the whole dump.
#[derive(Debug, Default)]
pub(crate) struct SelectedFlows<'a> {
    /// The selected flows by table, then by priority, the highest first.
    pub(crate) flows: Vec<Flow<'a>>,
    /// The number of flows in the dump.
    pub(crate) of: usize,
    /// The numbers of flows and packets of each table, independent of the filter.
    pub(crate) tables: BTreeMap<u8, (usize, u64)>,
    /// The lines that are not flows.
    pub(crate) other: Vec<&'a str>,
}

/// Parses a dump and keeps the flows that the filter selects. If `keep` is false, it only counts flows.
pub(crate) fn find<'a>(dump: &'a str, bridge: &Bridge, filter: &Filter, keep: bool) -> SelectedFlows<'a> {
    let mut found = SelectedFlows::default();
    for line in lines(dump).filter(|line| !is_header(line)) {
        let Some(flow) = Flow::parse(line).filter(Flow::is_whole) else {
            found.other.push(line);
            continue;
        };
        found.of += 1;
        let (flows, packets) = found.tables.entry(flow.table()).or_default();
        *flows += 1;
        *packets = packets.saturating_add(flow.packets().unwrap_or(0));
        if keep && filter.wants(&flow, &bridge.ports) {
            found.flows.push(flow);
        }
    }
    found.flows.sort_by_cached_key(|flow| (flow.table(), Reverse(flow.priority()), flow.matched()));
    found
}

/// Returns the tables and cookies of the flows in a dump.
pub(crate) fn places(dump: &str) -> impl Iterator<Item = (u8, u64)> {
    lines(dump).filter_map(Flow::parse).filter(Flow::is_whole).map(|flow| (flow.table(), flow.cookie()))
}

/// Returns the stages of the tables, as far as the southbound database can be read.
pub(crate) async fn tables(node: &Node<'_>, dump: &str) -> Result<Tables, ReadError> {
    Ok(Tables::new(&node.rows(Db::Sb, &Tables::selects()).await?, places(dump)))
}

/// Returns the heading above the flows of a table.
pub(crate) fn heading(table: u8, tables: &Tables) -> Arc<str> {
    match tables.name(table) {
        Some(name) => format!("table {table}: {name}").into(),
        None => format!("table {table}").into(),
    }
}

/// Returns a flow as it is shown: without its age, and with the names of ports.
pub(crate) fn line(flow: &Flow<'_>, bridge: &Bridge) -> String {
    let shown = |name: &str| !matches!(name, "duration" | "idle_age" | "hard_age" | "table" | "table_id");
    let attributes: String =
        flow.attributes.iter().filter(|token| shown(token.name)).map(|token| format!("{token}, ")).collect();
    let matched = flow.matched();
    let matched = bridge.ports.named_match(&matched);
    let space = if matched.is_empty() { "" } else { " " };
    format!(" {attributes}{matched}{space}actions={}", bridge.ports.named_actions(flow.actions))
}

/// Returns the identity of a flow of an external bridge on other nodes.
pub(crate) fn identity(flow: &Flow<'_>, bridge: &Bridge) -> RowIdentity {
    let matched = flow.matched();
    RowIdentity {
        key: format!("table={}, {}", flow.table(), bridge.ports.named_match(&matched)),
        fields: vec![
            RowField::one("actions", bridge.ports.named_actions(flow.actions)),
            RowField::one("cookie", format!("{:#x}", flow.cookie())),
        ],
        ..RowIdentity::default()
    }
}

/// Returns one row per table with its number of flows. A comparison leaves out tables outside the pipelines, because
/// their flows depend on what a node has learnt, unless no table has a name.
pub(crate) fn overview(found: &SelectedFlows<'_>, tables: &Tables, compared: bool) -> Vec<Row> {
    let wanted = |table: &u8| !compared || tables.name(*table).is_some() || tables.unknown().is_some();
    let row = |(table, (flows, packets)): (&u8, &(usize, u64))| {
        let heading = heading(*table, tables);
        let identity = RowIdentity { key: heading.to_string(), ..RowIdentity::default() };
        Row::with(format!("{heading}: {}, {packets} packets", counted(*flows, "flow")), identity)
    };
    found.tables.iter().filter(|(table, _)| wanted(table)).map(row).collect()
}

/// The largest number of cookies whose origins are shown. A person does not read more.
const MOST_ORIGINS: usize = 300;

/// Returns one line per cookie of an integration bridge's flows that describes its origin.
pub(crate) async fn origins(node: &Node<'_>, flows: &[Flow<'_>]) -> Result<BTreeMap<u64, String>, ToolError> {
    let cookies: BTreeSet<u32> =
        flows.iter().filter_map(|flow| u32::try_from(flow.cookie()).ok()).filter(|it| *it != 0).collect();
    if cookies.len() > MOST_ORIGINS {
        return Err(ToolError::bad(
            format!("the flows have {} cookies, which is too many for origins", cookies.len()),
            format!("Select flows with at most {MOST_ORIGINS} cookies: pass match, priority or cookie."),
        ));
    }
    let schema = node.schema(Db::Sb).await?;
    let index = Index::new(&node.rows(Db::Sb, &Index::selects(&schema)).await?);
    let prefixes: Vec<UuidPrefix> = cookies.iter().map(|cookie| UuidPrefix::cookie(*cookie)).collect();
    let found: Vec<_> = prefixes.iter().flat_map(|prefix| index.find(prefix)).collect();
    if found.is_empty() {
        return Ok(BTreeMap::new());
    }
    let datapaths = Datapaths::new(&node.rows(Db::Sb, &Datapaths::selects(&schema)).await?);
    let mut origins: BTreeMap<u64, String> = BTreeMap::new();
    for row in node.rows(Db::Sb, &Index::rows_selects(&found)).await?.iter().flat_map(|rows| &rows.rows) {
        let text = match LogicalFlow::new(row).filter(|_| row.table.name == "Logical_Flow") {
            Some(flow) => {
                let of = flow
                    .datapath
                    .and_then(|uuid| datapaths.get(uuid))
                    .map_or("a group", |it| it.name.as_str());
                let stage = flow.stage.as_deref().unwrap_or("no name");
                format!("logical flow {stage} of {of}, priority={}, match=({})", flow.priority, flow.matches)
            }
            None => summary(row),
        };
        let origin = origins.entry(u64::from(row.uuid.first32())).or_default();
        *origin += if origin.is_empty() { "" } else { " | " };
        *origin += &text;
    }
    Ok(origins)
}
