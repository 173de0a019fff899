//! Streams the bytes of a log from its files.

use super::{LineFilter, LogPiece, containers::plain};
use crate::{Deadline, LogStream, backend::bundle::cluster::BundledCluster};
use bytes::Bytes;
use std::{
    io::{self, Read},
    sync::Arc,
};
use tokio::sync::mpsc::Sender;

/// The size of one read, in bytes.
const PIECE: usize = 64 << 10;
/// The limit of a line in bytes, if lines are selected. A longer line is cut here, and says so.
const LINE: usize = 1 << 20;

/// Starts to read. Reading ends with the log, or when nobody reads the stream any more.
pub(super) fn start(cluster: Arc<BundledCluster>, bundle: usize, pieces: Vec<LogPiece>) -> LogStream {
    let (sender, stream) = LogStream::channel();
    let deadline = Deadline::current();
    let pour = move || {
        let Some(one) = cluster.bundles.get(bundle) else { return };
        for LogPiece { path, lines, shown } in pieces {
            let mut pour = LogWriter { sender: &sender, lines, line: Vec::new(), cut: 0, last: b'\n' };
            let result = one.files.pour(&path, &mut |content| pour.all(content));
            if let Err(e) = result {
                // The text before the error was sent, and the next file can still be read.
                let e = match Deadline::current().check() {
                    Ok(()) => io::Error::other(format!("{shown}: {e}")),
                    Err(over) => over.into(),
                };
                if sender.blocking_send(Err(e)).is_err() {
                    return;
                }
            }
            if sender.is_closed() {
                return;
            }
        }
    };
    tokio::task::spawn_blocking(move || deadline.during(pour));
    stream
}

struct LogWriter<'a> {
    sender: &'a Sender<io::Result<Bytes>>,
    lines: LineFilter,
    /// The beginning of a line whose end has not been read yet, if lines are selected.
    line: Vec<u8>,
    /// The number of bytes of this line that are not kept.
    cut: usize,
    last: u8,
}

impl LogWriter<'_> {
    fn all(&mut self, content: &mut dyn Read) -> io::Result<()> {
        let mut content = plain(content)?;
        let mut buffer = vec![0; PIECE];
        loop {
            let n = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if !self.give(buffer.get(..n).unwrap_or_default()) {
                return Ok(());
            }
        }
        if !self.line.is_empty() {
            let line = self.end_line();
            self.send(&line);
        }
        // A missing newline is added, so that the first line of the next file does not continue this line.
        if self.last != b'\n' {
            self.send(b"\n");
        }
        Ok(())
    }

    /// Sends the selected lines of a piece. Returns false if nobody reads the stream any more.
    fn give(&mut self, bytes: &[u8]) -> bool {
        if self.lines.are_all() {
            return self.send(bytes);
        }
        let mut kept = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            let (fits, rest) = text.split_at(text.len().min(LINE.saturating_sub(self.line.len())));
            self.line.extend_from_slice(fits);
            self.cut += rest.len();
            if text.len() < part.len() {
                kept.append(&mut self.end_line());
                if !kept.is_empty() && !kept.ends_with(b"\n") {
                    kept.push(b'\n');
                }
            }
        }
        self.send(&kept)
    }

    /// Returns the line that was read, without its newline, if it is selected.
    fn end_line(&mut self) -> Vec<u8> {
        let mut line = std::mem::take(&mut self.line);
        let cut = std::mem::take(&mut self.cut);
        if !self.lines.has(&line) {
            return Vec::new();
        }
        if cut > 0 {
            line.extend_from_slice(format!(" … [{cut} more bytes of this line are cut]").as_bytes());
        }
        line
    }

    fn send(&mut self, bytes: &[u8]) -> bool {
        let Some(last) = bytes.last() else { return !self.sender.is_closed() };
        self.last = *last;
        self.sender.blocking_send(Ok(Bytes::copy_from_slice(bytes))).is_ok()
    }
}

impl LineFilter {
    fn are_all(&self) -> bool {
        self.host.is_none() && self.programs.is_empty()
    }

    /// Returns true if the line belongs to the log. The host and the program are among the first words: `Nov 22
    /// 08:12:01 host program[123]: …`.
    fn has(&self, line: &[u8]) -> bool {
        /// The number of words to search: a date of one or three words, the host and the program. `oc adm node-logs`
        /// may put a host in front.
        const WORDS: usize = 6;
        let head = String::from_utf8_lossy(line.get(..256).unwrap_or(line)).into_owned();
        let mut words = head.split_whitespace().take(WORDS);
        // A message may contain a text like another program's prefix, so the first such word names the program.
        let (mut of_host, mut program) = (self.host.is_none(), None);
        while let (None, Some(word)) = (program, words.next()) {
            match word.strip_suffix(':') {
                Some(tag) => program = tag.split('[').next(),
                None => of_host |= self.host.as_ref().is_some_and(|host| is_host(host.as_str(), word)),
            }
        }
        of_host
            && (self.programs.is_empty() || program.is_some_and(|program| self.programs.contains(&program)))
    }
}

/// Compares host names, in full or without their domains.
fn is_host(host: &str, word: &str) -> bool {
    let label = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    word == host || word == label(host) || host == label(word)
}

#[cfg(test)]
mod tests {
    use super::LineFilter;

    #[test]
    fn journal_lines_are_selected_by_host_and_program() {
        let kubelet = LineFilter { host: "master-0.example.com".parse().ok(), programs: &["kubelet"] };
        for (line, has) in [
            ("Nov 22 08:12:01.123456 master-0 kubelet[123]: I1122 …", true),
            ("2026-11-22T08:12:01+0000 master-0.example.com kubelet[123]: x", true),
            ("Nov 22 08:12:01 master-1 kubelet[123]: x", false),
            ("Nov 22 08:12:01 master-0 crio[123]: kubelet[1]: x", false),
            ("Nov 22 08:12:01 master-0.example.org kubelet[123]: x", false),
            ("Nov 22 08:12:01 master-1 kubelet[123]: master-0 is gone", false),
            ("-- No entries --", false),
            ("", false),
        ] {
            assert_eq!(kubelet.has(line.as_bytes()), has, "{line}");
        }
    }
}
