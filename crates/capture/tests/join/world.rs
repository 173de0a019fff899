//! A network that knows what happened to each packet.
//!
//! Packets go through points on several nodes. Each hop may lose, delay, reorder or duplicate a packet, decrease its
//! time to live, translate its addresses or put it into a tunnel. The clocks of the nodes differ, the captures begin
//! and end at different times, and the kernel may drop packets of a capture.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use capture::{
    frame::{Frame, Geneve, Icmp, Ip, Network, Tcp, Transport, Udp, UdpContent},
    join::{PointInfo, Translation},
    tuple::{End, Protocol, Tuple},
};
use fastrand::Rng;

/// Nanoseconds in a millisecond.
pub(crate) const MILLISECOND: u64 = 1_000_000;
/// The beginning of the world.
const BEGIN: u64 = 1_800_000_000_000_000_000;
/// The longest delay of a hop, and of a copy.
pub(crate) const HOP: u64 = 5 * MILLISECOND;

/// The truth about a packet of a direction.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    /// The points on the way that captured it, with the times by their clocks.
    pub(crate) captured: Vec<(usize, u64)>,
    /// The index on the way of the point that it did not reach, if it was lost.
    pub(crate) lost_before: Option<usize>,
    /// The index on the way of the last point that it reached, or a copy of it.
    reached: usize,
    /// Other packets may look like this one.
    pub(crate) weak: bool,
}

