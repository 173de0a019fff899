//! Executes the actions of a flow in order.

use super::{Machine, StagePosition};
use crate::{
    actions::{Action, Verb},
    lex::Token,
    matches::{Constant, Operand},
    symbol::Meaning,
    tree::{Line, LineKind},
};
use ovn_model::lflow::Pipeline;
use packet::{CtState, Field, Packet};

impl Machine<'_> {
    /// Executes actions on a packet.
    pub(crate) fn actions(
        &mut self,
        actions: &[Action],
        place: StagePosition,
        packet: &mut Packet,
        lines: &mut Vec<Line>,
    ) {
        if actions.is_empty() {
            lines.push(Line::new(LineKind::Action, "drop;"));
            return;
        }
        let ends = self.ends.len();
        let mut stack = Vec::new();
        for action in actions {
            lines.push(Line::new(LineKind::Action, shown(action, place)));
            if !self.action(action, place, packet, &mut stack, lines) {
                return;
            }
        }
        if self.ends.len() == ends {
            self.dropped(place, Some("the actions of the flow do not forward the packet"));
        }
    }

    /// Executes one action. Returns whether the actions after it are executed too.
    fn action(
        &mut self,
        action: &Action,
        place: StagePosition,
        packet: &mut Packet,
        stack: &mut Vec<u128>,
        lines: &mut Vec<Line>,
    ) -> bool {
        match action {
            Action::Set(..) | Action::Move(..) | Action::Exchange(..) => {
                changes(action, packet, lines);
                self.assign(action, place, packet);
            }
            Action::DecrementTtl => return self.decrement_ttl(place, packet, lines),
            Action::Push(field) => {
                let value = field.place().map_or(0, |place| packet.bits(place));
                lines.push(Line::new(LineKind::Modify, format!("push({field}) -> {value:#x}")));
                stack.push(value);
            }
            Action::Pop(field) => {
                let value = stack.pop();
                let text =
                    value.map_or_else(|| "/* empty stack */".to_owned(), |value| format!("{value:#x}"));
                lines.push(Line::new(LineKind::Modify, format!("pop({field}) <- {text}")));
                if let (Some(value), Some(place)) = (value, field.place()) {
                    packet.set_bits(place, value);
                }
            }
            Action::Next { pipeline, table } => self.next(*pipeline, *table, place, packet, lines),
            Action::Nat { verb, to, ports } => self.ct_nat(*verb, *to, *ports, place, packet, lines),
            Action::LoadBalance { verb, backends, snat, .. } => {
                self.ct_lb(*verb, (backends, snat.as_deref()), place, packet, lines);
            }
            Action::Select { to, values, .. } => self.select(*to, values, place, packet, lines),
            Action::Fields { verb, to, fields } => self.fields(*verb, *to, fields, place, packet, lines),
            Action::Block { verb: Verb::CtCommit, actions } => self.ct_commit(actions, place, packet),
            Action::Block { verb, actions } => self.block(*verb, actions, place, packet, lines),
            Action::Call { verb, to, arguments } => self.call(*verb, *to, arguments, place, packet, lines),
        }
        true
    }

    /// Executes an assignment or exchange of fields.
    pub(crate) fn assign(&self, action: &Action, at: StagePosition, packet: &mut Packet) {
        match action {
            Action::Set(to, value) => {
                let Some(place) = to.place() else { return };
                match value {
                    Constant::Number(number) => {
                        let mask = number.mask.unwrap_or(u128::MAX);
                        let kept = packet.bits(place) & !mask;
                        packet.set_bits(place, kept | number.value);
                    }
                    Constant::Text(name) => {
                        // A name without a port in this datapath means no port.
                        let key = self.zone.ports.key_of(at.datapath, name).unwrap_or(0);
                        packet.set_bits(place, key.into());
                    }
                    _ => {}
                }
            }
            Action::Move(to, from) => {
                if let (Some(to), Some(from)) = (to.place(), from.place()) {
                    packet.set_bits(to, packet.bits(from));
                }
            }
            Action::Exchange(a, b) => {
                if let (Some(a), Some(b)) = (a.place(), b.place()) {
                    packet.exchange(a, b);
                }
            }
            _ => {}
        }
    }

    fn decrement_ttl(&mut self, place: StagePosition, packet: &mut Packet, lines: &mut Vec<Line>) -> bool {
        let ttl = packet.get(Field::IP_TTL);
        if !packet.is_ip4() && !packet.is_ip6() {
            lines.push(Line::new(LineKind::Error, "*** TTL decrement of non-IP packet"));
        } else if ttl > u128::from(!self.is_ovn_trace()) {
            packet.set(Field::IP_TTL, ttl - 1);
            lines.push(Line::new(LineKind::Modify, "ip.ttl--"));
        } else {
            lines.push(Line::new(LineKind::Error, "*** TTL underflow"));
            if !self.is_ovn_trace() {
                self.dropped(place, Some("its TTL expires here"));
                return false;
            }
        }
        true
    }

    fn next(
        &mut self,
        pipeline: Option<Pipeline>,
        table: Option<u32>,
        place: StagePosition,
        packet: &mut Packet,
        lines: &mut Vec<Line>,
    ) {
        let target = StagePosition {
            pipeline: pipeline.unwrap_or(place.pipeline),
            table: table.map_or(place.table + 1, i64::from),
            ..place
        };
        if target.pipeline == place.pipeline {
            return self.stage(target, packet, lines);
        }
        let (port, field) = match target.pipeline {
            Pipeline::Ingress => ("inport", Field::REG14),
            Pipeline::Egress => ("outport", Field::REG15),
        };
        let name = self.port_name(place.datapath, packet.get(field) as u32);
        let dp = self.datapath_name(place.datapath);
        let title = format!("{}(dp=\"{dp}\", {port}=\"{name}\")", target.pipeline);
        let mut line = Line::new(LineKind::Pipeline, title);
        self.stage(target, packet, &mut line.within);
        lines.push(line);
    }

    fn select(
        &mut self,
        to: Operand,
        values: &[(u16, u16)],
        place: StagePosition,
        packet: &Packet,
        lines: &mut Vec<Line>,
    ) {
        let names: Vec<String> =
            values.iter().map(|(value, weight)| format!("{value} in {to}, weight {weight}")).collect();
        let at = self.choose("ECMP member", &names);
        let value = values.get(at).map_or(0, |(value, _)| *value);
        let mut packet = packet.clone();
        if let Some(place) = to.place() {
            packet.set_bits(place, value.into());
        }
        let title = format!("select: {to} = {value} /* Randomly selected. Use --select-id to specify. */");
        let mut line = Line::new(LineKind::Transformation, title);
        self.stage(StagePosition { table: place.table + 1, ..place }, &mut packet, &mut line.within);
        lines.push(line);
    }

    /// Executes an action that has the form of a call.
    fn call(
        &mut self,
        verb: Verb,
        to: Option<Operand>,
        arguments: &[Token],
        place: StagePosition,
        packet: &mut Packet,
        lines: &mut Vec<Line>,
    ) {
        let result = |packet: &mut Packet, value: u128| {
            if let Some(place) = to.and_then(|to| to.place()) {
                packet.set_bits(place, value);
            }
        };
        match verb {
            Verb::Output => self.output(place, packet, lines),
            Verb::CtNext => self.ct_next(arguments, place, packet, lines),
            Verb::CtClear => packet.clear_ct(),
            Verb::CtCommitNat | Verb::CtCommitToZone => {
                self.ct_commit_on(verb, arguments, place, packet, lines)
            }
            // OVN before 25.03 has this form, with arguments.
            Verb::CtCommit => self.ct_commit(&[], place, packet),
            Verb::CheckInPortSec | Verb::CheckOutPortSec => {
                let broken = self.breaks_security(place, packet, verb == Verb::CheckInPortSec);
                result(packet, broken.into());
            }
            Verb::ChkLbHairpin | Verb::ChkLbHairpinReply => {
                if let Some(to) = to {
                    self.hairpin(verb, to, place, packet, lines);
                }
            }
            Verb::CtStateSave => {
                let state = packet.ct_state();
                let state = if state.has(CtState::TRK) { u128::from(state.0 & 0xff) } else { 0 };
                result(packet, state);
                let name = to.map(|to| to.to_string()).unwrap_or_default();
                lines.push(Line::new(LineKind::Action, format!("/* {name} = {state}; */")));
            }
            Verb::CtOrigNwDst | Verb::CtOrigIp6Dst | Verb::CtOrigTpDst | Verb::CtOrigProto => {
                if let Some(to) = to {
                    self.ct_original(verb, to, packet, lines);
                }
            }
            Verb::PutDhcpv4Opts | Verb::PutDhcpv6Opts | Verb::PutNdRaOpts => {
                if verb != Verb::PutNdRaOpts {
                    let text = "/* We assume that this packet is DHCPDISCOVER or DHCPREQUEST. */";
                    lines.push(Line::new(LineKind::Error, text));
                }
                let text = Action::Call { verb, to: None, arguments: arguments.to_vec() }.to_string();
                lines.push(Line::new(LineKind::Modify, text.trim_end_matches(';')));
                result(packet, 1);
            }
            Verb::DhcpRelayReqChk | Verb::DhcpRelayRespChk => {
                lines.push(Line::new(LineKind::Error, "/* We assume that this packet is one of DHCP. */"));
                result(packet, 1);
            }
            Verb::DnsLookup => {
                lines.push(Line::new(LineKind::Error, "*** dns_lookup action not implemented"));
                result(packet, 0);
                self.note(
                    "DNS names are not looked up: the trace assumes that OVN does not answer the query",
                );
            }
            Verb::FloodRemote => lines.push(Line::new(LineKind::Output, "/* Flood to all remote chassis */")),
            Verb::Mirror => self.mirror(arguments, place, packet, lines),
            // ovn-trace ignores all actions after this one.
            _ if self.is_ovn_trace() => {}
            Verb::CheckPktLarger => {
                let Some(Token::Number(limit)) = arguments.first() else { return };
                match self.size {
                    Some(size) => result(packet, (u128::from(size) > limit.value).into()),
                    None => self.note(format!(
                        "packets larger than {} bytes may take another path; pass size to trace such a packet",
                        limit.value
                    )),
                }
            }
            Verb::CtSnatToVip => self.snat_to_vip(place, packet),
            Verb::ChkLbAff => {
                result(packet, 0);
                self.note(
                    "session affinity may send a client to its previous backend; the databases do not show it",
                );
            }
            Verb::ChkEcmpNh | Verb::ChkEcmpNhMac => {
                result(packet, 0);
                self.note(
                    "replies leave through the next hop by which the connection arrived; the databases do not show which one",
                );
            }
            Verb::FwdGroup => self.forwarding_group(arguments, place, packet, lines),
            Verb::SetMeter => self.note("a meter may drop packets above its rate"),
            _ => {}
        }
    }

    fn mirror(&mut self, arguments: &[Token], place: StagePosition, packet: &Packet, lines: &mut Vec<Line>) {
        let port = match arguments.first() {
            Some(Token::Text(name)) => self.zone.port(name).filter(|port| port.datapath == place.datapath),
            _ => None,
        };
        let Some(port) = port else {
            lines.push(Line::new(LineKind::Error, "/* omitting output because no taget port found. */"));
            return;
        };
        let mut copy = packet.clone();
        copy.set(Field::REG14, 0);
        copy.set(Field::REG15, port.key.into());
        let mut line = Line::new(LineKind::Transformation, "clone");
        self.stage(
            StagePosition { pipeline: Pipeline::Egress, table: 0, ..place },
            &mut copy,
            &mut line.within,
        );
        lines.push(line);
    }

    /// Sends the packet to one of several ports, which the switch chooses by hash.
    fn forwarding_group(
        &mut self,
        arguments: &[Token],
        place: StagePosition,
        packet: &mut Packet,
        lines: &mut Vec<Line>,
    ) {
        let after = arguments.iter().skip_while(|it| **it != Token::Name("childports".to_owned()));
        let ports: Vec<String> = after
            .filter_map(|it| if let Token::Text(name) = it { Some(name.clone()) } else { None })
            .collect();
        let at = self.choose("port of the forwarding group", &ports);
        let key = ports.get(at).and_then(|name| self.zone.ports.key_of(place.datapath, name));
        packet.set(Field::REG15, key.unwrap_or(0).into());
        self.output(place, packet, lines);
    }
}

