//! The format pcapng (draft-ietf-opsawg-pcapng).

use std::io::Read;

use pcap_parser::pcapng::{
    EPB_MAGIC, IDB_MAGIC, ISB_MAGIC, OptionCode, PcapNGOption, SPB_MAGIC, parse_enhancedpacketblock_be,
    parse_enhancedpacketblock_le, parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le,
    parse_interfacestatisticsblock_be, parse_interfacestatisticsblock_le, parse_sectionheaderblock,
    parse_simplepacketblock_be, parse_simplepacketblock_le,
};

use super::{BufferedRecord, Damage, DamageKind, Format, MAX_POINTS, MAX_RECORD, Point, Reader, Statistics};
use crate::frame::LinkType;

/// The type of a section header. It reads the same in both byte orders.
pub(super) const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// The type of the packet block, which pcapng no longer has.
const OLD_PACKET: u32 = 2;

/// The maximum length of a block: the longest record with its header and options.
const MAX_BLOCK: usize = 2 * MAX_RECORD;

/// Where the bytes of a frame begin in its block.
const ENHANCED_HEADER: usize = 28;
const SIMPLE_HEADER: usize = 12;

/// The maximum length of a name and of a comment, in bytes.
const MAX_NAME: usize = 255;
const MAX_COMMENT: usize = 1024;

/// How an interface counts time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// The units of a second. `None` if they do not fit, so that every time is 0 units.
    units: Option<u128>,
    /// The seconds that are added to every time.
    offset: i64,
}

impl Clock {
    /// Returns nanoseconds since 1970, or the nearest number that fits.
    fn nanos(self, units: u64) -> u64 {
        // A second of more than 2^127 units makes every 64-bit time less than a nanosecond.
        let since = self.units.map_or(0, |second| u128::from(units) * 1_000_000_000 / second);
        let since = i128::try_from(since).unwrap_or(i128::MAX);
        let all = since.saturating_add(i128::from(self.offset) * 1_000_000_000);
        u64::try_from(all.max(0)).unwrap_or(u64::MAX)
    }
}

impl<R: Read> Reader<R> {
    /// Reads a section header, which sets the byte order and begins new numbers of interfaces.
    pub(super) fn section_header(&mut self) -> Result<(), Damage> {
        let offset = self.buffer.offset();
        let damage = |kind| Damage { offset, kind };
        let header = self.buffer.peek(12).map_err(|error| damage(DamageKind::Read(error)))?;
        let big_endian = match header.get(8..12) {
            Some([0x1a, 0x2b, 0x3c, 0x4d]) => true,
            Some([0x4d, 0x3c, 0x2b, 0x1a]) => false,
            Some(_) => return Err(damage(DamageKind::Malformed("a section header has no byte-order magic"))),
            None => return Err(damage(DamageKind::Cut { have: header.len(), wanted: 28 })),
        };
        self.format = Format::Pcapng { big_endian, section: self.points.len() };
        let (_, length) = self.block_header(big_endian)?;
        let block = self.block(length)?;
        let Ok((_, header)) = parse_sectionheaderblock(block) else {
            return Err(damage(DamageKind::Malformed("a section header cannot be read")));
        };
        if header.major_version != 1 {
            return Err(damage(DamageKind::Malformed("a section has another major version than 1")));
        }
        self.buffer.take(length);
        Ok(())
    }

    pub(super) fn pcapng_record(&mut self) -> Result<Option<BufferedRecord>, Damage> {
        loop {
            let offset = self.buffer.offset();
            let damage = |kind| Damage { offset, kind };
            let Format::Pcapng { big_endian, section } = self.format else { return Ok(None) };
            let begin = self.buffer.peek(4).map_err(|error| damage(DamageKind::Read(error)))?;
            if begin.is_empty() {
                return Ok(None);
            }
            if begin == MAGIC {
                self.section_header()?;
                continue;
            }
            let (kind, length) = self.block_header(big_endian)?;
            match kind {
                IDB_MAGIC => self.interface(length, big_endian)?,
                ISB_MAGIC => self.statistics(length, big_endian, section)?,
                EPB_MAGIC => return self.enhanced(length, big_endian, section).map(Some),
                SPB_MAGIC => return self.simple(length, big_endian, section).map(Some),
                OLD_PACKET => {
                    return Err(damage(DamageKind::Malformed(
                        "a packet is in the old form of a block of type 2",
                    )));
                }
                _ => {
                    let wanted = length as u64;
                    let have = self.buffer.skip(wanted).map_err(|error| damage(DamageKind::Read(error)))?;
                    if have < wanted {
                        let have = usize::try_from(have).unwrap_or(usize::MAX);
                        return Err(damage(DamageKind::Cut { have, wanted: length }));
                    }
                    self.skipped += 1;
                }
            }
        }
    }

