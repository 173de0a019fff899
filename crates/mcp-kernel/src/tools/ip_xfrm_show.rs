//! The tool `ip_xfrm_show`: the IPsec policies and states of the kernel.

use crate::{
    commands,
    compare::{self, identity},
    output::{text, timed, understood},
    types::NoParams,
};
use host_net::xfrm::{self, XfrmEntry};
use mcp_core::{Answer, CommandPlace, Node, Output, Reading, Row, Tool, ToolError};
use std::sync::Arc;

pub(crate) struct IpXfrmShow;

impl Tool for IpXfrmShow {
    const NAME: &'static str = "ip_xfrm_show";
    const TITLE: &'static str = "IPsec policies and states";
    const TOOLSET: &'static str = "ipsec";
    const DESCRIPTION: &'static str = "Lists the kernel's IPsec policies and states without keys, and \
         flags policies that have no matching state.";
    type Params = NoParams;

    fn title(_: &NoParams) -> String {
        "IPsec policies and states".into()
    }

    async fn run(node: &Node<'_>, _: &NoParams) -> Result<Answer, ToolError> {
        let parse = |output: Output| xfrm::parse(timed(&text(&output)));
        let policies =
            node.first(vec![Reading::command(CommandPlace::Host, commands::xfrm_policies(), parse)]).await?;
        let states = node
            .first(vec![
                Reading::command(CommandPlace::Host, commands::xfrm_states(), parse),
                // This output contains keys, and the parser removes them.
                Reading::recorded(CommandPlace::Host, "ip xfrm state", parse),
            ])
            .await?;
        let policies = understood("the IPsec policies", policies)?;
        let states = understood("the IPsec states", states)?;
        let of_sockets = policies.rows.iter().filter(|policy| policy.is_of_socket()).count();
        let shown = policies.rows.iter().filter(|policy| !policy.is_of_socket());
        let (policy, state): (Arc<str>, Arc<str>) = ("policies".into(), "states".into());
        let mut rows: Vec<Row> = shown.map(|it| row(it, &policy, key_of_policy(it), false)).collect();
        // Rekeying replaces states every few hours, so their number differs between nodes.
        rows.extend(states.rows.iter().map(|it| row(it, &state, format!("state {}", it.head), true)));
        let mut notes = xfrm::mismatches(&policies.rows, &states.rows);
        if of_sockets > 0 {
            notes.push(format!(
                "{of_sockets} socket policies are left out: they exempt the IKE daemon's own traffic"
            ));
        }
        notes.extend(policies.notes());
        notes.extend(states.notes());
        Ok(Answer {
            rows,
            if_empty: "no policy and no state, so the kernel encrypts nothing".into(),
            notes,
            facts: compare::facts(node).await,
            ..Answer::default()
        })
    }
}

fn row(block: &XfrmEntry, heading: &Arc<str>, key: String, local: bool) -> Row {
    Row::with(block.text(), identity(key, Vec::new(), local)).under(heading)
}

fn key_of_policy(block: &XfrmEntry) -> String {
    let mode = block.get("mode").unwrap_or_default();
    format!("policy {} dir {} {mode}", block.head.trim(), block.direction())
}