/// Prints an action as ovn-trace does: `next` without its default arguments.
fn shown(action: &Action, place: StagePosition) -> String {
    let (pipeline, table) = match action {
        Action::Next { pipeline, table } => (pipeline, table),
        // OVN 26.03 prints the default zone if the action names none.
        Action::Call { verb: Verb::CtNext, arguments, .. } if arguments.is_empty() => {
            return "ct_next(dnat);".to_owned();
        }
        _ => return action.to_string(),
    };
    let target = table.map_or(place.table + 1, i64::from);
    match pipeline.filter(|pipeline| *pipeline != place.pipeline) {
        Some(pipeline) => format!("next(pipeline={pipeline}, table={target});"),
        None if target == place.table + 1 => "next;".to_owned(),
        None => format!("next({target});"),
    }
}

/// Returns whether an operand is a register. A change of a register is not a change of the packet.
fn is_register(operand: Operand) -> bool {
    let name = operand.place().map(|place| place.field().name()).unwrap_or_default();
    name.starts_with("reg") || name.starts_with("xreg") || name.starts_with("xxreg")
}

/// Adds lines for the changes that an action makes to the packet.
fn changes(action: &Action, packet: &Packet, lines: &mut Vec<Line>) {
    let mut moved = |to: &Operand, from: &Operand| {
        if let Some(place) = from.place().filter(|_| !is_register(*to)) {
            let value = packet.bits(place);
            let value = if place.is_whole() { place.field().show(value) } else { format!("{value:#x}") };
            lines.push(Line::new(LineKind::Modify, format!("{to} = {value}")));
        }
    };
    match action {
        Action::Move(to, from) => moved(to, from),
        Action::Exchange(a, b) => {
            moved(a, b);
            moved(b, a);
        }
        Action::Set(to, _) if matches!(to.symbol.meaning, Meaning::Outside(_)) || !is_register(*to) => {
            lines.push(Line::new(LineKind::Modify, action.to_string().trim_end_matches(';')));
        }
        _ => {}
    }
}
