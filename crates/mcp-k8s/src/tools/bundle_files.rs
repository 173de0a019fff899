//! The tool `bundle_files`: lists, searches and reads the files of a bundle.

use crate::{
    file_search::{REST, query, search_all},
    log::{RedactedSearch, Splitter},
};
use mcp_core::{Answer, BundleFile, ClusterReader, ClusterTool, Pattern, Row, ToolError, chain};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, io::ErrorKind, sync::Arc, time::Instant};

/// The maximum number of folders that a list without a path shows.
const FOLDERS: usize = 60;
/// The number of bytes of a file that are held in memory for paging.
const HELD: usize = 8 << 20;

pub(crate) struct BundleFiles;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Params {
    /// A path or a part of a path. One matching file is read; several are listed.
    path: Option<String>,
    /// Regex: shows the matching lines of these files instead.
    search: Option<String>,
}

impl ClusterTool for BundleFiles {
    const NAME: &'static str = "bundle_files";
    const TITLE: &'static str = "Files of a bundle";
    const TOOLSET: &'static str = "files";
    const DESCRIPTION: &'static str = "Lists, searches and reads any file or recorded command output of a bundle. Use it \
         for files that no other tool shows; without `path` it lists the folders. Secrets are left out; other tools, such as \
         ovn_nbctl_list, read databases.";
    type Params = Params;

    fn title(params: &Params) -> String {
        match (&params.path, &params.search) {
            (None, None) => "folders of the bundle".into(),
            (Some(path), None) => format!("files whose path contains {path}"),
            (None, Some(search)) => format!("lines of all files that match `{search}`"),
            (Some(path), Some(search)) => {
                format!("lines that match `{search}` in files whose path contains {path}")
            }
        }
    }

    async fn run(cluster: &ClusterReader<'_>, params: &Params) -> Result<Answer, ToolError> {
        if cluster.is_live() {
            return Err(ToolError::bad(
                "bundle_files needs a bundle, and this source is a live cluster",
                "Use kubectl_get, kubectl_logs or node_logs to read a live cluster.",
            ));
        }
        let given = |text: &Option<String>| text.as_deref().map(str::trim).unwrap_or_default().to_owned();
        let (path, search) = (given(&params.path), given(&params.search));
        let files = cluster.files(&path).await?;
        if files.is_empty() {
            return Err(ToolError::bad(
                format!("no file path contains `{path}`"),
                "Pass a shorter part of the path; bundle_files without `path` lists the folders.",
            ));
        }
        if !search.is_empty() {
            return Ok(search_all(cluster, &files, &RedactedSearch::new(Pattern::new(&search)?)).await);
        }
        let exact: Vec<&BundleFile> = files.iter().filter(|file| file.path == path).collect();
        match (exact.as_slice(), files.as_slice()) {
            ([file], _) => read(cluster, file).await,
            (_, [file]) => read(cluster, file).await,
            _ if path.is_empty() => Ok(folders(&files)),
            _ => Ok(list(&files)),
        }
    }
}

/// Lists the folders of the bundles, to the greatest depth that stays within [`FOLDERS`] rows.
fn folders(files: &[BundleFile]) -> Answer {
    let at_depth = |depth: usize| {
        let mut folders = BTreeMap::<(&str, String), (usize, u64)>::new();
        for file in files {
            let mut parts: Vec<&str> = file.path.split('/').collect();
            parts.pop();
            parts.truncate(depth);
            let sum = folders.entry((file.bundle.as_str(), parts.join("/"))).or_default();
            (sum.0, sum.1) = (sum.0 + 1, sum.1.saturating_add(file.size));
        }
        folders
    };
    let mut shown = at_depth(1);
    for depth in 2.. {
        let deeper = at_depth(depth);
        if deeper.len() > FOLDERS || deeper.len() == shown.len() {
            break;
        }
        shown = deeper;
    }
    let row = |((bundle, folder), (count, bytes)): ((&str, String), (usize, u64))| {
        let heading: Arc<str> = format!("{bundle}:").into();
        Row::line(format!("  {folder}/  files: {count}, bytes: {bytes}")).under(&heading)
    };
    let notes =
        vec!["pass a part of a path as `path` to list files, or `search` to find lines in them".to_owned()];
    Answer { rows: shown.into_iter().map(row).collect(), notes, ..Answer::default() }
}

fn list(files: &[BundleFile]) -> Answer {
    let row = |file: &BundleFile| {
        let heading: Arc<str> = format!("{}:", file.bundle).into();
        let when = file.modified.map(|time| time.strftime(", %Y-%m-%dT%H:%M:%SZ").to_string());
        let text = format!("  {}  {} bytes{}", file.path, file.size, when.unwrap_or_default());
        Row::line(text).under(&heading)
    };
    let mut notes = Vec::new();
    let bundles = files.iter().map(|file| &file.bundle);
    if bundles.clone().min() != bundles.max() {
        notes.push("several bundles have matching files; pass bundle= to choose one bundle".to_owned());
    }
    Answer { rows: files.iter().map(row).collect(), notes, ..Answer::default() }
}

/// Returns the lines of a file as rows. mcp-core pages through the rows and applies `grep`.
async fn read(cluster: &ClusterReader<'_>, file: &BundleFile) -> Result<Answer, ToolError> {
    let deadline = Instant::now() + cluster.within().saturating_sub(REST);
    let mut stream = cluster.log(&query(file)).await?;
    let (mut rows, mut notes, mut held) = (Vec::new(), Vec::new(), 0);
    let mut splitter = Splitter::default();
    let mut take = |line: &str| {
        held += line.len() + 1;
        if held <= HELD {
            rows.push(Row::line(line));
        }
        held <= HELD
    };
    let mut goes_on = true;
    while goes_on && let Some(piece) = stream.next_before(deadline).await {
        match piece {
            Ok(bytes) => splitter.feed(&bytes, &mut |line| goes_on &= take(line)),
            Err(e) => {
                let why = if e.kind() == ErrorKind::TimedOut {
                    "the time limit was reached".into()
                } else {
                    chain(&e)
                };
                notes.push(format!("the file was not read to its end: {why}"));
                goes_on = e.kind() != ErrorKind::TimedOut;
            }
        }
    }
    splitter.finish(&mut |line| goes_on &= take(line));
    if held > HELD {
        notes.push(format!(
            "only the first {HELD} bytes of the file were read; `search` reads the whole file"
        ));
    }
    if splitter.cut > 0 {
        notes.push(format!("{} lines were truncated to 64 KiB", splitter.cut));
    }
    Ok(Answer { rows, if_empty: "the file is empty".into(), notes, ..Answer::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> BundleFile {
        BundleFile { bundle: "b".into(), path: path.into(), size: 10, modified: None, is_packed: false }
    }

    #[test]
    fn folders_are_listed_as_deep_as_the_row_limit_allows() {
        let texts =
            |files: &[BundleFile]| folders(files).rows.into_iter().map(|row| row.text).collect::<Vec<_>>();
        assert_eq!(
            texts(&[file("a/b/1"), file("a/b/2"), file("a/c/3"), file("4")]),
            ["  /  files: 1, bytes: 10", "  a/b/  files: 2, bytes: 20", "  a/c/  files: 1, bytes: 10"]
        );
        let many: Vec<BundleFile> = (0..100).map(|n| file(&format!("a/{n}/x"))).collect();
        assert_eq!(texts(&many), ["  a/  files: 100, bytes: 1000"]);
    }
}
