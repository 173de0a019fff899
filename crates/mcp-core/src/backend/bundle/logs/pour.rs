//! The bytes of a log, from its files into a stream.

use super::{Lines, Piece, containers::plain};
use crate::{Deadline, LogStream, backend::bundle::cluster::Cluster};
use bytes::Bytes;
use std::{
    io::{self, Read},
    sync::Arc,
};
use tokio::sync::mpsc::Sender;

/// What is read at once.
const PIECE: usize = 64 << 10;
/// No line of a journal is longer; what is, is not looked into.
const LINE: usize = 1 << 20;

/// Begins to read. It ends with the log, with an error, or when nobody listens any more.
pub(super) fn start(cluster: Arc<Cluster>, bundle: usize, pieces: Vec<Piece>) -> LogStream {
    let (sender, stream) = LogStream::channel();
    let deadline = Deadline::current();
    let pour = move || {
        let Some(one) = cluster.bundles.get(bundle) else { return };
        for Piece { path, lines, shown } in pieces {
            let mut pour = Pour { sender: &sender, lines, line: Vec::new(), last: b'\n' };
            let result = one.files.pour(&path, &mut |content| pour.all(content));
            if let Err(e) = result {
                // What came before has been given; the next file can still be read.
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

struct Pour<'a> {
    sender: &'a Sender<io::Result<Bytes>>,
    lines: Lines,
    /// The beginning of a line whose end is not yet read, where lines are looked into.
    line: Vec<u8>,
    last: u8,
}

impl Pour<'_> {
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
            let line = std::mem::take(&mut self.line);
            self.send(if self.lines.has(&line) { &line } else { b"" });
        }
        // The first line of the next file is no continuation.
        if self.last != b'\n' {
            self.send(b"\n");
        }
        Ok(())
    }

    /// False: nobody listens.
    fn give(&mut self, bytes: &[u8]) -> bool {
        if self.lines.are_all() {
            return self.send(bytes);
        }
        let mut kept = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() < LINE {
                self.line.extend_from_slice(part);
            }
            if part.ends_with(b"\n") {
                if self.lines.has(&self.line) {
                    kept.append(&mut self.line);
                }
                self.line.clear();
            }
        }
        self.send(&kept)
    }

    fn send(&mut self, bytes: &[u8]) -> bool {
        let Some(last) = bytes.last() else { return !self.sender.is_closed() };
        self.last = *last;
        self.sender.blocking_send(Ok(Bytes::copy_from_slice(bytes))).is_ok()
    }
}

impl Lines {
    fn are_all(&self) -> bool {
        self.host.is_none() && self.programs.is_empty()
    }

    /// `Nov 22 08:12:01 host program[123]: …`: the host and the program stand among the first words.
    fn has(&self, line: &[u8]) -> bool {
        /// A date of three words, or of one, the host and the program; `oc adm node-logs` may put a host before it.
        const WORDS: usize = 6;
        let head = String::from_utf8_lossy(line.get(..256).unwrap_or(line)).into_owned();
        let mut words = head.split_whitespace().take(WORDS);
        // A message may begin like another program's line: the first that ends so is the one that wrote it.
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

/// By its name, or by one with the domain left out.
fn is_host(host: &str, word: &str) -> bool {
    let label = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    word == host || word == label(host) || host == label(word)
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn lines_of_a_journal_tell_host_and_program() {
        let kubelet = Lines { host: "master-0.example.com".parse().ok(), programs: &["kubelet"] };
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
