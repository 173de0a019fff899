//! The way of a packet through the kernel.

use super::types::{Conntrack, Hook, Interface, KernelEvent, NftVerdict, OvsStep, PacketId, Tuple};
use std::{collections::HashMap, fmt::Write};

/// The way of one packet.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketPath {
    /// The identity of the packet.
    pub id: PacketId,
    /// The events of the packet, as indexes of the events that [`packets`] got, in their order.
    pub events: Vec<usize>,
    /// The places that the packet passed: its devices and namespaces, with the functions at each.
    pub steps: Vec<Step>,
    /// The ends of the packet, and how they changed on the way, for example by NAT. At most 8 are kept.
    pub tuples: Vec<Tuple>,
    /// The indexes of the events that drop the packet or a copy of it.
    pub drops: Vec<usize>,
    /// How the packet ended.
    pub end: End,
}

/// The functions that a packet passed one after another at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The network namespace, by the number of its inode.
    pub netns: Option<u32>,
    /// The name of the namespace, if it has one.
    pub netns_name: Option<String>,
    /// The device.
    pub interface: Option<Interface>,
    /// The functions, and how many times each was called in a row.
    pub functions: Vec<(String, usize)>,
}

/// How a packet ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The kernel dropped the packet.
    Dropped {
        /// Why, as the kernel names it (`NETFILTER_DROP`), or `None` if this kernel has no reasons.
        reason: Option<String>,
        /// The innermost functions that decided, if the program recorded the stack or the caller: the function that
        /// freed the packet, and outside of netfilter the function that it was in.
        at: Vec<String>,
    },
    /// The kernel freed the packet after it was used: it was delivered, sent or copied.
    Consumed {
        /// The functions that freed it, as in `Dropped`.
        at: Vec<String>,
    },
    /// The recording does not show the end. The packet was last seen in this function.
    Seen(String),
}

/// Follows each packet through events, in the order in which the packets appear. Events without a packet are left out.
///
/// pwru identifies a packet by its buffer. When the kernel has freed the buffer, the next event of this buffer begins
/// another packet; and so does an event whose addresses have nothing in common with those before it. If pwru does not
/// record the functions that free packets, packets with the same addresses can become one.
pub fn packets(events: &[KernelEvent]) -> Vec<PacketPath> {
    let mut paths: Vec<PacketPath> = Vec::new();
    let mut current: HashMap<PacketId, usize> = HashMap::new();
    for (index, event) in events.iter().enumerate() {
        let Some(id) = event.packet else { continue };
        let new = paths.len();
        let known =
            current.get(&id).copied().filter(|at| paths.get(*at).is_some_and(|path| !path.is_over(event)));
        let at = known.unwrap_or(new);
        current.insert(id, at);
        if at == new {
            paths.push(PacketPath {
                id,
                events: Vec::new(),
                steps: Vec::new(),
                tuples: Vec::new(),
                drops: Vec::new(),
                end: End::Seen(String::new()),
            });
        }
        if let Some(path) = paths.get_mut(at) {
            path.add(index, event);
        }
    }
    paths
}

impl PacketPath {
    /// The maximum number of tuples of a packet.
    const MOST_TUPLES: usize = 8;

    /// Whether an event with the same identity belongs to another packet.
    fn is_over(&self, event: &KernelEvent) -> bool {
        // retis gives every packet its own identity.
        if !matches!(self.id, PacketId::Buffer(_)) || is_cleanup(&event.function) {
            return false;
        }
        let differs = match (&event.tuple, self.tuples.last()) {
            (Some(now), Some(before)) => {
                let ends = [before.source, before.destination];
                !ends.contains(&now.source) && !ends.contains(&now.destination)
            }
            _ => false,
        };
        differs || !matches!(self.end, End::Seen(_))
    }

