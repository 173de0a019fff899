//! Executes the actions of connection tracking.

use super::{Machine, StagePosition};
use crate::{
    actions::{Action, Backend, Verb},
    conntrack::{CtZone, Translation},
    lex::Token,
    matches::Operand,
    tree::{Line, LineKind},
};
use ovn_model::lflow::Pipeline;
use packet::{CtState, Field, Packet};

/// The bits of `ct_mark`: `natted`, `skip_snat` and `force_snat`.
const NATTED: u32 = 2;
const SKIP_SNAT: u32 = 4;
const FORCE_SNAT: u32 = 8;
const DEFAULT_STATE: &str = " /* default (use --ct to customize) */";

impl Machine<'_> {
    /// Returns the conntrack zone of a lookup. A switch has a zone for each port; a router has one for DNAT and one for
    /// SNAT.
    fn ct_zone(&self, place: StagePosition, packet: &Packet, source: bool) -> CtZone {
        let datapath = self.zone.datapaths.get(place.datapath);
        let key = datapath.map_or(0, |datapath| datapath.key);
        if datapath.is_some_and(|datapath| datapath.is_switch) {
            let field = if place.pipeline == Pipeline::Ingress { Field::REG14 } else { Field::REG15 };
            return CtZone::Port(key, packet.get(field) as u32);
        }
        if source { CtZone::Snat(key) } else { CtZone::Dnat(key) }
    }

    /// Returns the conntrack zone of a datapath for SNAT, which switches have too.
    pub(crate) fn snat_zone(&self, place: StagePosition) -> CtZone {
        CtZone::Snat(self.zone.datapaths.get(place.datapath).map_or(0, |datapath| datapath.key))
    }

    /// Returns the state that ovn-trace assumes, and the comment that it prints.
    fn assumed_state(&mut self) -> (CtState, &'static str) {
        match self.next_state() {
            Some(state) => (state, ""),
            None => (CtState::EST | CtState::TRK, DEFAULT_STATE),
        }
    }

    /// Looks up the connection of the packet. A state that the caller gave overrides the lookup.
    fn track(&mut self, zone: CtZone, packet: &mut Packet, translate: bool) {
        self.conntrack.track(zone, packet, translate);
        if let Some(state) = self.next_state() {
            packet.set_ct_state(state);
        }
    }

    fn go_on(&mut self, title: String, place: StagePosition, packet: &mut Packet, lines: &mut Vec<Line>) {
        let mut line = Line::new(LineKind::Transformation, title);
        self.stage(StagePosition { table: place.table + 1, ..place }, packet, &mut line.within);
        lines.push(line);
    }

    /// Executes `ct_next`: a lookup without NAT.
    pub(crate) fn ct_next(
        &mut self,
        arguments: &[Token],
        place: StagePosition,
        packet: &Packet,
        lines: &mut Vec<Line>,
    ) {
        let mut tracked = packet.clone();
        let mut comment = "";
        if self.is_ovn_trace() {
            let (state, assumed) = self.assumed_state();
            comment = assumed;
            tracked.set_ct_state(state);
            populate(&mut tracked, packet);
        } else {
            let zone = self.ct_zone(place, packet, is_snat(arguments));
            self.track(zone, &mut tracked, false);
        }
        let title = format!("ct_next(ct_state={}{comment})", shown(tracked.ct_state()));
        self.go_on(title, place, &mut tracked, lines);
    }

    /// Executes `ct_dnat`, `ct_snat` and their `_in_czone` forms.
    pub(crate) fn ct_nat(
        &mut self,
        verb: Verb,
        to: Option<(bool, u128)>,
        ports: Option<(u16, Option<u16>)>,
        place: StagePosition,
        packet: &Packet,
        lines: &mut Vec<Line>,
    ) {
        let destination = matches!(verb, Verb::CtDnat | Verb::CtDnatInCzone);
        let shared = matches!(verb, Verb::CtDnatInCzone | Verb::CtSnatInCzone);
        let direction = if destination { "dst" } else { "src" };
        let letter = if destination { 'd' } else { 's' };
        let gateway = self.zone.datapaths.get(place.datapath).is_some_and(|datapath| datapath.is_gateway);
        if self.is_ovn_trace() && !destination && gateway && to.is_none() {
            // ovn-trace stops here without a message.
            return;
        }
        let mut tracked = packet.clone();
        let mut title = format!("ct_{letter}nat{}", if shared { "in_czone" } else { "" });
        match to {
            Some((ip6, address)) => {
                let (family, field) = match (ip6, destination) {
                    (false, true) => ("ip4", Field::IP_DST),
                    (false, false) => ("ip4", Field::IP_SRC),
                    (true, true) => ("ip6", Field::IPV6_DST),
                    (true, false) => ("ip6", Field::IPV6_SRC),
                };
                title.push_str(&format!("({family}.{direction}={})", field.show(address)));
                if self.is_ovn_trace() {
                    tracked.set(field, address);
                    let bit = if destination { CtState::DNAT } else { CtState::SNAT };
                    tracked.set_ct_state(tracked.ct_state() | bit);
                }
            }
            None if self.is_ovn_trace() => {
                title.push_str(&format!(" /* assuming no un-{letter}nat entry, so no change */"));
            }
            None => {}
        }
        if self.is_ovn_trace() {
            self.assume_tracked(&mut tracked, packet, &mut title);
        } else {
            let zone = match !destination && !shared {
                true => self.snat_zone(place),
                false => self.ct_zone(place, packet, false),
            };
            let translation =
                to.map(|(_, address)| Translation { source: !destination, address, port: None });
            if ports.is_some() {
                self.note("the switch chooses the source port of the NAT; the trace shows it unchanged");
            }
            self.translate(zone, &mut tracked, translation, 0);
        }
        self.go_on(title, place, &mut tracked, lines);
    }

    /// Looks up the connection and applies its NAT. Commits a new connection with its NAT.
    fn translate(&mut self, zone: CtZone, packet: &mut Packet, new: Option<Translation>, mark: u32) {
        self.track(zone, packet, true);
        let (Some(new), true) = (new, packet.ct_state().has(CtState::NEW)) else { return };
        let before = packet.tuple();
        self.conntrack.commit_packet(zone, packet, Some(new), (mark, 0));
        if let Some(mut after) = before {
            let (to, to_port) = if new.source {
                (&mut after.source, &mut after.source_port)
            } else {
                (&mut after.destination, &mut after.destination_port)
            };
            *to = new.address;
            *to_port = new.port.unwrap_or(*to_port);
            after.write(packet);
        }
        let bit = if new.source { CtState::SNAT } else { CtState::DNAT };
        packet.set_ct_state(packet.ct_state() | bit);
        packet.set(Field::CT_MARK, mark.into());
    }

    /// Executes `ct_lb_mark` and the other load balancing actions.
    pub(crate) fn ct_lb(
        &mut self,
        verb: Verb,
        (backends, snat): (&[Backend], Option<&str>),
        place: StagePosition,
        packet: &Packet,
        lines: &mut Vec<Line>,
    ) {
        let mut tracked = packet.clone();
        let mut title = verb.text().to_owned();
        let is_ip = packet.is_ip4() || packet.is_ip6();
        let usable: Vec<&Backend> = backends
            .iter()
            .filter(|it| it.ip6 == packet.is_ip6() && is_ip && self.is_here(verb, it))
            .collect();
        if self.is_ovn_trace() {
            if is_ip {
                let chosen =
                    if backends.is_empty() { self.asked_backend(packet) } else { self.backend(&usable) };
                match chosen {
                    Some(backend) => {
                        tracked
                            .set(if backend.ip6 { Field::IPV6_DST } else { Field::IP_DST }, backend.address);
                        if let Some(port) = backend.port.filter(|port| *port != 0) {
                            tracked.set(Field::TCP_DST, port.into());
                        }
                        tracked.set_ct_state(tracked.ct_state() | CtState::DNAT);
                    }
                    None if !backends.is_empty() => lines
                        .push(Line::new(LineKind::Error, "*** no load balancing destination (use --lb-dst)")),
                    None => {}
                }
                let (state, assumed) = self.assumed_state();
                tracked.set_ct_state(tracked.ct_state() | state);
                title.push_str(assumed);
            }
            populate(&mut tracked, packet);
            return self.go_on(title, place, &mut tracked, lines);
        }
        let zone = self.ct_zone(place, packet, false);
        let mut probe = packet.clone();
        self.conntrack.track(zone, &mut probe, false);
        let is_new = probe.ct_state().has(CtState::NEW);
        // A known connection keeps its backend.
        let chosen = if is_new { self.backend(&usable) } else { None };
        if is_new && !backends.is_empty() && chosen.is_none() {
            lines.push(Line::new(LineKind::Error, "*** no load balancing destination"));
            self.note(format!(
                "no usable backend: {} has no backend of the packet's address family",
                verb.text()
            ));
        }
        let mark = NATTED
            | match snat {
                Some("skip_snat") => SKIP_SNAT,
                Some(_) => FORCE_SNAT,
                None => 0,
            };
        let new = chosen.map(|it| Translation { source: false, address: it.address, port: it.port });
        self.translate(zone, &mut tracked, new, if new.is_some() { mark } else { 0 });
        self.go_on(title, place, &mut tracked, lines);
    }

    /// Returns whether this chassis can use a backend.
    fn is_here(&self, verb: Verb, backend: &Backend) -> bool {
        let Some(name) = backend.port_name.as_deref().filter(|_| verb == Verb::CtLbMarkLocal) else {
            return true;
        };
        self.is_ovn_trace() || self.zone.port(name).is_some_and(|port| port.kind != "remote")
    }

    /// Returns the backend that a load balancing action without backends takes in ovn-trace: that of `--lb-dst`, if no
    /// earlier action had it.
    fn asked_backend(&self, packet: &Packet) -> Option<Backend> {
        let (address, port) = self.wanted?;
        let ip6 = address > u32::MAX.into();
        (ip6 == packet.is_ip6()).then_some(Backend { port_name: None, ip6, address, port })
    }

    fn backend(&mut self, usable: &[&Backend]) -> Option<Backend> {
        // ovn-trace compares only the address.
        let any_port = self.is_ovn_trace();
        let is_wanted = |it: &&Backend| {
            self.wanted.is_some_and(|(address, port)| {
                it.address == address && (any_port || port.is_none() || it.port.is_none() || it.port == port)
            })
        };
        if let Some(backend) = usable.iter().copied().find(is_wanted) {
            if self.is_ovn_trace() {
                self.wanted = None;
            }
            return Some(backend.clone());
        }
        let names: Vec<String> = usable.iter().map(ToString::to_string).collect();
        if self.wanted.is_some() && !names.is_empty() && !self.is_ovn_trace() {
            self.note(format!(
                "a load balancer on the path does not have the requested backend; it has {}",
                names.join(", ")
            ));
        }
        let at = self.choose("backend", &names);
        usable.get(at).map(|backend| (*backend).clone())
    }

    /// Executes `ct_commit_nat` and `ct_commit_to_zone`.
    pub(crate) fn ct_commit_on(
        &mut self,
        verb: Verb,
        arguments: &[Token],
        place: StagePosition,
        packet: &Packet,
        lines: &mut Vec<Line>,
    ) {
        let source = is_snat(arguments);
        let mut tracked = packet.clone();
        let mut title = match verb {
            Verb::CtCommitNat => "ct_commit_nat /* assuming no un-nat entry, so no change */".to_owned(),
            _ => format!("ct_commit_to_zone({})", if source { "snat" } else { "dnat" }),
        };
        if self.is_ovn_trace() {
            self.assume_tracked(&mut tracked, packet, &mut title);
        } else {
            let zone = self.ct_zone(place, packet, source);
            self.track(zone, &mut tracked, verb == Verb::CtCommitNat);
            self.conntrack.commit_packet(zone, &mut packet.clone(), None, (0, 0));
        }
        self.go_on(title, place, &mut tracked, lines);
    }

    /// Gives an untracked packet the assumed state and adds it to the title, as ovn-trace does.
    fn assume_tracked(&mut self, tracked: &mut Packet, packet: &Packet, title: &mut String) {
        if !tracked.ct_state().has(CtState::TRK) {
            let (state, assumed) = self.assumed_state();
            tracked.set_ct_state(tracked.ct_state() | state);
            title.push_str(assumed);
        }
        populate(tracked, packet);
    }

    /// Executes `ct_commit`: commits the connection.
    pub(crate) fn ct_commit(&mut self, actions: &[Action], place: StagePosition, packet: &Packet) {
        if self.is_ovn_trace() {
            return;
        }
        let zone = self.ct_zone(place, packet, false);
        let mut with = packet.clone();
        for action in actions {
            self.assign(action, place, &mut with);
        }
        let (mark, label) = (with.get(Field::CT_MARK) as u32, with.get(Field::CT_LABEL));
        self.conntrack.commit_packet(zone, &mut with, None, (mark, label));
    }

    /// Reads a field of the first packet of the connection.
    pub(crate) fn ct_original(
        &mut self,
        verb: Verb,
        to: Operand,
        packet: &mut Packet,
        lines: &mut Vec<Line>,
    ) {
        let (now, original) = match verb {
            Verb::CtOrigNwDst => (Field::IP_DST, Field::CT_NW_DST),
            Verb::CtOrigIp6Dst => (Field::IPV6_DST, Field::CT_IPV6_DST),
            Verb::CtOrigTpDst => (Field::TCP_DST, Field::CT_TP_DST),
            _ => (Field::IP_PROTO, Field::CT_NW_PROTO),
        };
        let Some(place) = to.place() else { return };
        if self.is_ovn_trace() {
            if matches!(verb, Verb::CtOrigNwDst | Verb::CtOrigIp6Dst) {
                return;
            }
            // ovn-trace reads the current field of the packet.
            packet.set_bits(place, packet.get(now));
        } else {
            packet.set_bits(place, packet.get(original));
        }
        lines.push(Line::new(LineKind::Modify, format!("{to} = {}", now.show(packet.bits(place)))));
    }
}

fn is_snat(arguments: &[Token]) -> bool {
    arguments.first() == Some(&Token::Name("snat".to_owned()))
}

/// Prints a conntrack state as ovn-trace does.
fn shown(state: CtState) -> String {
    state.to_string()
}

/// Stores the packet before NAT as the first packet of the connection, as ovn-trace does.
fn populate(tracked: &mut Packet, before: &Packet) {
    tracked.set(Field::CT_NW_PROTO, before.get(Field::IP_PROTO));
    if before.is_ip4() {
        tracked.set(Field::CT_NW_SRC, before.get(Field::IP_SRC));
        tracked.set(Field::CT_NW_DST, before.get(Field::IP_DST));
    } else if before.is_ip6() {
        tracked.set(Field::CT_IPV6_SRC, before.get(Field::IPV6_SRC));
        tracked.set(Field::CT_IPV6_DST, before.get(Field::IPV6_DST));
    }
    tracked.set(Field::CT_TP_SRC, before.get(Field::TCP_SRC));
    tracked.set(Field::CT_TP_DST, before.get(Field::TCP_DST));
}
