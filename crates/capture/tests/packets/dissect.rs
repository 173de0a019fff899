//! Every field that tshark shows is the field of the dissected frame.

use std::fs;

use capture::{
    file::{Reader, Record},
    frame::{Frame, FrameProblem, LinkType},
};
use fastrand::Rng;

use crate::{
    build::{self, Link},
    fields::{self, Fields},
    program::{self, Packet, Pcap},
};

/// Compares a frame with what tshark says about it and, if the capture cut it, about the whole frame.
///
/// Every field of the dissector must be a field of the whole frame. tshark must not find more in a cut frame than the
/// dissector, except in the header that is cut.
fn compare(what: &str, frame: &Frame, is_cooked: bool, theirs: &Fields, of_whole: Option<&Fields>) {
    let is_truncated = of_whole.is_none_or(|whole| whole != theirs);
    // tshark shows a TLS record and a header of SCTP only if the capture has all of it, and the length of a segment
    // only if the segment is not in a fragment and not in an ICMP error.
    let has = |name: &str, wanted: &str| {
        theirs.get(name).is_some_and(|values| values.iter().any(|value| value == wanted))
    };
    let is_error = ["3", "4", "11", "12"].iter().any(|kind| has("icmp.type", kind))
        || ["1", "2", "3", "4"].iter().any(|kind| has("icmpv6.type", kind));
    let is_part = is_error || has("ip.flags.mf", "1") || has("ipv6.fraghdr.more", "1");
    let is_left_out = |name: &str| match name {
        "tcp.len" => is_part,
        _ => {
            let needs_all = name.starts_with("tls.") || name.starts_with("sctp.");
            needs_all && (is_truncated || is_error) && !theirs.contains_key(name)
        }
    };
    let ours = fields::of_frame(frame, is_cooked);
    if !fields::is_cut(frame) {
        let names = ours.keys().chain(theirs.keys());
        let names = names.filter(|name| ours.get(*name) != theirs.get(*name) && !is_left_out(name));
        let differences = names.map(|name| (*name, ours.get(name), theirs.get(name)));
        let differences: Vec<_> = differences.collect();
        assert!(differences.is_empty(), "{what}: (field, ours, tshark's) {differences:?}: {frame:?}");
        return;
    }
    for (name, values) in ours.iter().filter(|(name, _)| !is_left_out(name)) {
        let whole = of_whole.map(|whole| whole.get(name).map_or(&[][..], Vec::as_slice));
        assert!(
            whole.is_none_or(|whole| whole.starts_with(values)),
            "{what}: {name}: {values:?} in the cut frame, tshark in the whole frame: {whole:?}: {frame:?}"
        );
    }
    for (name, theirs) in theirs {
        let ours = ours.get(name).map_or(0, Vec::len);
        // A range of a selective acknowledgment is part of an option, which can be cut inside.
        let most = ours + if name.contains(".sack_") { 2 } else { 1 };
        assert!(most >= theirs.len(), "{what}: {name}: {ours} values, tshark: {theirs:?}: {frame:?}");
    }
}

#[test]
fn recorded_frames() {
    for file in program::recorded() {
        let theirs = fields::of_tshark(&file);
        let mut reader = Reader::open(fs::File::open(&file).expect("a file")).expect("a capture");
        let mut count = 0;
        while let Some(record) = reader.next() {
            let Record { link, bytes, length, .. } = record.expect("a record");
            let frame = Frame::dissect_of(link, bytes, length);
            let what = format!("{}, packet {}", file.display(), count + 1);
            compare(&what, &frame, is_cooked(link), &theirs[count], None);
            count += 1;
        }
        assert_eq!(count, theirs.len(), "{}", file.display());
    }
}

fn is_cooked(link: LinkType) -> bool {
    matches!(link, LinkType::LinuxCooked | LinkType::LinuxCooked2)
}

#[test]
fn random_frames() {
    let (cases, seed) = program::cases();
    let mut rng = Rng::with_seed(seed);
    for link in Link::ALL {
        check(link, &whole_frames(&mut rng, link, cases), |_| usize::MAX, seed);
    }
}

#[test]
fn random_frames_cut() {
    let (cases, seed) = program::cases();
    let mut rng = Rng::with_seed(seed + 1);
    for link in Link::ALL {
        let frames = whole_frames(&mut rng, link, cases);
        check(link, &frames, |length| rng.usize(1..=length), seed);
    }
}

/// Returns random frames, fewer of the other links than Ethernet.
fn whole_frames(rng: &mut Rng, link: Link, cases: usize) -> Vec<Vec<u8>> {
    let cases = if link == Link::Ethernet { cases } else { cases / 5 };
    (0..cases).map(|_| build::frame(rng, link)).collect()
}

/// Compares frames, of which a capture keeps as many bytes as `keep` says.
fn check(link: Link, frames: &[Vec<u8>], mut keep: impl FnMut(usize) -> usize, seed: u64) {
    let packet = |bytes: &[u8], length: usize| Packet {
        nanos: 1_795_000_000_000_000_000,
        length: u32::try_from(length).expect("a short frame"),
        bytes: bytes.to_vec(),
    };
    let whole: Vec<Packet> = frames.iter().map(|frame| packet(frame, frame.len())).collect();
    let kept = frames.iter().map(|frame| packet(&frame[..keep(frame.len()).min(frame.len())], frame.len()));
    let kept: Vec<Packet> = kept.collect();
    let (theirs, of_whole) = (of_tshark(link, &kept), of_tshark(link, &whole));
    let kind = LinkType::from_number(link.number());
    let (mut complete, mut cut) = (0, 0);
    for (index, packet) in kept.iter().enumerate() {
        let frame = Frame::dissect_of(kind, &packet.bytes, packet.length);
        let what = format!("seed {seed}, {link:?} frame {index} {:02x?}", packet.bytes);
        assert!(
            !matches!(frame.problem, Some(FrameProblem::Malformed(_))),
            "{what}: a good frame is malformed: {frame:?}"
        );
        compare(&what, &frame, is_cooked(kind), &theirs[index], Some(&of_whole[index]));
        // The dissector does not use that the length on the wire is known.
        assert_eq!(
            fields::of_frame(&Frame::dissect(kind, &packet.bytes), is_cooked(kind)),
            fields::of_frame(&frame, is_cooked(kind))
        );
        complete += usize::from(!fields::is_cut(&frame));
        cut += usize::from(fields::is_cut(&frame));
    }
    assert!(complete > kept.len() / 8, "{link:?}: {complete} frames with all headers, {cut} without");
}

fn of_tshark(link: Link, packets: &[Packet]) -> Vec<Fields> {
    let folder = program::folder();
    let file = folder.path().join("random.pcap");
    let form = Pcap { big_endian: false, nanoseconds: false, link: u32::from(link.number()) };
    fs::write(&file, form.file(packets)).expect("a written file");
    let fields = fields::of_tshark(&file);
    assert_eq!(fields.len(), packets.len());
    fields
}
