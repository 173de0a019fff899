//! The fate of a packet: of an evaluation, or from the text that the real `ofproto/trace` prints.

use crate::{
    eval::{LearntFlow, Outcome, Pass, Trace},
    tokens,
};
use std::{collections::BTreeMap, net::IpAddr};

/// The fate of a packet or of a copy of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The packet leaves through this port.
    Port(String),
    /// The packet leaves through a tunnel to this address, if the address is known.
    Tunnel(Option<IpAddr>),
    /// A flow sends the packet to a controller.
    Controller(FlowPlace),
    /// The different fate of packets that are larger than this number of bytes.
    Larger(u16, Box<Self>),
    /// A flow drops the packet or does nothing more with it, or a table has no flow for it.
    Dropped(FlowPlace),
    /// The packet is lost for this reason.
    Lost(String),
    /// The fate is unknown for this reason.
    Unknown(String),
}

/// The flow that decides the fate of a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowPlace {
    /// The name of the bridge.
    pub bridge: String,
    /// The table number.
    pub table: u8,
    /// The cookie of the flow. `None` if no flow matched.
    pub cookie: Option<u64>,
    /// The cookies of the flows that matched earlier, the latest first.
    pub before: Vec<u64>,
}

impl End {
    /// Returns the table that drops the packet because none of its flows matches.
    pub fn miss(&self) -> Option<&FlowPlace> {
        match self {
            Self::Dropped(place) if place.cookie.is_none() => Some(place),
            Self::Larger(_, end) => end.miss(),
            _ => None,
        }
    }
}

/// The text for a packet that leaves a tunnel on this node.
const TAKEN_OUT: &str =
    "a tunnel ends here; trace the inner packet, which enters through the port of the tunnel";

/// Removes duplicates and keeps the order, except that a different fate of large packets comes last.
fn each_once(all: impl IntoIterator<Item = End>) -> Vec<End> {
    let is_larger = |end: &End| matches!(end, End::Larger(..));
    let (larger, any): (Vec<End>, Vec<End>) = all.into_iter().partition(is_larger);
    let mut seen: Vec<End> = Vec::new();
    for end in any.into_iter().chain(larger) {
        let same = match &end {
            End::Larger(_, inner) => seen.contains(inner),
            _ => false,
        };
        if !same && !seen.contains(&end) {
            seen.push(end);
        }
    }
    seen
}

/// Returns the fates of packets that are larger than `size` bytes.
fn larger(size: u16, ends: Vec<End>) -> impl Iterator<Item = End> {
    ends.into_iter().map(move |end| End::Larger(size, Box::new(end)))
}

impl Trace {
    /// Returns whether the trace follows each bucket of a group because the chosen bucket is unknown.
    pub fn chooses(&self) -> bool {
        self.passes.iter().any(|pass| pass.chooses)
    }

    /// Returns the flows that the switch learns from the packet, each once.
    pub fn learnt(&self) -> Vec<LearntFlow> {
        let mut learnt: Vec<LearntFlow> = Vec::new();
        for flow in self.passes.iter().flat_map(|pass| &pass.learnt) {
            if !learnt.contains(flow) {
                learnt.push(flow.clone());
            }
        }
        learnt
    }

    /// Returns whether a flow translates the packet.
    pub fn is_translated(&self) -> bool {
        self.passes.iter().any(|pass| pass.resumed.as_ref().is_some_and(|it| it.before.is_some()))
    }

    /// Returns the fates of the packet and of its copies.
    pub fn ends(&self) -> Vec<End> {
        let cut = self.cut.then(|| End::Unknown("there are more branches than the limit".into()));
        each_once(self.passes.iter().flat_map(Pass::ends).chain(cut))
    }
}

impl Pass {
    fn ends(&self) -> Vec<End> {
        let (ends, goes_on, dropped) = self.ends_of(&self.outcomes);
        match ends.is_empty() && !goes_on {
            true => vec![End::Dropped(dropped.unwrap_or_else(|| self.place(None)))],
            false => ends,
        }
    }

