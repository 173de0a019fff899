//! The evidence of answers: one short line in each answer, and a resource with the details.
//!
//! The first line of an answer names the tool, the subject, the source and the time, and a resource. That resource
//! lists everything that was read, the copies that were not read, and every note. A note about the data appears in the
//! first answer that it applies to; later answers only count such notes.

use crate::{Origin, sanitize::clean};
use serde_json::{Map, Value};
use sha1::{Digest, Sha1};
use std::{
    collections::{BTreeSet, VecDeque},
    fmt::Write,
    sync::{Mutex, PoisonError},
};

/// The maximum size of a first line in bytes.
pub(crate) const MAX_LINE: usize = 200;

/// The number of calls whose evidence is kept.
const MAX_CALLS: usize = 128;
const MAX_CALL_BYTES: usize = 64 << 10;

/// The number of notes that are remembered as given. A server that has given more notes may repeat one.
const MAX_NOTES: usize = 10_000;

/// The last part of the address of the resource that lists the coverage of the source.
pub(crate) const COVERAGE: &str = "coverage";

/// The evidence of a server's answers.
#[derive(Debug)]
pub(crate) struct EvidenceStore {
    server: &'static str,
    kept: Mutex<VecDeque<(String, String)>>,
    said: Mutex<BTreeSet<[u8; 20]>>,
}

/// The evidence of one call while the call runs.
#[derive(Debug)]
pub(crate) struct CallEvidence<'a> {
    evidence: &'a EvidenceStore,
    uri: String,
    call: String,
}

/// The origins and notes of one node or of the cluster.
#[derive(Debug, Default)]
pub(crate) struct NodeEvidence {
    /// The name of the node, or `None` for the cluster.
    pub(crate) node: Option<String>,
    /// Everything that was read.
    pub(crate) origins: Vec<Origin>,
    /// The notes about the data.
    pub(crate) notes: Vec<String>,
}

impl EvidenceStore {
    pub(crate) fn new(server: &'static str) -> Self {
        Self { server, kept: Mutex::default(), said: Mutex::default() }
    }

    /// Returns the address of the resource with this last part.
    pub(crate) fn uri(&self, last: &str) -> String {
        format!("evidence://{}/{last}", self.server)
    }

    /// Starts the evidence of a call. The address is a hash of the tool and its arguments, so equal calls have the
    /// same address.
    pub(crate) fn record(&self, tool: &str, arguments: &Map<String, Value>) -> CallEvidence<'_> {
        let call = format!("{tool} {}", Value::Object(arguments.clone()));
        let mut id = String::new();
        for byte in Sha1::digest(call.as_bytes()).iter().take(4) {
            _ = write!(id, "{byte:02x}");
        }
        CallEvidence { evidence: self, uri: self.uri(&id), call }
    }

    /// Returns the evidence of the last call with this address.
    pub(crate) fn read(&self, uri: &str) -> Option<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(of, _)| of == uri).map(|(_, text)| text.clone())
    }

    fn keep(&self, uri: &str, mut text: String) {
        if text.len() > MAX_CALL_BYTES {
            let end = (0..=MAX_CALL_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
            text.truncate(end);
            text += "\nThe rest is cut.\n";
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(of, _)| of != uri);
        kept.push_back((uri.to_owned(), text));
        while kept.len() > MAX_CALLS {
            kept.pop_front();
        }
    }

    /// Returns true the first time that it is called for a note of a node, and remembers the note as given.
    fn is_new(&self, node: Option<&str>, note: &str) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= MAX_NOTES {
            said.clear();
        }
        said.insert(Sha1::digest(format!("{} {note}", node.unwrap_or_default())).into())
    }
}

impl CallEvidence<'_> {
    /// Returns the first line of the answer, without the line break.
    ///
    /// A long line is cut: first the title, whose end may quote a long parameter, then the name of the source.
    pub(crate) fn first_line(&self, title: &str, of: &str, source: &str, given: &[NodeEvidence]) -> String {
        const ENOUGH: usize = 40;
        let origins = || given.iter().flat_map(|given| &given.origins);
        // If several bundles form the cluster and only one was read, the line names that bundle.
        let mut bundles = origins().map(|origin| origin.bundle.as_deref());
        let first = bundles.next().flatten();
        let source = first.filter(|_| bundles.all(|other| other == first)).unwrap_or(source);
        let end = format!("{}; {}", when(origins()), self.uri);
        let (title, of, source) = (clean(title), shortened(&clean(of), 64), clean(source));
        let room = MAX_LINE.saturating_sub("# , from ".len() + of.len() + end.len());
        let source = shortened(&source, room.saturating_sub(title.len().min(ENOUGH)).max(ENOUGH / 2));
        let title = shortened(&title, room.saturating_sub(source.len()));
        format!("# {title}{of}, from {source}{end}")
    }

    /// Keeps the full evidence, removes the notes that an earlier answer already gave from `given`, and returns the
    /// number of removed notes.
    pub(crate) fn keep(&self, given: &mut [NodeEvidence]) -> usize {
        let mut text = format!("{}\n", self.call);
        for NodeEvidence { node, origins, notes } in &*given {
            match node {
                Some(node) => _ = writeln!(text, "\nRead from {node}:"),
                None => text += "\nRead:\n",
            }
            for origin in origins {
                _ = writeln!(text, "- {}", origin.dated());
                origin.beside.iter().for_each(|beside| _ = writeln!(text, "  {beside}"));
            }
            notes.iter().for_each(|note| _ = writeln!(text, "- note: {note}"));
        }
        self.evidence.keep(&self.uri, clean(&text));
        let mut before = 0;
        for NodeEvidence { node, notes, .. } in given {
            let all = notes.len();
            notes.retain(|note| self.evidence.is_new(node.as_deref(), note));
            before += all - notes.len();
        }
        before
    }

    /// Returns the note that an answer has in place of the notes that an earlier answer already gave.
    pub(crate) fn said_before(&self, notes: usize) -> Option<String> {
        let notes = match notes {
            0 => return None,
            1 => "1 note about the data was already given".to_owned(),
            n => format!("{n} notes about the data were already given"),
        };
        Some(format!("{notes}: see {}", self.uri))
    }
}

