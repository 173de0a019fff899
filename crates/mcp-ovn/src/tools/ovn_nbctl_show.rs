//! The overview of the northbound database.

use crate::compare::OwnValues;
use mcp_core::{Answer, Db, Field, Identity, Node, Row, Tool, ToolError};
use ovn_model::show::{self, Shown};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct NbctlShow;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Only this switch or router: name or UUID.
    #[serde(default)]
    of: Option<String>,
}

impl Tool for NbctlShow {
    const NAME: &'static str = "ovn_nbctl_show";
    const TITLE: &'static str = "OVN northbound overview";
    const TOOLSET: &'static str = "nb";
    const DESCRIPTION: &'static str = "The logical topology of a node's zone as `ovn-nbctl show` prints it: switches \
         and routers with their ports, addresses and NATs, whole or one of them. Use it to find the names of things; \
         ovn_nbctl_list then gives their rows.";
    type Params = Params;

    fn title(params: &Params) -> String {
        format!("{} show{}", Db::Nb, params.of.as_ref().map(|of| format!(" {of}")).unwrap_or_default())
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let all = show::show(&node.rows(Db::Nb, &show::selects()).await?);
        let shown: Vec<&Shown> = match &params.of {
            None => all.iter().collect(),
            Some(of) => all.iter().filter(|it| it.name == *of || it.uuid.to_string() == *of).collect(),
        };
        if let (Some(of), true, false) = (&params.of, shown.is_empty(), node.is_compared()) {
            return Err(ToolError::not_found("switch or router", of, all.iter().map(|it| it.name.as_str())));
        }
        let own = OwnValues::read(node).await?;
        let rows = match node.is_compared() {
            false => shown.iter().map(|it| Row::line(it.text.as_str())).collect(),
            true => shown.iter().flat_map(|it| parts(it)).collect(),
        };
        Ok(Answer {
            rows,
            if_empty: "the database holds no switch and no router".into(),
            notes: Vec::new(),
            facts: own.facts(),
        })
    }
}

/// For a comparison: the switch or router, and each of its ports and NATs.
fn parts(shown: &Shown) -> Vec<Row> {
    let title = format!("{} {}", shown.kind, shown.name);
    let part = |(name, text): &(String, String)| {
        // The UUID in a NAT's first line is each zone's own.
        let lines = text.lines().skip(1).filter_map(|line| line.trim().split_once(": "));
        let fields = lines.map(|(name, value)| Field::one(name, value)).collect();
        // A pod's port is on its node alone; what tells it is that nothing else is said of it.
        let local = shown.kind == "switch" && !text.contains("type: ") && !name.contains("k8s-");
        Row::with(text.trim_end(), Identity { key: format!("{title}: {name}"), local, role: "", fields })
    };
    let itself = Row::with(title.clone(), Identity { key: title.clone(), ..Identity::default() });
    std::iter::once(itself).chain(shown.parts.iter().map(part)).collect()
}
