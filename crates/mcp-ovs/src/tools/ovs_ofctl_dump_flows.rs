//! The tool that lists the OpenFlow flows of a bridge.

use crate::{
    commands,
    compare::OwnValues,
    flows::{self, SelectedFlows},
    switch::{self, Bridge},
    types,
};
use mcp_core::{Answer, Node, ReadError, Row, Tool, ToolError};
use openflow::{BadWanted, FieldFilter, Filter, Flow};
use ovn_model::openflow::names::{self, Tables};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

pub(crate) struct DumpFlows;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Bridge. Default: br-int.
    #[serde(default)]
    bridge: Option<String>,
    /// Table number, or (part of) a stage name such as ls_in_acl_eval.
    #[serde(default)]
    table: Option<String>,
    /// Cookie: 0x…, or value/mask.
    #[serde(default)]
    cookie: Option<String>,
    /// Exact priority.
    #[serde(default)]
    priority: Option<u16>,
    /// Fields that the match must have, such as tcp, nw_dst=10.96.0.1, in_port=eth0; == also compares the mask.
    #[serde(default, rename = "match")]
    matching: Vec<String>,
    /// Text that the actions contain.
    #[serde(default)]
    action: Option<String>,
    /// Show only flows that matched packets.
    #[serde(default)]
    nonzero: bool,
    /// Show the OVN row behind each cookie.
    #[serde(default)]
    origins: bool,
}

impl Tool for DumpFlows {
    const NAME: &'static str = "ovs_ofctl_dump_flows";
    const TITLE: &'static str = "OpenFlow flows";
    const TOOLSET: &'static str = "openflow";
    const DESCRIPTION: &'static str = "Lists the OpenFlow flows of a bridge, with names of ports, tables and cookies. Without a filter, \
         counts the flows of each table of br-int. node_name=all with bridge=br-ex shows flows that a node lacks.";
    type Params = Params;

    fn title(params: &Params) -> String {
        format!("flows of {}", params.bridge.as_deref().unwrap_or("br-int"))
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let bridge = switch::bridge(node, params.bridge.as_deref()).await?;
        let integration = ovn_model::switch::is_integration(bridge.name.as_str());
        let number = params.table.as_deref().and_then(|table| table.parse().ok());
        let dump = switch::text(node, commands::dump_flows(&bridge.name, number)).await?;
        let (tables, mut notes) = match integration {
            true => known_tables(flows::tables(node, &dump).await),
            false => (Tables::default(), Vec::new()),
        };
        let (filter, wanted) = filter(params, &tables)?;
        let compared = node.is_compared();
        // Each node assigns its own numbers to ports, zones and datapaths, so only the tables of br-int are compared.
        let whole = !filter.is_narrow() && params.table.is_none() && !params.origins;
        if integration && compared && !whole {
            return Err(ToolError::bad(
                "flows of br-int are not compared, because they contain numbers that each node assigns itself, so table, cookie, priority, match, action, nonzero and origins apply to one node only",
                "Pass one node, or compare the logical flows: ovn_sbctl_lflow_list node_name=all.",
            ));
        }
        let counted = integration && (whole || compared);
        let mut found = flows::find(&dump, &bridge, &filter, !counted);
        switch::check_understood(&Self::title(params), found.of, &found.other)?;
        check_fields(&filter, &dump, &bridge)?;
        found.flows.retain(|flow| wanted.is_empty() || wanted.contains(&flow.table()));
        let mut not_compared = vec!["counters and ages of flows".to_owned()];
        if counted && compared {
            not_compared = vec!["flows of br-int (they contain numbers that each node assigns itself; only the list of tables with flows is compared here, and ovn_sbctl_lflow_list compares the logical flows)".into()];
        } else if counted {
            notes.push("these are counts only; pass table, match, cookie or action to list flows".into());
        } else if found.flows.len() < found.of {
            notes.push(format!("{} of {} flows match", found.flows.len(), found.of));
        }
        let rows = match counted {
            true => flows::overview(&found, &tables, compared),
            false => {
                let origins = match params.origins && integration {
                    true => flows::origins(node, &found.flows).await?,
                    false => BTreeMap::new(),
                };
                rows(&found, &bridge, &tables, &origins, compared)
            }
        };
        if params.origins && !integration {
            notes.push(
                "origins are shown only for br-int, because only its cookies come from OVN rows".into(),
            );
        }
        if !integration && !compared {
            notes.extend(names::external_legend(rows.iter().map(|row| row.text.as_str())));
        }
        notes.extend(switch::not_understood(&found.other));
        notes.extend(bridge.notes);
        Ok(Answer {
            rows,
            if_empty: if found.of == 0 { "the bridge has no flow" } else { "no flow matches" }.into(),
            notes,
            facts: OwnValues::read(node).await.facts(),
            not_compared,
            ..Answer::default()
        })
    }
}

