//! IPv4 (RFC 791) and IPv6 (RFC 8200) with their extension headers.

use std::net::{IpAddr, Ipv4Addr};

use etherparse::{Ipv6HeaderSlice, ip_number};

use super::{
    Fragment, FrameProblem, Ip, Transport,
    input::{Depth, Input},
    transport,
};

/// The maximum number of extension headers in a packet.
const MAX_EXTENSIONS: usize = 16;

/// The length of an IPv4 header without options.
const V4_HEADER: usize = 20;

/// The headers before the transport header.
struct Extensions<'a> {
    /// The number of the protocol after them.
    protocol: u8,
    /// The place and the identification of a fragment of IPv6.
    fragment: Option<(Fragment, u32)>,
    /// What follows them, or why they are not read to their end.
    rest: Result<Input<'a>, FrameProblem>,
}

/// Dissects an IPv4 packet.
///
/// # Errors
///
/// The fixed part of the header is not complete or not of IPv4.
pub(super) fn v4(input: Input<'_>, depth: Depth) -> Result<(Ip, Option<FrameProblem>), FrameProblem> {
    // The header is read by its bytes and not as a whole, because the capture may have cut its options.
    let Some(header) = input.array::<V4_HEADER>(0) else { return Err(input.lacks("IPv4")) };
    let [first, traffic, l0, l1, i0, i1, f0, f1, ttl, protocol, _, _, addresses @ ..] = header;
    let [s0, s1, s2, s3, d0, d1, d2, d3] = addresses;
    let header = usize::from(first & 15) * 4;
    if first >> 4 != 4 || header < V4_HEADER {
        return Err(FrameProblem::Malformed("IPv4"));
    }
    let stated = usize::from(u16::from_be_bytes([l0, l1]));
    let packet = if stated == 0 { input } else { input.limit(stated) };
    let place = u16::from_be_bytes([f0, f1]);
    let fragment = Fragment { offset: (place & 0x1fff) * 8, more: place & 0x2000 != 0 };
    let is_fragment = fragment.more || fragment.offset > 0;
    let mut ip = Ip {
        source: IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3)),
        destination: IpAddr::V4(Ipv4Addr::new(d0, d1, d2, d3)),
        protocol,
        ttl,
        ecn: traffic & 3,
        id: Some(u32::from(u16::from_be_bytes([i0, i1]))),
        dont_fragment: place & 0x4000 != 0,
        fragment: is_fragment.then_some(fragment),
        length: if stated == 0 { packet.length() } else { stated } as u32,
        transport: Transport::Unknown,
    };
    if stated != 0 && stated < header {
        return Ok((ip, Some(FrameProblem::Malformed("IPv4"))));
    }
    if packet.bytes.len() < header {
        return Ok((ip, Some(packet.lacks("IPv4 options"))));
    }
    let extensions = match fragment.offset {
        0 => extensions(protocol, packet.after(header), false),
        _ => Extensions { protocol, fragment: None, rest: Ok(packet.after(header)) },
    };
    let problem = finish(&mut ip, extensions, depth);
    Ok((ip, problem))
}

/// Dissects an IPv6 packet.
///
/// # Errors
///
/// The fixed header is not complete or not of IPv6.
pub(super) fn v6(input: Input<'_>, depth: Depth) -> Result<(Ip, Option<FrameProblem>), FrameProblem> {
    let header = match Ipv6HeaderSlice::from_slice(input.bytes) {
        Ok(header) => header,
        Err(etherparse::err::ipv6::HeaderSliceError::Len(_)) => return Err(input.lacks("IPv6")),
        Err(_) => return Err(FrameProblem::Malformed("IPv6")),
    };
    let length = header.slice().len();
    let stated = usize::from(header.payload_length());
    let payload = match stated {
        0 => jumbo(header.next_header().0, input.after(length)),
        _ => input.after(length).limit(stated),
    };
    let mut ip = Ip {
        source: IpAddr::V6(header.source_addr()),
        destination: IpAddr::V6(header.destination_addr()),
        protocol: header.next_header().0,
        ttl: header.hop_limit(),
        ecn: header.ecn().value(),
        id: None,
        dont_fragment: false,
        fragment: None,
        length: u32::try_from(length + payload.length()).unwrap_or(u32::MAX),
        transport: Transport::Unknown,
    };
    if stated != 0 {
        ip.length = (length + stated) as u32;
    }
    let extensions = extensions(ip.protocol, payload, true);
    let problem = finish(&mut ip, extensions, depth);
    Ok((ip, problem))
}