    /// Returns the type and the length of the next block.
    fn block_header(&mut self, big_endian: bool) -> Result<(u32, usize), Damage> {
        let offset = self.buffer.offset();
        let damage = |kind| Damage { offset, kind };
        let header = self.buffer.peek(8).map_err(|error| damage(DamageKind::Read(error)))?;
        let Ok([k0, k1, k2, k3, l0, l1, l2, l3]) = <[u8; 8]>::try_from(header) else {
            return Err(damage(DamageKind::Cut { have: header.len(), wanted: 12 }));
        };
        let number = if big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        let length = number([l0, l1, l2, l3]);
        match usize::try_from(length) {
            Ok(length) if length >= 12 && length.is_multiple_of(4) => Ok((number([k0, k1, k2, k3]), length)),
            _ => {
                Err(damage(DamageKind::Malformed("the length of a block is not a multiple of 4 from 12 on")))
            }
        }
    }

    /// Returns the next block as a whole, without taking it.
    fn block(&mut self, length: usize) -> Result<&[u8], Damage> {
        let offset = self.buffer.offset();
        let damage = |kind| Damage { offset, kind };
        if length > MAX_BLOCK {
            return Err(damage(DamageKind::TooLong { length: length as u64, maximum: MAX_BLOCK }));
        }
        let block = self.buffer.peek(length).map_err(|error| damage(DamageKind::Read(error)))?;
        if block.len() < length {
            return Err(damage(DamageKind::Cut { have: block.len(), wanted: length }));
        }
        Ok(block)
    }

    fn interface(&mut self, length: usize, big_endian: bool) -> Result<(), Damage> {
        let damage = self.malformed();
        if self.points.len() >= MAX_POINTS {
            return Err(damage("the file has more than 1024 interfaces"));
        }
        let parse =
            if big_endian { parse_interfacedescriptionblock_be } else { parse_interfacedescriptionblock_le };
        let Ok((_, block)) = parse(self.block(length)?) else {
            return Err(damage("an interface description cannot be read"));
        };
        let link = u16::try_from(block.linktype.0).map_or(LinkType::Other(u16::MAX), LinkType::from_number);
        let point = Point {
            name: text(&block.options, OptionCode::IfName, MAX_NAME),
            comment: text(&block.options, OptionCode::Comment, MAX_COMMENT),
            link,
            snap_length: block.snaplen,
            statistics: None,
        };
        let resolution = option(&block.options, OptionCode::IfTsresol).and_then(|value| value.first());
        let units = match resolution.copied().unwrap_or(6) {
            power @ ..0x80 => 10_u128.checked_pow(u32::from(power)),
            power => 2_u128.checked_pow(u32::from(power & 0x7f)),
        };
        // pcap-parser reads this option as little-endian in every section.
        let offset = number(&block.options, OptionCode::IfTsoffset, big_endian).unwrap_or(0);
        self.clocks.push(Clock { units, offset: offset.cast_signed() });
        self.points.push(point);
        self.buffer.take(length);
        Ok(())
    }

    fn statistics(&mut self, length: usize, big_endian: bool, section: usize) -> Result<(), Damage> {
        let damage = self.malformed();
        let parse =
            if big_endian { parse_interfacestatisticsblock_be } else { parse_interfacestatisticsblock_le };
        let Ok((_, block)) = parse(self.block(length)?) else {
            return Err(damage("an interface statistics block cannot be read"));
        };
        let counter = |code| number(&block.options, OptionCode(code), big_endian);
        let statistics = Statistics {
            received: counter(4),
            dropped_by_interface: counter(5),
            accepted: counter(6),
            dropped_by_system: counter(7),
            delivered: counter(8),
        };
        let index = point(block.if_id, section);
        let Some(point) = index.and_then(|index| self.points.get_mut(index)) else {
            return Err(damage("an interface statistics block is about an interface without a description"));
        };
        point.statistics = Some(statistics);
        self.buffer.take(length);
        Ok(())
    }

