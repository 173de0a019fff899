//! The packets of a kept capture or of a file, read once from beginning to end.

use capture::{
    file::{Damage, Reader},
    frame::Frame,
};
use mcp_core::{BundleFile, Capture, ClusterReader, ReadError, ToolError, must_stop};
use std::{
    io::{self, Read},
    sync::Arc,
};

/// Where packets come from.
#[derive(Clone, Debug)]
pub(crate) enum PacketSource {
    /// A capture that the server keeps.
    Kept(Arc<Capture>),
    /// A file of a bundle.
    File(BundleFile),
}

/// A packet of a capture.
#[derive(Debug)]
pub(crate) struct Packet<'a> {
    /// The index of its point.
    pub(crate) point: usize,
    /// Its time in nanoseconds since 1970.
    pub(crate) nanos: u64,
    /// Its length on the wire in bytes.
    pub(crate) length: u32,
    pub(crate) frame: &'a Frame,
}

/// What is known about a point after its packets were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PointRead {
    pub(crate) name: String,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// The times of the first and the last packet in nanoseconds since 1970.
    pub(crate) times: Option<(u64, u64)>,
    /// The packets that the kernel dropped, if the capture says so.
    pub(crate) dropped: Option<u64>,
    /// Why the packets of the point were not read to their end.
    pub(crate) problem: Option<String>,
}

/// Takes the packets, one point after the other.
pub(crate) trait TakePackets: Send + 'static {
    fn take(&mut self, packet: &Packet<'_>);
}

impl PacketSource {
    /// Passes all packets to `to`, and returns it with the points.
    pub(crate) async fn read<T: TakePackets>(
        &self,
        cluster: &ClusterReader<'_>,
        mut to: T,
    ) -> Result<(T, Vec<PointRead>), ToolError> {
        match self {
            Self::Kept(kept) => {
                let mut points = Vec::new();
                for part in kept.parts() {
                    let before = points.len();
                    read_points(part.reader(), &mut to, &mut points, Some(part.name()))
                        .map_err(|e| ReadError::unreadable("the capture", e))?;
                    if points.len() == before {
                        points.push(PointRead { name: part.name().to_owned(), ..PointRead::default() });
                    }
                }
                Ok((to, points))
            }
            Self::File(file) => {
                let name = file.path.rsplit('/').next().unwrap_or_default().to_owned();
                let read = move |content: &mut dyn Read| {
                    let mut points = Vec::new();
                    read_points(content, &mut to, &mut points, None)?;
                    for point in points.iter_mut().filter(|point| point.name.is_empty()) {
                        point.name.clone_from(&name);
                    }
                    Ok((to, points))
                };
                Ok(cluster.binary(file, read).await?)
            }
        }
    }
}

/// Reads one capture file, which may have several points. A part of a kept capture has one point, with this name.
fn read_points(
    from: impl Read,
    to: &mut impl TakePackets,
    points: &mut Vec<PointRead>,
    name: Option<&str>,
) -> io::Result<()> {
    /// How often the time limit is checked, in packets.
    const CHECKED_EVERY: u64 = 1024;
    let first = points.len();
    let mut reader = match Reader::open(from) {
        Ok(reader) => reader,
        // A part that ended before its first packet is empty, and not damaged.
        Err(e) if name.is_some() => {
            let problem = Some(mcp_core::chain(&e));
            points.push(PointRead {
                name: name.unwrap_or_default().to_owned(),
                problem,
                ..PointRead::default()
            });
            return Ok(());
        }
        Err(e) => return Err(io::Error::other(e)),
    };
    let (mut count, mut problem) = (0, None);
    loop {
        let (point, nanos, length, bytes) = match reader.next() {
            None => break,
            Some(Err(damage)) => {
                problem = Some(damage);
                break;
            }
            Some(Ok(record)) => (record.point, record.nanos, record.length, record.bytes.to_vec()),
        };
        count += 1;
        if count % CHECKED_EVERY == 0 && must_stop() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the time of the call is over"));
        }
        let link = reader.points().get(point).map(|point| point.link);
        let Some(link) = link else { continue };
        points.resize_with(points.len().max(first + point + 1), PointRead::default);
        let frame = Frame::dissect_of(link, &bytes, length);
        to.take(&Packet { point: first + point, nanos, length, frame: &frame });
        if let Some(read) = points.get_mut(first + point) {
            read.packets += 1;
            read.bytes += u64::from(length);
            let (start, end) = read.times.unwrap_or((nanos, nanos));
            read.times = Some((start.min(nanos), end.max(nanos)));
        }
    }
    points.resize_with(points.len().max(first + reader.points().len()), PointRead::default);
    for (read, point) in points.iter_mut().skip(first).zip(reader.points()) {
        read.name = name.or(point.name.as_deref()).unwrap_or_default().to_owned();
        read.dropped = point.statistics.and_then(|counts| counts.dropped_by_system);
        read.problem = problem.as_ref().map(said);
    }
    Ok(())
}

/// What a user needs to know about damage. A live capture may end inside its last packet.
fn said(damage: &Damage) -> String {
    mcp_core::chain(damage)
}
