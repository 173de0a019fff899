//! The reference documents of this layer.

use mcp_core::Document;
use ovn_model::{stages::Layout, zones};
use std::fmt::Write;

/// Returns the documents of this layer.
pub(crate) fn all() -> Vec<Document> {
    vec![
        Document {
            name: "names",
            title: "Names and numbers of OVN-Kubernetes",
            description: "The names of OVN-Kubernetes switches, routers, ports and load balancers, the priorities and tiers \
                                      of its policies and ACLs, and the reserved conntrack zones.",
            text: names,
        },
        Document {
            name: "tables",
            title: "OpenFlow tables of the logical pipelines",
            description: "The tables of br-int that hold the stages of the ingress and egress pipelines, by OVN release.",
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
        "# OpenFlow tables of br-int\n\nStage n of a pipeline is n tables after its stage 0. ovn_sbctl_lflow_list shows \
                 the names of the stages. For releases that are not in this table, ovn_detrace derives the layout from the flows \
                 that you pass to it.\n\n\
         | OVN | ingress stage 0 | output | egress stage 0 | pipelines end before |\n| --- | --- | --- | --- | --- |\n",
    );
    let or_unknown = |table: Option<u8>| table.map_or("unknown".into(), |table| table.to_string());
    for (releases, layout) in Layout::known() {
        let Layout { ingress, output, egress, end } = *layout;
        let (output, end) = (or_unknown(output), or_unknown(end));
        _ = writeln!(
            text,
            "| {} to {} (exclusive) | {ingress} | {output} | {egress} | {end} |",
            releases.start, releases.end
        );
    }
    text
}
