//! The commands that a sosreport recorded, from its manifest, or from the file names if the manifest is missing.

use super::command::CommandKey;
use crate::backend::bundle::files::Files;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The commands of a report.
#[derive(Debug)]
pub(crate) struct RecordedCommands {
    /// The commands that were run or tried.
    pub(crate) recorded: Vec<RecordedCommand>,
    /// Why the exit statuses are unknown.
    pub(crate) no_manifest: Option<String>,
}

/// A recorded command.
#[derive(Clone, Debug)]
pub(crate) struct RecordedCommand {
    /// The command line, or the name of the output file if the command line is unknown.
    pub(crate) exec: String,
    /// The plugin of sos that ran it: `openvswitch`, `networking`.
    pub(crate) plugin: String,
    /// The essential part of the command, which a query is compared with.
    pub(crate) essence: CommandKey,
    /// The path of its output, relative to the report, or `None` if it has no output.
    pub(crate) path: Option<String>,
    /// The exit status, if known. The shell returns 126 and 127 if the program is missing or cannot run, and
    /// `timeout(1)` returns 124.
    pub(crate) status: Option<i32>,
    /// True if only the end of the output was kept.
    pub(crate) truncated: bool,
    /// When it was run.
    pub(crate) when: Option<Timestamp>,
    /// The time limit of the command, in seconds.
    pub(crate) timeout: u64,
}

#[derive(Deserialize)]
struct Manifest {
    components: ManifestComponents,
}

#[derive(Deserialize)]
struct ManifestComponents {
    report: ManifestReport,
}

#[derive(Deserialize)]
struct ManifestReport {
    plugins: BTreeMap<String, ManifestPlugin>,
}

#[derive(Deserialize)]
struct ManifestPlugin {
    #[serde(default)]
    commands: Vec<ManifestCommand>,
    #[serde(default)]
    command_timeout: Option<f64>,
}

/// A command in the manifest. Other fields differ between versions of sos.
#[derive(Deserialize)]
struct ManifestCommand {
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

impl RecordedCommands {
    /// Reads the commands of the report in this folder.
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

    /// The best recording of a command: one that succeeded, else one that failed, else one without output.
    pub(crate) fn find(&self, essence: &CommandKey) -> Option<&RecordedCommand> {
        let rank =
            |recorded: &&RecordedCommand| (recorded.path.is_none(), recorded.status.is_some_and(|s| s != 0));
        self.recorded.iter().filter(|recorded| recorded.essence == *essence).min_by_key(rank)
    }
}

/// Parses a manifest.
fn parse(json: &[u8]) -> Result<Vec<RecordedCommand>, String> {
    let manifest: Manifest = serde_json::from_slice(json)
        .map_err(|e| format!("sos_reports/manifest.json cannot be parsed ({e})"))?;
    let of_plugin = |(name, plugin): (String, ManifestPlugin)| {
        let timeout = plugin.command_timeout.unwrap_or_default() as u64;
        plugin.commands.into_iter().map(move |command| RecordedCommand {
            essence: CommandKey::of(command.exec.split_whitespace()),
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

/// Lists commands by the names of their files, without exit statuses.
fn by_names(files: &Files, root: &str) -> Vec<RecordedCommand> {
    let below = format!("{root}sos_commands/");
    let recorded = |path: &str| {
        let name = path.rsplit('/').next()?;
        let plugin = path.strip_prefix(&below)?.split('/').next()?;
        Some(RecordedCommand {
            exec: name.to_owned(),
            plugin: plugin.to_owned(),
            essence: CommandKey::of_file(name),
            path: Some(path.strip_prefix(root)?.to_owned()),
            status: None,
            truncated: false,
            when: files.modified(path),
            timeout: 0,
        })
    };
    files.below(&below).filter_map(recorded).collect()
}
