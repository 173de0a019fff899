//! Searches the files of a bundle, within limits of time and memory.

use crate::log::{RedactedSearch, Splitter};
use mcp_core::{Answer, BundleFile, ClusterReader, Deadline, LogQuery, LogSource, ReadError, Row, chain};
use std::{
    collections::BTreeMap,
    error::Error,
    io::ErrorKind,
    sync::Arc,
    time::{Duration, Instant},
};

/// The maximum number of matching lines that a search keeps.
const FOUND: usize = 2_000;
/// The maximum number of packed files that a search unpacks. Unpacking one costs as much as opening the bundle.
const PACKED: usize = 4;
/// The maximum number of bytes of a line that a search shows.
const SHOWN: usize = 400;
/// The time that is reserved for the notes after the time limit for reading.
pub(crate) const REST: Duration = Duration::from_secs(1);

/// Returns the query for the text of a file.
pub(crate) fn query(file: &BundleFile) -> LogQuery {
    let source = LogSource::File { bundle: file.bundle.clone(), path: file.path.clone() };
    LogQuery { source, since: None, tail: None }
}

/// The progress of a search: the matching lines so far, and the files that could not be searched.
#[derive(Default)]
struct FileSearch {
    rows: Vec<Row>,
    searched: usize,
    packed: usize,
    /// For each reason why files could not be read: the number of files and the path of the first one.
    unread: BTreeMap<String, (usize, String)>,
    full: bool,
    late: bool,
}

/// Searches files until a limit of time or memory is reached.
pub(crate) async fn search_all(
    cluster: &ClusterReader<'_>,
    files: &[BundleFile],
    pattern: &RedactedSearch,
) -> Answer {
    let deadline = Instant::now() + cluster.within().saturating_sub(REST);
    let too_many_packed = files.iter().filter(|file| file.is_packed).count() > PACKED;
    let mut found = FileSearch::default();
    for file in files {
        if too_many_packed && file.is_packed {
            found.packed += 1;
            continue;
        }
        if found.full || found.late || Instant::now() >= deadline {
            found.late |= !found.full;
            break;
        }
        found.search(cluster, file, pattern, deadline).await;
    }
    found.answer(files.len())
}

impl FileSearch {
    async fn search(
        &mut self,
        cluster: &ClusterReader<'_>,
        file: &BundleFile,
        pattern: &RedactedSearch,
        deadline: Instant,
    ) {
        let mut stream = match cluster.log(&query(file)).await {
            Ok(stream) => stream,
            Err(e) => return self.not_read(file, cause(&e)),
        };
        self.searched += 1;
        let heading: Arc<str> = format!("{} in {}:", file.path, file.bundle).into();
        let mut number = 0_usize;
        let (rows, full, late) = (&mut self.rows, &mut self.full, &mut self.late);
        let call = Deadline::current();
        let mut take = |line: &str| {
            // Matching can be slow, and one piece has thousands of lines, so the time is checked after each line.
            *late = *late || Instant::now() >= deadline || call.is_over();
            if *late {
                return;
            }
            number += 1;
            match pattern.find(line) {
                Some(_) if rows.len() == FOUND => *full = true,
                Some((at, shown)) => {
                    let text = format!("  {number}: {}", around(&shown, at));
                    rows.push(Row::line(text).under(&heading));
                }
                None => {}
            }
        };
        let (mut failed, mut timed_out) = (None, false);
        let mut splitter = Splitter::default();
        while let Some(piece) = stream.next_before(deadline).await {
            match piece {
                Ok(bytes) => splitter.feed(&bytes, &mut take),
                Err(e) if e.kind() == ErrorKind::TimedOut => {
                    timed_out = true;
                    break;
                }
                Err(e) => failed = Some(chain(&e)),
            }
        }
        splitter.finish(&mut take);
        self.late |= timed_out;
        if let Some(why) = failed {
            self.not_read(file, why);
        }
    }

    fn not_read(&mut self, file: &BundleFile, why: String) {
        self.unread.entry(why).or_insert_with(|| (0, file.path.clone())).0 += 1;
    }

    fn answer(self, files: usize) -> Answer {
        let mut notes = vec![format!("{} of {files} files were searched", self.searched)];
        if self.packed > 0 {
            notes.push(format!(
                "{} files are packed in an archive and were not searched; pass a longer `path` that matches at most {PACKED} \
                 of them",
                self.packed
            ));
        }
        if self.full {
            notes.push(format!(
                "the search stopped after {FOUND} matching lines; pass a longer `path` or `search`"
            ));
        }
        if self.late {
            notes.push(
                "the search reached its time limit; pass a longer `path` or raise timeout_seconds".into(),
            );
        }
        notes.extend(self.unread.into_iter().map(|(why, (count, path))| {
            let files = if count == 1 { "1 file was".to_owned() } else { format!("{count} files were") };
            format!("{files} not searched to the end ({why}), for example {path}")
        }));
        Answer {
            rows: self.rows,
            if_empty: "no line matches in the files that were searched".into(),
            notes,
            ..Answer::default()
        }
    }
}

/// Returns why a file could not be read, without its path, so that files with the same reason are counted together.
fn cause(e: &ReadError) -> String {
    e.source().map_or_else(|| chain(e), chain)
}

/// Returns a line, or the part of a long line around a position.
fn around(line: &str, at: usize) -> String {
    if line.len() <= SHOWN {
        return line.to_owned();
    }
    let begin = line.floor_char_boundary(at.saturating_sub(SHOWN / 4));
    let end = line.floor_char_boundary((begin + SHOWN).min(line.len()));
    let dots = |cut: bool| if cut { "…" } else { "" };
    let part = line.get(begin..end).unwrap_or_default();
    format!("{}{part}{}", dots(begin > 0), dots(end < line.len()))
}

#[cfg(test)]
mod tests {
    use super::{SHOWN, around};

    #[test]
    fn a_long_line_is_cut_around_the_match() {
        let line = format!("{}needle{}", "é".repeat(1_000), "z".repeat(1_000));
        let shown = around(&line, 2_000);
        assert!(shown.starts_with('…') && shown.ends_with('…') && shown.contains("needle"), "{shown}");
        assert!(shown.len() < SHOWN + 8, "{}", shown.len());
        assert_eq!(around("needle", 0), "needle");
    }
}
