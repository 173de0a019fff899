//! Actions, as `ovs-actions(7)` describes them and as ovs-ofctl prints them in any version of OpenFlow.

use crate::{Ports, field, matching, tokens};
use packet::{Field, Masked, Subfield};
use std::net::IpAddr;

/// An action and the text that it was parsed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action<'a> {
    /// The text of the action.
    pub text: &'a str,
    /// The effect of the action.
    pub does: Does<'a>,
}

/// The port to which a flow sends a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// A port, or a reserved number that stands for no single port (`NORMAL`).
    Port(u16),
    /// The port whose number these bits hold.
    Bits(Subfield),
}

/// The effect of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Does<'a> {
    /// `drop`: does nothing.
    Drop,
    /// Sends the packet.
    Output(To),
    /// Looks up a table, and can replace the input port for the lookup.
    Resubmit {
        /// The input port for the lookup.
        port: Option<u16>,
        /// The table. `None` is the current table.
        table: Option<u8>,
        /// Whether the lookup uses the addresses of the connection's first packet.
        original: bool,
    },
    /// `goto_table`: continues in this table.
    Goto(u8),
    /// Sets bits of a field: `load`, `set_field`, `mod_dl_src`.
    Set(Field, Masked),
    /// Copies bits from the first subfield to the second.
    Move(Subfield, Subfield),
    /// Pushes bits onto the stack.
    Push(Subfield),
    /// Pops bits from the stack.
    Pop(Subfield),
    /// Sets a TCP, UDP or SCTP port.
    SetPort(Field, u16),
    /// Adds a VLAN tag.
    PushVlan,
    /// Removes the VLAN tag.
    PopVlan,
    /// Decrements the time to live.
    DecTtl {
        /// Whether a controller is notified when the time to live expires.
        tells: bool,
    },
    /// Sends the packet to a group.
    Group(u32),
    /// Sends the packet to connection tracking.
    Ct(Ct<'a>),
    /// Clears the connection tracking state of the packet.
    CtClear,
    /// A translation within `ct`.
    Nat(NatRange),
    /// Runs actions on a copy of the packet.
    Clone(Vec<Action<'a>>),
    /// One clause of a conjunctive match: id, clause, number of clauses. Clauses count from 1.
    Conjunction(u32, u8, u8),
    /// Checks whether the packet is larger than this number of bytes, and stores the result in a bit.
    CheckLarger(u16, Subfield),
    /// Sends the packet to a controller.
    Controller(ToController),
    /// Ends the pipeline.
    Exit,
    /// Applies a meter.
    Meter(u32),
    /// Adds a flow for packets that come later. A trace adds none.
    Learn,
    /// An action that does not change the packet: `note`, `sample`, `fin_timeout`, `set_queue`.
    Aside(&'static str),
    /// An action that is not evaluated. The effect of the actions after it is unknown too.
    Other,
}

/// The arguments of the action `controller(…)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToController {
    /// Whether the flow stops until the controller resumes it.
    pub pauses: bool,
    /// The reason code (OpenFlow, `ofp_packet_in_reason`).
    pub reason: u8,
    /// The id of the controllers that receive the packet.
    pub id: u16,
    /// The number of bytes of the packet that the controller receives.
    pub length: u16,
    /// The meter that limits the rate of these packets.
    pub meter: Option<u32>,
}

impl Default for ToController {
    fn default() -> Self {
        Self { pauses: false, reason: 1, id: 0, length: u16::MAX, meter: None }
    }
}

/// The names of the reason codes. Open vSwitch has no name for its own reason code for a miss in a table.
const REASONS: [&str; 7] = ["no_match", "action", "invalid_ttl", "action_set", "group", "packet_out", ""];

fn to_controller(text: &str) -> Option<ToController> {
    let mut told = ToController::default();
    if let Ok(length) = text.parse() {
        return Some(ToController { length, ..told });
    }
    for part in tokens::split(text) {
        match tokens::name_and_value(part, &['=']) {
            ("pause", None) => told.pauses = true,
            ("reason", Some(name)) => {
                told.reason = REASONS.iter().position(|it| *it == name)?.try_into().ok()?;
            }
            ("id", Some(id)) => told.id = id.parse().ok()?,
            ("max_len", Some(length)) => told.length = length.parse().ok()?,
            ("meter_id", Some(meter)) => told.meter = Some(meter.parse().ok()?),
            ("userdata", Some(_)) => {}
            _ => return None,
        }
    }
    Some(told)
}

/// The arguments of the action `ct(…)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ct<'a> {
    /// Whether the connection is committed.
    pub commit: bool,
    /// Whether a connection in the other direction is replaced.
    pub force: bool,
    /// The table in which the packet continues after tracking.
    pub table: Option<u8>,
    /// The conntrack zone.
    pub zone: Zone,
    /// The actions on the connection, and the translation.
    pub actions: Vec<Action<'a>>,
}

