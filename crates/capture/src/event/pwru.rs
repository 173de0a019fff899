//! The JSON of pwru (`--output-json`), as versions 1.0.9 to 1.0.12 print it. pwru leaves out every field that is 0 or
//! empty.

use super::{
    json::{frame, number, text},
    types::{Hook, Interface, KernelEvent, PacketId, Tuple},
};
use serde_json::Value;

/// The number of frames of a stack that are kept.
pub(super) const MOST_FRAMES: usize = 16;

/// Returns the event of an object, if pwru wrote it.
pub(super) fn event(object: &Value) -> Option<KernelEvent> {
    let (function, hook, drop_reason) = function(object.get("func")?.as_str()?);
    let buffer = object.get("skb")?.as_str()?.strip_prefix("0x")?;
    let stack = object.get("stack").and_then(Value::as_str).unwrap_or_default();
    Some(KernelEvent {
        nanos: number(object, "time"),
        clock: text(object, "time"),
        packet: u64::from_str_radix(buffer, 16).ok().map(PacketId::Buffer),
        cpu: number(object, "cpu"),
        task: text(object, "process"),
        function,
        hook,
        caller: text(object, "caller_func"),
        netns: number(object, "netns"),
        netns_name: text(object, "netns_name"),
        interface: text(object, "iface").map(interface),
        ether_type: number(object, "proto"),
        length: number(object, "len"),
        tuple: tuple(object.get("tuple")),
        inner: tuple(object.get("tunnel_tuple")),
        mark: number(object, "mark"),
        drop_reason,
        stack: stack.lines().filter(|line| !line.is_empty()).take(MOST_FRAMES).map(frame).collect(),
        ..KernelEvent::default()
    })
}

/// Splits the name of a function from what pwru adds: `kfree_skb_reason(SKB_DROP_REASON_NO_SOCKET)`, the number of a
/// reason that has no name, as in `kfree_skb_reason (85)`, and the kind of a BPF program, as in `cls_main(tc)`.
fn function(text: &str) -> (String, Hook, Option<String>) {
    let text = super::json::cut(text, super::LONGEST_TEXT);
    let Some((name, rest)) = text.split_once('(') else { return (text, Hook::Function, None) };
    let (name, rest) = (name.trim_end().to_owned(), rest.trim_end_matches(')'));
    match rest {
        "tc" => (name, Hook::Tc, None),
        "xdp" => (name, Hook::Xdp, None),
        // These are the ends of packets that were not lost.
        "SKB_CONSUMED" | "SKB_NOT_DROPPED_YET" => (name, Hook::Function, None),
        reason => {
            let reason = reason.strip_prefix("SKB_DROP_REASON_").unwrap_or(reason).to_owned();
            (name, Hook::Function, Some(reason))
        }
    }
}

/// Returns a device of `NAME:INDEX`, of which pwru prints the last 16 characters, or of `INDEX`.
fn interface(text: String) -> Interface {
    let (name, index) = text.rsplit_once(':').unwrap_or(("", &text));
    match index.parse() {
        Ok(index) => Interface { name: Some(name.to_owned()).filter(|name| !name.is_empty()), index },
        Err(_) => Interface { name: Some(text), index: 0 },
    }
}

fn tuple(object: Option<&Value>) -> Option<Tuple> {
    let object = object?;
    let address = |field| text(object, field)?.trim_matches(['[', ']']).parse().ok();
    let protocol = number(object, "proto");
    let port = |field| number(object, field).unwrap_or(0);
    // pwru leaves out a port that is 0; the other protocols have none.
    let has_ports =
        matches!(protocol, Some(6 | 17 | 132)) || object.get("sport").or(object.get("dport")).is_some();
    Some(Tuple {
        source: address("saddr")?,
        destination: address("daddr")?,
        ports: has_ports.then(|| (port("sport"), port("dport"))),
        protocol,
        flags: text(object, "flags"),
    })
}