    /// Returns the fates of the packet, whether it continues in another pass, and where a copy of it was last
    /// dropped.
    fn ends_of(&self, outcomes: &[Outcome]) -> (Vec<End>, bool, Option<FlowPlace>) {
        let (mut ends, mut goes_on, mut dropped) = (Vec::new(), false, None);
        for outcome in outcomes {
            match outcome {
                Outcome::Port { port, .. } => ends.push(End::Port(port.clone())),
                Outcome::Tunnel { to, outer, .. } => ends.push(tunnelled(*to, outer.as_deref())),
                Outcome::Controller { bridge, table, cookie } => {
                    ends.push(End::Controller(self.place(Some((bridge, *table, *cookie)))));
                    // The packet is dropped only if the flows do so after the controller got it.
                    dropped = None;
                }
                Outcome::Unknown(why) => ends.push(End::Unknown(why.clone())),
                Outcome::TakenOut => ends.push(End::Unknown(TAKEN_OUT.into())),
                Outcome::Lost(why) => ends.push(End::Lost(why.clone())),
                Outcome::Tracked { goes_on: on } => goes_on |= on,
                Outcome::Larger { size, outcomes } => {
                    let (inner, on, place) = self.ends_of(outcomes);
                    goes_on |= on;
                    match place.filter(|_| inner.is_empty() && !on) {
                        Some(place) => ends.extend(larger(*size, vec![End::Dropped(place)])),
                        None => ends.extend(larger(*size, inner)),
                    }
                }
                Outcome::Dropped { bridge, table, cookie } => {
                    dropped = Some(self.place(Some((bridge, *table, *cookie))));
                }
            }
        }
        // A packet that is not large is dropped, and so is a packet of which only a controller gets a copy.
        let is_aside = |end: &End| matches!(end, End::Larger(..) | End::Controller(_));
        if !ends.is_empty() && !goes_on && ends.iter().all(is_aside) {
            ends.extend(dropped.clone().map(End::Dropped));
        }
        (ends, goes_on, dropped)
    }

    /// Returns this place, or the last place that the packet reached, with the flows that matched before.
    fn place(&self, place: Option<(&String, u8, Option<u64>)>) -> FlowPlace {
        let last = || {
            let step = self.steps.last()?;
            Some((&step.bridge, step.table, step.flow.map(|(_, cookie)| cookie)))
        };
        let Some((bridge, table, cookie)) = place.or_else(last) else { return FlowPlace::default() };
        let at = self.steps.iter().rposition(|step| {
            step.bridge == *bridge && step.table == table && step.flow.map(|(_, cookie)| cookie) == cookie
        });
        let before = self.steps.iter().take(at.unwrap_or(self.steps.len())).rev();
        let before = before.filter_map(|step| step.flow.map(|(_, cookie)| cookie)).collect();
        FlowPlace { bridge: bridge.clone(), table, cookie, before }
    }
}

/// Returns the fate of a packet in a tunnel from the outcomes of the outer packet.
fn tunnelled(to: Option<IpAddr>, outer: Option<&[Outcome]>) -> End {
    let Some(outer) = outer else { return End::Tunnel(to) };
    let leaves =
        outer.iter().any(|outcome| matches!(outcome, Outcome::Port { .. } | Outcome::Tracked { .. }));
    let unknown = outer.iter().find_map(|outcome| match outcome {
        Outcome::Unknown(why) => Some(why),
        _ => None,
    });
    match (leaves, unknown, outer.last()) {
        (true, ..) => End::Tunnel(to),
        (false, Some(why), _) => End::Unknown(why.clone()),
        (false, None, Some(Outcome::Dropped { bridge, table, cookie })) => {
            let flow = cookie.map_or("no flow matches".into(), |cookie| format!("flow {cookie:#x}"));
            End::Lost(format!("bridge {bridge} drops the outer packet of the tunnel: table {table}, {flow}"))
        }
        (false, None, _) => End::Lost("no port sends the outer packet of the tunnel".into()),
    }
}

/// Parses the fate of a packet from the output of `ofproto/trace`.
pub fn ends(text: &str) -> Vec<End> {
    let mut passes: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        match (line.starts_with("Flow: "), passes.last_mut()) {
            (true, _) => passes.push(vec![line]),
            (false, Some(pass)) => pass.push(line),
            (false, None) => {}
        }
    }
    let mut resumed = BTreeMap::new();
    each_once(passes.iter().flat_map(|pass| of_pass(pass, &mut resumed)))
}

