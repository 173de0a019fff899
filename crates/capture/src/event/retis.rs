//! The JSON of retis, as version 1.7 writes it. Versions 1.5 and 1.6 have the device, the namespace and the packet in
//! the section `skb`.

use super::{
    LONGEST_TEXT,
    json::{cut, ends_of_frame, frame, number, signed, text},
    pwru::MOST_FRAMES,
    types::{
        Conntrack, Hook, Interface, KernelEvent, NftVerdict, OvsFlow, OvsStep, PacketId, Recording, Tuple,
    },
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use std::collections::HashMap;

/// The number of OpenFlow flows of an event that are kept.
const MOST_FLOWS: usize = 20;

/// Returns how retis recorded the events, if an object says so.
pub(super) fn recording(object: &Value) -> Option<Recording> {
    let startup = object.get("startup")?;
    let offset = startup.get("clock_monotonic_offset");
    let nanos = |offset: &Value| {
        number::<u64>(offset, "sec")?.checked_mul(1_000_000_000)?.checked_add(number(offset, "nsec")?)
    };
    Some(Recording {
        version: text(startup, "retis_version")?,
        command: text(startup, "cmdline"),
        kernel: startup.get("machine").and_then(|machine| text(machine, "kernel_release")),
        offset: offset.and_then(nanos),
    })
}

/// Returns the event of an object, if retis wrote it.
pub(super) fn event(object: &Value) -> Option<KernelEvent> {
    let common = object.get("common")?;
    let (probe, is_user) = match (object.get("kernel"), object.get("userspace")) {
        (Some(kernel), _) => (kernel, false),
        (None, Some(user)) => (user, true),
        // Flows that retis asked Open vSwitch for have no probe.
        (None, None) => (object.get("ovs-detrace")?, true),
    };
    let skb = object.get("skb");
    let section = |name: &str| object.get(name).or_else(|| skb?.get(name));
    let tracking =
        object.get("tracking").and_then(|tracking| tracking.get("skb")).or(object.get("skb-tracking"));
    let id = |tracking: &Value| {
        Some(PacketId::Tracked(number(tracking, "timestamp")?, number(tracking, "orig_head")?))
    };
    let packet = section("packet");
    let (ether_type, tuple) = packet.map_or((None, None), bytes);
    let netns = section("netns").or_else(|| skb?.get("ns"));
    let stack = probe.get("stack_trace").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Some(KernelEvent {
        nanos: number(common, "timestamp"),
        packet: tracking.and_then(id),
        cpu: number(common, "smp_id"),
        task: common.get("task").and_then(task),
        function: text(probe, "symbol").unwrap_or_else(|| "ovs-detrace".to_owned()),
        hook: match probe.get("probe_type").and_then(Value::as_str) {
            Some("raw_tracepoint") => Hook::Tracepoint,
            Some("kretprobe") => Hook::Return,
            _ if is_user => Hook::User,
            _ => Hook::Function,
        },
        netns: netns.and_then(|netns| number(netns, "inum").or_else(|| number(netns, "netns"))),
        interface: section("dev")
            .and_then(|dev| Some(Interface { name: text(dev, "name"), index: number(dev, "ifindex")? })),
        ether_type,
        length: packet.and_then(|packet| number(packet, "len")),
        tuple,
        drop_reason: object.get("skb-drop").and_then(drop_reason),
        ovs: object
            .get("ovs")
            .map(ovs)
            .or_else(|| Some(OvsStep::Lookup(Some(Box::new(flow(object.get("ovs-detrace")?)))))),
        conntrack: object.get("ct").and_then(conntrack),
        nft: object.get("nft").and_then(nft),
        stack: stack.iter().filter_map(Value::as_str).take(MOST_FRAMES).map(frame).collect(),
        ..KernelEvent::default()
    })
}

/// Follows packets through ovs-vswitchd. A packet that the datapath does not know goes there, and comes back in another
/// buffer; a number (`queue_id`) joins both. `retis sort` follows packets in the same way, so events of its output have
/// the right identity already.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    /// The packets of upcalls that have not returned, by processor and time.
    upcalls: HashMap<(u32, u64), PacketId>,
    /// The packets that ovs-vswitchd has.
    queued: HashMap<u32, PacketId>,
    /// The first identities of packets that came back.
    first: HashMap<PacketId, PacketId>,
}

impl Tracker {
    /// Gives an event the identity that its packet had first.
    pub(super) fn follow(&mut self, object: &Value, event: &mut KernelEvent) {
        if let Some(id) = &mut event.packet {
            *id = self.first.get(id).copied().unwrap_or(*id);
        }
        let (Some(ovs), None) = (object.get("ovs"), object.get("tracking")) else { return };
        let upcall = || Some((number(ovs, "upcall_cpu")?, number(ovs, "upcall_ts")?));
        let queue = number::<u32>(ovs, "queue_id");
        match (&event.ovs, event.packet) {
            (Some(OvsStep::Upcall(..)), Some(id)) => {
                if let (Some(cpu), Some(nanos)) = (number(ovs, "cpu"), event.nanos) {
                    self.upcalls.insert((cpu, nanos), id);
                }
            }
            (Some(OvsStep::Enqueue(_)), _) => {
                event.packet =
                    upcall().and_then(|upcall| self.upcalls.get(&upcall).copied()).or(event.packet);
                if let (Some(queue), Some(id)) = (queue, event.packet) {
                    self.queued.insert(queue, id);
                }
            }
            (Some(OvsStep::UpcallReturn(_)), _) => {
                upcall().and_then(|upcall| self.upcalls.remove(&upcall));
            }
            (Some(OvsStep::Received | OvsStep::Operation(_) | OvsStep::Action { .. }), now) => {
                let Some(id) = queue.and_then(|queue| self.queued.get(&queue).copied()) else { return };
                if let Some(now) = now.filter(|now| *now != id) {
                    self.first.insert(now, id);
                }
                event.packet = Some(id);
            }
            _ => {}
        }
    }
}

