//! Fields of JSON. A field that is missing or has another type is `None`.

use super::{LONGEST_TEXT, types::Tuple};
use serde_json::Value;
use std::net::IpAddr;

/// Returns a number that fits.
pub(super) fn number<T: TryFrom<u64>>(object: &Value, field: &str) -> Option<T> {
    T::try_from(object.get(field)?.as_u64()?).ok()
}

/// Returns a number that may be negative.
pub(super) fn signed(object: &Value, field: &str) -> Option<i64> {
    object.get(field)?.as_i64()
}

/// Returns a text that is not empty, cut to the longest text.
pub(super) fn text(object: &Value, field: &str) -> Option<String> {
    let text = object.get(field)?.as_str()?;
    (!text.is_empty()).then(|| cut(text, LONGEST_TEXT))
}

/// Cuts a text to a number of bytes, and says so.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// Returns the name of a function on a stack without its offset: `tcp_v4_rcv+0x77` is in `tcp_v4_rcv`.
pub(super) fn frame(text: &str) -> String {
    let text = text.trim();
    cut(text.split_once("+0x").map_or(text, |(name, _)| name), LONGEST_TEXT)
}

/// The ends of a packet in its bytes, which begin with an Ethernet header.
pub(super) fn ends_of_frame(bytes: &[u8]) -> (Option<u16>, Option<Tuple>) {
    use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};
    let Ok(packet) = LaxSlicedPacket::from_ethernet(bytes) else { return (None, None) };
    let ether_type = packet.ether_payload().map(|payload| payload.ether_type.0);
    let (source, destination, protocol): (IpAddr, IpAddr, u8) = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            (header.source_addr().into(), header.destination_addr().into(), ip.payload().ip_number.0)
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            (header.source_addr().into(), header.destination_addr().into(), ip.payload().ip_number.0)
        }
        _ => return (ether_type, None),
    };
    // A later fragment has no ports.
    let ports = match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => Some((tcp.source_port(), tcp.destination_port())),
        Some(TransportSlice::Udp(udp)) => Some((udp.source_port(), udp.destination_port())),
        _ => None,
    };
    (ether_type, Some(Tuple { source, destination, ports, protocol: Some(protocol), flags: None }))
}