/// Parses the fates of one pass. `resumed` holds the bridge of each packet that connection tracking returns, by its
/// `recirc_id`: for such a packet, `ofproto/trace` prints the bridge where the trace began.
fn of_pass(lines: &[&str], resumed: &mut BTreeMap<u64, String>) -> Vec<End> {
    let mut ends = Vec::new();
    let mut places: Vec<FlowPlace> = Vec::new();
    let id = lines.first().and_then(|line| line.strip_prefix("Flow: recirc_id=")?.split(',').next());
    let mut returned = id.and_then(tokens::number).and_then(|id| resumed.get(&id).cloned());
    let mut bridge = String::new();
    let mut left: Vec<String> = Vec::new();
    let mut matched: Vec<u64> = Vec::new();
    for line in lines.iter().map(|line| line.trim()) {
        if let Some(name) = line.strip_prefix("bridge(\"") {
            bridge = returned.take().unwrap_or_else(|| name.trim_end_matches("\")").to_owned());
        } else if line.contains("The forked pipeline will be resumed at table ") {
            left.push(bridge.clone());
        } else if let Some((table, cookie)) = table(line) {
            let before = matched.iter().rev().copied().collect();
            places.push(FlowPlace { bridge: bridge.clone(), table, cookie, before });
            matched.extend(cookie);
        } else if line == ">> native tunnel routing failed" || line.starts_with("-> neighbor cache miss ") {
            ends.push(End::Lost(format!(
                "the tunnel cannot send the packet: {}",
                line.get(3..).unwrap_or_default().trim()
            )));
        } else if let Some(actions) = line.strip_prefix("Datapath actions: ") {
            let ids =
                actions.split("recirc(").skip(1).filter_map(|rest| tokens::number(rest.split(')').next()?));
            resumed.extend(ids.zip(std::mem::take(&mut left)));
            let before = ends.len();
            let mut goes_on = false;
            if tokens::is_too_deep(actions) {
                ends.push(End::Unknown("the actions of the datapath are nested too deeply".into()));
            } else {
                of_actions(actions, &places, &mut ends, &mut goes_on);
            }
            let last = places.last().cloned().unwrap_or_default();
            let is_aside = |end: &End| match end {
                End::Larger(..) => true,
                // The packet went on after the controller got it.
                End::Controller(place) => *place != last,
                _ => false,
            };
            if before == 0 && !goes_on && ends.iter().all(is_aside) {
                ends.push(End::Dropped(last));
            }
        }
    }
    ends
}

/// Parses the table and the cookie of a line like `45. ip,reg0=0x1, priority 100, cookie 0x1ea6f103`.
fn table(line: &str) -> Option<(u8, Option<u64>)> {
    let (number, rest) = line.split_once(". ")?;
    let number = number.parse().ok()?;
    // On a bridge that the packet reached later, Open vSwitch prints an internal rule for a miss (seen with 4.0.0:
    // `reg0=0x2, priority 0`). Flows of priority 0 print `priority 0, cookie …`, or match on nothing.
    if rest.starts_with("No match") || rest.starts_with("reg0=0x") && rest.ends_with(", priority 0") {
        return Some((number, None));
    }
    let (_, priority) = rest.rsplit_once("priority ")?;
    let cookie = priority.split_once(", cookie ").map(|(_, cookie)| cookie);
    Some((number, Some(cookie.and_then(tokens::number).unwrap_or(0))))
}

