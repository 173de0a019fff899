//! Random and damaged input: nothing panics, and what is before the damage is read.

use capture::{
    file::{Point, Reader, Record, Writer},
    frame::{Frame, LinkType},
    select::Select,
    text,
};
use fastrand::Rng;
use proptest::{prelude::*, test_runner::RngSeed};

use crate::{
    build::{self, Link},
    program::{Packet, Pcap},
};

/// Returns a configuration with a fixed seed. `PROPTEST_CASES` sets another number of cases, and then each run has its
/// own seed.
fn config(normally: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let rng_seed = if cases.is_some() { RngSeed::Random } else { RngSeed::Fixed(1) };
    let cases = cases.unwrap_or(normally);
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

/// Dissects a frame in every way, and returns its line.
fn dissect(link: u16, bytes: &[u8], length: u32) -> String {
    let link = LinkType::from_number(link);
    let frame = Frame::dissect_of(link, bytes, length);
    Select { ports: vec![80], ..Select::default() }.matches(0, &frame);
    text::packet(&Frame::dissect(link, bytes));
    text::line(u64::from(length), &frame)
}

/// Returns a pcap or a pcapng file with random frames, and the end of each record in it.
fn file(seed: u64, is_pcapng: bool) -> (Vec<u8>, Vec<Packet>, Vec<usize>) {
    let mut rng = Rng::with_seed(seed);
    let mut packets = Vec::new();
    for index in 0..rng.u64(1..20) {
        let bytes = build::frame(&mut rng, Link::Ethernet);
        let length = u32::try_from(bytes.len()).expect("a short frame");
        packets.push(Packet { nanos: 1_795_000_000_000_000_000 + index * 1000, length, bytes });
    }
    let mut ends = Vec::new();
    if is_pcapng {
        let mut writer = Writer::new(Vec::new()).expect("a header");
        writer.interface(&Point::new("eth0", LinkType::Ethernet, 0)).expect("an interface");
        // The header has 28 bytes, and the interface 12 around 8 and the options 8, 8 and 4.
        let mut end = 28 + 40;
        for Packet { nanos, length, bytes } in &packets {
            let link = LinkType::Ethernet;
            writer
                .record(Record { nanos: *nanos, point: 0, link, length: *length, bytes })
                .expect("a record");
            end += 32 + bytes.len().next_multiple_of(4);
            ends.push(end);
        }
        (writer.finish().expect("a file"), packets, ends)
    } else {
        let form = Pcap { big_endian: rng.bool(), nanoseconds: rng.bool(), link: 1 };
        let mut end = 24;
        for packet in &packets {
            end += 16 + packet.bytes.len();
            ends.push(end);
        }
        (form.file(&packets), packets, ends)
    }
}

/// The records of a file, and the text of the damage with whether it is a cut.
type ReadFile = (Vec<Packet>, Option<(String, bool)>);

/// Reads as much of a file as there is.
fn read(file: &[u8]) -> Option<ReadFile> {
    let mut reader = Reader::open(file).ok()?;
    let mut packets = Vec::new();
    loop {
        match reader.next() {
            None => return Some((packets, None)),
            Some(Err(damage)) => {
                let said = (damage.to_string(), damage.is_cut());
                assert!(reader.next().is_none(), "nothing follows damage");
                return Some((packets, Some(said)));
            }
            Some(Ok(Record { nanos, point, length, bytes, .. })) => {
                let (link, bytes) = (reader_link(point), bytes.to_vec());
                dissect(link, &bytes, length);
                packets.push(Packet { nanos, length, bytes });
            }
        }
    }
}

/// Returns a link type for damaged frames.
fn reader_link(point: usize) -> u16 {
    Link::ALL[point % Link::ALL.len()].number()
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn random_frames_never_panic(
        link in prop::sample::select(vec![0_u16, 1, 101, 108, 113, 228, 276, 9999]),
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        length in any::<u32>(),
    ) {
        let line = dissect(link, &bytes, length);
        prop_assert!(line.chars().all(|letter| !letter.is_control()), "{line}");
    }

    #[test]
    fn changed_frames_never_panic(
        seed in any::<u64>(),
        link in prop::sample::select(Link::ALL.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
        longer in 0_u32..3,
    ) {
        let mut bytes = build::frame(&mut Rng::with_seed(seed), link);
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(1 + cut.index(bytes.len()));
        let line = dissect(link.number(), &bytes, bytes.len() as u32 + longer);
        prop_assert!(line.chars().all(|letter| !letter.is_control()), "{line}");
        // A name is the longest part of a line, and there are at most three.
        prop_assert!(line.len() < 6000, "{line}");
    }

    /// What the capture kept of a packet never changes what is known of the headers before the cut.
    #[test]
    fn a_cut_frame_never_panics_and_says_no_more_than_the_whole(
        seed in any::<u64>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = build::frame(&mut Rng::with_seed(seed), Link::Ethernet);
        let length = bytes.len() as u32;
        let whole = Frame::dissect_of(LinkType::Ethernet, &bytes, length);
        let kept = &bytes[..cut.index(bytes.len())];
        let frame = Frame::dissect_of(LinkType::Ethernet, kept, length);
        let ends = |frame: &Frame| match &frame.network {
            capture::frame::Network::Ip(ip) => Some((ip.source, ip.destination, ip.length, ip.ttl)),
            _ => None,
        };
        prop_assert!(ends(&frame).is_none() || ends(&frame) == ends(&whole), "{frame:?} {whole:?}");
        // Without the length on the wire, nothing but the reason of an end can differ.
        let unknown = Frame::dissect(LinkType::Ethernet, kept);
        prop_assert_eq!(ends(&unknown), ends(&frame));
    }
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn random_files_never_panic(
        magic in prop::sample::select(vec![
            vec![0xd4, 0xc3, 0xb2, 0xa1], vec![0xa1, 0xb2, 0x3c, 0x4d], vec![0x0a, 0x0d, 0x0d, 0x0a], vec![],
        ]),
        bytes in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let _ = read(&[magic, bytes].concat());
    }

    #[test]
    fn a_file_that_ends_early_never_panics_and_gives_whole_records(
        seed in any::<u64>(),
        is_pcapng in any::<bool>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let (file, packets, ends) = file(seed, is_pcapng);
        prop_assert_eq!(ends.last(), Some(&file.len()));
        let cut = cut.index(file.len());
        let whole = ends.iter().filter(|end| **end <= cut).count();
        match read(&file[..cut]) {
            Some((found, damage)) => {
                let unit = if found.first().is_some_and(|found| found.nanos != packets[0].nanos) { 1000 } else { 1 };
                let wanted: Vec<Packet> = packets[..whole]
                    .iter()
                    .map(|packet| Packet { nanos: packet.nanos / unit * unit, ..packet.clone() })
                    .collect();
                prop_assert_eq!(found, wanted);
                // An end between two records is no damage. The first record of pcapng follows an interface.
                let starts = [if is_pcapng { vec![28, 68] } else { vec![24] }, ends].concat();
                prop_assert_eq!(damage.is_none(), starts.contains(&cut), "{:?} at {} of {:?}", damage, cut, starts);
                prop_assert!(damage.is_none_or(|(_, is_cut)| is_cut));
            }
            None => {
                let header = if is_pcapng { 28 } else { 24 };
                prop_assert!(cut < header);
            }
        }
    }

    #[test]
    fn a_changed_file_never_panics_and_gives_the_records_before_the_change(
        seed in any::<u64>(),
        is_pcapng in any::<bool>(),
        at in any::<prop::sample::Index>(),
        values in prop::collection::vec(any::<u8>(), 1..9),
    ) {
        let (mut file, packets, ends) = file(seed, is_pcapng);
        let at = at.index(file.len());
        for (place, value) in file[at..].iter_mut().zip(values) {
            *place = value;
        }
        let before = ends.iter().filter(|end| **end <= at).count();
        let found = read(&file);
        if at >= if is_pcapng { 68 } else { 24 } {
            let (found, _) = found.expect("the header is good");
            let bytes = |packets: &[Packet]| packets.iter().map(|packet| packet.bytes.clone()).collect::<Vec<_>>();
            prop_assert!(found.len() >= before);
            prop_assert_eq!(bytes(&found[..before]), bytes(&packets[..before]));
        }
    }
}
