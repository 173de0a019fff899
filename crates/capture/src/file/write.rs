//! Writes pcapng files.

use std::io::{self, Write};

use super::{MAX_RECORD, Point, Record, Statistics};

/// The types of the blocks that are written.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const STATISTICS: u32 = 5;
const ENHANCED: u32 = 6;

/// The codes of options.
const COMMENT: u16 = 1;
const NAME: u16 = 2;
const RESOLUTION: u16 = 9;

/// Writes a pcapng file of one section, in little-endian order, with times in nanoseconds.
#[derive(Debug)]
pub struct Writer<W> {
    sink: W,
    points: usize,
    /// The block that is being made.
    block: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes the header of the file.
    ///
    /// # Errors
    ///
    /// The sink fails.
    pub fn new(sink: W) -> io::Result<Self> {
        let mut writer = Self { sink, points: 0, block: Vec::new() };
        // The byte-order magic, the version 1.0, and a section without a stated length.
        writer.block.extend(0x1a2b_3c4d_u32.to_le_bytes());
        writer.block.extend([1, 0, 0, 0]);
        writer.block.extend(u64::MAX.to_le_bytes());
        writer.end(SECTION)?;
        Ok(writer)
    }

    /// Describes an interface, and returns its index for records. Interfaces can be added at any time.
    ///
    /// # Errors
    ///
    /// The sink fails.
    pub fn interface(&mut self, point: &Point) -> io::Result<usize> {
        self.block.extend(point.link.number().to_le_bytes());
        self.block.extend([0, 0]);
        self.block.extend(point.snap_length.to_le_bytes());
        for (code, text) in [(COMMENT, &point.comment), (NAME, &point.name)] {
            if let Some(text) = text {
                self.option(code, text.as_bytes());
            }
        }
        self.option(RESOLUTION, &[9]);
        self.option(0, &[]);
        self.end(INTERFACE)?;
        self.points += 1;
        Ok(self.points - 1)
    }

    /// Writes a record. The link is that of its interface.
    ///
    /// # Errors
    ///
    /// The sink fails, the record is of an interface that was not described, or it is longer than [`MAX_RECORD`].
    pub fn record(&mut self, record: Record<'_>) -> io::Result<()> {
        let Record { nanos, point, link: _, length, bytes } = record;
        self.check(point)?;
        if bytes.len() > MAX_RECORD {
            let text = format!("a record of {} bytes is longer than {MAX_RECORD}", bytes.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        self.number(point);
        self.block.extend(((nanos >> 32) as u32).to_le_bytes());
        self.block.extend((nanos as u32).to_le_bytes());
        self.number(bytes.len());
        self.block.extend(length.to_le_bytes());
        self.padded(bytes);
        self.end(ENHANCED)
    }

    /// Writes the counters of an interface. They belong at the end of the file.
    ///
    /// # Errors
    ///
    /// The sink fails, or the interface was not described.
    pub fn statistics(&mut self, point: usize, nanos: u64, statistics: Statistics) -> io::Result<()> {
        self.check(point)?;
        self.number(point);
        self.block.extend(((nanos >> 32) as u32).to_le_bytes());
        self.block.extend((nanos as u32).to_le_bytes());
        let Statistics { received, dropped_by_interface, accepted, dropped_by_system, delivered } =
            statistics;
        let counters = [received, dropped_by_interface, accepted, dropped_by_system, delivered];
        for (code, counter) in (4..).zip(counters) {
            if let Some(counter) = counter {
                self.option(code, &counter.to_le_bytes());
            }
        }
        self.option(0, &[]);
        self.end(STATISTICS)
    }

    /// Writes what is still in the sink's own buffers, and returns the sink.
    ///
    /// # Errors
    ///
    /// The sink fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.sink.flush()?;
        Ok(self.sink)
    }

    fn check(&self, point: usize) -> io::Result<()> {
        if point < self.points {
            return Ok(());
        }
        let text = format!("interface {point} was not described: there are {}", self.points);
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }

    /// Adds a number that is at most [`MAX_RECORD`].
    fn number(&mut self, number: usize) {
        self.block.extend((number as u32).to_le_bytes());
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.block.extend(bytes);
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    /// Adds an option. A value that is longer than an option can be is cut.
    fn option(&mut self, code: u16, value: &[u8]) {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.block.extend(code.to_le_bytes());
        self.block.extend(length.to_le_bytes());
        self.padded(value.get(..usize::from(length)).unwrap_or(value));
    }

    /// Writes the block, with its type and its lengths around it.
    fn end(&mut self, kind: u32) -> io::Result<()> {
        let length = (self.block.len() + 12) as u32;
        self.sink.write_all(&kind.to_le_bytes())?;
        self.sink.write_all(&length.to_le_bytes())?;
        self.sink.write_all(&self.block)?;
        self.sink.write_all(&length.to_le_bytes())?;
        self.block.clear();
        Ok(())
    }
}
