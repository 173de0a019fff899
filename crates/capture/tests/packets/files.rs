//! The reader and the writer of files against Wireshark's programs.

use std::{fs, path::Path};

use capture::{
    file::{DamageKind, Point, Reader, Record, Statistics, Writer, merge},
    frame::LinkType,
};
use fastrand::Rng;

use crate::{
    build::{self, Link},
    program::{self, Packet, Pcap, run},
};

/// A record with the name of its interface.
type Named = (Option<String>, Packet);

fn read(file: &[u8]) -> (Vec<Named>, Vec<Point>) {
    let mut reader = Reader::open(file).expect("a capture");
    let mut packets = Vec::new();
    while let Some(record) = reader.next() {
        let Record { nanos, point, length, bytes, .. } = record.expect("a record");
        packets.push((point, Packet { nanos, length, bytes: bytes.to_vec() }));
    }
    let points = reader.points().to_vec();
    let named = packets.into_iter().map(|(point, packet)| (points[point].name.clone(), packet));
    (named.collect(), points)
}

/// Returns the time, the length, the captured length and the interface that tshark shows for each packet.
fn of_tshark(file: &Path) -> Vec<(u64, u32, usize, String)> {
    let fields = ["frame.time_epoch", "frame.len", "frame.cap_len", "frame.interface_name"];
    let packet = |values: Vec<String>| {
        let (seconds, rest) = values[0].split_once('.').expect("a time with nanoseconds");
        let nanos = seconds.parse::<u64>().expect("seconds") * 1_000_000_000;
        let nanos = nanos + rest.parse::<u64>().expect("nanoseconds");
        (nanos, values[1].parse().expect("a length"), values[2].parse().expect("a length"), values[3].clone())
    };
    program::fields(file, &fields).into_iter().map(packet).collect()
}

/// Compares what the reader and what tshark find in a file. tshark names an interface without a name after its index.
fn compare(file: &Path) -> Vec<Named> {
    let (packets, _) = read(&fs::read(file).expect("a file"));
    let theirs = of_tshark(file);
    assert_eq!(packets.len(), theirs.len(), "{}", file.display());
    for (index, ((name, packet), theirs)) in packets.iter().zip(&theirs).enumerate() {
        let ours = (packet.nanos, packet.length, packet.bytes.len());
        assert_eq!(ours, (theirs.0, theirs.1, theirs.2), "{}: packet {index}", file.display());
        if let Some(name) = name {
            assert_eq!(name, &theirs.3, "{}: packet {index}", file.display());
        }
    }
    packets
}

/// Returns random frames with increasing times, of which some are cut.
fn packets(rng: &mut Rng, link: Link, count: usize) -> Vec<Packet> {
    let mut nanos = 1_795_000_000_000_000_000;
    let frame = |_| {
        let mut bytes = build::frame(rng, link);
        let length = u32::try_from(bytes.len()).expect("a short frame");
        if rng.u8(0..3) == 0 {
            bytes.truncate(96);
        }
        nanos += rng.u64(0..3_000_000_000);
        Packet { nanos, length, bytes }
    };
    (0..count).map(frame).collect()
}

#[test]
fn every_form_of_pcap() {
    let (_, seed) = program::cases();
    let mut rng = Rng::with_seed(seed);
    let folder = program::folder();
    let file = folder.path().join("form.pcap");
    for (big_endian, nanoseconds) in [(false, false), (false, true), (true, false), (true, true)] {
        let wanted = packets(&mut rng, Link::Ethernet, 100);
        let form = Pcap { big_endian, nanoseconds, link: 1 };
        fs::write(&file, form.file(&wanted)).expect("a written file");
        let unit = if nanoseconds { 1 } else { 1000 };
        let found = compare(&file).into_iter().zip(wanted);
        for ((_, found), wanted) in found {
            let nanos = wanted.nanos / unit * unit;
            assert_eq!(found, Packet { nanos, ..wanted }, "{form:?}");
        }
        // The upper bits of the link type say how long the frame check sequence is.
        let form = Pcap { link: 0x4400_0001, ..form };
        assert_eq!(Reader::open(&*form.file(&[])).expect("a capture").points()[0].link, LinkType::Ethernet);
    }
}

