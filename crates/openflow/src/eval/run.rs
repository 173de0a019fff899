//! One pass of a packet through tables.

use super::{Outcome, Pass, Resumed, Step, Waiting};
use crate::{
    action::{self, Action, Ct, Does, To, Zone},
    applies,
    group::Kind,
    switch::{Bridge, Switch},
    table::Found,
    text::{Mark, Node},
};
use packet::{Field, Masked, Packet, Subfield};

/// As deep as Open vSwitch nests tables (`MAX_DEPTH`), and as often as it looks them up (`MAX_RESUBMITS`).
const MOST_DEPTH: usize = 64;
const MOST_LOOKUPS: usize = 4096;

/// What changes on the way.
pub(super) struct Run<'s, 'a> {
    pub(super) switch: &'s Switch<'a>,
    pub(super) name: String,
    pub(super) bridge: &'s Bridge<'a>,
    pub(super) packet: Packet,
    pub(super) stack: Vec<u128>,
    table: u8,
    depth: usize,
    lookups: usize,
    /// The flow whose actions are done.
    cookie: Option<u64>,
    /// Nothing more is done: `exit`, or something that is not evaluated.
    pub(super) ended: bool,
    /// Connection tracking has seen the packet.
    pub(super) tracked: bool,
    nat: Option<action::NatRange>,
    pub(super) nodes: Vec<Node>,
    steps: Vec<Step>,
    pub(super) outcomes: Vec<Outcome>,
    waiting: Vec<Waiting>,
}

/// Follows a packet from where it comes in, or goes on.
pub(super) fn pass<'s, 'a>(
    switch: &'s Switch<'a>,
    name: &str,
    packet: Packet,
    resumed: Option<Resumed>,
    stack: Vec<u128>,
) -> (Pass, Vec<Waiting>) {
    let mut pass = Pass {
        resumed,
        begins: packet.clone(),
        ends: packet.clone(),
        nodes: Vec::new(),
        steps: Vec::new(),
        outcomes: Vec::new(),
    };
    let mut bridge = Node::new(Mark::Bridge, format!("bridge(\"{name}\")"));
    let Some(found) = switch.bridge(name) else {
        pass.outcomes.push(Outcome::NotEvaluated(format!("the flows of {name}, which were not collected")));
        return (pass, Vec::new());
    };
    let table = pass.resumed.as_ref().map_or(0, |it| it.table);
    let mut run = Run {
        switch,
        name: name.to_owned(),
        bridge: found,
        tracked: pass.resumed.is_some(),
        packet,
        stack,
        table: 0,
        depth: 0,
        lookups: 0,
        cookie: None,
        ended: false,
        nat: None,
        nodes: Vec::new(),
        steps: Vec::new(),
        outcomes: Vec::new(),
        waiting: Vec::new(),
    };
    if pass.resumed.is_some() {
        let mut thaw = Node::new(Mark::Thaw, "thaw".into());
        thaw.subs.push(Node::new(Mark::Thaw, format!("Resuming from table {table}")));
        run.nodes.push(thaw);
    }
    run.lookup(table, None, false);
    bridge.subs = run.nodes;
    pass.nodes = vec![bridge];
    pass.ends = run.packet;
    pass.steps = run.steps;
    pass.outcomes = run.outcomes;
    (pass, run.waiting)
}

