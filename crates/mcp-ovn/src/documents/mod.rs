//! Reference tables of this layer.

use mcp_core::Document;
use ovn_model::{stages::Layout, zones};
use std::fmt::Write;

/// The documents of this layer.
pub(crate) fn all() -> Vec<Document> {
    vec![
        Document {
            name: "names",
            title: "Names and numbers of OVN-Kubernetes",
            description: "What OVN-Kubernetes calls its switches, routers, ports and load balancers, which priorities and \
                          tiers its policies and ACLs have, which conntrack zones are reserved.",
            text: names,
        },
        Document {
            name: "tables",
            title: "OpenFlow tables of the logical pipelines",
            description: "Which tables of br-int hold the stages of the ingress and egress pipelines, by release of OVN.",
            text: tables,
        },
    ]
}

fn names() -> String {
    let mut text = include_str!("names.md").to_owned();
    text += "\n| conntrack zone | used by |\n| --- | --- |\n";
    for (zone, user) in zones::RESERVED {
        _ = writeln!(text, "| {zone} | {user} |");
    }
    text
}

fn tables() -> String {
    let mut text = String::from(
        "# OpenFlow tables of br-int\n\nStage n of a pipeline is n tables after its first. What a stage is called, its \
         flows say: `stage-name` in ovn_sbctl_lflow_list. For releases that are not here, ovn_detrace finds the layout in \
         the flows that it is given.\n\n\
         | OVN | ingress stage 0 | output | egress stage 0 | pipelines end before |\n| --- | --- | --- | --- | --- |\n",
    );
    let or_unknown = |table: Option<u8>| table.map_or("not known".into(), |table| table.to_string());
    for (releases, layout) in Layout::known() {
        let Layout { ingress, output, egress, end } = *layout;
        let (output, end) = (or_unknown(output), or_unknown(end));
        _ = writeln!(
            text,
            "| {} up to {}, excluded | {ingress} | {output} | {egress} | {end} |",
            releases.start, releases.end
        );
    }
    text
}