/// A network.
pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) points: Vec<PointInfo>,
    pub(crate) offsets: Vec<i64>,
    /// The points of the first direction and of the other one, in the order of the way.
    pub(crate) ways: [Vec<usize>; 2],
    /// Whether time to live falls before this point of the first way.
    routed: Vec<bool>,
    /// The first point of the first way behind the translation.
    nat: Option<usize>,
    /// The points between which packets are in a tunnel.
    tunnel: Option<(usize, usize)>,
    loss: [f64; 2],
    pub(crate) copies: f64,
    pub(crate) protocol: Protocol,
    v6: bool,
    tuple: Tuple,
    translated: Tuple,
    /// What the points saw: point, time, frame.
    pub(crate) frames: Vec<(usize, u64, Frame)>,
    pub(crate) truth: [Vec<Truth>; 2],
    now: u64,
    id: u16,
    dropped: Vec<u64>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let count = rng.usize(2..=5);
        let nodes = rng.usize(1..=3.min(count));
        let points: Vec<PointInfo> = (0..count)
            .map(|place| PointInfo { node: place * nodes / count, ..PointInfo::default() })
            .collect();
        let offsets = (0..nodes).map(|_| rng.i64(-3_000_000_000..3_000_000_000)).collect();
        let way: Vec<usize> = (0..count).collect();
        let mut back: Vec<usize> = way.iter().rev().copied().collect();
        if rng.u8(..) < 40 && back.len() > 2 {
            back.remove(rng.usize(1..back.len() - 1));
        }
        let protocol =
            *rng.choice(&[Protocol::Tcp, Protocol::Tcp, Protocol::Udp, Protocol::Icmp]).expect("one");
        let v6 = protocol != Protocol::Icmp && rng.u8(..) < 60;
        let address = |last: u8| -> IpAddr {
            if v6 {
                Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last.into()).into()
            } else {
                Ipv4Addr::new(10, 0, 0, last).into()
            }
        };
        let port = |port: u16| (protocol != Protocol::Icmp).then_some(port);
        let end = |last, number| End { address: address(last), port: port(number) };
        let tuple = Tuple { protocol, source: end(1, rng.u16(1024..)), destination: end(2, 80) };
        let translated = match rng.u8(..3) {
            0 => Tuple { source: end(9, rng.u16(1024..)), ..tuple },
            1 => Tuple { destination: end(7, 8080), ..tuple },
            _ => Tuple { source: end(9, tuple.source.port.unwrap_or(0)), ..tuple },
        };
        let loss = [(); 2].map(|()| if rng.bool() { 0.0 } else { rng.f64() * 0.4 });
        Self {
            routed: (0..count).map(|_| rng.bool()).collect(),
            nat: rng.bool().then(|| rng.usize(1..count)),
            tunnel: rng.bool().then(|| {
                let begin = rng.usize(0..count);
                (begin, rng.usize(begin..count))
            }),
            loss,
            copies: if rng.bool() { 0.0 } else { 0.1 },
            dropped: vec![0; count],
            points,
            offsets,
            ways: [way, back],
            protocol,
            v6,
            tuple,
            translated,
            frames: Vec::new(),
            truth: [Vec::new(), Vec::new()],
            now: BEGIN,
            id: rng.u16(1..60_000),
            rng,
        }
    }

    pub(crate) fn translation(&self) -> Option<Translation> {
        self.nat.map(|_| Translation { before: self.tuple, after: self.translated })
    }

    /// Chooses when the captures begin and end, once the traffic is known to last so long.
    pub(crate) fn set_windows(&mut self, length: u64) {
        for point in 0..self.points.len() {
            let mut edge = |likely: u8| if self.rng.u8(..) < likely { self.rng.u64(..length / 2) } else { 0 };
            let (late, early) = (edge(60), edge(60));
            let begin = self.clock(point, BEGIN - 1_000 * MILLISECOND + late);
            let end = self.clock(point, BEGIN + length + 1_000 * MILLISECOND - early);
            self.points[point].window = Some((begin, end.max(begin)));
            if self.rng.u8(..) < 20 {
                self.points[point].kernel_drops = Some(0);
                self.dropped[point] = 1;
            }
        }
    }

    /// Returns the time of a point's clock.
    fn clock(&self, point: usize, nanos: u64) -> u64 {
        nanos.saturating_add_signed(self.offsets[self.points[point].node])
    }

    pub(crate) fn wait(&mut self, least: u64, most: u64) {
        self.now += self.rng.u64(least..most);
    }

    /// Sends a packet. Returns whether it arrived.
    pub(crate) fn send(&mut self, direction: usize, transport: &Transport, length: u32) -> bool {
        self.id = self.id.wrapping_add(1).max(1);
        let weak = self.v6;
        let id = (!self.v6).then_some(u32::from(self.id));
        let mut truth = Truth { captured: Vec::new(), lost_before: None, reached: 0, weak };
        self.walk(direction, transport, length, id, 0, 64, self.now, &mut truth, true);
        let arrived = truth.reached + 1 == self.ways[direction].len();
        // A copy may pass a point before the original passes an earlier one.
        let way = &self.ways[direction];
        truth.captured.sort_by_key(|(point, _)| way.iter().position(|known| known == point));
        truth.lost_before = (!arrived).then_some(truth.reached + 1);
        self.truth[direction].push(truth);
        arrived
    }

    #[expect(clippy::too_many_arguments, reason = "the state of a packet on its way")]
    fn walk(
        &mut self,
        direction: usize,
        transport: &Transport,
        length: u32,
        id: Option<u32>,
        begin: usize,
        mut ttl: u8,
        mut nanos: u64,
        truth: &mut Truth,
        original: bool,
    ) {
        let way = self.ways[direction].clone();
        for (place, point) in way.iter().copied().enumerate().skip(begin) {
            if place > begin || original {
                if place > 0 && self.rng.f64() < self.loss[direction] / way.len() as f64 {
                    return;
                }
                ttl -= u8::from(place > 0 && self.routed[point]);
                nanos += self.rng.u64(10_000..HOP);
            }
            truth.reached = truth.reached.max(place);
            self.capture(direction, point, transport, length, id, ttl, nanos, truth);
            if original && self.rng.f64() < self.copies {
                // A copy follows the packet at once, and may arrive where the packet is lost.
                let later = nanos + self.rng.u64(1_000..HOP);
                self.walk(direction, transport, length, id, place, ttl, later, truth, false);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the state of a packet on its way")]
    fn capture(
        &mut self,
        direction: usize,
        point: usize,
        transport: &Transport,
        length: u32,
        id: Option<u32>,
        ttl: u8,
        nanos: u64,
        truth: &mut Truth,
    ) {
        let nanos = self.clock(point, nanos);
        let (begin, end) = self.points[point].window.expect("a window");
        if nanos < begin || nanos > end {
            return;
        }
        if self.dropped[point] > 0 && self.rng.u8(..) < 30 {
            let drops = &mut self.points[point].kernel_drops;
            *drops = Some(drops.unwrap_or(0) + 1);
            return;
        }
        let mut tuple = if self.nat.is_some_and(|nat| point >= nat) { self.translated } else { self.tuple };
        if direction == 1 {
            tuple = tuple.reversed();
        }
        let inner = frame(&tuple, transport, id, ttl, length);
        let tunnelled = self.tunnel.is_some_and(|(begin, end)| begin <= point && point < end);
        let frame = if tunnelled { tunnel(inner, direction) } else { inner };
        self.frames.push((point, nanos, frame));
        if !truth.captured.iter().any(|(known, _)| *known == point) {
            truth.captured.push((point, nanos));
        }
    }
}

fn ip(
    source: IpAddr,
    destination: IpAddr,
    transport: Transport,
    id: Option<u32>,
    ttl: u8,
    length: u32,
) -> Frame {
    let protocol = match &transport {
        Transport::Tcp(_) => 6,
        Transport::Udp(_) => 17,
        _ => 1,
    };
    let ip = Ip {
        source,
        destination,
        protocol,
        ttl,
        ecn: 0,
        id,
        dont_fragment: true,
        fragment: None,
        length,
        transport,
    };
    Frame { macs: (None, None), vlans: Vec::new(), network: Network::Ip(Box::new(ip)), problem: None }
}

fn frame(tuple: &Tuple, transport: &Transport, id: Option<u32>, ttl: u8, length: u32) -> Frame {
    let mut transport = transport.clone();
    let ports = (tuple.source.port.unwrap_or(0), tuple.destination.port.unwrap_or(0));
    match &mut transport {
        Transport::Tcp(tcp) => (tcp.source, tcp.destination) = ports,
        Transport::Udp(udp) => (udp.source, udp.destination) = ports,
        _ => {}
    }
    ip(tuple.source.address, tuple.destination.address, transport, id, ttl, length)
}

fn tunnel(inner: Frame, direction: usize) -> Frame {
    let geneve = Geneve { vni: 7 + direction as u32, ports: None, control: false, inner };
    let udp = Udp { source: 5, destination: 6081, payload: 9, content: UdpContent::Geneve(Box::new(geneve)) };
    let [one, two] = [3, 4].map(|last| IpAddr::from(Ipv4Addr::new(172, 18, 0, last)));
    ip(one, two, Transport::Udp(Box::new(udp)), Some(0), 64, 99)
}

pub(crate) fn tcp(sequence: u32, acknowledgment: u32, payload: u32, time: u32) -> Transport {
    Transport::Tcp(Box::new(Tcp {
        source: 0,
        destination: 0,
        sequence,
        acknowledgment,
        flags: Tcp::ACK,
        window: 100,
        mss: None,
        window_scale: None,
        sack: Vec::new(),
        timestamps: Some((time, 0)),
        payload,
        tls: Vec::new(),
    }))
}

pub(crate) fn udp(payload: u32) -> Transport {
    Transport::Udp(Box::new(Udp { source: 0, destination: 0, payload, content: UdpContent::Other }))
}

pub(crate) fn echo(request: bool, sequence: u16) -> Transport {
    Transport::Icmp(Box::new(Icmp {
        v6: false,
        kind: if request { 8 } else { 0 },
        code: 0,
        echo: Some((77, sequence)),
        mtu: None,
        about: None,
        neighbor: None,
    }))
}
