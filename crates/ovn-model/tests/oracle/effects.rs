//! The effects of datapath actions on a packet.
//!
//! The same effects can be written in several ways, and versions of Open vSwitch differ. The actions on a copy of the
//! packet are in `clone(…)`, or later actions undo them. The ports that `NORMAL` floods have no fixed order.

use openflow::tokens;
use std::collections::BTreeMap;

/// The fields in the text of a flow, and the datapath's header fields that they correspond to.
const FIELDS: [(&str, &str); 27] = [
    ("eth.src", "dl_src"),
    ("eth.dst", "dl_dst"),
    ("ipv4.src", "nw_src"),
    ("ipv4.dst", "nw_dst"),
    ("ipv4.ttl", "nw_ttl"),
    ("ipv4.tos", "nw_tos"),
    ("ipv6.src", "ipv6_src"),
    ("ipv6.dst", "ipv6_dst"),
    ("ipv6.label", "ipv6_label"),
    ("ipv6.hlimit", "nw_ttl"),
    ("ipv6.tclass", "nw_tos"),
    ("arp.sip", "arp_spa"),
    ("arp.tip", "arp_tpa"),
    ("arp.op", "arp_op"),
    ("arp.sha", "arp_sha"),
    ("arp.tha", "arp_tha"),
    ("nd.target", "nd_target"),
    ("nd.sll", "nd_sll"),
    ("nd.tll", "nd_tll"),
    ("tcp.src", "tp_src"),
    ("tcp.dst", "tp_dst"),
    ("udp.src", "tp_src"),
    ("udp.dst", "tp_dst"),
    ("sctp.src", "tp_src"),
    ("sctp.dst", "tp_dst"),
    ("icmp.type", "icmp_type"),
    ("skb_mark", "pkt_mark"),
];

/// The changes of the packet so far.
type Changed = BTreeMap<String, String>;

/// Returns the effects of actions on the packet of a `Flow: …` line, without an order: each effect with the earlier
/// changes. Tracking of the packet counts as an earlier change only if the effects are `ordered`.
pub(crate) fn effects(flow: &str, actions: &str, ordered: bool) -> Vec<String> {
    let fields: BTreeMap<&str, &str> = flow.split(',').filter_map(|part| part.split_once('=')).collect();
    let mut changed = Changed::new();
    let mut effects = Vec::new();
    walk(&fields, actions, &mut changed, &mut effects);
    if !ordered {
        effects.iter_mut().for_each(|(changed, _)| _ = changed.remove("ct"));
    }
    let shown = effects.into_iter().map(|(changed, action)| format!("{changed:?} {action}"));
    let mut effects: Vec<String> = shown.collect();
    effects.sort();
    effects
}

fn walk(
    fields: &BTreeMap<&str, &str>,
    actions: &str,
    changed: &mut Changed,
    effects: &mut Vec<(Changed, String)>,
) {
    // A switch that only traces does not stop for a controller.
    let pauses = |action: &&str| {
        ["userspace(", "sample("].iter().any(|it| action.starts_with(it)) && action.contains("continuation=1")
    };
    for action in tokens::split(actions).filter(|action| !pauses(action)) {
        let mut copy = |name: Option<&str>, inner: &str| {
            let mut changed = changed.clone();
            changed.extend(name.map(|name| ("larger".to_owned(), name.to_owned())));
            walk(fields, inner, &mut changed, effects);
        };
        match tokens::name_and_value(action, &['(', '=']) {
            ("clone" | "actions", Some(inner)) => copy(None, inner),
            (name @ ("gt" | "le"), Some(inner)) => copy(Some(name), inner),
            ("check_pkt_len" | "sample", Some(inner)) if action.contains('(') => copy(None, inner),
            // `sample` and `size` are parameters: the rate of sampling, and the limit of a size check.
            ("drop", _) | ("sample" | "size", Some(_)) => {}
            ("set", Some(inner)) => set(fields, inner, changed),
            ("ct_clear", _) => _ = changed.remove("ct"),
            ("pop_vlan", _) => _ = changed.insert("vlan".into(), "none".into()),
            ("push_vlan", Some(tag)) => _ = changed.insert("vlan".into(), tag.into()),
            (name, _) => {
                effects.push((changed.clone(), action.to_owned()));
                if name == "ct" {
                    changed.insert("ct".into(), action.into());
                }
            }
        }
    }
}

fn set(fields: &BTreeMap<&str, &str>, inner: &str, changed: &mut Changed) {
    let (header, values) = tokens::name_and_value(inner, &['(']);
    for part in tokens::split(values.unwrap_or_default()) {
        let (name, value) = match part.split_once('=') {
            Some((field, value)) if header != "tunnel" => (format!("{header}.{field}"), value),
            _ => (header.to_owned(), values.unwrap_or_default()),
        };
        let was = FIELDS.iter().find(|(it, _)| *it == name).and_then(|(_, of)| fields.get(of).copied());
        let same = was.is_some_and(|was| {
            was == value || tokens::number(was).is_some_and(|it| Some(it) == tokens::number(value))
        });
        // A flow may have set only one part of the traffic class.
        let value = value.strip_suffix("/0xfc").unwrap_or(value);
        match same || was.is_none() && value == "0" {
            true => _ = changed.remove(&name),
            false => _ = changed.insert(name, value.to_owned()),
        }
    }
}