/// Dissects the packet that an ICMP error repeats, as far as the error repeats it. A problem is that of a header that
/// is not complete.
pub(super) fn quoted(input: Input<'_>, tunnels: u8) -> Option<(Ip, Option<FrameProblem>)> {
    let depth = Depth { tunnels, quoted: true };
    // How much an error repeats says nothing about the length of the packet.
    let input = Input::new(input.bytes, None);
    match input.u8(0)? >> 4 {
        6 => v6(input, depth).ok(),
        _ => v4(input, depth).ok(),
    }
}

/// Ends a packet whose header states the length 0: at the length of its jumbo payload option (RFC 2675), or where the
/// frame ends.
fn jumbo(next: u8, payload: Input<'_>) -> Input<'_> {
    match payload.array(2) {
        Some([0xc2, 4, l0, l1, l2, l3]) if next == ip_number::IPV6_HEADER_HOP_BY_HOP.0 => {
            usize::try_from(u32::from_be_bytes([l0, l1, l2, l3]))
                .map_or(payload, |length| payload.limit(length))
        }
        _ => payload,
    }
}

/// Reads the headers between the IP header and the transport header. IPv4 has only the authentication header
/// (RFC 4302).
fn extensions(mut protocol: u8, mut rest: Input<'_>, is_v6: bool) -> Extensions<'_> {
    let mut fragment = None;
    let name = if is_v6 { "IPv6 extension" } else { "authentication header" };
    for _ in 0..MAX_EXTENSIONS {
        let is_authentication = protocol == ip_number::AUTHENTICATION_HEADER.0;
        if !(is_authentication || is_v6 && is_v6_extension(protocol)) {
            return Extensions { protocol, fragment, rest: Ok(rest) };
        }
        let Some([next, length]) = rest.array(0) else {
            return Extensions { protocol, fragment, rest: Err(rest.lacks(name)) };
        };
        let is_fragment = protocol == ip_number::IPV6_FRAGMENTATION_HEADER.0;
        let length = match usize::from(length) {
            _ if is_fragment => 8,
            length if is_authentication => (length + 2) * 4,
            length => (length + 1) * 8,
        };
        if rest.bytes.len() < length {
            return Extensions { protocol, fragment, rest: Err(rest.lacks(name)) };
        }
        if let (true, Some(place), Some(id)) = (is_fragment, rest.u16(2), rest.u32(4)) {
            fragment = Some((Fragment { offset: place & 0xfff8, more: place & 1 != 0 }, id));
        }
        (protocol, rest) = (next, rest.after(length));
        if fragment.is_some_and(|(place, _)| place.offset > 0) {
            return Extensions { protocol, fragment, rest: Ok(rest) };
        }
    }
    Extensions { protocol, fragment, rest: Err(FrameProblem::Malformed(name)) }
}

fn is_v6_extension(protocol: u8) -> bool {
    [
        ip_number::IPV6_HEADER_HOP_BY_HOP,
        ip_number::IPV6_ROUTE_HEADER,
        ip_number::IPV6_FRAGMENTATION_HEADER,
        ip_number::IPV6_DESTINATION_OPTIONS,
        ip_number::MOBILITY_HEADER,
        ip_number::HIP,
        ip_number::SHIM6,
    ]
    .iter()
    .any(|known| known.0 == protocol)
}

/// Adds what the extension headers say and what follows them.
fn finish(ip: &mut Ip, extensions: Extensions<'_>, depth: Depth) -> Option<FrameProblem> {
    ip.protocol = extensions.protocol;
    if let Some((place, id)) = extensions.fragment {
        (ip.fragment, ip.id) = (Some(place), Some(id));
    }
    let rest = match extensions.rest {
        Ok(rest) => rest,
        Err(problem) => return Some(problem),
    };
    if ip.fragment.is_some_and(|place| place.offset > 0) {
        ip.transport = Transport::Other;
        return None;
    }
    let is_whole = ip.fragment.is_none();
    let (transport, problem) = transport::dissect(ip.protocol, ip.source.is_ipv6(), is_whole, rest, depth);
    ip.transport = transport;
    problem
}