    fn add(&mut self, index: usize, event: &KernelEvent) {
        self.events.push(index);
        let place = |step: &Step| (step.netns, step.interface.clone());
        if self.steps.last().map(place) != Some((event.netns, event.interface.clone())) {
            self.steps.push(Step {
                netns: event.netns,
                netns_name: event.netns_name.clone(),
                interface: event.interface.clone(),
                functions: Vec::new(),
            });
        }
        if let Some(step) = self.steps.last_mut() {
            match step.functions.last_mut() {
                Some((function, count)) if *function == event.function => *count += 1,
                _ => step.functions.push((event.function.clone(), 1)),
            }
        }
        if let Some(tuple) = &event.tuple {
            let same = |before: &Tuple| {
                (before.source, before.destination, before.ports, before.protocol)
                    == (tuple.source, tuple.destination, tuple.ports, tuple.protocol)
            };
            if !self.tuples.last().is_some_and(same) && self.tuples.len() < Self::MOST_TUPLES {
                self.tuples.push(tuple.clone());
            }
        }
        let is_drop = is_drop(event);
        if is_drop {
            self.drops.push(index);
        }
        self.end = match &self.end {
            _ if is_drop => End::Dropped { reason: event.drop_reason.clone(), at: deciders(event) },
            _ if is_free(event) => End::Consumed { at: deciders(event) },
            // Functions of TCP free a packet without a reason.
            End::Seen(last) if matches!(event.function.as_str(), "__kfree_skb" | "kfree_skbmem") => {
                End::Consumed { at: Some(last.clone()).into_iter().filter(|last| !last.is_empty()).collect() }
            }
            // What the kernel does with the rest of a packet after its end says nothing about the end.
            End::Dropped { .. } | End::Consumed { .. } if is_cleanup(&event.function) => return,
            _ => End::Seen(event.function.clone()),
        };
    }

    /// Returns when the packet was first and last seen, in nanoseconds.
    pub fn times(&self, events: &[KernelEvent]) -> Option<(u64, u64)> {
        let time = |index: Option<&usize>| events.get(*index?)?.nanos;
        Some((time(self.events.first())?, time(self.events.last())?))
    }

    /// Returns the cookies of the OpenFlow flows that the packet matched, in their order.
    pub fn cookies(&self, events: &[KernelEvent]) -> Vec<u64> {
        let mut all = Vec::new();
        for event in self.events.iter().filter_map(|index| events.get(*index)) {
            let Some(OvsStep::Lookup(Some(flow))) = &event.ovs else { continue };
            all.extend(
                flow.cookies.iter().copied().filter(|cookie| !all.contains(cookie)).collect::<Vec<_>>(),
            );
        }
        all
    }

    /// Returns the last verdict of nftables on the packet.
    pub fn verdict<'a>(&self, events: &'a [KernelEvent]) -> Option<&'a NftVerdict> {
        self.events.iter().rev().find_map(|index| events.get(*index)?.nft.as_ref())
    }

    /// Returns the last connection of the packet.
    pub fn conntrack<'a>(&self, events: &'a [KernelEvent]) -> Option<&'a Conntrack> {
        self.events.iter().rev().find_map(|index| events.get(*index)?.conntrack.as_ref())
    }

    /// Returns the functions in one line of about `most` bytes: `ra: ip_rcv > ip_forward; rb: ip_output > …`. If the
    /// line is too long, the functions in the middle are left out and counted.
    pub fn line(&self, most: usize) -> String {
        let mut words = Vec::new();
        let mut place = None;
        for step in &self.steps {
            let name = step.place();
            let new = place.replace(name.clone()) != Some(name.clone());
            for (index, (function, count)) in step.functions.iter().enumerate() {
                let separator = match (words.is_empty(), index == 0 && new) {
                    (true, _) => format!("{name}: "),
                    (false, true) => format!("; {name}: "),
                    (false, false) => " > ".to_owned(),
                };
                let times = if *count > 1 { format!(" x{count}") } else { String::new() };
                words.push(format!("{separator}{function}{times}"));
            }
        }
        let length: usize = words.iter().map(String::len).sum();
        if length <= most {
            return words.concat();
        }
        // The beginning says where the packet comes from, the end says what happened: the end gets two thirds.
        let fitting = |words: &mut dyn Iterator<Item = &String>, most: usize| {
            let mut used = 0;
            words.take_while(|word| (used += word.len(), used <= most).1).count()
        };
        let tail = fitting(&mut words.iter().rev(), most * 2 / 3).max(1);
        let head = fitting(&mut words.iter(), most / 3).min(words.len() - tail);
        let mut line = words.get(..head).unwrap_or_default().concat();
        let left_out = words.len() - tail - head;
        let _ = write!(line, " … {left_out} functions …");
        line + &words.get(words.len() - tail..).unwrap_or_default().concat()
    }
}

