//! ICMP messages in the words of tcpdump.

use std::fmt::Write;

use super::{add, protocol};
use crate::frame::{Icmp, Ip, Transport};

/// Adds what the message says, without the packet that it is about.
pub(super) fn show(line: &mut String, icmp: &Icmp) {
    line.push_str(if icmp.v6 { "ICMP6, " } else { "ICMP " });
    let text = if icmp.v6 { v6(icmp) } else { v4(icmp) };
    line.push_str(&text);
    if let Some((id, sequence)) = icmp.echo {
        add!(line, ", id {id}, seq {sequence}");
    }
}

fn v4(icmp: &Icmp) -> String {
    match (icmp.kind, icmp.code) {
        (0, _) => "echo reply".to_owned(),
        (8, _) => "echo request".to_owned(),
        (3, code) => unreachable(icmp, code),
        (4, _) => "source quench".to_owned(),
        (5, _) => format!("redirect {}", destination(icmp)),
        (11, 0) => "time exceeded in-transit".to_owned(),
        (11, 1) => "ip reassembly time exceeded".to_owned(),
        (12, _) => "parameter problem".to_owned(),
        (kind, code) => format!("type {kind}, code {code}"),
    }
}

fn unreachable(icmp: &Icmp, code: u8) -> String {
    let to = destination(icmp);
    match code {
        0 => format!("net {to} unreachable"),
        1 => format!("host {to} unreachable"),
        2 => match &icmp.about {
            Some(ip) => format!("{to} protocol {} unreachable", ip.protocol),
            None => "protocol unreachable".to_owned(),
        },
        3 => match icmp.about.as_deref().and_then(port) {
            Some(port) => format!("{to} {port} unreachable"),
            None => format!("{to} port unreachable"),
        },
        4 => match icmp.mtu {
            Some(mtu) => format!("{to} unreachable - need to frag (mtu {mtu})"),
            None => format!("{to} unreachable - need to frag"),
        },
        5 => format!("{to} unreachable - source route failed"),
        6 => format!("net {to} unreachable - unknown"),
        7 => format!("host {to} unreachable - unknown"),
        9 => format!("net {to} unreachable - admin prohibited"),
        10 => format!("host {to} unreachable - admin prohibited"),
        13 => format!("host {to} unreachable - admin prohibited filter"),
        code => format!("{to} unreachable - #{code}"),
    }
}

fn v6(icmp: &Icmp) -> String {
    let to = destination(icmp);
    let text = match (icmp.kind, icmp.code) {
        (1, 0) => return format!("destination unreachable, unreachable route {to}"),
        (1, 1) => return format!("destination unreachable, unreachable prohibited {to}"),
        (1, 2) => return format!("destination unreachable, beyond scope {to}"),
        (1, 3) => return format!("destination unreachable, unreachable address {to}"),
        (1, 4) => {
            let port = icmp.about.as_deref().and_then(port).map(|port| format!(" {port}"));
            return format!("destination unreachable, unreachable port, {to}{}", port.unwrap_or_default());
        }
        (1, code) => return format!("destination unreachable, code {code} {to}"),
        (2, _) => match icmp.mtu {
            Some(mtu) => return format!("packet too big, mtu {mtu}"),
            None => "packet too big",
        },
        (3, 0) => "time exceeded in-transit",
        (3, 1) => "time exceeded in-reassembly",
        (4, _) => "parameter problem",
        (128, _) => "echo request",
        (129, _) => "echo reply",
        (130, _) => "multicast listener query",
        (131, _) => "multicast listener report",
        (132, _) => "multicast listener done",
        (133, _) => "router solicitation",
        (134, _) => "router advertisement",
        (135, _) => match icmp.neighbor {
            Some(target) => return format!("neighbor solicitation, who has {target}"),
            None => "neighbor solicitation",
        },
        (136, _) => match icmp.neighbor {
            Some(target) => return format!("neighbor advertisement, tgt is {target}"),
            None => "neighbor advertisement",
        },
        (137, _) => "redirect",
        (143, _) => "multicast listener report v2",
        (kind, code) => return format!("type {kind}, code {code}"),
    };
    text.to_owned()
}

/// Returns the destination of the packet that an error is about, or `?`.
fn destination(icmp: &Icmp) -> String {
    icmp.about.as_ref().map_or_else(|| "?".to_owned(), |ip| ip.destination.to_string())
}

/// Returns the destination port of a packet: `udp port 53`.
fn port(ip: &Ip) -> Option<String> {
    let port = match &ip.transport {
        Transport::Tcp(tcp) => tcp.destination,
        Transport::Udp(udp) => udp.destination,
        Transport::Sctp(_, destination, _) | Transport::Ports(_, destination, _) => *destination,
        Transport::Icmp(_) | Transport::Other | Transport::Unknown => return None,
    };
    Some(format!("{} port {port}", protocol(ip.protocol)))
}
