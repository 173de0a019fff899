//! `cargo xtask fuzz`: damages untrusted input at random, for as long as you like.
//!
//! The targets are the property tests of all code that reads untrusted bytes. Here they run with more cases and other
//! seeds each time, under limits: a target fails if it panics, if its process takes more memory than any input may
//! cost, or if one round does not end. The targets of cargo-fuzz are in the folder `fuzz`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;
use xshell::cmd;

use crate::workspace::{Result, Workspace};

/// `cargo xtask fuzz [--seconds N]`
#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// Time for all targets together, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// A test binary, and the names or parts of names of the tests to run.
struct Target {
    what: &'static str,
    package: &'static str,
    /// The binary of `tests/`; `None` for the library's unit tests.
    binary: Option<&'static str>,
    tests: &'static [&'static str],
}

const fn library(what: &'static str, package: &'static str, tests: &'static [&'static str]) -> Target {
    Target { what, package, binary: None, tests }
}

const TARGETS: &[Target] = &[
    Target { what: "OVSDB files", package: "ovsdb", binary: Some("damage"), tests: &["never_panic"] },
    Target {
        what: "archives and manifests",
        package: "mcp-core",
        binary: Some("bundles"),
        tests: &["fuzz::"],
    },
    library("operands of commands, selectors", "mcp-core", &["argv::", "kubernetes::"]),
    library(
        "secrets in random text, objects in YAML, messages of clients",
        "mcp-core",
        &["sanitize::tests::damage::", "objects::read::", "message::"],
    ),
    Target {
        what: "frames and capture files",
        package: "capture",
        binary: Some("packets"),
        tests: &["never_panic"],
    },
    library("flows, matches, actions", "openflow", &[]),
    Target { what: "damaged dumps of flows", package: "openflow", binary: Some("damage"), tests: &["never"] },
    Target {
        what: "logical flows: both languages",
        package: "ovn-lflow",
        binary: Some("languages"),
        tests: &["panic", "parses_to_the_same"],
    },
    Target {
        what: "logical flows: damaged zones, any packet",
        package: "ovn-lflow",
        binary: Some("damage"),
        tests: &[],
    },
    library("filters of flows, output of programs", "ovn-model", &[]),
    library("lines of logs, paths into objects", "mcp-k8s", &["log::", "path::"]),
    library(
        "output of the kernel's programs",
        "host-net",
        &["connection::", "interface::", "iptables::", "nft::"],
    ),
];

/// The limit of a target's address space, most of which its threads and its binary take.
const MEMORY: &str = "--as=6000000000";

/// The time limit of one round. A round is planned for at most a quarter of it.
const ROUND: Duration = Duration::from_secs(240);

/// Runs round after round of every target.
pub(crate) fn run(fuzz: &Fuzz) -> Result {
    let workspace = Workspace::open()?;
    let built = build(&workspace)?;
    let share = Duration::from_secs(fuzz.seconds) / u32::try_from(TARGETS.len())?;
    for target in TARGETS {
        let program = built.iter().find(|built| built.is_of(target));
        let program = program
            .ok_or_else(|| format!("{}: {} does not have these tests", target.what, target.package))?;
        rounds(&workspace, target, program, share)?;
    }
    Ok(())
}

fn rounds(workspace: &Workspace, target: &Target, built: &TestBinary, share: Duration) -> Result {
    let &Target { what, tests, .. } = target;
    let TestBinary { program, folder, .. } = built;
    let (seconds, start) = (ROUND.as_secs().to_string(), Instant::now());
    let (mut cases, mut all) = (64_u64, 0);
    let _there = workspace.sh.push_dir(folder);
    loop {
        let round = Instant::now();
        let test = cmd!(
            workspace.sh,
            "prlimit {MEMORY} timeout --kill-after=5 {seconds} {program} --quiet {tests...}"
        );
        let output = test.env("PROPTEST_CASES", cases.to_string()).quiet().ignore_status().output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() || said.contains("running 0 tests") {
            print!("{said}");
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            return Err(
                format!("{what}: the tests ended with {}, after {all} cases of each", output.status).into()
            );
        }
        all += cases;
        let left = share.saturating_sub(start.elapsed());
        if left.is_zero() {
            break;
        }
        cases = next(cases, round.elapsed(), left.min(ROUND / 4));
    }
    println!("{what}: ran {all} cases of each test in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// A built test binary.
struct TestBinary {
    program: String,
    /// The folder of its crate.
    folder: PathBuf,
    kind: String,
    name: String,
}

impl TestBinary {
    /// Parses a line of `cargo test --message-format=json`, if it describes a binary.
    fn parse(line: &str) -> Option<Self> {
        let artifact: Value = serde_json::from_str(line).ok()?;
        let text = |pointer: &str| artifact.pointer(pointer)?.as_str().map(str::to_owned);
        let folder = PathBuf::from(text("/manifest_path")?).parent()?.to_owned();
        let program = text("/executable")?;
        Some(Self { program, folder, kind: text("/target/kind/0")?, name: text("/target/name")? })
    }

    fn is_of(&self, target: &Target) -> bool {
        self.folder.ends_with(target.package)
            && target.binary.map_or(self.kind == "lib", |name| self.kind == "test" && self.name == name)
    }
}

/// Builds the binaries together, as all tests are built, because a build of one crate alone would build its
/// dependencies again.
fn build(workspace: &Workspace) -> Result<Vec<TestBinary>> {
    let binaries = TARGETS.iter().filter_map(|target| target.binary).flat_map(|name| ["--test", name]);
    let format = "--message-format=json-render-diagnostics";
    let said = cmd!(workspace.sh, "cargo test --quiet --no-run --workspace --lib {binaries...} {format}");
    Ok(said.quiet().read()?.lines().filter_map(TestBinary::parse).collect())
}

/// Returns the number of cases that fit into a time, by the time of the last cases; at most ten times as many.
fn next(cases: u64, took: Duration, time: Duration) -> u64 {
    let fit = cases as f64 * time.as_secs_f64() / took.as_secs_f64().max(0.01);
    (fit as u64).clamp(16, cases * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_grow_into_the_time_that_is_left() {
        let seconds = Duration::from_secs;
        assert_eq!(next(64, seconds(2), seconds(4)), 128);
        assert_eq!(next(64, seconds(0), seconds(60)), 640);
        assert_eq!(next(1000, seconds(60), seconds(0)), 16);
    }
}