/// Parses the fate of a packet from the actions of the datapath. `places` are the lookups of the packet.
fn of_actions(actions: &str, places: &[FlowPlace], ends: &mut Vec<End>, goes_on: &mut bool) {
    // The actions after `tnl_push` or `set(tunnel(…))` decide the fate of the packet with its outer headers.
    let (mut pushed, mut kernel) = (false, None);
    for action in tokens::split(actions) {
        let (name, inner) = tokens::name_and_value(action, &['(']);
        match (name, inner) {
            ("drop" | "ct_clear" | "pop_vlan" | "push_vlan" | "ct" | "meter" | "hash" | "trunc", _) => {}
            ("recirc", _) => *goes_on = true,
            ("set", Some(inner)) => {
                let tunnel = inner.strip_prefix("tunnel(").map(|tunnel| address(tunnel, "dst="));
                kernel = kernel.or(tunnel);
            }
            ("tnl_pop", _) => ends.push(End::Unknown(TAKEN_OUT.into())),
            ("tnl_push", Some(inner)) => {
                pushed = true;
                let header = inner.split_once("ipv4(").or_else(|| inner.split_once("ipv6("));
                ends.push(End::Tunnel(header.and_then(|(_, header)| address(header, "dst="))));
            }
            ("clone" | "sample" | "actions", Some(inner)) => of_actions(inner, places, ends, goes_on),
            ("check_pkt_len", Some(inner)) => {
                let size = inner.split(',').next().and_then(|size| size.strip_prefix("size=")?.parse().ok());
                for part in tokens::split(inner) {
                    match (tokens::name_and_value(part, &['(']), size) {
                        (("gt", Some(part)), Some(size)) => {
                            let mut large = Vec::new();
                            of_actions(part, places, &mut large, goes_on);
                            ends.extend(larger(size, large));
                        }
                        ((_, Some(part)), _) => of_actions(part, places, ends, goes_on),
                        _ => {}
                    }
                }
            }
            ("userspace", inner) => {
                let cookie =
                    inner.and_then(|inner| inner.split("rule_cookie=").nth(1)?.split([',', ')']).next());
                let cookie = cookie.and_then(tokens::number);
                let place = places.iter().rev().find(|place| cookie.is_some() && place.cookie == cookie);
                ends.push(End::Controller(place.or(places.last()).cloned().unwrap_or_default()));
            }
            (name, _) if name.contains('=') || pushed => {}
            (name, None) => ends.push(match kernel {
                Some(to) => End::Tunnel(to),
                None => End::Port(name.trim_matches('"').to_owned()),
            }),
            (other, Some(_)) => ends.push(End::Unknown(format!("the action {other} is unknown"))),
        }
    }
}

fn address(text: &str, key: &str) -> Option<IpAddr> {
    text.split(key).nth(1)?.split([',', ')']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_text_of_the_real_program() {
        let pass = |actions: &str| {
            format!(
                "Flow: tcp\n\nbridge(\"br-int\")\n---\n 0. in_port=4, priority 100, cookie 0x7\n    resubmit(,8)\n 8. No match.\n    drop\n\nFinal flow: unchanged\nMegaflow: x\nDatapath actions: {actions}\n"
            )
        };
        let place = |table, cookie, before| FlowPlace { bridge: "br-int".into(), table, cookie, before };
        let tunnel = || vec![End::Tunnel("172.18.0.3".parse().ok())];
        for (actions, wanted) in [
            ("drop", vec![End::Dropped(place(8, None, vec![7]))]),
            ("ct(zone=18,nat),recirc(0x14)", vec![]),
            ("ct(commit,zone=19,mark=0/0x1,nat(src)),7", vec![End::Port("7".into())]),
            (
                "set(tunnel(tun_id=0xff0003,dst=172.18.0.3,ttl=64,tp_dst=6081,flags(df|csum|key))),set(ipv4(ttl=63)),genev_sys_6081",
                tunnel(),
            ),
            (
                "clone(tnl_push(tnl_port(4),header(size=58,type=5,eth(dst=02:42:ac:12:00:03,src=02:42:ac:12:00:02,dl_type=0x0800),ipv4(src=172.18.0.2,dst=172.18.0.3,proto=17,tos=0,ttl=64,frag=0x4000)),out_port(1)),eth0)",
                tunnel(),
            ),
            (
                "check_pkt_len(size=1414,gt(userspace(pid=1,controller(reason=1,rule_cookie=0x7))),le(\"web\"))",
                vec![
                    End::Port("web".into()),
                    End::Larger(1414, Box::new(End::Controller(place(0, Some(7), vec![])))),
                ],
            ),
            // The packet goes on after a flow sent a copy to a controller.
            (
                "userspace(pid=1,controller(reason=1,rule_cookie=0x7))",
                vec![End::Controller(place(0, Some(7), vec![])), End::Dropped(place(8, None, vec![7]))],
            ),
        ] {
            assert_eq!(ends(&pass(actions)), wanted, "{actions}");
        }
        let deep = format!("{}drop{}", "clone(".repeat(1_000_000), ")".repeat(1_000_000));
        assert!(matches!(ends(&pass(&deep))[..], [End::Unknown(_)]));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(Flow: |Datapath actions: |[ a-z0-9,.()\"\n=]|set\\(|tnl_push\\(){0,40}") {
            _ = ends(&text);
        }
    }
}
