//! The speed of searching and folding a log, next to a program that only counts the matching lines.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use xshell::cmd;

use super::measure::{median, peak, wall};
use super::{Plan, Table, megabytes, milliseconds};
use crate::workspace::{Result, Workspace};

/// The path at which `oc adm inspect` writes the log.
const LOG: &str = "image/namespaces/shop/pods/web-1/web/web/logs/current.log";
/// A text that one line in a thousand contains.
const NEEDLE: &str = "failed to run ovnkube";

/// Generates a log, measures, and deletes the log.
pub(super) fn measure(workspace: &Workspace, plan: &Plan, table: &mut Table) -> Result {
    let megabytes_of_log = if plan.profile == "release" { 2_000 } else { 20 };
    let folder = workspace.target.join("bench-logs");
    let log = folder.join(LOG);
    generate(&log, megabytes_of_log * 1_000_000)?;
    let result = ask(workspace, plan, table, &folder, &log);
    fs::remove_dir_all(&folder)?;
    result
}

fn ask(workspace: &Workspace, plan: &Plan, table: &mut Table, folder: &Path, log: &Path) -> Result {
    let sh = &workspace.sh;
    let server = workspace.target.join(plan.profile).join("mcp-k8s");
    let size = fs::metadata(log)?.len();
    let call = |arguments: &[&str]| {
        cmd!(sh, "{server} --bundle {folder} call kubectl_logs pod=shop/web-1 container=web timeout_seconds=300 {arguments...}")
            .quiet()
    };
    let theirs = || cmd!(sh, "rg -c {NEEDLE} {log}").quiet();
    let grep = format!("grep={NEEDLE}");
    let runs = plan.runs.min(3);
    let speed = |time: Duration| {
        format!("{} ({:.0} MB/s)", milliseconds(time), size as f64 / 1e6 / time.as_secs_f64())
    };

    table.say("**kubectl_logs**, a generated log in a directory", megabytes(size));
    let theirs = median(runs, || wall(theirs()))?;
    table.say("`rg -c` of the same text", speed(theirs));
    let found = median(runs, || wall(call(&[&grep])))?;
    table.say("search for the last matching lines", speed(found));
    table.say("ratio to the time of `rg -c`", format!("{:.1} x", found.as_secs_f64() / theirs.as_secs_f64()));
    let digest = median(runs, || wall(call(&["digest=true"])))?;
    table.say("digest of all lines", speed(digest));
    let memory = peak(call(&["digest=true"]))?;
    table.aim("peak memory of the digest", megabytes(memory), "< 50 MB", memory < 50_000_000);
    Ok(())
}

/// Writes lines in the form of ovnkube-controller, from a few hundred templates.
fn generate(path: &Path, bytes: usize) -> Result {
    fs::create_dir_all(path.parent().ok_or("the log has no folder")?)?;
    let mut file = BufWriter::new(File::create(path)?);
    let (mut written, mut line) = (0, 0_u64);
    while written < bytes {
        let (minute, second) = (line / 60_000 % 60, line / 1_000 % 60);
        let text = match line % 1_000 {
            999 => format!(
                "E1122 08:{minute:02}:{second:02}.{:06}    2535 ovnkube.go:149] {NEEDLE}: {line}",
                line % 1_000_000
            ),
            kind => format!(
                "I1122 08:{minute:02}:{second:02}.{:06}    2535 base_network_controller_pods.go:{}] [shop/web-{line}] addLogicalPort took \
                 {}.{:03}ms, libovsdb time 1.5ms: 10.244.{}.{}/24",
                line % 1_000_000,
                400 + kind % 300,
                line % 97,
                line % 1_000,
                line % 256,
                line % 251,
            ),
        };
        let text = format!("2026-11-22T08:{minute:02}:{second:02}.{:09}Z {text}\n", line % 1_000_000_000);
        file.write_all(text.as_bytes())?;
        written += text.len();
        line += 1;
    }
    file.flush()?;
    Ok(())
}