fn known_tables(read: Result<Tables, ReadError>) -> (Tables, Vec<String>) {
    match read {
        Ok(tables) => {
            let notes = tables.unknown().into_iter().collect();
            (tables, notes)
        }
        Err(e) => (Tables::default(), vec![format!("tables have no names: {e}")]),
    }
}

/// Returns the filter, and the tables if the user named any.
fn filter(params: &Params, tables: &Tables) -> Result<(Filter, Vec<u8>), ToolError> {
    let field = |field: &String| {
        field.parse::<FieldFilter>().map_err(|e: BadWanted| {
            ToolError::bad(e.to_string(), "Pass a match such as tcp,tp_dst=80,nw_dst=10.96.0.1.")
        })
    };
    let filter = Filter {
        table: None,
        cookie: params.cookie.as_deref().map(|cookie| types::masked(cookie, "cookie")).transpose()?,
        priority: params.priority,
        fields: params
            .matching
            .iter()
            .filter(|field| !field.is_empty())
            .map(field)
            .collect::<Result<_, _>>()?,
        action: params.action.clone(),
        nonzero: params.nonzero,
    };
    let wanted = match params.table.as_deref().map(|table| (table, table.parse::<u8>())) {
        None => Vec::new(),
        Some((_, Ok(number))) => vec![number],
        Some((name, Err(_))) => match tables.find(name) {
            none if none.is_empty() => {
                return Err(ToolError::not_found("table or stage", name, tables.stages()));
            }
            found => found,
        },
    };
    Ok((filter, wanted))
}

/// Refuses a field that no flow of the bridge has and that Open vSwitch does not know: its name is misspelled.
fn check_fields(filter: &Filter, dump: &str, bridge: &Bridge) -> Result<(), ToolError> {
    for field in filter.fields.iter().filter(|field| !field.is_known()) {
        let mut flows = dump.lines().filter_map(Flow::parse);
        if !flows.any(|flow| flow.fields.iter().any(|it| field.is_of(it))) {
            let problem = format!("no flow of {} has a field `{}`", bridge.name.as_str(), field.name());
            return Err(ToolError::bad(
                problem,
                "ovs-fields(7) lists the fields, such as nw_dst, tp_dst and reg0.",
            ));
        }
    }
    Ok(())
}

fn rows(
    found: &SelectedFlows<'_>,
    bridge: &Bridge,
    tables: &Tables,
    origins: &BTreeMap<u64, String>,
    compared: bool,
) -> Vec<Row> {
    let mut rows = Vec::with_capacity(found.flows.len());
    for flows in found.flows.chunk_by(|a, b| a.table() == b.table()) {
        let Some(first) = flows.first() else { continue };
        let heading = flows::heading(first.table(), tables);
        for flow in flows {
            let mut text = flows::line(flow, bridge);
            if let Some(origin) = origins.get(&flow.cookie()) {
                text += &format!("\n    from {origin}");
            }
            rows.push(match compared {
                true => Row::with(text, flows::identity(flow, bridge)),
                false => Row::line(text).under(&heading),
            });
        }
    }
    rows
}
