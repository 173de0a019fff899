//! Encryption in the kernel.

use crate::{
    commands,
    compare::{self, identity},
    output::{text, understood},
    types::Nothing,
};
use host_net::xfrm::{self, Block};
use mcp_core::{Answer, Node, Output, Place, Reading, Row, Tool, ToolError};
use std::sync::Arc;

pub(crate) struct XfrmShow;

impl Tool for XfrmShow {
    const NAME: &'static str = "ip_xfrm_show";
    const TITLE: &'static str = "IPsec policies and states";
    const TOOLSET: &'static str = "ipsec";
    const DESCRIPTION: &'static str =
        "What the kernel encrypts (policies), with which states, without keys; says where they do not fit.";
    type Params = Nothing;

    fn title(_: &Nothing) -> String {
        "IPsec policies and states".into()
    }

    async fn run(node: &Node<'_>, _: &Nothing) -> Result<Answer, ToolError> {
        let parse = |output: Output| xfrm::parse(&text(&output));
        let policies =
            node.first(vec![Reading::command(Place::Host, commands::xfrm_policies(), parse)]).await?;
        let states = node
            .first(vec![
                Reading::command(Place::Host, commands::xfrm_states(), parse),
                // With keys, which do not get further than the parser.
                Reading::recorded(Place::Host, "ip xfrm state", parse),
            ])
            .await?;
        let policies = understood("the IPsec policies", policies)?;
        let states = understood("the IPsec states", states)?;
        let of_sockets = policies.rows.iter().filter(|policy| policy.is_of_socket()).count();
        let shown = policies.rows.iter().filter(|policy| !policy.is_of_socket());
        let (policy, state): (Arc<str>, Arc<str>) = ("policies".into(), "states".into());
        let mut rows: Vec<Row> = shown.map(|it| row(it, &policy, key_of_policy(it), false)).collect();
        // Associations are made anew every few hours: their number differs, and means nothing.
        rows.extend(states.rows.iter().map(|it| row(it, &state, format!("state {}", it.head), true)));
        let mut notes = xfrm::mismatches(&policies.rows, &states.rows);
        if of_sockets > 0 {
            notes.push(format!(
                "{of_sockets} policies of sockets are left out: an IKE daemon exempts its own traffic"
            ));
        }
        notes.extend(policies.notes());
        notes.extend(states.notes());
        Ok(Answer {
            rows,
            if_empty: "no policy and no state: the kernel encrypts nothing".into(),
            notes,
            facts: compare::facts(node).await,
            ..Answer::default()
        })
    }
}

fn row(block: &Block, heading: &Arc<str>, key: String, local: bool) -> Row {
    Row::with(block.text(), identity(key, Vec::new(), local)).under(heading)
}

fn key_of_policy(block: &Block) -> String {
    let mode = block.get("mode").unwrap_or_default();
    format!("policy {} dir {} {mode}", block.head.trim(), block.direction())
}
