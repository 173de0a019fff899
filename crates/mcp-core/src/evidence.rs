//! Where answers come from: one short line in each, and the rest for who asks.
//!
//! The first line of an answer says what it is, of what, from which source and when, and names a resource. That resource
//! lists what was read, what is known beside it, and every note. A note about what was read is said in one answer of a
//! server only; later answers say how many notes were said before.

use crate::{Origin, sanitize::clean};
use serde_json::{Map, Value};
use sha1::{Digest, Sha1};
use std::{
    collections::{BTreeSet, VecDeque},
    fmt::Write,
    sync::{Mutex, PoisonError},
};

/// The most bytes of a first line.
pub(crate) const LINE: usize = 200;

/// The evidence of so many calls is kept, each of so many bytes at most.
const KEPT: usize = 128;
const MOST: usize = 64 << 10;

/// So many notes are remembered as said. A server that has said more may say one again.
const SAID: usize = 10_000;

/// What the resource is called that lists what the source holds.
pub(crate) const COVERAGE: &str = "coverage";

/// What a server remembers of its answers.
#[derive(Debug)]
pub(crate) struct Evidence {
    server: &'static str,
    kept: Mutex<VecDeque<(String, String)>>,
    said: Mutex<BTreeSet<[u8; 20]>>,
}

/// The evidence of one call, in the making.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    evidence: &'a Evidence,
    uri: String,
    call: String,
}

/// What one node gave, or the cluster as a whole.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// The node; none for the cluster.
    pub(crate) node: Option<String>,
    /// What was read.
    pub(crate) origins: Vec<Origin>,
    /// What was odd about it.
    pub(crate) notes: Vec<String>,
}

impl Evidence {
    pub(crate) fn new(server: &'static str) -> Self {
        Self { server, kept: Mutex::default(), said: Mutex::default() }
    }

    /// The address of the resource with this last part.
    pub(crate) fn uri(&self, last: &str) -> String {
        format!("evidence://{}/{last}", self.server)
    }

    /// Begins the evidence of a call. The same question has the same address, which tells nothing else.
    pub(crate) fn record(&self, tool: &str, arguments: &Map<String, Value>) -> Record<'_> {
        let call = format!("{tool} {}", Value::Object(arguments.clone()));
        let mut id = String::new();
        for byte in Sha1::digest(call.as_bytes()).iter().take(4) {
            _ = write!(id, "{byte:02x}");
        }
        Record { evidence: self, uri: self.uri(&id), call }
    }

    /// The evidence of the last call that had this address.
    pub(crate) fn read(&self, uri: &str) -> Option<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(of, _)| of == uri).map(|(_, text)| text.clone())
    }

    fn keep(&self, uri: &str, mut text: String) {
        if text.len() > MOST {
            let end = (0..=MOST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
            text.truncate(end);
            text += "\nThe rest is cut.\n";
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(of, _)| of != uri);
        kept.push_back((uri.to_owned(), text));
        while kept.len() > KEPT {
            kept.pop_front();
        }
    }

    /// Has no answer said this yet? Asked once by the answer that then says it.
    fn is_new(&self, node: Option<&str>, note: &str) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= SAID {
            said.clear();
        }
        said.insert(Sha1::digest(format!("{} {note}", node.unwrap_or_default())).into())
    }
}

