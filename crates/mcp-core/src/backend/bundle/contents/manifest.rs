//! What a sosreport recorded: by its manifest, or where that is missing by the names of the files.

use super::command::Essence;
use crate::backend::bundle::files::Files;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The commands of a report.
#[derive(Debug)]
pub(crate) struct Commands {
    /// Those that were run, or tried.
    pub(crate) recorded: Vec<Recorded>,
    /// Why the manifest does not tell how they ended.
    pub(crate) no_manifest: Option<String>,
}

/// One command.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// As it was run; where that is not known, the name of its file.
    pub(crate) exec: String,
    /// The part of sos that ran it: `openvswitch`, `networking`.
    pub(crate) plugin: String,
    /// What it asks.
    pub(crate) essence: Essence,
    /// Where its output is, below the report. None: it has none.
    pub(crate) path: Option<String>,
    /// How it ended, if that is known. 126 and 127 are the shell's: there is no such program. 124 is that of
    /// `timeout(1)`.
    pub(crate) status: Option<i32>,
    /// Only the end of its output was kept.
    pub(crate) truncated: bool,
    /// When it was run.
    pub(crate) when: Option<Timestamp>,
    /// How long it was allowed to run, in seconds.
    pub(crate) timeout: u64,
}

#[derive(Deserialize)]
struct Manifest {
    components: Components,
}

#[derive(Deserialize)]
struct Components {
    report: Part,
}

#[derive(Deserialize)]
struct Part {
    plugins: BTreeMap<String, Plugin>,
}

#[derive(Deserialize)]
struct Plugin {
    #[serde(default)]
    commands: Vec<Command>,
    #[serde(default)]
    command_timeout: Option<f64>,
}

/// Versions of sos differ in what else there is.
#[derive(Deserialize)]
struct Command {
    exec: String,
    #[serde(default)]
    filepath: Option<String>,
    #[serde(default)]
    return_code: Option<i32>,
    #[serde(default)]
    truncated: bool,
    #[serde(default)]
    start_time: Option<f64>,
}

impl Commands {
    /// Those of the report in this folder.
    pub(crate) fn of(files: &Files, root: &str) -> Self {
        let manifest = format!("{root}sos_reports/manifest.json");
        let parsed = match files.has(&manifest) {
            true => {
                files.read(&manifest).map_err(|e| crate::error::chain(&e)).and_then(|bytes| parse(&bytes))
            }
            false => Err("the report has no manifest".into()),
        };
        match parsed {
            Ok(recorded) => Self { recorded, no_manifest: None },
            Err(why) => Self { recorded: by_names(files, root), no_manifest: Some(why) },
        }
    }

    /// The recording that answers best: one that went well, else one that failed, else one that was only tried.
    pub(crate) fn find(&self, essence: &Essence) -> Option<&Recorded> {
        let rank = |recorded: &&Recorded| (recorded.path.is_none(), recorded.status.is_some_and(|s| s != 0));
        self.recorded.iter().filter(|recorded| recorded.essence == *essence).min_by_key(rank)
    }
}

/// The commands of a manifest.
fn parse(json: &[u8]) -> Result<Vec<Recorded>, String> {
    let manifest: Manifest = serde_json::from_slice(json)
        .map_err(|e| format!("sos_reports/manifest.json cannot be understood ({e})"))?;
    let of_plugin = |(name, plugin): (String, Plugin)| {
        let timeout = plugin.command_timeout.unwrap_or_default() as u64;
        plugin.commands.into_iter().map(move |command| Recorded {
            essence: Essence::of(command.exec.split_whitespace()),
            plugin: name.clone(),
            exec: command.exec,
            path: command.filepath,
            status: command.return_code,
            truncated: command.truncated,
            when: command.start_time.and_then(|s| Timestamp::from_second(s as i64).ok()),
            timeout,
        })
    };
    Ok(manifest.components.report.plugins.into_iter().flat_map(of_plugin).collect())
}

/// Commands by the names of their files; how they ended is not known.
fn by_names(files: &Files, root: &str) -> Vec<Recorded> {
    let below = format!("{root}sos_commands/");
    let recorded = |path: &str| {
        let name = path.rsplit('/').next()?;
        let plugin = path.strip_prefix(&below)?.split('/').next()?;
        Some(Recorded {
            exec: name.to_owned(),
            plugin: plugin.to_owned(),
            essence: Essence::of_file(name),
            path: Some(path.strip_prefix(root)?.to_owned()),
            status: None,
            truncated: false,
            when: files.modified(path),
            timeout: 0,
        })
    };
    files.below(&below).filter_map(recorded).collect()
}