#[test]
fn recorded_files_in_every_form_of_editcap() {
    let folder = program::folder();
    for file in program::recorded() {
        let whole = compare(&file);
        let text = file.to_str().expect("a path of text");
        for form in ["pcap", "nsecpcap", "pcapng"] {
            let converted = folder.path().join(form);
            let converted_text = converted.to_str().expect("a path of text");
            // pcap has one link type, and all interfaces of a recorded file have the same.
            run("editcap", &["-F", form, text, converted_text]);
            let unit = if form == "pcap" { 1000 } else { 1 };
            let wanted = whole.iter().map(|(_, packet)| {
                let nanos = packet.nanos / unit * unit;
                Packet { nanos, ..packet.clone() }
            });
            let found: Vec<Packet> = compare(&converted).into_iter().map(|(_, packet)| packet).collect();
            assert_eq!(found, wanted.collect::<Vec<_>>(), "{text} as {form}");
        }
    }
}

#[test]
fn interfaces_and_counters_of_dumpcap() {
    let files = program::recorded();
    let file =
        files.iter().find(|file| file.ends_with("two-interfaces.pcapng")).expect("the file of dumpcap");
    let (packets, points) = read(&fs::read(file).expect("a file"));
    let names: Vec<_> = points.iter().map(|point| point.name.as_deref().unwrap_or("")).collect();
    assert_eq!(names, ["left", "lo"]);
    // capinfos(1) prints the number of packets of each interface.
    let report = run("capinfos", &["-I", "-M", file.to_str().expect("a path of text")]);
    let counts = report.lines().filter_map(|line| line.trim().strip_prefix("Number of packets = "));
    let counts: Vec<usize> = counts.map(|count| count.parse().expect("a number")).collect();
    assert_eq!(counts.len(), 2, "{report}");
    for (point, wanted) in points.iter().zip(counts) {
        assert_eq!(point.link, LinkType::Ethernet);
        assert_eq!(point.snap_length, 262_144);
        assert_eq!(packets.iter().filter(|(name, _)| *name == point.name).count(), wanted);
        let Statistics { received, dropped_by_interface, dropped_by_system, .. } =
            point.statistics.expect("dumpcap writes statistics");
        assert_eq!(received, Some(wanted as u64));
        assert_eq!(dropped_by_interface, Some(0));
        assert_eq!(dropped_by_system, None);
    }
}

#[test]
fn an_own_file_is_read_by_tshark_and_by_the_reader() {
    let (_, seed) = program::cases();
    let mut rng = Rng::with_seed(seed);
    let mut writer = Writer::new(Vec::new()).expect("a header");
    let comment = Some("before NAT, \"quoted\"".to_owned());
    let points = [
        Point { comment, ..Point::new("node ovn-worker br-ex", LinkType::Ethernet, 262_144) },
        Point::new("pod shop/web ü", LinkType::LinuxCooked2, 128),
    ];
    let mut wanted = Vec::new();
    for (index, link) in [Link::Ethernet, Link::Cooked2].into_iter().enumerate() {
        assert_eq!(writer.interface(&points[index]).expect("an interface"), index);
        for packet in packets(&mut rng, link, 100) {
            let Packet { nanos, length, bytes } = &packet;
            let link = points[index].link;
            let record = Record { nanos: *nanos, point: index, link, length: *length, bytes };
            writer.record(record).expect("a record");
            wanted.push((points[index].name.clone(), packet));
        }
    }
    let counters = Statistics {
        received: Some(7),
        dropped_by_interface: Some(0),
        accepted: Some(u64::MAX),
        dropped_by_system: Some(3),
        delivered: None,
    };
    writer.statistics(1, 5, counters).expect("statistics");
    let unknown = Record { nanos: 0, point: 2, link: LinkType::Ethernet, length: 0, bytes: &[] };
    assert!(writer.record(unknown).is_err_and(|error| error.to_string().contains("interface 2")));
    let file = writer.finish().expect("a file");

    let (found, found_points) = read(&file);
    assert_eq!(found, wanted);
    assert_eq!(found_points[0], points[0]);
    assert_eq!(found_points[1], Point { statistics: Some(counters), ..points[1].clone() });
    let folder = program::folder();
    let path = folder.path().join("own.pcapng");
    fs::write(&path, file).expect("a written file");
    compare(&path);
    let report = run("capinfos", &["-I", "-M", path.to_str().expect("a path of text")]);
    assert!(report.contains("Comment = before NAT, \"quoted\""), "{report}");
    assert!(report.contains("Capture length = 128"), "{report}");
}

