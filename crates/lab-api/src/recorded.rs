//! Reads the recorded answers of a real API server: `testdata/capture/api.tar.xz`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use liblzma::read::XzDecoder;
use serde_json::Value;

use super::Result;

/// The files of the recording by name.
pub(super) struct Recording(BTreeMap<String, Value>);

/// A kind with recorded objects.
pub(super) struct RecordedKind {
    /// The group and version: `v1` or `apps/v1`.
    pub(super) group_version: String,
    /// The plural name of the kind: `pods`.
    pub(super) plural: String,
    /// The list of all objects.
    pub(super) list: Value,
    /// The table of all objects.
    pub(super) table: Value,
}

impl Recording {
    /// Unpacks the recording.
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

    /// Adds kinds without objects from a file with groups in the format of aggregated discovery.
    pub(super) fn add_kinds(&mut self, path: &Path) -> Result {
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        let more: Vec<Value> = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
        let groups = self.0.get_mut("discovery-apis.json").and_then(|groups| groups.get_mut("items"));
        groups.and_then(Value::as_array_mut).ok_or("the recording has no API groups")?.extend(more);
        Ok(())
    }

    /// Returns a file of the recording.
    pub(super) fn file(&self, name: &str) -> Result<Value> {
        self.0.get(name).cloned().ok_or_else(|| format!("the recording has no {name}").into())
    }

    /// Returns the recorded kinds, from pairs of files such as `apis_apps_v1_daemonsets.list.json` and
    /// `apis_apps_v1_daemonsets.table.json`.
    pub(super) fn kinds(&self) -> Result<Vec<RecordedKind>> {
        let mut kinds = Vec::new();
        for (name, list) in &self.0 {
            let Some(stem) = name.strip_suffix(".list.json") else { continue };
            let words: Vec<&str> = stem.split('_').collect();
            let (group_version, plural) = match words.as_slice() {
                ["api", version, plural] => ((*version).to_owned(), *plural),
                ["apis", group, version, plural] => (format!("{group}/{version}"), *plural),
                _ => return Err(format!("the file name {name} does not name a kind").into()),
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
