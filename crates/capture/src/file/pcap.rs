//! The format pcap (pcap-savefile(5)).

use std::io::Read;

use pcap_parser::pcap::{parse_pcap_frame, parse_pcap_frame_be, parse_pcap_header};

use super::{BadCapture, BufferedRecord, Damage, DamageKind, Format, MAX_RECORD, Point, Reader};
use crate::frame::LinkType;

/// The length of the file's header and of a record's header, in bytes.
const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

impl<R: Read> Reader<R> {
    pub(super) fn pcap_header(&mut self) -> Result<(), BadCapture> {
        let begin = self.buffer.peek(FILE_HEADER).map_err(BadCapture::Read)?;
        let header = match parse_pcap_header(begin) {
            Ok((_, header)) if header.is_modified_format() => {
                return Err(BadCapture::Unsupported("pcap as modified by Alexey Kuznetzov"));
            }
            Ok((_, header)) => header,
            Err(pcap_parser::nom::Err::Incomplete(_)) if begin.len() >= 4 => {
                let kind = DamageKind::Cut { have: begin.len(), wanted: FILE_HEADER };
                return Err(BadCapture::Damaged(Damage { offset: 0, kind }));
            }
            Err(_) => return Err(BadCapture::of(begin.get(..4).unwrap_or(begin))),
        };
        self.buffer.take(FILE_HEADER);
        let unit = if header.is_nanosecond_precision() { 1 } else { 1_000 };
        self.format = Format::Pcap { big_endian: header.is_bigendian(), unit };
        // The upper bits say how long the frame check sequence is.
        let [.., high, low] = header.network.0.to_be_bytes();
        let link = LinkType::from_number(u16::from_be_bytes([high, low]));
        let snap_length = header.snaplen;
        self.points.push(Point { name: None, comment: None, link, snap_length, statistics: None });
        Ok(())
    }

    pub(super) fn pcap_record(
        &mut self,
        big_endian: bool,
        unit: u64,
    ) -> Result<Option<BufferedRecord>, Damage> {
        let offset = self.buffer.offset();
        let damage = |kind| Damage { offset, kind };
        let header = self.buffer.peek(RECORD_HEADER).map_err(|error| damage(DamageKind::Read(error)))?;
        if header.is_empty() {
            return Ok(None);
        }
        let Some(kept) = header.get(8..12).and_then(|length| length.try_into().ok()) else {
            return Err(damage(DamageKind::Cut { have: header.len(), wanted: RECORD_HEADER }));
        };
        let kept = if big_endian { u32::from_be_bytes(kept) } else { u32::from_le_bytes(kept) };
        let Some(kept) = usize::try_from(kept).ok().filter(|kept| *kept <= MAX_RECORD) else {
            return Err(damage(DamageKind::TooLong { length: u64::from(kept), maximum: MAX_RECORD }));
        };
        let wanted = RECORD_HEADER + kept;
        let bytes = self.buffer.peek(wanted).map_err(|error| damage(DamageKind::Read(error)))?;
        let parse = if big_endian { parse_pcap_frame_be } else { parse_pcap_frame };
        let Ok((_, record)) = parse(bytes) else {
            return Err(damage(DamageKind::Cut { have: bytes.len(), wanted }));
        };
        let nanos = u64::from(record.ts_sec) * 1_000_000_000 + u64::from(record.ts_usec) * unit;
        let length = record.origlen;
        self.buffer.take(wanted);
        Ok(Some(BufferedRecord { nanos, point: 0, length, bytes: RECORD_HEADER..wanted }))
    }
}