    fn enhanced(
        &mut self,
        length: usize,
        big_endian: bool,
        section: usize,
    ) -> Result<BufferedRecord, Damage> {
        let damage = self.malformed();
        let parse = if big_endian { parse_enhancedpacketblock_be } else { parse_enhancedpacketblock_le };
        let Ok((_, block)) = parse(self.block(length)?) else {
            return Err(damage("an enhanced packet block contradicts itself"));
        };
        let units = (u64::from(block.ts_high) << 32) | u64::from(block.ts_low);
        let (kept, original) = (block.caplen as usize, block.origlen);
        let index = point(block.if_id, section);
        let Some((index, clock)) = index.and_then(|index| Some((index, *self.clocks.get(index)?))) else {
            return Err(damage("a packet is of an interface without a description"));
        };
        let bytes = self.kept(ENHANCED_HEADER, kept)?;
        self.buffer.take(length);
        Ok(BufferedRecord { nanos: clock.nanos(units), point: index, length: original, bytes })
    }

    fn simple(&mut self, length: usize, big_endian: bool, section: usize) -> Result<BufferedRecord, Damage> {
        let damage = self.malformed();
        let parse = if big_endian { parse_simplepacketblock_be } else { parse_simplepacketblock_le };
        let Ok((_, block)) = parse(self.block(length)?) else {
            return Err(damage("a simple packet block contradicts itself"));
        };
        let (original, room) = (block.origlen, block.data.len());
        let Some(point) = self.points.get(section) else {
            return Err(damage("a packet is of an interface without a description"));
        };
        let limit = if point.snap_length == 0 { u32::MAX } else { point.snap_length };
        let kept = original.min(limit) as usize;
        if kept > room {
            return Err(damage("a simple packet block is shorter than its packet"));
        }
        let bytes = self.kept(SIMPLE_HEADER, kept)?;
        self.buffer.take(length);
        self.untimed += 1;
        Ok(BufferedRecord { nanos: 0, point: section, length: original, bytes })
    }

    fn kept(&self, start: usize, length: usize) -> Result<std::ops::Range<usize>, Damage> {
        if length > MAX_RECORD {
            let kind = DamageKind::TooLong { length: length as u64, maximum: MAX_RECORD };
            return Err(Damage { offset: self.buffer.offset(), kind });
        }
        Ok(start..start + length)
    }

    fn malformed(&self) -> impl Fn(&'static str) -> Damage + use<R> {
        let offset = self.buffer.offset();
        move |what| Damage { offset, kind: DamageKind::Malformed(what) }
    }
}

/// Returns the index of an interface of a section.
fn point(index: u32, section: usize) -> Option<usize> {
    usize::try_from(index).ok()?.checked_add(section)
}

fn option<'a>(options: &'a [PcapNGOption<'_>], code: OptionCode) -> Option<&'a [u8]> {
    let options = options.iter().take_while(|option| option.code != OptionCode::EndOfOpt);
    options.filter(|option| option.code == code).find_map(|option| option.as_bytes().ok())
}

fn number(options: &[PcapNGOption<'_>], code: OptionCode, big_endian: bool) -> Option<u64> {
    let value = option(options, code)?.first_chunk()?;
    Some(if big_endian { u64::from_be_bytes(*value) } else { u64::from_le_bytes(*value) })
}

/// Returns the text of an option, without the zeros that some programs put at its end.
fn text(options: &[PcapNGOption<'_>], code: OptionCode, maximum: usize) -> Option<String> {
    let value = option(options, code)?;
    let value = value.get(..maximum).unwrap_or(value);
    let text = String::from_utf8_lossy(value);
    let text = text.trim_end_matches('\0');
    (!text.is_empty()).then(|| text.to_owned())
}
