//! Describes a node: status, addresses, taints, system and capacity.

use super::Section;
use crate::table::{Object, node_status};

pub(super) fn sections(node: Object<'_>) -> Vec<Section> {
    let mut lines = vec![node_status(node)];
    let mut say = |what: &str, text: String| {
        if !text.is_empty() {
            lines.push(format!("{what}: {text}"));
        }
    };
    let address = |one: Object<'_>| format!("{} {}", one.text("/type"), one.text("/address"));
    say("addresses", node.list("/status/addresses").map(address).collect::<Vec<_>>().join(", "));
    say("pod CIDRs", node.texts("/spec/podCIDRs").join(", "));
    say("provider", node.text("/spec/providerID").into());
    let taint = |one: Object<'_>| match one.text("/value") {
        "" => format!("{}:{}", one.text("/key"), one.text("/effect")),
        value => format!("{}={value}:{}", one.text("/key"), one.text("/effect")),
    };
    say("taints", node.list("/spec/taints").map(taint).collect::<Vec<_>>().join(", "));
    let info = node.map("/status/nodeInfo").into_iter();
    let wanted = ["kubeletVersion", "osImage", "kernelVersion", "containerRuntimeVersion", "architecture"];
    let info = info.filter(|(key, _)| wanted.contains(key));
    say(
        "system",
        info.map(|(key, value)| format!("{key} {}", value.0.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(", "),
    );
    let room = node.map("/status/allocatable").into_iter();
    say(
        "allocatable",
        room.map(|(key, value)| format!("{key} {}", value.0.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(", "),
    );
    vec![Section::new("Status", lines)]
}