impl Record<'_> {
    /// The first line of the answer, without its end of line.
    ///
    /// What does not fit is cut: of a title that quotes a long question the end, then of the name of the source.
    pub(crate) fn first_line(&self, title: &str, of: &str, source: &str, given: &[Given]) -> String {
        const ENOUGH: usize = 40;
        let origins = || given.iter().flat_map(|given| &given.origins);
        // Bundles that make one cluster: the name of the one that was read says more than that of all.
        let mut bundles = origins().map(|origin| origin.bundle.as_deref());
        let first = bundles.next().flatten();
        let source = first.filter(|_| bundles.all(|other| other == first)).unwrap_or(source);
        let end = format!("{}; {}", when(origins()), self.uri);
        let (title, of, source) = (clean(title), shortened(&clean(of), 64), clean(source));
        let room = LINE.saturating_sub("# , from ".len() + of.len() + end.len());
        let source = shortened(&source, room.saturating_sub(title.len().min(ENOUGH)).max(ENOUGH / 2));
        let title = shortened(&title, room.saturating_sub(source.len()));
        format!("# {title}{of}, from {source}{end}")
    }

    /// Keeps what was read for who asks, and gives back the notes that no answer has said yet, in place of all. How many
    /// others there are is the last value.
    pub(crate) fn keep(&self, given: &mut [Given]) -> usize {
        let mut text = format!("{}\n", self.call);
        for Given { node, origins, notes } in &*given {
            match node {
                Some(node) => _ = writeln!(text, "\nRead of {node}:"),
                None => text += "\nRead:\n",
            }
            for origin in origins {
                let bundle = origin.bundle.as_deref().filter(|bundle| !origin.what.ends_with(bundle));
                let bundle = bundle.map(|bundle| format!(" in {bundle}")).unwrap_or_default();
                _ = writeln!(text, "- {}{bundle}, {}", origin.what, origin.time());
                origin.beside.iter().for_each(|beside| _ = writeln!(text, "  {beside}"));
            }
            notes.iter().for_each(|note| _ = writeln!(text, "- note: {note}"));
        }
        self.evidence.keep(&self.uri, clean(&text));
        let mut before = 0;
        for Given { node, notes, .. } in given {
            let all = notes.len();
            notes.retain(|note| self.evidence.is_new(node.as_deref(), note));
            before += all - notes.len();
        }
        before
    }

    /// What an answer says of the notes that it leaves out.
    pub(crate) fn said_before(&self, notes: usize) -> Option<String> {
        let notes = match notes {
            0 => return None,
            1 => "1 note on what was read was said before".to_owned(),
            n => format!("{n} notes on what was read were said before"),
        };
        Some(format!("{notes}: {} has all", self.uri))
    }
}

/// When what was read was true: one time, or the first and the last.
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

/// A text of at most so many bytes, the last of which say that it was cut.
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

    fn given(node: &str, what: &str, when: &str) -> Given {
        let origin = Origin::new(what, when.parse().ok()).in_bundle("bundle.tar");
        Given { node: Some(node.into()), origins: vec![origin], notes: vec!["it is odd".into()] }
    }

    #[test]
    fn a_first_line_is_short_whatever_it_is_about() {
        let evidence = Evidence::new("mcp-capture");
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
                assert!(line.len() <= LINE, "{} bytes: {line}", line.len());
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
    fn a_note_is_said_once_and_found_again() {
        let evidence = Evidence::new("mcp-ovn");
        let arguments = json!({ "node_name": "a" }).as_object().cloned().unwrap();
        let record = evidence.record("ovn_nbctl_show", &arguments);
        let mut first = [given("a", "nb.db", "2026-11-22T08:35:03Z")];
        assert_eq!((record.keep(&mut first), first[0].notes.len()), (0, 1));
        let mut again =
            [given("a", "nb.db", "2026-11-22T08:35:03Z"), given("b", "nb.db", "2026-11-22T08:35:03Z")];
        assert_eq!(record.keep(&mut again), 1);
        assert!(again[0].notes.is_empty() && again[1].notes.len() == 1, "of another node it is news");
        let said = record.said_before(1).unwrap();
        let uri = said.split_whitespace().find(|word| word.starts_with("evidence://")).unwrap();
        let all = evidence.read(uri).unwrap();
        assert!(all.starts_with("ovn_nbctl_show {\"node_name\":\"a\"}\n\nRead of a:\n"), "{all}");
        assert!(all.contains("- nb.db in bundle.tar, 2026-11-22T08:35:03Z\n- note: it is odd\n"), "{all}");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let evidence = Evidence::new("mcp-ovn");
        let asked = |n: usize| json!({ "n": n }).as_object().cloned().unwrap();
        for n in 0..KEPT + 10 {
            let mut given = [given("a", &"x".repeat(2 * MOST), "2026-11-22T08:35:03Z")];
            evidence.record("t", &asked(n)).keep(&mut given);
        }
        let kept = evidence.kept.lock().unwrap();
        assert_eq!(kept.len(), KEPT);
        assert!(kept.iter().all(|(_, text)| text.len() < MOST + 100 && text.ends_with("The rest is cut.\n")));
        assert_eq!(kept.back().unwrap().0, evidence.record("t", &asked(KEPT + 9)).uri);
    }
}