#[test]
fn merged_captures_are_those_of_mergecap() {
    let (_, seed) = program::cases();
    let mut rng = Rng::with_seed(seed);
    let folder = program::folder();
    let (mut captures, mut paths) = (Vec::new(), Vec::new());
    for (name, link) in [("left", Link::Ethernet), ("right", Link::Ethernet), ("pod", Link::Cooked2)] {
        let form = Pcap { big_endian: name == "right", nanoseconds: true, link: u32::from(link.number()) };
        let file = form.file(&packets(&mut rng, link, 200));
        let path = folder.path().join(name);
        fs::write(&path, &file).expect("a written file");
        paths.push(path.to_str().expect("a path of text").to_owned());
        captures.push((name.to_owned(), Reader::open(std::io::Cursor::new(file)).expect("a capture")));
    }
    // dumpcap wrote the names of the interfaces of this file.
    let files = program::recorded();
    let two = files.iter().find(|file| file.ends_with("two-interfaces.pcapng")).expect("the file of dumpcap");
    paths.push(two.to_str().expect("a path of text").to_owned());
    let two = std::io::Cursor::new(fs::read(two).expect("a file"));
    captures.push(("dumpcap".to_owned(), Reader::open(two).expect("a capture")));

    let mut writer = Writer::new(Vec::new()).expect("a header");
    let merged = merge(&mut captures, &mut writer).expect("a merged file");
    assert!(merged.iter().all(|merged| merged.damage.is_none()));
    let ours = folder.path().join("ours.pcapng");
    fs::write(&ours, writer.finish().expect("a file")).expect("a written file");
    let theirs = folder.path().join("theirs.pcapng");
    let mut arguments = vec!["-w", theirs.to_str().expect("a path of text")];
    arguments.extend(paths.iter().map(String::as_str));
    run("mergecap", &arguments);

    let (ours, theirs) = (compare(&ours), compare(&theirs));
    let count = merged.iter().map(|merged| merged.records).sum::<u64>();
    assert_eq!(count, theirs.len() as u64);
    let packets = |all: &[Named]| all.iter().map(|(_, packet)| packet.clone()).collect::<Vec<_>>();
    assert_eq!(packets(&ours), packets(&theirs));
    let mut names: Vec<_> = ours.into_iter().filter_map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names, ["dumpcap/left", "dumpcap/lo", "left", "pod", "right"]);
}

/// Returns a block of pcapng in big-endian order.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let body = [body, &vec![0; body.len().next_multiple_of(4) - body.len()]].concat();
    let length = u32::try_from(body.len() + 12).expect("a short block").to_be_bytes();
    [&kind.to_be_bytes()[..], &length, &body, &length].concat()
}

fn section() -> Vec<u8> {
    block(0x0a0d_0d0a, &[&0x1a2b_3c4d_u32.to_be_bytes()[..], &[0, 1, 0, 0], &[0xff; 8]].concat())
}

/// Returns an interface with a resolution, an offset in seconds, and the name `eth0`.
fn interface(resolution: u8, offset: i64) -> Vec<u8> {
    let fixed = [0, 1, 0, 0, 0, 0, 0, 96];
    let name = [0, 2, 0, 4, b'e', b't', b'h', b'0'];
    let resolution = [0, 9, 0, 1, resolution, 0, 0, 0];
    let offset = [&[0, 14, 0, 8][..], &offset.to_be_bytes()].concat();
    block(1, &[&fixed[..], &name, &resolution, &offset, &[0; 4]].concat())
}

fn packet(interface: u32, time: u64, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("a short frame");
    let numbers = [interface, (time >> 32) as u32, time as u32, length, length + 1];
    block(6, &[numbers.map(u32::to_be_bytes).concat(), bytes.to_vec()].concat())
}

