//! Joins several captures into one file.

use std::io::{self, Read, Write};

use super::{Damage, Point, Reader, Record, Writer};
use crate::frame::LinkType;

/// What [`merge`] did with one capture.
#[derive(Debug, Default)]
pub struct Merged {
    /// The number of records that it gave.
    pub records: u64,
    /// Why it was not read to its end.
    pub damage: Option<Damage>,
    /// The number of its records that are older than a record before them, so that the file is not sorted there.
    pub unsorted: u64,
}

/// A capture, and its first record that is not written.
struct Input<'a, R> {
    name: &'a str,
    reader: &'a mut Reader<R>,
    /// The index in the file of each interface that was described there.
    points: Vec<usize>,
    head: Option<Head>,
    bytes: Vec<u8>,
    merged: Merged,
}

struct Head {
    nanos: u64,
    point: usize,
    link: LinkType,
    length: u32,
}

/// Writes the records of several captures into one pcapng file, sorted by time, and returns what it did with each.
///
/// Each interface gets the name of its capture, followed by `/` and the name of the interface if the capture has names.
/// A damaged capture gives the records before the damage. One record of each capture is in memory, so a capture that is
/// not sorted itself stays so.
///
/// # Errors
///
/// The sink fails.
pub fn merge<R: Read, W: Write>(
    captures: &mut [(String, Reader<R>)],
    writer: &mut Writer<W>,
) -> io::Result<Vec<Merged>> {
    let mut inputs: Vec<Input<'_, R>> = captures
        .iter_mut()
        .map(|(name, reader)| Input {
            name,
            reader,
            points: Vec::new(),
            head: None,
            bytes: Vec::new(),
            merged: Merged::default(),
        })
        .collect();
    for input in &mut inputs {
        input.advance();
        input.describe(writer)?;
    }
    let mut last = 0;
    loop {
        let next = inputs.iter_mut().filter(|input| input.head.is_some());
        let Some(input) = next.min_by_key(|input| input.head.as_ref().map(|head| head.nanos)) else { break };
        let Some(Head { nanos, point, link, length }) = input.head.take() else { break };
        input.merged.records += 1;
        input.merged.unsorted += u64::from(nanos < last);
        last = last.max(nanos);
        if let Some(point) = input.points.get(point) {
            writer.record(Record { nanos, point: *point, link, length, bytes: &input.bytes })?;
        }
        input.advance();
        input.describe(writer)?;
    }
    for input in &inputs {
        for (point, index) in input.reader.points().iter().zip(&input.points) {
            if let Some(statistics) = point.statistics {
                writer.statistics(*index, last, statistics)?;
            }
        }
    }
    Ok(inputs.into_iter().map(|input| input.merged).collect())
}

impl<R: Read> Input<'_, R> {
    /// Reads the next record.
    fn advance(&mut self) {
        match self.reader.next() {
            Some(Ok(Record { nanos, point, link, length, bytes })) => {
                self.bytes.clear();
                self.bytes.extend_from_slice(bytes);
                self.head = Some(Head { nanos, point, link, length });
            }
            Some(Err(damage)) => self.merged.damage = Some(damage),
            None => {}
        }
    }

    /// Describes the interfaces that the capture met since the last call.
    fn describe<W: Write>(&mut self, writer: &mut Writer<W>) -> io::Result<()> {
        for point in self.reader.points().iter().skip(self.points.len()) {
            let name = match &point.name {
                Some(name) => format!("{}/{name}", self.name),
                None => self.name.to_owned(),
            };
            self.points.push(writer.interface(&Point { name: Some(name), ..point.clone() })?);
        }
        Ok(())
    }
}
