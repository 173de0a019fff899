//! The tool `ip_rule_show`: the rules that select a routing table.

use crate::{
    commands,
    compare::{self, identity},
    output::{filled, text, timed},
    types::NoParams,
};
use host_net::{lines::Parsed, rule::RoutingRule};
use mcp_core::{Answer, CommandPlace, Node, Output, ReadError, Reading, Row, Tool, ToolError};
use ovn_model::host;
use std::sync::Arc;

pub(crate) struct IpRuleShow;

/// Reads the rules of IPv4 or IPv6.
pub(crate) async fn rules(
    node: &Node<'_>,
    place: CommandPlace,
    v6: bool,
) -> Result<Parsed<RoutingRule>, ReadError> {
    let parse = |output: Output| RoutingRule::parse_all(timed(&text(&output)));
    let (command, others) = match v6 {
        true => (commands::rules_v6(), ["ip -6 rule", "ip -j -6 rule list"]),
        false => (commands::rules(), ["ip -4 rule", "ip -j -4 rule list"]),
    };
    let others = others.map(|other| Reading::recorded(place.clone(), other, parse));
    node.first([Reading::command(place.clone(), command, parse)].into_iter().chain(others).collect()).await
}

impl Tool for IpRuleShow {
    const NAME: &'static str = "ip_rule_show";
    const TITLE: &'static str = "Routing rules";
    const TOOLSET: &'static str = "network";
    const DESCRIPTION: &'static str = "Lists the rules that select routing tables, and says which belong \
         to OVN-Kubernetes.";
    type Params = NoParams;

    fn title(_: &NoParams) -> String {
        "ip rules".into()
    }

    async fn run(node: &Node<'_>, _: &NoParams) -> Result<Answer, ToolError> {
        let mut answer = Answer { if_empty: "no rule".into(), ..Answer::default() };
        for (v6, title) in [(false, "IPv4"), (true, "IPv6")] {
            // A host without IPv6 has no IPv6 rules, and the IPv4 rules are still a useful answer.
            let parsed = match rules(node, compare::place(node), v6).await {
                Err(e) if v6 => {
                    answer.notes.push(format!("IPv6 rules are not shown: {e}"));
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

fn row(rule: &RoutingRule, family: &Arc<str>) -> Row {
    let mark = rule.mark().and_then(|(mark, _)| host::packet_mark(mark));
    let meaning =
        host::rule(rule.priority).or(mark).map(|meaning| format!("  # {meaning}")).unwrap_or_default();
    let key = format!("{family} rule {}: {}", rule.priority, rule.text());
    let identity = identity(key, Vec::new(), host::is_rule_of_pods(rule.priority));
    Row::with(format!("  {}: {}{meaning}", rule.priority, rule.text()), identity).under(family)
}
