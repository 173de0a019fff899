//! Reads the log files of a running host.

use super::{
    Origin, ReadError, ReadValue,
    bundle::plain,
    nofollow::{Folder, Root},
};
use crate::{Deadline, HostLog, LogQuery, LogStream, NodeName, deadline::Timed, kubernetes::host_files};
use bytes::Bytes;
use jiff::Timestamp;
use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
    time::SystemTime,
};
use tokio::sync::mpsc::Sender;

/// The size of one read, in bytes.
const PIECE: usize = 64 << 10;

/// Opens a log below a host's root directory, preceded by its rotated files as far back as the query asks. Each file is
/// read up to its length at this moment.
pub(super) fn open(
    root: &Path,
    node: &NodeName,
    source: &str,
    log: HostLog,
    query: &LogQuery,
) -> Result<ReadValue<LogStream>, ReadError> {
    let unreadable = |path: &str, e: io::Error| ReadError::unreadable(format!("/{path} of {node}"), e);
    let root = Root::open(root).map_err(|e| unreadable("", e))?;
    let found = |log: HostLog| {
        let files = host_files(log).iter().copied();
        root.first_existing(files.filter(|file| !file.starts_with("sos_commands/")))
    };
    let Some((shown, file)) = found(log) else {
        let files: Vec<&str> =
            host_files(log).iter().copied().filter(|file| file.starts_with("var/")).collect();
        let why = match files.as_slice() {
            [] => None,
            files => Some(format!("not found: /{}", files.join(", /"))),
        };
        return Err(ReadError::NotCollected {
            what: format!("the {log} log"),
            node: node.clone(),
            source_name: source.into(),
            why,
            instead: HostLog::ALL
                .into_iter()
                .filter(|log| found(*log).is_some())
                .map(|log| format!("log={log}"))
                .collect(),
        });
    };
    let failed = |e: io::Error| unreadable(shown, e);
    let file = file.map_err(failed)?;
    let (folder, name) = shown.rsplit_once('/').unwrap_or(("", shown));
    let rotated = rotated(&root.folder(folder).map_err(failed)?, name);
    let mut notes = Vec::new();
    let wanted: Vec<File> = match query.since {
        Some(since) => {
            let since = SystemTime::from(since);
            rotated.into_iter().filter(|(end, _)| *end >= since).map(|(_, file)| file).collect()
        }
        None if rotated.is_empty() => Vec::new(),
        None => {
            notes.push(format!(
                "rotated files with older lines: {}; pass `since` to read them too",
                rotated.len()
            ));
            Vec::new()
        }
    };
    let what = match wanted.len() {
        0 => format!("/{shown}"),
        n => format!("/{shown} and {n} rotated files"),
    };
    let mut contents: Vec<(File, u64)> = wanted.into_iter().filter_map(|file| content(file).ok()).collect();
    contents.push(content(file).map_err(failed)?);
    let (sender, stream) = LogStream::channel();
    let deadline = Deadline::current();
    let pour = move || contents.into_iter().all(|content| pour(&sender, content));
    tokio::task::spawn_blocking(move || deadline.during(pour));
    Ok(ReadValue { value: stream, origin: Origin::new(what, Some(Timestamp::now())), notes })
}

/// The rotated files of a log, oldest first, with their modification times: `x.log.1`, `x.log-20261122.gz`.
fn rotated(folder: &Folder, name: &str) -> Vec<(SystemTime, File)> {
    let of = |other: std::ffi::OsString| {
        let is_older = other.to_string_lossy().strip_prefix(name)?.starts_with(['-', '.']);
        let file = is_older.then(|| folder.file(other.as_ref()).ok())??;
        Some((file.metadata().ok()?.modified().ok()?, other, file))
    };
    let mut all: Vec<_> = folder.names().unwrap_or_default().into_iter().filter_map(of).collect();
    all.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    all.into_iter().map(|(end, _, file)| (end, file)).collect()
}

/// Returns a file with its current length. The length bounds the read, because a log that grows faster than it is read
/// has no end.
fn content(file: File) -> io::Result<(File, u64)> {
    let len = file.metadata()?.len();
    Ok((file, len))
}

