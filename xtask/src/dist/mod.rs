//! `cargo xtask dist`: archives of the servers, with everything that a user of a program expects next to it.
//!
//! An archive has the program, its manual page, completions for shells, a list of its dependencies (CycloneDX), their
//! licences, and the changelog. The same sources and the same compiler make the same bytes.

mod bill;
mod dependencies;
mod licences;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use xshell::cmd;

use crate::workspace::{Crate, Result, Workspace};
use dependencies::Dependencies;

/// The maximum size of a program in bytes.
const PROGRAM: u64 = 15_000_000;

/// The maximum size of the archives of all servers together, in bytes.
const ARCHIVES: u64 = 25_000_000;

/// The profile of archives for users.
const PROFILE: &str = "dist";

/// The shells for which clap writes completions.
const SHELLS: [&str; 3] = ["bash", "fish", "zsh"];

/// The scenario on which an unpacked program is tried.
const SCENARIO: &str = "capture";

/// `cargo xtask dist [--server NAME]… [--profile NAME]`
#[derive(Debug, Args)]
pub(crate) struct Dist {
    /// Make the archive of this server only; can be given several times
    #[arg(long, value_name = "NAME")]
    server: Vec<String>,
    /// Build in this profile: `dist` is slow to build and small
    #[arg(long, value_name = "NAME", default_value = "dist")]
    profile: String,
}

/// What is known about one server that is built.
struct Built<'a> {
    layer: &'a Crate,
    version: String,
    program: PathBuf,
}