/// Returns the time of the data: one time, or the first and the last.
fn when<'a>(origins: impl Iterator<Item = &'a Origin>) -> String {
    let times: BTreeSet<String> = origins.filter(|origin| origin.when.is_some()).map(Origin::time).collect();
    match (times.first(), times.last()) {
        (Some(first), Some(last)) if first != last => {
            let (day, clock) = last.split_once('T').unwrap_or((last, last));
            let last = if first.starts_with(day) { clock } else { last };
            format!(", {first} to {last}")
        }
        (Some(first), _) => format!(", {first}"),
        _ => String::new(),
    }
}

/// Cuts a text to at most `most` bytes. A cut text ends with `…`.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    const CUT: &str = "…";
    if text.len() <= most {
        return text.to_owned();
    }
    let most = most.saturating_sub(CUT.len());
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default().trim_end().to_owned() + CUT
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn given(node: &str, what: &str, when: &str) -> NodeEvidence {
        let origin = Origin::new(what, when.parse().ok()).in_bundle("bundle.tar");
        NodeEvidence { node: Some(node.into()), origins: vec![origin], notes: vec!["it is odd".into()] }
    }

    #[test]
    fn a_first_line_is_short_even_if_its_parts_are_long() {
        let evidence = EvidenceStore::new("mcp-capture");
        let record = evidence.record("t", &Map::new());
        let given = [given("a", "x", "2026-11-22T08:35:03Z"), given("b", "x", "2026-11-23T08:35:03Z")];
        let long = "é".repeat(300);
        for (title, of, source) in [
            ("rows", " of n", "bundle"),
            (long.as_str(), " of n", "bundle"),
            ("rows", long.as_str(), "bundle"),
            ("rows", " of n", long.as_str()),
            (long.as_str(), long.as_str(), long.as_str()),
        ] {
            for given in [&given[..], &[]] {
                let line = record.first_line(title, of, source, given);
                assert!(line.len() <= MAX_LINE, "{} bytes: {line}", line.len());
                assert!(line.starts_with("# ") && line.ends_with(&record.uri), "{line}");
                assert!(!line.contains('\n'));
            }
        }
        assert_eq!(
            record.first_line("rows", " of a", "bundle.tar + other.tar", &given),
            format!(
                "# rows of a, from bundle.tar, 2026-11-22T08:35:03Z to 2026-11-23T08:35:03Z; {}",
                record.uri
            )
        );
    }

    #[test]
    fn a_note_is_given_once_and_stays_in_the_evidence() {
        let evidence = EvidenceStore::new("mcp-ovn");
        let arguments = json!({ "node_name": "a" }).as_object().cloned().unwrap();
        let record = evidence.record("ovn_nbctl_show", &arguments);
        let mut first = [given("a", "nb.db", "2026-11-22T08:35:03Z")];
        assert_eq!((record.keep(&mut first), first[0].notes.len()), (0, 1));
        let mut again =
            [given("a", "nb.db", "2026-11-22T08:35:03Z"), given("b", "nb.db", "2026-11-22T08:35:03Z")];
        assert_eq!(record.keep(&mut again), 1);
        assert!(
            again[0].notes.is_empty() && again[1].notes.len() == 1,
            "the same note about another node is new"
        );
        let said = record.said_before(1).unwrap();
        let uri = said.split_whitespace().find(|word| word.starts_with("evidence://")).unwrap();
        let all = evidence.read(uri).unwrap();
        assert!(all.starts_with("ovn_nbctl_show {\"node_name\":\"a\"}\n\nRead from a:\n"), "{all}");
        assert!(all.contains("- nb.db in bundle.tar, 2026-11-22T08:35:03Z\n- note: it is odd\n"), "{all}");
    }

    #[test]
    fn the_kept_evidence_is_bounded() {
        let evidence = EvidenceStore::new("mcp-ovn");
        let asked = |n: usize| json!({ "n": n }).as_object().cloned().unwrap();
        for n in 0..MAX_CALLS + 10 {
            let mut given = [given("a", &"x".repeat(2 * MAX_CALL_BYTES), "2026-11-22T08:35:03Z")];
            evidence.record("t", &asked(n)).keep(&mut given);
        }
        let kept = evidence.kept.lock().unwrap();
        assert_eq!(kept.len(), MAX_CALLS);
        assert!(
            kept.iter()
                .all(|(_, text)| text.len() < MAX_CALL_BYTES + 100 && text.ends_with("The rest is cut.\n"))
        );
        assert_eq!(kept.back().unwrap().0, evidence.record("t", &asked(MAX_CALLS + 9)).uri);
    }
}
