//! Log files of a running host.

use super::{Origin, Read, ReadError};
use crate::{HostLog, LogStream, NodeName, kubernetes::host_files};
use bytes::Bytes;
use jiff::Timestamp;
use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// `O_NONBLOCK` of Linux: a pipe in a log's place is opened without waiting for a writer.
const O_NONBLOCK: i32 = 0o4000;
/// What is read at once.
const PIECE: usize = 64 << 10;

/// Opens a log below a host's root directory. It is read to where it ends now.
pub(super) fn open(
    root: &Path,
    node: &NodeName,
    source: &str,
    log: HostLog,
) -> Result<Read<LogStream>, ReadError> {
    let found = |log: HostLog| {
        let files = host_files(log).iter().filter(|file| !file.starts_with("sos_commands/"));
        files.map(|file| (root.join(file), *file)).find(|(path, _)| path.is_file())
    };
    let Some((path, shown)) = found(log) else {
        let files: Vec<&str> =
            host_files(log).iter().copied().filter(|file| file.starts_with("var/")).collect();
        let why = match files.as_slice() {
            [] => "it is in the journal only, which this source does not read".into(),
            files => format!("there is no /{}", files.join(", /")),
        };
        return Err(ReadError::NotCollected {
            what: format!("the log of {log}"),
            node: node.clone(),
            source_name: source.into(),
            why: Some(why),
            instead: HostLog::ALL
                .into_iter()
                .filter(|log| found(*log).is_some())
                .map(|log| format!("log={log}"))
                .collect(),
        });
    };
    let failed = |e: io::Error| ReadError::unreadable(format!("/{shown} of {node}"), e);
    let file = File::options().read(true).custom_flags(O_NONBLOCK).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(io::Error::other("it is no file")));
    }
    let (sender, stream) = LogStream::channel();
    // As long as it is now: a log that grows faster than it is read has no end.
    let mut content = file.take(metadata.len());
    tokio::task::spawn_blocking(move || {
        let mut buffer = vec![0; PIECE];
        loop {
            let piece = match content.read(&mut buffer) {
                Ok(0) => return,
                Ok(n) => Ok(Bytes::copy_from_slice(buffer.get(..n).unwrap_or_default())),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => Err(e),
            };
            let last = piece.is_err();
            if sender.blocking_send(piece).is_err() || last {
                return;
            }
        }
    });
    let origin = Origin { what: format!("/{shown}"), when: Some(Timestamp::now()) };
    Ok(Read { value: stream, origin, notes: Vec::new() })
}
