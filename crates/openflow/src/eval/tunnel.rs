//! Tunnels that the kernel handles, or that the switch handles itself by sending the outer packet through another
//! bridge.

use super::{Outcome, run::Run};
use crate::{
    Underlay,
    switch::{LOCAL, PortKind, Tunnel},
    text::Mark,
};
use packet::{Field, Packet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The UDP port of Geneve (RFC 8926).
const GENEVE_PORT: u16 = 6081;
/// The UDP port of VXLAN (RFC 7348).
const VXLAN_PORT: u16 = 4789;

impl Run<'_, '_> {
    /// Sends the packet through a tunnel.
    pub(super) fn tunnel(&mut self, port: &str, tunnel: &Tunnel) {
        let by_flow = match (self.packet.get(Field::TUN_DST), self.packet.get(Field::TUN_IPV6_DST)) {
            (0, 0) => None,
            (0, six) => Some(IpAddr::V6(Ipv6Addr::from_bits(six))),
            (four, _) => Some(IpAddr::V4(Ipv4Addr::from_bits(four as u32))),
        };
        let to = tunnel.remote.or(by_flow);
        let leaves = |run: &Self, outer| Outcome::Tunnel {
            bridge: run.name.clone(),
            port: port.to_owned(),
            to,
            packet: Box::new(run.packet.clone()),
            outer,
        };
        let Some(underlay) = &self.switch.underlay else {
            self.say(Mark::Detail, "output to kernel tunnel");
            let set = self.kernel_tunnel(tunnel, to);
            self.emit(set);
            self.commit();
            self.emit(system_port(&tunnel.kind));
            return self.outcomes.push(leaves(self, None));
        };
        self.say(Mark::Detail, "output to native tunnel");
        self.commit();
        let Some(to) = to else {
            return self
                .not_evaluated("a tunnel whose remote address neither its configuration nor a flow sets");
        };
        if let Some(outer) = self.native(underlay, tunnel, to) {
            self.outcomes.push(leaves(self, Some(outer)));
        }
    }

    /// Returns the datapath's tunnel port if the packet is the outer packet of a tunnel that ends at this port: the
    /// switch handles tunnels itself, and the packet is for an address of the bridge.
    pub(super) fn ends_tunnel(&self, port: u16) -> Option<String> {
        let underlay = self.switch.underlay.as_ref().filter(|_| port == LOCAL)?;
        let to: IpAddr = match (self.packet.is_ip4(), self.packet.is_ip6()) {
            (true, _) => Ipv4Addr::from_bits(self.packet.get(Field::IP_DST) as u32).into(),
            (_, true) => Ipv6Addr::from_bits(self.packet.get(Field::IPV6_DST)).into(),
            _ => return None,
        };
        let own = |route: &&crate::Route| route.device == self.name && route.source == Some(to);
        underlay.routes.iter().find(own)?;
        let udp = self.packet.get(Field::IP_PROTO) == 17;
        let kind = match self.packet.get(Field::UDP_DST) as u16 {
            GENEVE_PORT if udp => "geneve",
            VXLAN_PORT if udp => "vxlan",
            _ => return None,
        };
        let mut ports = self.switch.bridges.values().flat_map(|bridge| bridge.ports.values());
        let has = ports.any(|port| matches!(&port.kind, PortKind::Tunnel(tunnel) if tunnel.kind == kind));
        has.then(|| system_port(kind))
    }

    /// Returns the `tunnel(…)` action that defines how the kernel sends the packet.
    fn kernel_tunnel(&self, tunnel: &Tunnel, to: Option<IpAddr>) -> String {
        let mut parts = vec![format!("tun_id={}", Field::TUN_ID.show(self.packet.get(Field::TUN_ID)))];
        parts.extend(tunnel.local.map(|from| format!("src={from}")));
        parts.extend(to.map(|to| format!("dst={to}")));
        parts.push("ttl=64".into());
        match tunnel.kind.as_str() {
            "geneve" => {
                parts.push(format!("tp_dst={GENEVE_PORT}"));
                let options = self.options();
                if !options.is_empty() {
                    parts.push(format!("geneve({options})"));
                }
            }
            "vxlan" => parts.push(format!("tp_dst={VXLAN_PORT}")),
            _ => {}
        }
        let checksum = if tunnel.checksum { "|csum" } else { "" };
        parts.push(format!("flags(df{checksum}|key)"));
        format!("set(tunnel({}))", parts.join(","))
    }

    /// Returns the Geneve options that flows have set.
    fn options(&self) -> String {
        let option = |it: &crate::TunnelOption| {
            let value = self.packet.get(Field::tun_metadata(it.field)?);
            let shown = Field::TUN_METADATA0.show(value);
            (value != 0)
                .then(|| format!("{{class={:#x},type={:#x},len={},{shown}}}", it.class, it.kind, it.length))
        };
        self.bridge.options.iter().filter_map(option).collect()
    }

    /// Sends the outer packet through the bridge that the route to the remote address leads to. Returns the outcomes
    /// of the outer packet there, or `None` if it could not be sent.
    fn native(&mut self, underlay: &Underlay, tunnel: &Tunnel, to: IpAddr) -> Option<Vec<Outcome>> {
        let Some((route, bridge)) = underlay
            .route(to, self.packet.get(Field::PKT_MARK) as u32)
            .and_then(|route| Some((route, self.switch.bridge(&route.device)?)))
        else {
            self.say(Mark::Warning, "native tunnel routing failed");
            self.tunnel_fails("there is no route to", to);
            return None;
        };
        let device = route.device.as_str();
        self.say(Mark::Detail, format!("tunneling to {to} via {device}"));
        let next = route.gateway.unwrap_or(to);
        let from = tunnel.local.or(route.source);
        let (Some(mac), Some(own), Some(from)) = (underlay.neighbour(device, next), bridge.mac, from) else {
            let request = if to.is_ipv4() { "ARP" } else { "ND" };
            self.say(
                Mark::Detail,
                format!("neighbor cache miss for {next} on bridge {device}, sending {request} request"),
            );
            self.tunnel_fails("no MAC address is known for", next);
            return None;
        };
        self.say(
            Mark::Detail,
            format!("tunneling from {} {from} to {} {to}", packet::show_mac(own), packet::show_mac(mac)),
        );
        let header = self.header(tunnel, (own, from), (mac, to));
        let push =
            format!("tnl_push(tnl_port({}),header({header}),out_port({device}))", system_port(&tunnel.kind));
        let (inner, base) = (self.packet.clone(), self.base.clone());
        self.packet = outer(&inner, (own, from), (mac, to), tunnel);
        self.base = self.packet.clone();
        let inside = (std::mem::take(&mut self.datapath), std::mem::take(&mut self.outcomes));
        self.cross(device.to_owned(), LOCAL);
        let (after, outer) = (std::mem::take(&mut self.datapath), std::mem::take(&mut self.outcomes));
        (self.datapath, self.outcomes) = inside;
        (self.packet, self.base) = (inner, base);
        if !after.is_empty() {
            let all = format!("{push},{}", after.join(","));
            self.emit(if self.last { all } else { format!("clone({all})") });
        }
        Some(outer)
    }

    fn tunnel_fails(&mut self, what: &str, address: IpAddr) {
        self.outcomes.push(Outcome::Lost(format!("the tunnel cannot send the packet: {what} {address}")));
    }

    /// Returns the outer headers as `tnl_push` shows them.
    fn header(&self, tunnel: &Tunnel, own: (u128, IpAddr), other: (u128, IpAddr)) -> String {
        let options = self.options();
        let lengths: u32 = match options.is_empty() {
            true => 0,
            false => self.bridge.options.iter().map(|it| 4 + u32::from(it.length)).sum(),
        };
        let (ethernet, ip, ip_length) = match own.1 {
            IpAddr::V4(_) => (
                "0x0800",
                format!("ipv4(src={},dst={},proto=17,tos=0,ttl=64,frag=0x4000)", own.1, other.1),
                20,
            ),
            IpAddr::V6(_) => (
                "0x86dd",
                format!("ipv6(src={},dst={},label=0,proto=17,tclass=0x0,hlimit=64)", own.1, other.1),
                40,
            ),
        };
        let checksum = if tunnel.checksum { "0xffff" } else { "0x0" };
        let port = if tunnel.kind == "vxlan" { VXLAN_PORT } else { GENEVE_PORT };
        let id = self.packet.get(Field::TUN_ID) & 0xff_ffff;
        let critical = match !options.is_empty() && self.bridge.options.iter().any(|it| it.kind & 0x80 != 0) {
            true => "crit,",
            false => "",
        };
        let (number, last) = match tunnel.kind.as_str() {
            "vxlan" => (4, format!("vxlan(flags=0x8000000,vni={id:#x})")),
            _ if options.is_empty() => (5, format!("geneve(vni={id:#x})")),
            _ => (5, format!("geneve({critical}vni={id:#x},options({options}))")),
        };
        format!(
            "size={},type={number},eth(dst={},src={},dl_type={ethernet}),{ip},udp(src=0,dst={port},csum={checksum}),{last}",
            14 + ip_length + 16 + lengths,
            packet::show_mac(other.0),
            packet::show_mac(own.0),
        )
    }
}

/// Returns the outer packet.
fn outer(inner: &Packet, own: (u128, IpAddr), other: (u128, IpAddr), tunnel: &Tunnel) -> Packet {
    let mut packet = Packet::default();
    packet.set(Field::PKT_MARK, inner.get(Field::PKT_MARK));
    packet.set(Field::ETH_SRC, own.0);
    packet.set(Field::ETH_DST, other.0);
    match (own.1, other.1) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            packet.set(Field::ETH_TYPE, 0x0800);
            packet.set(Field::IP_SRC, from.to_bits().into());
            packet.set(Field::IP_DST, to.to_bits().into());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            packet.set(Field::ETH_TYPE, 0x86dd);
            packet.set(Field::IPV6_SRC, from.to_bits());
            packet.set(Field::IPV6_DST, to.to_bits());
        }
        _ => {}
    }
    packet.set(Field::IP_PROTO, 17);
    packet.set(Field::IP_TTL, 64);
    let port = if tunnel.kind == "vxlan" { VXLAN_PORT } else { GENEVE_PORT };
    packet.set(Field::UDP_DST, port.into());
    packet
}

/// Returns the name of the datapath's port for tunnels of a type.
fn system_port(kind: &str) -> String {
    match kind {
        "geneve" => format!("genev_sys_{GENEVE_PORT}"),
        "vxlan" => format!("vxlan_sys_{VXLAN_PORT}"),
        kind => format!("{kind}_sys"),
    }
}
