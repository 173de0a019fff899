//! What a real API server answered: `testdata/capture/api.tar.xz`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use liblzma::read::XzDecoder;
use serde_json::Value;

use super::Result;

/// The files of the recording, by name.
pub(super) struct Recorded(BTreeMap<String, Value>);

/// A kind of which something is recorded.
pub(super) struct RecordedKind {
    /// `v1` or `apps/v1`.
    pub(super) group_version: String,
    /// `pods`.
    pub(super) plural: String,
    /// All objects.
    pub(super) list: Value,
    /// The same as the server prints it.
    pub(super) table: Value,
}

impl Recorded {
    /// Unpacks it.
    pub(super) fn open() -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/capture/api.tar.xz");
        let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut archive = tar::Archive::new(XzDecoder::new(BufReader::new(file)));
        let mut files = BTreeMap::new();
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = entry.path()?.into_owned();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if name.ends_with(".json") {
                let mut text = String::new();
                entry.read_to_string(&mut text)?;
                files.insert(name.to_owned(), serde_json::from_str(&text)?);
            }
        }
        Ok(Self(files))
    }

    /// Adds kinds that the recorded cluster did not have, without objects: a file of groups as aggregated discovery lists them.
    pub(super) fn add_kinds(&mut self, path: &Path) -> Result {
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        let more: Vec<Value> = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
        let groups = self.0.get_mut("discovery-apis.json").and_then(|groups| groups.get_mut("items"));
        groups.and_then(Value::as_array_mut).ok_or("no groups are recorded")?.extend(more);
        Ok(())
    }

    /// A file.
    pub(super) fn file(&self, name: &str) -> Result<Value> {
        self.0.get(name).cloned().ok_or_else(|| format!("the recording has no {name}").into())
    }

    /// The kinds: `apis_apps_v1_daemonsets.list.json` and the table beside it.
    pub(super) fn kinds(&self) -> Result<Vec<RecordedKind>> {
        let mut kinds = Vec::new();
        for (name, list) in &self.0 {
            let Some(stem) = name.strip_suffix(".list.json") else { continue };
            let words: Vec<&str> = stem.split('_').collect();
            let (group_version, plural) = match words.as_slice() {
                ["api", version, plural] => ((*version).to_owned(), *plural),
                ["apis", group, version, plural] => (format!("{group}/{version}"), *plural),
                _ => return Err(format!("{name} names no kind").into()),
            };
            kinds.push(RecordedKind {
                group_version,
                plural: plural.into(),
                list: list.clone(),
                table: self.file(&format!("{stem}.table.json"))?,
            });
        }
        Ok(kinds)
    }
}
