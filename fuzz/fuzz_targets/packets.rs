//! Reads any bytes as a capture file, dissects its frames and prints them.
//!
//! The reading ends, nothing follows damage, a line is printable and bounded, and a written file has the same packets.

#![no_main]

use capture::{
    file::{MAX_RECORD, Reader, Record, Writer},
    frame::Frame,
    text,
};
use libfuzzer_sys::fuzz_target;

/// The maximum length of a line: a few names with escaped bytes, and the headers of three packets in each other.
const LONGEST_LINE: usize = 8_000;

/// A record without its borrowed bytes.
type Owned = (u64, usize, u32, Vec<u8>);

fuzz_target!(|input: &[u8]| {
    let Some((records, reader)) = read(input) else { return };
    let mut writer = Writer::new(Vec::new()).expect("a vector takes everything");
    for point in reader.points() {
        writer.interface(point).expect("a vector takes everything");
    }
    for (nanos, point, length, bytes) in &records {
        let link = reader.points()[*point].link;
        let record = Record { nanos: *nanos, point: *point, link, length: *length, bytes };
        writer.record(record).expect("the reader gives no record that cannot be written");
    }
    let file = writer.finish().expect("a vector takes everything");
    let (again, _) = read(&file).expect("an own file");
    assert_eq!(again, records);
});

/// Returns the records before the damage, and the reader at its end.
fn read(input: &[u8]) -> Option<(Vec<Owned>, Reader<&[u8]>)> {
    let mut reader = Reader::open(input).ok()?;
    let mut records = Vec::new();
    while let Some(record) = reader.next() {
        let Ok(Record { nanos, point, link, length, bytes }) = record else {
            assert!(reader.next().is_none(), "a record follows damage");
            break;
        };
        assert!(bytes.len() <= MAX_RECORD);
        for frame in [Frame::dissect(link, bytes), Frame::dissect_of(link, bytes, length)] {
            let line = text::line(nanos, &frame);
            assert!(line.len() < LONGEST_LINE, "{} bytes: {line}", line.len());
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        records.push((nanos, point, length, bytes.to_vec()));
    }
    Some((records, reader))
}
