//! Reads the journal of a running host, for logs that have no file of their own.

use super::{Origin, ReadError, ReadValue};
use crate::{
    Argv, CommandTarget, HostLog, LogQuery, LogStream, argv::SystemdUnit, commands, commands::JournalPart,
};
use bytes::Bytes;
use jiff::Timestamp;
use std::{io, time::Instant};
use tokio::{io::AsyncReadExt, process::Child};

/// The size of one read, in bytes.
const PIECE: usize = 64 << 10;
/// The text that journalctl prints for a unit without entries.
const NONE: &[u8] = b"-- No entries --";
/// The limit of journalctl's error output, in bytes.
const MAX_ERROR: u64 = 4 << 10;

/// Opens the journal of the first unit of a log that has an entry. The inner error says which units were tried.
pub(super) async fn open(
    at: &CommandTarget,
    log: HostLog,
    query: &LogQuery,
    spawn: impl Fn(&Argv) -> Result<Child, ReadError>,
) -> Result<Result<ReadValue<LogStream>, String>, ReadError> {
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
                return Ok(Err("journalctl is not installed".into()));
            }
            Err(e) => return Err(e),
        };
        let first = tokio::time::timeout_at(deadline.into(), read_first(&mut child)).await;
        let first = first
            .map_err(|_| ReadError::timed_out(argv.to_string(), &at.node, at.within, &Default::default()))?;
        match first.map_err(|e| ReadError::unreadable(format!("the output of `{argv}`"), e))? {
            FirstOutput::Piece(piece) => {
                let origin = Origin::new(argv.to_string(), Some(Timestamp::now()));
                return Ok(Ok(ReadValue { value: forward(piece, child), origin, notes: Vec::new() }));
            }
            FirstOutput::Nothing => looked.push(format!("`{argv}` found no entries")),
            FirstOutput::Failed(said) => looked.push(format!("`{argv}` failed: {said}")),
        }
    }
    Ok(Err(looked.join(", ")))
}

/// The first output of journalctl.
enum FirstOutput {
    Piece(Bytes),
    Nothing,
    Failed(String),
}

async fn read_first(child: &mut Child) -> io::Result<FirstOutput> {
    let piece = match child.stdout.as_mut() {
        Some(out) => read_piece(out).await?,
        None => Bytes::new(),
    };
    if !piece.is_empty() && !piece.starts_with(NONE) {
        return Ok(FirstOutput::Piece(piece));
    }
    let (status, said) = wait_for_end(child).await?;
    // nsenter(1) exits with 127 if the program does not exist.
    Ok(if status { FirstOutput::Nothing } else { FirstOutput::Failed(said) })
}

/// Reads the next piece; an empty piece means the end.
async fn read_piece(out: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Bytes> {
    let mut piece = Vec::with_capacity(PIECE);
    out.read_buf(&mut piece).await?;
    Ok(piece.into())
}

/// Waits for the program, and returns whether it succeeded and what it wrote to standard error.
async fn wait_for_end(child: &mut Child) -> io::Result<(bool, String)> {
    let mut said = Vec::new();
    if let Some(err) = child.stderr.take() {
        err.take(MAX_ERROR).read_to_end(&mut said).await?;
    }
    let status = child.wait().await?;
    Ok((status.success(), String::from_utf8_lossy(&said).trim().to_owned()))
}

/// Streams the first piece and the rest of the output. The program ends when nobody reads the stream any more.
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
                piece = read_piece(out) => piece,
                () = sender.closed() => return,
            };
            if piece.as_ref().is_ok_and(Bytes::is_empty) {
                break;
            }
        }
        if let Ok((false, said)) = wait_for_end(&mut child).await {
            _ = sender.send(Err(io::Error::other(format!("journalctl failed: {said}")))).await;
        }
    });
    stream
}