/// Sends the text of a file. Returns false if nobody reads the stream any more.
fn pour(sender: &Sender<io::Result<Bytes>>, (file, len): (File, u64)) -> bool {
    let mut content = Timed::new(file.take(len));
    let mut content = match plain(&mut content) {
        Ok(content) => content,
        Err(e) => return sender.blocking_send(Err(e)).is_ok(),
    };
    let (mut buffer, mut last) = (vec![0; PIECE], b'\n');
    loop {
        let piece = match content.read(&mut buffer) {
            // A missing newline is added, so that the first line of the next file does not continue this line.
            Ok(0) => return last == b'\n' || sender.blocking_send(Ok(Bytes::from_static(b"\n"))).is_ok(),
            Ok(n) => Ok(Bytes::copy_from_slice(buffer.get(..n).unwrap_or_default())),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => Err(e),
        };
        last = piece.as_ref().ok().and_then(|piece| piece.last().copied()).unwrap_or(b'\n');
        let failed = piece.is_err();
        if sender.blocking_send(piece).is_err() {
            return false;
        }
        if failed {
            // The text before the error was sent, and the next file can still be read.
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogSource;
    use std::{fs, io::Write as _, time::Duration};

    async fn text(root: &Path, since: Option<&str>) -> (String, ReadValue<()>) {
        let node: NodeName = "here".parse().unwrap();
        let log = HostLog::OvsVswitchd;
        let source = LogSource::Host { node: node.clone(), log };
        let query = LogQuery { source, since: since.map(|time| time.parse().unwrap()), tail: None };
        let mut read = open(root, &node, "local", log, &query).unwrap();
        let mut text = Vec::new();
        while let Some(piece) = read.value.next().await {
            text.extend_from_slice(&piece.unwrap());
        }
        let (origin, notes) = (read.origin, read.notes);
        (String::from_utf8(text).unwrap(), ReadValue { value: (), origin, notes })
    }

    #[tokio::test]
    async fn rotated_files_are_read_first_as_far_back_as_since_asks() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("var/log/openvswitch");
        fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, content: &[u8], day: u64| {
            let path = folder.join(name);
            fs::write(&path, content).unwrap();
            let end = SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400);
            File::options().write(true).open(path).unwrap().set_modified(end).unwrap();
        };
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b"second, without an end").unwrap();
        write("ovs-vswitchd.log", b"fourth\n", 103);
        write("ovs-vswitchd.log.1", b"third\n", 102);
        write("ovs-vswitchd.log.2.gz", &packed.finish().unwrap(), 101);
        write("ovs-vswitchd.log.3", b"first\n", 100);
        write("ovs-vswitchd.logs", b"another\n", 102);
        fs::create_dir(folder.join("ovs-vswitchd.log.old")).unwrap();
        let (now, read) = text(root.path(), None).await;
        assert_eq!(now, "fourth\n");
        assert_eq!(read.notes, ["rotated files with older lines: 3; pass `since` to read them too"]);
        // 1970-04-12 is day 101.
        let (since, read) = text(root.path(), Some("1970-04-11T12:00:00Z")).await;
        assert_eq!(since, "second, without an end\nthird\nfourth\n");
        assert_eq!(read.origin.what, "/var/log/openvswitch/ovs-vswitchd.log and 2 rotated files");
        assert_eq!(text(root.path(), Some("1970-01-01T00:00:00Z")).await.0, format!("first\n{since}"));
    }
    #[tokio::test]
    async fn a_symbolic_link_in_place_of_a_log_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("root/var/log/openvswitch");
        fs::create_dir_all(&folder).unwrap();
        let secret = dir.path().join("shadow");
        fs::write(&secret, "root:secret\n").unwrap();
        std::os::unix::fs::symlink(&secret, folder.join("ovs-vswitchd.log")).unwrap();
        let (node, log): (NodeName, _) = ("here".parse().unwrap(), HostLog::OvsVswitchd);
        let source = LogSource::Host { node: node.clone(), log };
        let query = LogQuery { source, since: Some(Timestamp::UNIX_EPOCH), tail: None };
        let open = |path: &Path| open(path, &node, "local", log, &query).map(|read| read.value);
        let e = crate::error::chain(&open(&dir.path().join("root")).err().unwrap());
        assert!(e.contains("ovs-vswitchd.log is a symbolic link, and links are not followed"), "{e}");
        // A symbolic link among the rotated files is not followed either.
        fs::remove_file(folder.join("ovs-vswitchd.log")).unwrap();
        fs::write(folder.join("ovs-vswitchd.log"), "now\n").unwrap();
        std::os::unix::fs::symlink(&secret, folder.join("ovs-vswitchd.log.1")).unwrap();
        let (now, _) = text(&dir.path().join("root"), Some("1970-01-01T00:00:00Z")).await;
        assert_eq!(now, "now\n");
    }
}
