//! The tool `ovn_nbctl_show`: an overview of the northbound database.

use crate::{records, types::ListParams};
use mcp_core::{Answer, Db, Node, Row, Tool, ToolError};
use ovn_model::show::{self, Shown};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct NbctlShow;

/// The tables and columns of the overview.
const SHOWN: &[(&str, &[&str])] = &[
    ("Logical_Switch", &["name"]),
    ("Logical_Switch_Port", &["type", "addresses", "options"]),
    ("Logical_Router", &["name"]),
    ("Logical_Router_Port", &["mac", "networks", "gateway_chassis"]),
    ("NAT", &["type", "external_ip", "logical_ip"]),
];

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Show only this switch or router: its name or UUID.
    #[serde(default)]
    of: Option<String>,
}

impl Tool for NbctlShow {
    const NAME: &'static str = "ovn_nbctl_show";
    const TITLE: &'static str = "OVN northbound overview";
    const TOOLSET: &'static str = "nb";
    const DESCRIPTION: &'static str = "Shows the logical topology of a node's zone like `ovn-nbctl show`: \
         switches and routers with their ports, addresses and NAT rules. Use it to find names for \
         ovn_nbctl_list.";
    type Params = Params;

    fn title(params: &Params) -> String {
        format!("{} show{}", Db::Nb, params.of.as_ref().map(|of| format!(" {of}")).unwrap_or_default())
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        if node.is_compared() {
            return compared(node, params).await;
        }
        let all = show::show(&node.rows(Db::Nb, &show::selects()).await?);
        let shown: Vec<&Shown> = match &params.of {
            None => all.iter().collect(),
            Some(of) => all.iter().filter(|it| it.name == *of || it.uuid.to_string() == *of).collect(),
        };
        if let (Some(of), true) = (&params.of, shown.is_empty()) {
            return Err(ToolError::not_found("switch or router", of, all.iter().map(|it| it.name.as_str())));
        }
        let rows = shown.iter().map(|it| Row::line(it.text.trim_end())).collect();
        Ok(Answer {
            rows,
            if_empty: "the database contains no switch and no router".into(),
            ..Answer::default()
        })
    }
}

/// Returns the content of the overview as rows, so that it can be compared across nodes.
async fn compared(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
    let mut all = Answer { if_empty: "no node has this switch or router".into(), ..Answer::default() };
    for (table, columns) in SHOWN {
        let list = ListParams {
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            of: params.of.clone().filter(|_| !matches!(*table, "Logical_Switch" | "Logical_Router")),
            record: params.of.clone().filter(|_| matches!(*table, "Logical_Switch" | "Logical_Router")),
            table: (*table).into(),
            conditions: Vec::new(),
        };
        let answer = records::list(node, Db::Nb, &list).await?;
        all.rows.extend(answer.rows.into_iter().map(|mut row| {
            if let Some(identity) = &mut row.identity {
                identity.key = format!("{table} {}", identity.key);
            }
            row
        }));
        all.facts = answer.facts;
        all.not_compared.extend(answer.not_compared.iter().map(|column| format!("{table} {column}")));
    }
    Ok(all)
}