#[test]
fn big_endian_pcapng_with_every_clock_and_two_sections() {
    let folder = program::folder();
    let path = folder.path().join("clocks.pcapng");
    let clocks: [(u8, i64, u64); 7] = [
        (6, 0, 1_795_000_000_123_456),
        (9, 0, 1_795_000_000_123_456_789),
        (3, 0, 1_795_000_000_123),
        (0, 0, 1_795_000_000),
        (9, 1_795_000_000, 123_456_789),
        (6, 3600, 1_795_000_000_000_001),
        // 2^-20 and 2^-30 of a second.
        (0x80 | 20, 0, (1_795_000_000 << 20) + (1 << 19)),
    ];
    let mut file = section();
    for (resolution, offset, _) in clocks {
        file.extend(interface(resolution, offset));
    }
    // A block of an unknown type, and one with names of hosts.
    file.extend(block(0x0bad_cafe, &[1, 2, 3, 4]));
    file.extend(block(4, &[0; 4]));
    for (index, (.., time)) in (0..).zip(clocks) {
        file.extend(packet(index, time, &[2; 60]));
    }
    // The numbers of interfaces begin again in a section.
    file.extend(section());
    file.extend(interface(9, 0));
    file.extend(packet(0, 1_795_000_000_000_000_000, &[2; 61]));
    fs::write(&path, &file).expect("a written file");
    assert_eq!(compare(&path).len(), clocks.len() + 1);

    let mut reader = Reader::open(&*file).expect("a capture");
    while let Some(record) = reader.next() {
        assert!(record.expect("a record").nanos > 0);
    }
    assert_eq!((reader.points().len(), reader.skipped(), reader.untimed()), (clocks.len() + 1, 2, 0));

    // A simple packet block has no time, and the snap length of its interface cuts it.
    let simple = block(3, &[&200_u32.to_be_bytes()[..], &[2; 96]].concat());
    let file = [section(), interface(9, 0), simple].concat();
    let mut reader = Reader::open(&*file).expect("a capture");
    let record = reader.next().expect("a record").expect("a good record");
    let link = LinkType::Ethernet;
    assert_eq!(record, Record { nanos: 0, point: 0, link, length: 200, bytes: &[2; 96] });
    assert_eq!(reader.untimed(), 1);
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let open = |file: &[u8]| Reader::open(file).map(|_| ()).expect_err("a bad file").to_string();
    assert!(open(b"").contains("empty"));
    assert!(open(b"\x7fELF").contains("not a capture file: begins with 7f 45 4c 46"));
    assert!(open(b"no").contains("not a capture file: begins with 6e 6f"));
    assert!(open(&[0x1f, 0x8b, 8, 0]).contains("gzip"));
    assert!(open(&0xa1b2_cd34_u32.to_le_bytes().repeat(6)).contains("Kuznetzov"));
    let form = Pcap { big_endian: false, nanoseconds: false, link: 1 };
    assert!(open(&form.file(&[])[..20]).contains("it ends after 20 of at least 24 bytes"));

    let damage = |file: &[u8]| {
        let mut reader = Reader::open(file).expect("a capture");
        let good = std::iter::from_fn(|| reader.next().and_then(|record| record.ok().map(|_| ()))).count();
        let mut reader = Reader::open(file).expect("a capture");
        let damage = (0..=good).filter_map(|_| reader.next()?.err()).next().expect("damage");
        assert!(reader.next().is_none(), "nothing follows damage");
        (good, damage.kind)
    };
    let long = [section(), block(6, &[0; 40])].concat();
    assert!(
        matches!(damage(&long), (0, DamageKind::Malformed(text)) if text.contains("without a description"))
    );
    let mut long = form.file(&[Packet { nanos: 0, length: 9, bytes: vec![0; 9] }]);
    long.extend([0_u32, 0, 262_145, 262_145].map(u32::to_le_bytes).concat());
    assert!(matches!(damage(&long), (1, DamageKind::TooLong { length: 262_145, .. })));
    let odd = [section(), vec![0, 0, 0, 1, 0, 0, 0, 13]].concat();
    assert!(matches!(damage(&odd), (0, DamageKind::Malformed(text)) if text.contains("multiple of 4")));
    let old = [section(), interface(6, 0), block(2, &[0; 24])].concat();
    assert!(matches!(damage(&old), (0, DamageKind::Malformed(text)) if text.contains("old form")));
}

#[test]
fn a_source_that_fails_is_not_a_file_that_ends() {
    struct Failing(Vec<u8>);
    impl std::io::Read for Failing {
        fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Err(std::io::Error::other("the node is gone"));
            }
            // A pipe gives few bytes at once.
            let count = self.0.len().min(7).min(space.len());
            space[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
    }
    let form = Pcap { big_endian: false, nanoseconds: false, link: 1 };
    let packet = Packet { nanos: 5_000, length: 100, bytes: vec![1; 90] };
    let mut reader = Reader::open(Failing(form.file(&[packet.clone(), packet]))).expect("a capture");
    for _ in 0..2 {
        assert_eq!(reader.next().expect("a record").expect("a good record").bytes, [1; 90]);
    }
    let damage = reader.next().expect("an end").expect_err("a failure");
    assert!(!damage.is_cut());
    assert!(damage.to_string().contains("at byte 236: reading failed: the node is gone"), "{damage}");
    assert!(reader.next().is_none());
}
