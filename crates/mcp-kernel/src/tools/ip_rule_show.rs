//! Rules that choose a routing table.

use crate::{
    commands,
    compare::{self, identity},
    output::{filled, text},
    types::Nothing,
};
use host_net::{lines::Parsed, rule::Rule};
use mcp_core::{Answer, Node, Output, Place, ReadError, Reading, Row, Tool, ToolError};
use ovn_model::host;
use std::sync::Arc;

pub(crate) struct RuleShow;

/// The rules of a family.
pub(crate) async fn rules(node: &Node<'_>, place: Place, v6: bool) -> Result<Parsed<Rule>, ReadError> {
    let parse = |output: Output| Rule::parse_all(&text(&output));
    let (command, others) = match v6 {
        true => (commands::rules_v6(), ["ip -6 rule", "ip -j -6 rule list"]),
        false => (commands::rules(), ["ip -4 rule", "ip -j -4 rule list"]),
    };
    let others = others.map(|other| Reading::recorded(place.clone(), other, parse));
    node.first([Reading::command(place.clone(), command, parse)].into_iter().chain(others).collect()).await
}

impl Tool for RuleShow {
    const NAME: &'static str = "ip_rule_show";
    const TITLE: &'static str = "Routing rules";
    const TOOLSET: &'static str = "network";
    const DESCRIPTION: &'static str = "The rules that choose routing tables, OVN-Kubernetes' own named.";
    type Params = Nothing;

    fn title(_: &Nothing) -> String {
        "ip rules".into()
    }

    async fn run(node: &Node<'_>, _: &Nothing) -> Result<Answer, ToolError> {
        let mut answer = Answer { if_empty: "there is no rule".into(), ..Answer::default() };
        for (v6, title) in [(false, "IPv4"), (true, "IPv6")] {
            // A host without IPv6 has no rules for it: those of IPv4 are an answer.
            let parsed = match rules(node, compare::place(node), v6).await {
                Err(e) if v6 => {
                    answer.notes.push(format!("no rules of IPv6: {e}"));
                    continue;
                }
                read => filled("the routing rules", read?)?,
            };
            let heading: Arc<str> = title.into();
            answer.rows.extend(parsed.rows.iter().map(|rule| row(rule, &heading)));
            answer.notes.extend(parsed.notes());
        }
        Ok(Answer { facts: compare::facts(node).await, ..answer })
    }
}

fn row(rule: &Rule, family: &Arc<str>) -> Row {
    let mark = rule.mark().and_then(|(mark, _)| host::packet_mark(mark));
    let meaning =
        host::rule(rule.priority).or(mark).map(|meaning| format!("  # {meaning}")).unwrap_or_default();
    let key = format!("{family} rule {}: {}", rule.priority, rule.text());
    let identity = identity(key, Vec::new(), host::is_rule_of_pods(rule.priority));
    Row::with(format!("  {}: {}{meaning}", rule.priority, rule.text()), identity).under(family)
}
