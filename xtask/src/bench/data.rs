//! The databases that are measured.

use std::fs;
use std::path::{Path, PathBuf};

use xshell::cmd;

use super::Plan;
use crate::workspace::{Result, Workspace};

/// Returns the large databases, unpacked, or the largest southbound database of the shipped must-gather.
pub(super) fn southbound(workspace: &Workspace, plan: &Plan, scratch: &Path) -> Result<Vec<PathBuf>> {
    let sh = &workspace.sh;
    let mut unpacked = Vec::new();
    for packed in sh.read_dir(&plan.data).unwrap_or_default() {
        let name = packed.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix(".xz").filter(|name| name.ends_with("-sb.db")) {
            let file = scratch.join(name);
            fs::write(&file, cmd!(sh, "xz --decompress --stdout {packed}").quiet().output()?.stdout)?;
            unpacked.push(file);
        }
    }
    if !unpacked.is_empty() {
        unpacked.sort_by_key(|file| fs::metadata(file).map_or(0, |metadata| metadata.len()));
        return Ok(unpacked);
    }
    println!("no large databases in {}: measuring the shipped must-gather\n", plan.data.display());
    let bundle = workspace.root.join("testdata/capture/must-gather.tar.xz");
    cmd!(sh, "tar --extract --xz --file {bundle} --directory {scratch}").quiet().run()?;
    let found = cmd!(sh, "find {scratch} -name *_sbdb -type f").quiet().read()?;
    let largest =
        found.lines().map(PathBuf::from).max_by_key(|file| fs::metadata(file).map_or(0, |m| m.len()));
    Ok(largest.into_iter().collect())
}