/// A connection tracking zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// A fixed number.
    Number(u16),
    /// The number that these bits hold.
    Bits(Subfield),
}

impl Default for Zone {
    fn default() -> Self {
        Self::Number(0)
    }
}

/// The translation `nat(src=10.0.0.1-10.0.0.5:80-90)`. A trace uses the first address and the first port of a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NatRange {
    /// Whether the source is translated instead of the destination. `None` if the text names neither.
    pub source: Option<bool>,
    /// The address to translate to.
    pub address: Option<IpAddr>,
    /// The port to translate to.
    pub port: Option<u16>,
}

/// Parses a list of actions. An action that is not understood becomes [`Does::Other`], and no action is lost.
pub fn actions<'a>(text: &'a str, ports: &Ports) -> Vec<Action<'a>> {
    // Unbalanced brackets join actions, so no part of such a list is reliable.
    if !is_balanced(text) || tokens::is_too_deep(text) {
        return vec![Action { text, does: Does::Other }];
    }
    let parse = |text: &'a str| Action { text, does: does(text, ports).unwrap_or(Does::Other) };
    tokens::split(text).map(parse).collect()
}

fn is_balanced(text: &str) -> bool {
    let mut depth = 0i32;
    for byte in text.bytes() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0 && !text.ends_with([',', ':', '='])
}

fn does<'a>(text: &'a str, ports: &Ports) -> Option<Does<'a>> {
    let (name, value) = tokens::name_and_value(text, &[':', '(', '=']);
    let Some(value) = value else { return alone(name, ports) };
    let set = |field: Field| Some(Does::Set(field, Masked::exact(field.parse(value).ok()?, field.width())));
    Some(match name {
        "output" => Does::Output(to(value, ports)?),
        "resubmit" => resubmit(value, ports)?,
        "goto_table" => Does::Goto(value.parse().ok()?),
        "load" => {
            let (value, into) = value.split_once("->")?;
            let into = field::subfield(into)?;
            let value = number(value)?;
            let mask = packet::bits(into.width());
            Does::Set(into.field(), Masked::new((value & mask) << into.first(), mask << into.first()))
        }
        "set_field" => {
            let (value, into) = value.rsplit_once("->")?;
            let field = field::named(into)?;
            match (field, value) {
                (Field::IN_PORT, port) => {
                    let port = matching::port(port, ports)?;
                    Does::Set(field, Masked::exact(port.into(), field.width()))
                }
                _ => Does::Set(field, field.parse_masked(value).ok()?),
            }
        }
        "move" => {
            let (from, into) = value.split_once("->")?;
            let (from, into) = (field::subfield(from)?, field::subfield(into)?);
            (from.width() == into.width()).then_some(Does::Move(from, into))?
        }
        "push" => Does::Push(field::subfield(value)?),
        "pop" => Does::Pop(field::subfield(value)?),
        "mod_dl_src" => set(Field::ETH_SRC)?,
        "mod_dl_dst" => set(Field::ETH_DST)?,
        "mod_nw_src" => set(Field::IP_SRC)?,
        "mod_nw_dst" => set(Field::IP_DST)?,
        "mod_nw_ttl" => set(Field::IP_TTL)?,
        "mod_nw_ecn" => set(Field::IP_ECN)?,
        "mod_nw_tos" => Does::Set(Field::IP_TOS, Masked::new(Field::IP_TOS.parse(value).ok()?, 0xfc)),
        "mod_tp_src" => Does::SetPort(Field::TCP_SRC, value.parse().ok()?),
        "mod_tp_dst" => Does::SetPort(Field::TCP_DST, value.parse().ok()?),
        "mod_vlan_vid" | "set_vlan_vid" => {
            let number = Field::VLAN_VID.parse(value).ok()?;
            Does::Set(Field::VLAN_TCI, Masked::new(number | 0x1000, 0x1fff))
        }
        "mod_vlan_pcp" | "set_vlan_pcp" => {
            let number = Field::VLAN_PCP.parse(value).ok()?;
            Does::Set(Field::VLAN_TCI, Masked::new(number << 13 | 0x1000, 0xf000))
        }
        "push_vlan" => Does::PushVlan,
        "set_tunnel" | "set_tunnel64" => set(Field::TUN_ID)?,
        "write_metadata" => Does::Set(Field::METADATA, Field::METADATA.parse_masked(value).ok()?),
        "group" => Does::Group(value.parse().ok()?),
        "ct" => Does::Ct(ct(value, ports)?),
        "nat" => Does::Nat(nat(value)?),
        "clone" => Does::Clone(actions(value, ports)),
        "conjunction" => {
            let (id, clause) = value.split_once(',')?;
            let (clause, clauses) = clause.split_once('/')?;
            Does::Conjunction(id.parse().ok()?, clause.parse().ok()?, clauses.parse().ok()?)
        }
        "check_pkt_larger" => {
            let (size, into) = value.split_once(")->")?;
            Does::CheckLarger(size.parse().ok()?, field::subfield(into)?)
        }
        "dec_ttl" => Does::DecTtl { tells: !value.is_empty() },
        "controller" | "CONTROLLER" => Does::Controller(to_controller(value)?),
        "meter" => Does::Meter(value.parse().ok()?),
        "note" => Does::Aside("a note for the reader of the flow"),
        "sample" => Does::Aside("a sample of the packet goes to a collector"),
        "learn" => Does::Learn,
        "fin_timeout" => Does::Aside("the flow would expire sooner after FIN or RST"),
        "set_queue" => Does::Aside("the packet goes to this queue of the output port"),
        _ => return None,
    })
}