impl<'s> Run<'s, '_> {
    pub(super) fn say(&mut self, mark: Mark, text: impl Into<String>) {
        self.nodes.push(Node::new(mark, text.into()));
    }

    /// Nothing is known from here on.
    pub(super) fn not_evaluated(&mut self, what: &str) {
        self.say(Mark::Error, format!("not evaluated: {what}"));
        self.outcomes.push(Outcome::NotEvaluated(what.to_owned()));
        self.ended = true;
    }

    /// Does something with nodes of its own, which come below `node`.
    pub(super) fn below(&mut self, mut node: Node, inner: impl FnOnce(&mut Self)) {
        let outer = std::mem::take(&mut self.nodes);
        inner(self);
        node.subs.append(&mut self.nodes);
        self.nodes = outer;
        self.nodes.push(node);
    }

    /// Does something with a copy of the packet. What ends it does not end what comes after.
    pub(super) fn with_copy(&mut self, inner: impl FnOnce(&mut Self)) {
        let kept = (self.packet.clone(), self.stack.clone(), self.tracked);
        inner(self);
        (self.packet, self.stack, self.tracked) = kept;
        self.ended = false;
    }

    /// Looks a table up and does what it says.
    pub(super) fn lookup(&mut self, table: u8, port: Option<u16>, original: bool) {
        if self.depth >= MOST_DEPTH || self.lookups >= MOST_LOOKUPS {
            return self
                .not_evaluated("tables nested deeper, or looked up more often, than Open vSwitch follows");
        }
        let mut asked = self.packet.clone();
        if let Some(port) = port {
            asked.set(Field::IN_PORT, port.into());
        }
        if original {
            if self.packet.get(Field::CT_NW_PROTO) == 0 {
                return self.say(Mark::Error, "resubmit(ct) with non-tracked or non-IP packet!");
            }
            originally(&mut asked);
        }
        self.lookups += 1;
        let bridge = self.bridge;
        let found = bridge.tables.get(&table).map_or(Found::Miss, |it| it.find(&asked));
        let step = |flow| Step { bridge: self.name.clone(), table, flow };
        match found {
            Found::Unclear(line) => {
                let what = format!("table {table} has a flow that is not understood: {line}");
                self.not_evaluated(&what);
            }
            Found::Miss => {
                self.steps.push(step(None));
                let dropped = Outcome::Dropped { bridge: self.name.clone(), table, cookie: None };
                self.outcomes.push(dropped);
                let mut node = Node::new(Mark::Table, format!("{table:2}. No match."));
                node.subs.push(Node::new(Mark::Action, "drop".into()));
                self.nodes.push(node);
            }
            Found::Flow(entry, parts) => {
                self.steps.push(step(Some((entry.priority, entry.cookie))));
                let cookie = match entry.cookie {
                    0 => String::new(),
                    cookie => format!(", cookie {cookie:#x}"),
                };
                let matched = match entry.matched {
                    "" => String::new(),
                    matched => format!("{matched}, "),
                };
                let head = format!("{table:2}. {matched}priority {}{cookie}", entry.priority);
                let mut node = Node::new(Mark::Table, head);
                for part in parts {
                    let text = format!("conj. priority={},{}", part.priority, part.matched);
                    node.subs.push(Node::new(Mark::Detail, text));
                }
                let deeper = usize::from(table <= self.table);
                let kept = (self.table, self.cookie);
                (self.table, self.cookie) = (table, Some(entry.cookie));
                self.depth += deeper;
                let read = action::actions(entry.actions, &bridge.names);
                self.below(node, |run| run.actions(&read));
                self.depth -= deeper;
                (self.table, self.cookie) = kept;
            }
        }
    }

    /// Does actions one after the other.
    pub(super) fn actions(&mut self, all: &[Action<'_>]) {
        if all.is_empty() || matches!(all, [Action { does: Does::Drop, .. }]) {
            self.say(Mark::Action, "drop");
            let cookie = self.cookie;
            return self.outcomes.push(Outcome::Dropped {
                bridge: self.name.clone(),
                table: self.table,
                cookie,
            });
        }
        for (at, each) in all.iter().enumerate() {
            if self.ended {
                return;
            }
            self.say(Mark::Action, each.text);
            if let Does::CheckLarger(_, bit) = &each.does {
                let rest = all.get(at + 1..).unwrap_or_default();
                self.with_copy(|run| {
                    run.packet.set_bits(*bit, 1);
                    run.actions_if_any(rest);
                });
                self.packet.set_bits(*bit, 0);
                return self.actions_if_any(rest);
            }
            if self.action(each) {
                return;
            }
        }
    }

    fn actions_if_any(&mut self, all: &[Action<'_>]) {
        if !all.is_empty() {
            self.actions(all);
        }
    }

    /// Does an action. Is it the last of its list?
    fn action(&mut self, each: &Action<'_>) -> bool {
        match &each.does {
            Does::Drop => {}
            Does::Output(To::Port(port)) => self.output(*port),
            Does::Output(To::Bits(bits)) => match u16::try_from(self.packet.bits(*bits)) {
                Ok(port) => {
                    self.say(Mark::Detail, format!("output port is {port}"));
                    self.output(port);
                }
                Err(_) => self.say(Mark::Warning, "the output port is out of range"),
            },
            Does::Resubmit { port, table, original } => {
                self.lookup(table.unwrap_or(self.table), *port, *original);
            }
            Does::Goto(table) => self.lookup(*table, None, false),
            Does::Set(field, value) => self.set(*field, *value),
            Does::SetPort(field, port) => {
                if self.packet.has_ports() && self.packet.get(Field::IP_FRAG) & 2 == 0 {
                    self.packet.set(*field, (*port).into());
                }
            }
            Does::Move(from, into) => {
                if applies(into.field(), &self.packet) && applies(from.field(), &self.packet) {
                    self.packet.set_bits(*into, self.packet.bits(*from));
                }
                self.is_now(*into, each.text.rsplit("->").next().unwrap_or_default());
            }
            Does::Push(bits) => self.stack.push(self.packet.bits(*bits)),
            Does::Pop(bits) => match self.stack.pop() {
                Some(value) => {
                    self.packet.set_bits(*bits, value);
                    self.is_now(*bits, each.text.strip_prefix("pop:").unwrap_or_default());
                }
                None => self.say(Mark::Warning, "the stack is empty"),
            },
            Does::PushVlan if self.packet.get(Field::VLAN_TCI) & 0x1000 != 0 => {
                self.not_evaluated("a second VLAN tag");
            }
            Does::PushVlan => self.packet.set(Field::VLAN_TCI, 0x1000),
            Does::PopVlan => self.packet.set(Field::VLAN_TCI, 0),
            Does::DecTtl { tells } => return self.dec_ttl(*tells),
            Does::Group(id) => self.group(*id),
            Does::Ct(ct) => self.ct(ct),
            Does::CtClear => {
                if self.tracked {
                    self.packet.clear_ct();
                    self.tracked = false;
                }
            }
            Does::Nat(range) => self.nat = Some(*range),
            Does::Clone(inner) => self.with_copy(|run| run.actions(inner)),
            Does::Conjunction(..) => self.say(Mark::Error, "executing no-op conjunction action"),
            Does::CheckLarger(..) => {}
            Does::Controller { pauses } => {
                self.outcomes.push(Outcome::Controller);
                self.ended |= pauses;
            }
            Does::Exit => self.ended = true,
            Does::Meter(_) => self.say(Mark::Detail, "the meter may drop the packet when there are too many"),
            Does::Aside(what) => self.say(Mark::Detail, *what),
            Does::Other => self.not_evaluated(each.text),
        }
        false
    }

    fn set(&mut self, field: Field, Masked { value, mask }: Masked) {
        if !applies(field, &self.packet) {
            let text = format!("unmet prerequisites for {field}, set_field ignored");
            return self.say(Mark::Warning, text);
        }
        self.packet.set(field, self.packet.get(field) & !mask | value);
    }

    fn is_now(&mut self, bits: Subfield, name: &str) {
        let value = self.packet.bits(bits);
        let whole = bits.is_whole() || bits.field() == Field::IN_PORT;
        let shown = match bits.field() {
            Field::IN_PORT => crate::show_port(value as u16),
            field if whole && value != 0 => field.show(value),
            field
                if whole
                    && matches!(field.kind(), packet::Kind::Mac | packet::Kind::Ip4 | packet::Kind::Ip6) =>
            {
                field.show(value)
            }
            _ if value == 0 => "0".into(),
            _ => format!("{value:#x}"),
        };
        self.say(Mark::Detail, format!("{name} is now {shown}"));
    }

    /// Lowers the time to live. When it is over, the other actions of the flow are not done.
    fn dec_ttl(&mut self, tells: bool) -> bool {
        if !self.packet.is_ip4() && !self.packet.is_ip6() {
            return false;
        }
        let left = self.packet.get(Field::IP_TTL);
        if left > 1 {
            self.packet.set(Field::IP_TTL, left - 1);
            return false;
        }
        let version = if self.packet.is_ip4() { 4 } else { 6 };
        self.say(Mark::Warning, format!("IPv{version} decrement TTL exception"));
        if tells {
            self.outcomes.push(Outcome::Controller);
        }
        true
    }

    fn group(&mut self, id: u32) {
        let bridge = self.bridge;
        let Some(group) = bridge.groups.get(&id) else {
            self.say(Mark::Warning, format!("output to nonexistent group {id}"));
            return self.not_evaluated(&format!("group {id}, which was not collected or does not exist"));
        };
        let hash = self.packet.get(Field::DP_HASH) as u32;
        let chosen = match group.kind {
            Kind::ByDatapathHash if hash != 0 => group.by_hash(hash),
            _ => None,
        };
        let branches: Vec<_> = match (group.kind, chosen) {
            _ if group.buckets.is_empty() => {
                self.say(Mark::Detail, "no live bucket");
                return;
            }
            (_, Some(at)) => group.buckets.get(at).into_iter().collect(),
            (Kind::FirstAlive, _) if group.buckets.first().is_some_and(|it| !it.watched) => {
                group.buckets.first().into_iter().collect()
            }
            (Kind::ByDatapathHash | Kind::ByFields, _) => {
                group.buckets.iter().filter(|bucket| bucket.weight > 0).collect()
            }
            _ => group.buckets.iter().collect(),
        };
        match (group.kind, branches.as_slice()) {
            (Kind::All | Kind::Indirect, _) => {}
            (_, [one]) => self.say(Mark::Detail, format!("using bucket {}", one.id)),
            (_, several) => {
                self.say(Mark::Detail, format!("one of {} buckets: each is followed", several.len()));
            }
        }
        for bucket in branches {
            let read = action::actions(bucket.actions, &bridge.names);
            let node = Node::new(Mark::Bucket, format!("bucket {}", bucket.id));
            self.with_copy(|run| run.below(node, |run| run.actions(&read)));
        }
    }

    fn ct(&mut self, ct: &Ct<'_>) {
        let zone = match ct.zone {
            Zone::Number(zone) => zone,
            Zone::Bits(bits) => self.packet.bits(bits) as u16,
        };
        self.nat = None;
        let (mark, label) = (self.packet.get(Field::CT_MARK), self.packet.get(Field::CT_LABEL));
        match ct.actions.as_slice() {
            [] => self.say(Mark::Action, "drop"),
            inner => self.actions(inner),
        }
        let nat = self.nat.take();
        let set = |field: Field, before: u128| {
            let now = self.packet.get(field);
            if now == before { String::new() } else { format!(",{}={now:#x}", field.name()) }
        };
        let commit = if ct.commit { "commit," } else { "" };
        let (mark, label) = (set(Field::CT_MARK, mark), set(Field::CT_LABEL, label));
        self.outcomes.push(Outcome::Ct(format!("ct({commit}zone={zone}{mark}{label})")));
        if let Some(table) = ct.table {
            let mut packet = self.packet.clone();
            packet.set(Field::CT_ZONE, zone.into());
            self.waiting.push(Waiting {
                bridge: self.name.clone(),
                table,
                packet,
                stack: self.stack.clone(),
                nat,
            });
            self.say(
                Mark::Detail,
                format!(
                    "A clone of the packet is forked to recirculate. The forked pipeline will be resumed at table {table}."
                ),
            );
        }
        self.packet.clear_ct();
        self.tracked = false;
        self.say(Mark::Detail, "Sets the packet to an untracked state, and clears all the conntrack fields.");
    }
}

/// The addresses and ports of the connection's first packet in place of the packet's own.
fn originally(packet: &mut Packet) {
    let pairs = [
        (Field::CT_NW_PROTO, Field::IP_PROTO),
        (Field::CT_NW_SRC, Field::IP_SRC),
        (Field::CT_NW_DST, Field::IP_DST),
        (Field::CT_IPV6_SRC, Field::IPV6_SRC),
        (Field::CT_IPV6_DST, Field::IPV6_DST),
        (Field::CT_TP_SRC, Field::TCP_SRC),
        (Field::CT_TP_DST, Field::TCP_DST),
    ];
    for (from, into) in pairs {
        packet.set(into, packet.get(from));
    }
}
