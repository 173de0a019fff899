//! One pass of a packet through the tables.

use super::{LearntFlow, Outcome, Pass, Resumed, Step, Waiting, learn};
use crate::{
    Ports,
    action::{self, Action, Does, To, ToController},
    applies,
    switch::{Bridge, Switch},
    table::LookupResult,
    text::{Mark, Node},
};
use packet::{Field, Masked, Packet, Subfield};
use std::{borrow::Cow, collections::BTreeSet};

/// The limits of Open vSwitch: the depth of nested tables (`MAX_DEPTH`) and the number of lookups (`MAX_RESUBMITS`).
const MOST_DEPTH: usize = 64;
const MOST_LOOKUPS: usize = 4096;

/// The state that changes during a pass.
pub(super) struct Run<'s, 'a> {
    pub(super) switch: &'s Switch<'a>,
    pub(super) name: String,
    pub(super) bridge: &'s Bridge<'a>,
    pub(super) packet: Packet,
    pub(super) stack: Vec<u128>,
    table: u8,
    depth: usize,
    lookups: usize,
    /// The cookie of the flow whose actions run.
    cookie: Option<u64>,
    /// Whether the pass has ended: `exit`, or an action that is not evaluated.
    pub(super) ended: bool,
    /// Whether connection tracking has seen the packet.
    pub(super) tracked: bool,
    /// Whether the current action is the last action on the packet.
    pub(super) last: bool,
    /// Whether the packet came through a patch port and no table was looked up yet.
    pub(super) entered: bool,
    pub(super) nat: Option<action::NatRange>,
    /// The bits of the mark and the label that the actions of `ct` have set.
    pub(super) kept: [u128; 2],
    /// The packet after the datapath actions so far.
    pub(super) base: Packet,
    /// The actions of the datapath.
    pub(super) datapath: Vec<String>,
    /// Whether each bucket of a group is followed.
    pub(super) chooses: bool,
    /// The reasons why userspace handles the packets.
    pub(super) slow: BTreeSet<&'static str>,
    learnt: Vec<LearntFlow>,
    pub(super) nodes: Vec<Node>,
    steps: Vec<Step>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) waiting: Vec<Waiting>,
    /// The number of the next pass.
    pub(super) next_id: usize,
    /// The names of the bridge's ports, quoted where Open vSwitch quotes them. `None` if the text has numbers.
    pub(super) quoted: Option<Ports>,
}

/// Follows a packet from the place where it enters or continues.
pub(super) fn pass<'s, 'a>(
    switch: &'s Switch<'a>,
    name: &str,
    packet: Packet,
    resumed: Option<Resumed>,
    stack: Vec<u128>,
    next_id: usize,
    names: bool,
) -> (Pass, Vec<Waiting>) {
    let mut pass = Pass {
        resumed,
        begins: packet.clone(),
        ends: packet.clone(),
        nodes: Vec::new(),
        steps: Vec::new(),
        outcomes: Vec::new(),
        datapath: Vec::new(),
        in_ports: [String::new(), String::new()],
        chooses: false,
        learnt: Vec::new(),
        slow: BTreeSet::new(),
    };
    let mut bridge = Node::new(Mark::Bridge, format!("bridge(\"{name}\")"));
    let Some(found) = switch.bridge(name) else {
        pass.outcomes.push(Outcome::Unknown(super::output::flows_missing(name)));
        return (pass, Vec::new());
    };
    let table = pass.resumed.as_ref().map_or(0, |it| it.table);
    let mut run = Run {
        switch,
        name: name.to_owned(),
        bridge: found,
        tracked: pass.resumed.is_some(),
        last: true,
        entered: false,
        kept: [0; 2],
        base: packet.clone(),
        datapath: Vec::new(),
        chooses: false,
        slow: BTreeSet::new(),
        packet,
        stack,
        table: 0,
        depth: 0,
        lookups: 0,
        cookie: None,
        ended: false,
        nat: None,
        learnt: Vec::new(),
        nodes: Vec::new(),
        steps: Vec::new(),
        outcomes: Vec::new(),
        waiting: Vec::new(),
        next_id,
        quoted: names.then(|| found.names.quoted()),
    };
    if pass.resumed.is_some() {
        let mut thaw = Node::new(Mark::Thaw, "thaw".into());
        thaw.subs.push(Node::new(Mark::Thaw, format!("Resuming from table {table}")));
        run.nodes.push(thaw);
    }
    run.lookup(table, None, false);
    bridge.subs = run.nodes;
    pass.nodes = vec![bridge];
    let shown = |packet: &Packet| {
        let number = crate::show_port(packet.get(Field::IN_PORT) as u16);
        let name = run.quoted.as_ref().and_then(|names| names.name(&number));
        name.filter(|_| number != "LOCAL").map_or(number.clone(), str::to_owned)
    };
    pass.in_ports = [shown(&pass.begins), shown(&run.packet)];
    pass.ends = run.packet;
    pass.steps = run.steps;
    pass.outcomes = run.outcomes;
    pass.datapath = run.datapath;
    // The last action needs no copy, because no action follows.
    if let Some(last) = pass.datapath.pop() {
        let inner = last.strip_prefix("clone(").and_then(|inner| inner.strip_suffix(')')).map(str::to_owned);
        pass.datapath.push(inner.unwrap_or(last));
    }
    pass.slow = run.slow;
    pass.chooses = run.chooses;
    pass.learnt = run.learnt;
    (pass, run.waiting)
}