impl Step {
    /// Returns the name of the place: the device, and the namespace if it has a name.
    pub fn place(&self) -> String {
        let device = match &self.interface {
            Some(Interface { name: Some(name), .. }) => name.clone(),
            Some(Interface { index: 0, .. }) | None => "no device".to_owned(),
            Some(Interface { index, .. }) => format!("device {index}"),
        };
        match &self.netns_name {
            Some(namespace) => format!("{namespace}/{device}"),
            None => device,
        }
    }
}

/// Whether an event drops a packet.
fn is_drop(event: &KernelEvent) -> bool {
    // The kernel calls these only for packets that it drops (include/trace/events/skb.h).
    let function = matches!(event.function.as_str(), "skb:kfree_skb" | "kfree_skb");
    let ovs = match &event.ovs {
        Some(OvsStep::Action { name, .. }) => name == "drop",
        Some(OvsStep::Enqueue(result)) => *result != 0,
        _ => false,
    };
    event.drop_reason.is_some() || function || ovs
}

/// Whether an event frees a packet.
fn is_free(event: &KernelEvent) -> bool {
    let known = [
        "kfree_skb_reason",
        "sk_skb_reason_drop",
        "kfree_skb_list_reason",
        "consume_skb",
        "skb:consume_skb",
        "__consume_stateless_skb",
        "napi_consume_skb",
        "dev_kfree_skb_any_reason",
        "dev_kfree_skb_irq_reason",
    ];
    event.drop_reason.is_some() || is_drop(event) || known.contains(&event.function.as_str())
}

/// Whether the kernel calls a function only while it frees a packet.
fn is_cleanup(function: &str) -> bool {
    let known = [
        "__kfree_skb",
        "kfree_skbmem",
        "skb_free_head",
        "sock_wfree",
        "sock_rfree",
        "tcp_wfree",
        "kfree_skb_partial",
    ];
    function.starts_with("skb_release_") || known.contains(&function)
}

/// Returns the functions that decided about the end of a packet: the innermost one that does more than free it, and if
/// that belongs to netfilter, the one that called netfilter.
fn deciders(event: &KernelEvent) -> Vec<String> {
    let frees = |function: &str| {
        function.contains("kfree_skb")
            || function.starts_with("consume_skb")
            || function.starts_with("sk_skb_reason_drop")
            || function.starts_with("bpf_")
            || function.starts_with("trace_")
            || function.starts_with("__traceiter_")
            || is_cleanup(function)
    };
    let netfilter = |function: &str| {
        ["nf_", "nft_", "__nf_", "ipt_", "xt_"].into_iter().any(|prefix| function.starts_with(prefix))
    };
    // A tracepoint has no function of its own on the stack.
    let own = event.function.as_str();
    let stack = event.stack.iter().filter(|frame| event.hook != Hook::Function || *frame != own);
    let mut frames = stack.filter(|frame| !frees(frame)).chain(event.caller.iter());
    let Some(first) = frames.next() else { return Vec::new() };
    let mut all = vec![first.clone()];
    if netfilter(first) {
        all.extend(frames.find(|frame| !netfilter(frame)).cloned());
    }
    all
}