/// Makes the archives, and tries what they contain.
pub(crate) fn run(dist: &Dist) -> Result {
    let workspace = Workspace::open()?;
    let sh = &workspace.sh;
    let layers: Vec<&Crate> = match dist.server.as_slice() {
        [] => workspace.layers().collect(),
        names => names.iter().map(|name| workspace.layer(name)).collect::<Result<_>>()?,
    };
    let target = target(&workspace)?;
    let dependencies = Dependencies::read(&workspace, &target)?;
    let profile = &dist.profile;
    let mut built = Vec::new();
    for layer in layers {
        let name = &layer.name;
        println!("building {name} in the profile {profile}");
        let mut build =
            cmd!(sh, "cargo build --locked --quiet --profile {profile} --package {name} --bin {name}");
        // Panics name source files, whose paths must not be those of this machine. Other profiles keep their paths,
        // because cargo would otherwise build everything again.
        if profile == PROFILE {
            build = build.env("RUSTFLAGS", remap(&workspace)?);
        }
        build.quiet().run()?;
        let folder = if profile == "dev" { "debug" } else { profile };
        let program = workspace.target.join(folder).join(name);
        built.push(Built { layer, version: dependencies.version(name)?, program });
    }
    let folder = workspace.target.join("archives");
    sh.remove_path(&folder)?;
    sh.create_dir(&folder)?;
    let mut archives = Vec::new();
    for server in &built {
        let name = format!("{}-{}-{target}", server.layer.name, server.version);
        let inside = folder.join(&name);
        fill(&workspace, &dependencies, server, &inside)?;
        archives.push(pack(&workspace, &folder, &name, &[&server.layer.name])?);
    }
    let mut problems = report(&workspace, &built, &archives)?;
    if dist.server.is_empty() {
        let name = format!("ovn-troubleshooter-{target}");
        let names: Vec<&str> = built.iter().map(|server| server.layer.name.as_str()).collect();
        for server in &built {
            fill(&workspace, &dependencies, server, &folder.join(&name))?;
        }
        archives.push(pack(&workspace, &folder, &name, &names)?);
    }
    let files: Vec<_> = archives.iter().filter_map(|path| path.file_name()).collect();
    {
        let _inside = sh.push_dir(&folder);
        let sums = cmd!(sh, "sha256sum {files...}").quiet().read()?;
        sh.write_file("SHA256SUMS", sums + "\n")?;
        cmd!(sh, "sha256sum --check --quiet SHA256SUMS").quiet().run()?;
    }
    println!("the archives and SHA256SUMS are in {}", folder.display());
    if profile != PROFILE {
        println!("not judged, because the profile is {profile}:\n{}", problems.join("\n"));
        problems.clear();
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}

/// Returns the flags that replace the folders of this machine in a program.
fn remap(workspace: &Workspace) -> Result<String> {
    let sh = &workspace.sh;
    let cargo =
        sh.var("CARGO_HOME").or_else(|_| Ok::<_, xshell::Error>(format!("{}/.cargo", sh.var("HOME")?)))?;
    let flag = |folder: &str, name: &str| format!("--remap-path-prefix={folder}={name}");
    Ok([flag(&workspace.root.to_string_lossy(), "/source"), flag(&cargo, "/cargo")].join(" "))
}

/// Returns the target of this compiler: `x86_64-unknown-linux-gnu`.
fn target(workspace: &Workspace) -> Result<String> {
    let said = cmd!(workspace.sh, "rustc --version --verbose").quiet().read()?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc names no host")?.to_owned())
}

/// Writes everything that belongs to a server into a folder, which several servers may share.
fn fill(workspace: &Workspace, dependencies: &Dependencies, server: &Built, folder: &Path) -> Result {
    let (sh, name, program) = (&workspace.sh, &server.layer.name, &server.program);
    sh.create_dir(folder)?;
    sh.copy_file(program, folder.join(name))?;
    sh.copy_file(workspace.root.join("LICENSE"), folder.join("LICENSE"))?;
    let changelog = workspace.root.join(&server.layer.folder).join("CHANGELOG.md");
    sh.copy_file(changelog, folder.join(format!("{name}.changelog.md")))?;
    let page = cmd!(sh, "{program} reference man").quiet().read()?;
    sh.write_file(folder.join(format!("man/man1/{name}.1")), page + "\n")?;
    for shell in SHELLS {
        // The completions call the program in the same way as this command does: by its name, in the path.
        let text = cmd!(sh, "{name}").env("COMPLETE", shell).env("PATH", folder).quiet().read()?;
        sh.write_file(folder.join(format!("completions/{name}.{shell}")), text + "\n")?;
    }
    let used = dependencies.of(name)?;
    let bill = serde_json::to_string_pretty(&bill::of(dependencies, name, &used)?)?;
    sh.write_file(folder.join(format!("{name}.cdx.json")), bill + "\n")?;
    let licences = licences::text(&dependencies.packages(&used))?;
    Ok(sh.write_file(folder.join(format!("{name}.third-party-licences.txt")), licences)?)
}

/// Packs a folder, and tries the programs of the archive.
fn pack(workspace: &Workspace, folder: &Path, name: &str, programs: &[&str]) -> Result<PathBuf> {
    let sh = &workspace.sh;
    let archive = folder.join(format!("{name}.tar.gz"));
    let time = cmd!(sh, "git log --max-count=1 --format=%ct").quiet().read()?;
    // Neither the user nor the clock of this machine gets into the archive.
    let same = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=u+rwX,go+rX,go-w"];
    let compress = ["--use-compress-program", "gzip -9 -n"];
    cmd!(sh, "tar --create --file {archive} {same...} --mtime=@{time} {compress...} -C {folder} {name}")
        .quiet()
        .run()?;
    sh.remove_path(folder.join(name))?;
    let unpacked = workspace.cache("dist")?.join("unpacked");
    sh.remove_path(&unpacked)?;
    sh.create_dir(&unpacked)?;
    cmd!(sh, "tar --extract --file {archive} -C {unpacked}").quiet().run()?;
    let own = &workspace.root;
    let named = cmd!(
        sh,
        "grep --recursive --files-with-matches --binary-files=without-match --fixed-strings {own} {unpacked}"
    );
    let named = named.quiet().ignore_status().read()?;
    if !named.is_empty() {
        return Err(format!("these files name a folder of this machine:\n{named}").into());
    }
    for program in programs {
        let (binary, source) = (unpacked.join(name).join(program), workspace.sources(SCENARIO));
        let said = cmd!(sh, "{binary} {source...} coverage").quiet().read()?;
        if said.trim().is_empty() {
            return Err(format!("{}: {program} says nothing about {SCENARIO}", archive.display()).into());
        }
    }
    Ok(archive)
}

/// Prints the sizes of the programs and their archives, and returns which of them are too large.
fn report(workspace: &Workspace, built: &[Built], archives: &[PathBuf]) -> Result<Vec<String>> {
    let own = &workspace.root;
    let mut problems = Vec::new();
    let mut sum = 0;
    println!("{:12} {:>9} {:>9}  needs", "", "program", "archive");
    for (server, archive) in built.iter().zip(archives) {
        let (name, program) = (&server.layer.name, &server.program);
        let (size, packed) = (fs::metadata(program)?.len(), fs::metadata(archive)?.len());
        sum += packed;
        let symbols = cmd!(workspace.sh, "objdump --dynamic-syms {program}").quiet().read()?;
        let libc = newest_glibc(&symbols)
            .map_or("no glibc".to_owned(), |(major, minor)| format!("glibc {major}.{minor}"));
        println!("{name:12} {:>6.1} MB {:>6.1} MB  {libc}", megabytes(size), megabytes(packed));
        if cmd!(workspace.sh, "grep --quiet --fixed-strings {own} {program}").quiet().run().is_ok() {
            problems.push(format!("{name} contains the path of a folder of this machine"));
        }
        if size > PROGRAM {
            problems.push(format!("{name} has {size} bytes, at most {PROGRAM}"));
        }
    }
    println!("{:12} {:>9} {:>6.1} MB", "together", "", megabytes(sum));
    if sum > ARCHIVES {
        problems.push(format!("the archives have {sum} bytes, at most {ARCHIVES}"));
    }
    Ok(problems)
}

#[expect(clippy::cast_precision_loss, reason = "a size is printed with one decimal")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Returns the newest version of glibc whose symbols a program needs.
fn newest_glibc(symbols: &str) -> Option<(u32, u32)> {
    let versions = symbols.split("GLIBC_").skip(1).filter_map(|rest| {
        let version = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
        let (major, rest) = version.split_once('.')?;
        Some((major.parse().ok()?, rest.split('.').next()?.parse().ok()?))
    });
    versions.max()
}

#[cfg(test)]
mod tests {
    use super::newest_glibc;

    #[test]
    fn the_newest_glibc_is_found() {
        let symbols = "0000 DF *UND* 0000 (GLIBC_2.2.5) read\n0000 DF *UND* 0000 (GLIBC_2.34) open\n\
                       0000  w DF *UND* 0000 (GLIBC_2.9) pipe\n0000 DF *UND* 0000 (GLIBC_PRIVATE) x\n";
        assert_eq!(newest_glibc(symbols), Some((2, 34)));
        assert_eq!(newest_glibc("0000 DF *UND* 0000 (GCC_3.0) y"), None);
    }
}