fn task(task: &Value) -> Option<String> {
    Some(format!("{}:{}", text(task, "comm")?, signed(task, "pid")?))
}

/// Returns the reason of a drop, with the subsystem that defines it.
fn drop_reason(drop: &Value) -> Option<String> {
    let reason = text(drop, "drop_reason")?;
    match (text(drop, "subsys"), reason.as_str()) {
        // The kernel reports these ends of packets, too.
        (None, "CONSUMED" | "SKB_CONSUMED" | "NOT_DROPPED_YET") => None,
        (None, _) => Some(reason),
        (Some(subsystem), _) => Some(format!("{subsystem}/{reason}")),
    }
}

/// Returns the EtherType and the ends of the packet in its bytes.
fn bytes(packet: &Value) -> (Option<u16>, Option<Tuple>) {
    let data = ["data", "raw", "packet"].into_iter().find_map(|field| packet.get(field)?.as_str());
    let Some(data) = data.and_then(|data| BASE64_STANDARD.decode(data).ok()) else { return (None, None) };
    ends_of_frame(&data)
}

/// Returns what the section `ovs` says.
fn ovs(ovs: &Value) -> OvsStep {
    match ovs.get("event_type").and_then(Value::as_str).unwrap_or_default() {
        "flow_lookup" => OvsStep::Lookup((number(ovs, "flow") != Some(0u64)).then(|| Box::new(flow(ovs)))),
        "upcall" => OvsStep::Upcall(number(ovs, "port"), number(ovs, "cmd")),
        "upcall_enqueue" => OvsStep::Enqueue(signed(ovs, "ret").unwrap_or(0)),
        "upcall_return" => OvsStep::UpcallReturn(signed(ovs, "ret").unwrap_or(0)),
        "recv_upcall" => OvsStep::Received,
        "flow_operation" => OvsStep::Operation(text(ovs, "op_type").unwrap_or_default()),
        "action_execute" => OvsStep::Action {
            name: text(ovs, "action").unwrap_or_else(|| "unknown".to_owned()),
            port: number(ovs, "port"),
            zone: number(ovs, "zone_id"),
            next: number(ovs, "id"),
            recirculation: number(ovs, "recirc_id").unwrap_or(0),
            reason: number(ovs, "reason"),
        },
        other => OvsStep::Other(cut(other, LONGEST_TEXT)),
    }
}

/// Returns the flow of a lookup.
fn flow(object: &Value) -> OvsFlow {
    let parts = object.get("ufid").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let parts: Option<Vec<u32>> = parts.iter().map(|part| u32::try_from(part.as_u64()?).ok()).collect();
    let ufid = match parts.as_deref() {
        Some([a, b, c, d]) => Some(format!(
            "{a:08x}-{:04x}-{:04x}-{:04x}-{:04x}{d:08x}",
            b >> 16,
            b & 0xffff,
            c >> 16,
            c & 0xffff
        )),
        _ => None,
    };
    let flows = object.get("ofpflows").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let flows: Vec<&str> = flows.iter().filter_map(Value::as_str).take(MOST_FLOWS).collect();
    let cookie = |flow: &&str| {
        let (_, rest) = flow.split_once("cookie=0x")?;
        let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        u64::from_str_radix(rest.get(..end)?, 16).ok()
    };
    OvsFlow {
        ufid,
        datapath: text(object, "dpflow"),
        cookies: flows.iter().filter_map(cookie).collect(),
        openflow: flows.into_iter().map(|flow| cut(flow, LONGEST_TEXT)).collect(),
    }
}

fn conntrack(ct: &Value) -> Option<Conntrack> {
    Some(Conntrack {
        state: text(ct, "state")?,
        zone: number(ct, "zone_id"),
        protocol_state: text(ct, "proto_state").or_else(|| text(ct, "tcp_state")),
        mark: number(ct, "mark"),
        original: ct.get("orig").and_then(tuple),
        reply: ct.get("reply").and_then(tuple),
    })
}

/// Returns the ends of one direction of a connection.
fn tuple(object: &Value) -> Option<Tuple> {
    const PROTOCOLS: [(&str, u8); 4] = [("tcp", 6), ("udp", 17), ("sctp", 132), ("icmp", 1)];
    let (ip, proto) = (object.get("ip")?, object.get("proto"));
    let found = PROTOCOLS.into_iter().find_map(|(name, number)| Some((number, proto?.get(name)?)));
    let is_v6 = text(ip, "version").as_deref() == Some("v6");
    Some(Tuple {
        source: text(ip, "src")?.parse().ok()?,
        destination: text(ip, "dst")?.parse().ok()?,
        ports: found.and_then(|(_, ports)| Some((number(ports, "sport")?, number(ports, "dport")?))),
        // retis says `icmp` for ICMPv6, too.
        protocol: found.map(|(number, _)| if number == 1 && is_v6 { 58 } else { number }),
        flags: None,
    })
}

fn nft(nft: &Value) -> Option<NftVerdict> {
    Some(NftVerdict {
        table: (text(nft, "table_name")?, signed(nft, "table_handle")),
        chain: (text(nft, "chain_name")?, signed(nft, "chain_handle")),
        rule: signed(nft, "rule_handle"),
        verdict: text(nft, "verdict")?,
        target: text(nft, "verdict_chain_name"),
        is_policy: nft.get("policy").and_then(Value::as_bool).unwrap_or(false),
    })
}
