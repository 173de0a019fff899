//! `cargo xtask fuzz`: what strangers wrote, damaged at random, for as long as one likes.
//!
//! The targets are the property tests of all that reads untrusted bytes. Here they run with more cases and other seeds
//! each time, under bounds: a target fails when it panics, when its process takes more memory than any input may cost,
//! or when one round does not end.

use std::time::{Duration, Instant};

use clap::Args;
use xshell::cmd;

use crate::workspace::{Result, Workspace};

/// `cargo xtask fuzz [--seconds N]`
#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// How long, all targets together
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// The tests of one binary whose names begin so.
struct Target {
    what: &'static str,
    package: &'static str,
    binary: &'static [&'static str],
    tests: &'static str,
}

const TARGETS: &[Target] = &[
    Target { what: "OVSDB files", package: "ovsdb", binary: &["--test", "damage"], tests: "never_panic" },
    Target {
        what: "archives and manifests",
        package: "mcp-core",
        binary: &["--test", "bundles"],
        tests: "fuzz::",
    },
    Target { what: "operands of commands", package: "mcp-core", binary: &["--lib"], tests: "argv::" },
    Target { what: "what programs print", package: "ovn-model", binary: &["--lib"], tests: "" },
];

/// The address space of a target: its threads and its binary take the larger part.
const MEMORY: &str = "--as=6000000000";

/// No round is planned for longer than a quarter of this.
const ROUND: Duration = Duration::from_secs(240);

/// Runs round after round of every target.
pub(crate) fn run(fuzz: &Fuzz) -> Result {
    let workspace = Workspace::open()?;
    let sh = &workspace.sh;
    let about = cmd!(sh, "rustc --version --verbose").quiet().read()?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc tells no host")?;
    let runner = format!("CARGO_TARGET_{}_RUNNER", host.to_uppercase().replace('-', "_"));
    let bounds = format!("prlimit {MEMORY} timeout --kill-after=5 {}", ROUND.as_secs());
    let share = Duration::from_secs(fuzz.seconds) / u32::try_from(TARGETS.len())?;
    for &Target { what, package, binary, tests } in TARGETS {
        cmd!(sh, "cargo test --quiet --no-run --package {package} {binary...}").quiet().run()?;
        let start = Instant::now();
        let (mut cases, mut all) = (64_u64, 0);
        loop {
            let round = Instant::now();
            let test = cmd!(sh, "cargo test --quiet --package {package} {binary...} -- {tests}");
            let test = test.env(&runner, &bounds).env("PROPTEST_CASES", cases.to_string());
            let output = test.quiet().ignore_status().output()?;
            if !output.status.success() {
                print!("{}", String::from_utf8_lossy(&output.stdout));
                eprint!("{}", String::from_utf8_lossy(&output.stderr));
                return Err(format!("{what}: {}, after {all} cases of each test", output.status).into());
            }
            all += cases;
            let left = share.saturating_sub(start.elapsed());
            if left.is_zero() {
                break;
            }
            cases = next(cases, round.elapsed(), left.min(ROUND / 4));
        }
        println!("{what}: {all} cases of each test in {:.0} s", start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// As many cases as fit into a time, by what the last ones took; at most ten times as many.
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
