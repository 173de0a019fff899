//! The cases of the layers: what the golden tests ask, what is recorded for them, and what else is tried with it.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::workspace::{Crate, Result, Workspace};

/// A case file.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Its name, which is that of its snapshot.
    pub(crate) name: String,
    /// The folder of `testdata` that holds the source.
    pub(crate) scenario: String,
    /// The tool.
    pub(crate) tool: String,
    /// Its parameters.
    pub(crate) params: Map<String, Value>,
}

/// All cases of a layer, by name.
pub(crate) fn of(workspace: &Workspace, layer: &Crate) -> Result<Vec<Case>> {
    let folder = workspace.root.join(&layer.folder).join("tests/cases");
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .map_err(|e| format!("{}: {e}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files.iter().map(|file| read(file).map_err(|e| format!("{}: {e}", file.display()).into())).collect()
}

fn read(file: &PathBuf) -> Result<Case> {
    let value: Value = serde_json::from_slice(&fs::read(file)?)?;
    let text = |key| value.get(key).and_then(Value::as_str).map(str::to_owned).ok_or(format!("no \"{key}\""));
    Ok(Case {
        name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        scenario: text("scenario")?,
        tool: text("tool")?,
        params: value.get("params").and_then(Value::as_object).cloned().ok_or("no \"params\"")?,
    })
}