impl<'s> Run<'s, '_> {
    pub(super) fn say(&mut self, mark: Mark, text: impl Into<String>) {
        self.nodes.push(Node::new(mark, text.into()));
    }

    /// Replaces the numbers of ports in a text with names if the question asks for names.
    fn named(&self, text: String, how: for<'t> fn(&Ports, &'t str) -> Cow<'t, str>) -> String {
        match &self.quoted {
            Some(names) => how(names, &text).into_owned(),
            None => text,
        }
    }

    /// Ends the pass, because the rest of it is unknown for this reason.
    pub(super) fn unknown(&mut self, why: &str) {
        self.say(Mark::Error, format!("unknown: {why}"));
        self.emit(format!("unknown: {why}"));
        self.outcomes.push(Outcome::Unknown(why.to_owned()));
        self.ended = true;
    }

    /// Runs `inner` and puts its nodes below `node`.
    pub(super) fn below(&mut self, mut node: Node, inner: impl FnOnce(&mut Self)) {
        let outer = std::mem::take(&mut self.nodes);
        inner(self);
        node.subs.append(&mut self.nodes);
        self.nodes = outer;
        self.nodes.push(node);
    }

    /// Runs `inner` on a copy of the packet. If the copy ends, the packet itself continues.
    pub(super) fn with_copy(&mut self, inner: impl FnOnce(&mut Self)) {
        let kept = (self.packet.clone(), self.stack.clone(), self.tracked);
        inner(self);
        (self.packet, self.stack, self.tracked) = kept;
        self.ended = false;
    }

    /// Looks up a table and runs the actions of the flow.
    pub(super) fn lookup(&mut self, table: u8, port: Option<u16>, original: bool) {
        if self.depth >= MOST_DEPTH || self.lookups >= MOST_LOOKUPS {
            return self
                .unknown("the tables are nested deeper, or looked up more often, than Open vSwitch follows");
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
        let entered = std::mem::take(&mut self.entered);
        let bridge = self.bridge;
        let found = bridge.tables.get(&table).map_or(LookupResult::Miss, |it| it.find(&asked));
        let step = |flow| Step { bridge: self.name.clone(), table, flow };
        match found {
            LookupResult::Unclear(line) => {
                self.unknown(&format!("table {table} has a flow that is not understood: {line}"));
            }
            LookupResult::Miss => {
                self.steps.push(step(None));
                let dropped = Outcome::Dropped { bridge: self.name.clone(), table, cookie: None };
                self.outcomes.push(dropped);
                let mut node = Node::new(Mark::Table, format!("{table:2}. No match."));
                node.subs.push(Node::new(Mark::Action, "drop".into()));
                self.nodes.push(node);
            }
            LookupResult::Flow(entry, parts) => {
                self.steps.push(step(Some((entry.priority, entry.cookie))));
                let cookie = match entry.cookie {
                    0 => String::new(),
                    cookie => format!(", cookie {cookie:#x}"),
                };
                let matched = match entry.matched {
                    "" => String::new(),
                    matched => format!("{matched}, "),
                };
                let matched = self.named(matched, Ports::named_match);
                let head = format!("{table:2}. {matched}priority {}{cookie}", entry.priority);
                let mut node = Node::new(Mark::Table, head);
                for part in parts {
                    let matched = self.named(part.matched.to_owned(), Ports::named_match);
                    let text = format!("conj. priority={},{matched}", part.priority);
                    node.subs.push(Node::new(Mark::Detail, text));
                }
                let deeper = usize::from(table <= self.table);
                let kept = (self.table, self.cookie);
                (self.table, self.cookie) = (table, Some(entry.cookie));
                self.depth += deeper;
                let read = action::actions(entry.actions, &bridge.names);
                let before = self.outcomes.len();
                self.below(node, |run| match entered {
                    true => run.on_a_copy(&read),
                    false => run.actions(&read),
                });
                if self.outcomes.len() == before {
                    self.dropped();
                }
                self.depth -= deeper;
                (self.table, self.cookie) = kept;
            }
        }
    }

    /// Notes that the flow does nothing more with the packet.
    fn dropped(&mut self) {
        self.outcomes.push(Outcome::Dropped {
            bridge: self.name.clone(),
            table: self.table,
            cookie: self.cookie,
        });
    }

    /// Runs actions one after the other.
    pub(super) fn actions(&mut self, all: &[Action<'_>]) {
        if all.is_empty() || matches!(all, [Action { does: Does::Drop, .. }]) {
            self.say(Mark::Action, "drop");
            return self.dropped();
        }
        let last = self.last;
        for (at, each) in all.iter().enumerate() {
            if self.ended {
                break;
            }
            self.say(Mark::Action, self.named(each.text.to_owned(), Ports::named_actions));
            if let Does::CheckLarger(size, bit) = &each.does {
                self.check_larger(*size, *bit, all.get(at + 1..).unwrap_or_default());
                break;
            }
            self.last = last && at + 1 == all.len();
            if self.action(each) {
                break;
            }
        }
        self.last = last;
    }

    /// Runs an action and returns whether it is the last one of its list.
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
                    self.keep(into.field(), packet::bits(into.width()) << into.first());
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
                self.unknown("a second VLAN tag is not evaluated");
            }
            Does::PushVlan => self.packet.set(Field::VLAN_TCI, 0x1000),
            Does::PopVlan => self.packet.set(Field::VLAN_TCI, 0),
            Does::DecTtl { tells } => return self.dec_ttl(*tells),
            Does::Group(id) => self.group(*id),
            Does::Ct(ct) => self.ct(ct),
            Does::CtClear => {
                if self.tracked {
                    self.emit("ct_clear");
                    self.packet.clear_ct();
                    self.tracked = false;
                }
            }
            Does::Nat(range) => self.nat = Some(*range),
            Does::Clone(inner) => self.on_a_copy(inner),
            Does::Conjunction(..) => self.say(Mark::Error, "executing no-op conjunction action"),
            Does::CheckLarger(..) => {}
            Does::Controller(told) => {
                self.controller(told);
                self.ended |= told.pauses;
            }
            Does::Exit => self.ended = true,
            Does::Meter(meter) => self.emit(format!("meter({meter})")),
            Does::Learn => {
                self.say(Mark::Warning, "suppressing side effects, so learn action ignored");
                self.learnt.extend(learn::learnt(&self.name, each.text, &self.packet));
            }
            Does::Aside(what) => self.say(Mark::Detail, *what),
            Does::Other => self.unknown(&format!("the action {} is not evaluated", each.text)),
        }
        false
    }

    fn set(&mut self, field: Field, Masked { value, mask }: Masked) {
        if !applies(field, &self.packet) {
            let text = format!("unmet prerequisites for {field}, set_field ignored");
            return self.say(Mark::Warning, text);
        }
        self.packet.set(field, self.packet.get(field) & !mask | value);
        self.keep(field, mask);
    }

    /// Keeps the bits of a connection's mark and label that the actions of `ct` set.
    fn keep(&mut self, field: Field, mask: u128) {
        match field {
            Field::CT_MARK => self.kept[0] |= mask,
            Field::CT_LABEL => self.kept[1] |= mask,
            _ => {}
        }
    }

    fn is_now(&mut self, bits: Subfield, name: &str) {
        let value = self.packet.bits(bits);
        let whole = bits.is_whole() || bits.field() == Field::IN_PORT;
        let shown = match bits.field() {
            Field::IN_PORT => crate::show_port(value as u16),
            field if whole && value != 0 => field.show(value),
            field
                if whole
                    && matches!(
                        field.kind(),
                        packet::FieldNotation::Mac | packet::FieldNotation::Ip4 | packet::FieldNotation::Ip6
                    ) =>
            {
                field.show(value)
            }
            _ if value == 0 => "0".into(),
            _ => format!("{value:#x}"),
        };
        self.say(Mark::Detail, format!("{name} is now {shown}"));
    }

    /// Decrements the time to live. When it expires, the remaining actions of the flow do not run.
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
            self.controller(&ToController { reason: 2, ..ToController::default() });
        }
        true
    }

    /// Sends a copy of the packet to the controller.
    pub(super) fn controller(&mut self, told: &ToController) {
        self.commit();
        let ToController { reason, id, length, pauses, meter } = told;
        let cookie = self.cookie.unwrap_or(0);
        let userspace = format!(
            "userspace(controller(reason={reason},dont_send=1,continuation={},rule_cookie={},controller_id={id},max_len={length}))",
            u8::from(*pauses),
            Field::METADATA.show(cookie.into())
        );
        self.emit(match meter {
            Some(meter) => format!("sample(sample=100.0%,actions(meter({meter}),{userspace}))"),
            None => userspace,
        });
        self.outcomes.push(Outcome::Controller {
            bridge: self.name.clone(),
            table: self.table,
            cookie: self.cookie,
        });
    }
}

/// Replaces the packet's addresses and ports with those of the connection's first packet.
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
