//! Writes a kept capture as one pcapng file, with an interface for each point.

use capture::file::{Reader, Writer, merge};
use mcp_core::{Capture, CaptureFormat};
use std::io::{self, Write};

/// The format in which clients and operators save captures.
pub(crate) const PCAPNG: CaptureFormat =
    CaptureFormat { write, media_type: "application/x-pcapng", extension: "pcapng" };

fn write(kept: &Capture, to: &mut dyn Write) -> io::Result<()> {
    let mut points = Vec::new();
    for part in kept.parts() {
        // A point that could not be captured has no bytes, or not even a whole header.
        if let Ok(reader) = Reader::open(part.reader()) {
            points.push((part.name().to_owned(), reader));
        }
    }
    let mut writer = Writer::new(to)?;
    merge(&mut points, &mut writer)?;
    writer.finish().map(drop)
}