/// Parses an action without a value.
fn alone<'a>(name: &str, ports: &Ports) -> Option<Does<'a>> {
    Some(match name {
        "drop" => Does::Drop,
        "ct_clear" => Does::CtClear,
        "strip_vlan" | "pop_vlan" => Does::PopVlan,
        "dec_ttl" => Does::DecTtl { tells: true },
        "nat" => Does::Nat(NatRange::default()),
        "exit" => Does::Exit,
        "pop_queue" => Does::Aside("the packet goes back to its original queue"),
        "CONTROLLER" | "controller" => Does::Controller(ToController::default()),
        name => Does::Output(To::Port(matching::port(name, ports)?)),
    })
}

fn to(text: &str, ports: &Ports) -> Option<To> {
    match matching::port(text, ports) {
        Some(port) => Some(To::Port(port)),
        None => field::subfield(text).map(To::Bits),
    }
}

/// Parses the value of `resubmit`: `,8`, `2,8`, `,8,ct`, `2`.
fn resubmit<'a>(text: &str, ports: &Ports) -> Option<Does<'a>> {
    let mut parts = text.split(',');
    let port = match parts.next()? {
        "" | "IN_PORT" => None,
        port => Some(matching::port(port, ports)?),
    };
    let table = match parts.next() {
        None | Some("") => None,
        Some(table) => Some(table.parse().ok()?),
    };
    let original = match parts.next() {
        None => false,
        Some("ct") => true,
        Some(_) => return None,
    };
    Some(Does::Resubmit { port, table, original })
}

fn ct<'a>(text: &'a str, ports: &Ports) -> Option<Ct<'a>> {
    let mut ct = Ct::default();
    for part in tokens::split(text) {
        match tokens::name_and_value(part, &['=', '(']) {
            ("commit", None) => ct.commit = true,
            ("force", None) => ct.force = true,
            ("table", Some(table)) => ct.table = Some(table.parse().ok()?),
            ("zone", Some(zone)) => {
                ct.zone = match zone.parse() {
                    Ok(number) => Zone::Number(number),
                    Err(_) => Zone::Bits(field::subfield(zone)?),
                }
            }
            ("exec", Some(inner)) => ct.actions.extend(actions(inner, ports)),
            ("nat", _) => {
                let nat = Action { text: part, does: does(part, ports)? };
                // The translation comes first, whatever the order of the words.
                ct.actions.insert(0, nat);
            }
            ("alg", Some(_)) => {}
            _ => return None,
        }
    }
    ct.actions.iter().all(|action| action.does != Does::Other).then_some(ct)
}

