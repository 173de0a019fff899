//! The journal of a running host, where a log has no file of its own.

use super::{Origin, Read, ReadError};
use crate::{Argv, HostLog, LogQuery, LogStream, Target, argv::SystemdUnit, commands, commands::JournalPart};
use bytes::Bytes;
use jiff::Timestamp;
use std::{io, time::Instant};
use tokio::{io::AsyncReadExt, process::Child};

/// What is read at once.
const PIECE: usize = 64 << 10;
/// What journalctl prints of a unit that never ran.
const NONE: &[u8] = b"-- No entries --";
/// More than it says of what went wrong.
const MAX_ERROR: u64 = 4 << 10;

/// Opens the journal of a log: of the first of its units that has an entry. The inner error says what was looked for.
pub(super) async fn open(
    at: &Target,
    log: HostLog,
    query: &LogQuery,
    spawn: impl Fn(&Argv) -> Result<Child, ReadError>,
) -> Result<Result<Read<LogStream>, String>, ReadError> {
    let units: Vec<Option<SystemdUnit>> = match log {
        HostLog::Kernel => vec![None],
        log => SystemdUnit::of(log).map(Some).collect(),
    };
    let part = match (query.since, query.tail.and_then(|lines| lines.try_into().ok())) {
        (Some(since), _) => JournalPart::Since(since.as_second().try_into().unwrap_or(0)),
        (None, Some(lines)) => JournalPart::Last(lines),
        (None, None) => JournalPart::All,
    };
    let deadline = Instant::now() + at.within;
    let mut looked = Vec::new();
    for unit in units {
        let argv = commands::journal_of(unit, part);
        let mut child = match spawn(&argv) {
            Ok(child) => child,
            Err(ReadError::NoProgram { .. }) => {
                return Ok(Err("there is no journalctl to read the journal with".into()));
            }
            Err(e) => return Err(e),
        };
        let first = tokio::time::timeout_at(deadline.into(), first(&mut child)).await;
        let first = first
            .map_err(|_| ReadError::timed_out(argv.to_string(), &at.node, at.within, &Default::default()))?;
        match first.map_err(|e| ReadError::unreadable(format!("the output of `{argv}`"), e))? {
            First::Piece(piece) => {
                let origin = Origin::new(argv.to_string(), Some(Timestamp::now()));
                return Ok(Ok(Read { value: forward(piece, child), origin, notes: Vec::new() }));
            }
            First::Nothing => looked.push(format!("`{argv}` found no entries")),
            First::Failed(said) => looked.push(format!("`{argv}` failed: {said}")),
        }
    }
    Ok(Err(looked.join(", ")))
}

/// What the program began with.
enum First {
    Piece(Bytes),
    Nothing,
    Failed(String),
}

async fn first(child: &mut Child) -> io::Result<First> {
    let piece = match child.stdout.as_mut() {
        Some(out) => next(out).await?,
        None => Bytes::new(),
    };
    if !piece.is_empty() && !piece.starts_with(NONE) {
        return Ok(First::Piece(piece));
    }
    let (status, said) = end(child).await?;
    // nsenter(1) says 127 for a program that is not there.
    Ok(if status { First::Nothing } else { First::Failed(said) })
}

/// A piece; empty: that was all.
async fn next(out: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Bytes> {
    let mut piece = Vec::with_capacity(PIECE);
    out.read_buf(&mut piece).await?;
    Ok(piece.into())
}

/// Did it end well, and what did it complain of?
async fn end(child: &mut Child) -> io::Result<(bool, String)> {
    let mut said = Vec::new();
    if let Some(err) = child.stderr.take() {
        err.take(MAX_ERROR).read_to_end(&mut said).await?;
    }
    let status = child.wait().await?;
    Ok((status.success(), String::from_utf8_lossy(&said).trim().to_owned()))
}

/// The rest of what it prints. The program ends with whoever listens.
fn forward(first: Bytes, mut child: Child) -> LogStream {
    let (sender, stream) = LogStream::channel();
    tokio::spawn(async move {
        let mut piece = Ok(first);
        loop {
            let is_last = piece.is_err();
            if sender.send(piece).await.is_err() || is_last {
                return;
            }
            let Some(out) = child.stdout.as_mut() else { return };
            piece = tokio::select! {
                piece = next(out) => piece,
                () = sender.closed() => return,
            };
            if piece.as_ref().is_ok_and(Bytes::is_empty) {
                break;
            }
        }
        if let Ok((false, said)) = end(&mut child).await {
            _ = sender.send(Err(io::Error::other(format!("journalctl failed: {said}")))).await;
        }
    });
    stream
}