/// Parses the value of `nat`: `src=10.0.0.1`, `dst=10.0.0.1:80`, `dst=[fd00::1]:80`,
/// `src=10.0.0.1-10.0.0.9:1-9,random`, `src`.
fn nat(text: &str) -> Option<NatRange> {
    let mut range = NatRange::default();
    for part in tokens::split(text) {
        let (name, value) = tokens::name_and_value(part, &['=']);
        match name {
            "src" => range.source = Some(true),
            "dst" => range.source = Some(false),
            "random" | "hash" | "persistent" => continue,
            _ => return None,
        }
        let Some(value) = value else { continue };
        let (address, port) = match value.strip_prefix('[') {
            Some(rest) => {
                let (address, rest) = rest.split_once(']')?;
                // `[fd00::1]-[fd00::9]:80`
                (address, rest.rsplit_once("]:").map(|(_, port)| port).or_else(|| rest.strip_prefix(':')))
            }
            None if value.matches(':').count() > 1 => (value, None),
            None => match value.split_once(':') {
                Some((address, port)) => (address, Some(port)),
                None => (value, None),
            },
        };
        let first = |text: &'_ str| text.split('-').next().unwrap_or_default().to_owned();
        range.address = Some(first(address).parse().ok()?);
        range.port = match port {
            Some(port) => Some(first(port).parse().ok()?),
            None => None,
        };
    }
    Some(range)
}

/// Parses a number of up to 128 bits.
fn number(text: &str) -> Option<u128> {
    match text.strip_prefix("0x") {
        Some(digits) => u128::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(text: &str) -> Does<'_> {
        let all = actions(text, &Ports::of([(4, "web")]));
        let [action] = all.as_slice() else { panic!("{all:?}") };
        action.does.clone()
    }

    #[test]
    fn old_and_new_words_are_the_same_action() {
        for (old, new) in [
            ("load:0x1->NXM_NX_REG10[12]", "set_field:0x1000/0x1000->reg10"),
            ("load:0x1->OXM_OF_PKT_REG4[48]", "set_field:0x1000000000000/0x1000000000000->xreg4"),
            ("mod_dl_src:0a:58:0a:f4:02:01", "set_field:0a:58:0a:f4:02:01->eth_src"),
            ("load:0xffff->NXM_OF_IN_PORT[]", "set_field:0xffff/0xffff->metadata"),
            ("strip_vlan", "pop_vlan"),
            ("output:4", "output:web"),
            ("dec_ttl(0)", "dec_ttl"),
        ] {
            match (one(old), one(new)) {
                // OpenFlow's port number has more bits than Open vSwitch's.
                (Does::Set(Field::IN_PORT, value), _) => assert_eq!(value.value, 0xffff),
                (old, new) => assert_eq!(old, new),
            }
        }
    }

    #[test]
    fn nested_actions() {
        let Does::Ct(ct) = one(
            "ct(commit,table=21,zone=NXM_NX_REG13[0..15],nat(dst=10.244.0.5:8080),exec(set_field:0x2/0x2->ct_mark))",
        ) else {
            panic!()
        };
        assert_eq!((ct.commit, ct.table, ct.actions.len()), (true, Some(21), 2));
        let nat = NatRange { source: Some(false), address: "10.244.0.5".parse().ok(), port: Some(8080) };
        assert_eq!(ct.actions.first().map(|it| &it.does), Some(&Does::Nat(nat)));
        assert_eq!(
            one("nat(dst=[fd00::5]:80)"),
            Does::Nat(NatRange { address: "fd00::5".parse().ok(), port: Some(80), ..nat })
        );
        let Does::Clone(inner) = one("clone(ct_clear,dec_ttl,resubmit(,8))") else { panic!() };
        assert_eq!(inner.len(), 3);
        assert_eq!(one("resubmit(2,8,ct)"), Does::Resubmit { port: Some(2), table: Some(8), original: true });
    }

    #[test]
    fn damaged_and_unknown_actions_are_reported() {
        for text in [
            "teleport(br-moon)",
            "resubmit(,1",
            "load:zz->NXM_NX_REG0[]",
            "ct(zone=moon)",
            "move:reg0->xreg0",
            "output:",
            "ct(exec(teleport))",
        ] {
            assert_eq!(one(text), Does::Other, "{text}");
        }
    }

    #[test]
    fn actions_are_not_nested_without_limit() {
        let nested = |levels: usize| format!("{}drop{}", "clone(".repeat(levels), ")".repeat(levels));
        let is_clone = |text: &str| {
            matches!(actions(text, &Ports::default())[..], [Action { does: Does::Clone(_), .. }])
        };
        assert!(is_clone(&nested(100)) && !is_clone(&nested(101)) && !is_clone(&nested(1_000_000)));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_nothing_is_lost(text in ".*|((load|move|ct|clone|nat|resubmit|output)[:(=]|[a-z0-9,()\\[\\].:/>=-]){0,30}") {
            let read = actions(&text, &Ports::default());
            let strip = |text: &str| text.chars().filter(|c| *c != ',' && !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(strip(&read.iter().map(|it| it.text).collect::<String>()), strip(&text));
        }
    }
}
