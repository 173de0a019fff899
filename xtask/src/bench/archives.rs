//! The first answer from an archive of gigabytes, next to the programs that only list or unpack it.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use xshell::cmd;

use super::measure::{wall, watched};
use super::{Plan, Table, megabytes};
use crate::workspace::{Result, Workspace};

/// The size of the archive before it is packed.
const BYTES: u64 = 2_000_000_000;

/// Makes a must-gather with logs of that size (a tenth of it in a quick run), packs it and asks a question.
pub(super) fn measure(workspace: &Workspace, plan: &Plan, table: &mut Table) -> Result {
    let sh = &workspace.sh;
    let scratch = workspace.sh.create_temp_dir()?;
    let dir = scratch.path();
    let gather = dir.join("gather");
    fs::create_dir(&gather)?;
    let capture = workspace.root.join("testdata/capture/must-gather.tar.xz");
    cmd!(sh, "tar --extract --xz --file {capture} --directory {gather}").quiet().run()?;
    let bytes = if plan.quick { BYTES / 10 } else { BYTES };
    logs(&gather.join("namespaces/openshift-ovn-kubernetes/pods/noise/noise/noise/logs"), bytes)?;
    let plain = dir.join("must-gather.tar");
    cmd!(sh, "tar --create --file {plain} --directory {gather} .").quiet().run()?;
    fs::remove_dir_all(&gather)?;
    cmd!(sh, "gzip -1 --keep {plain}").quiet().run()?;
    cmd!(sh, "xz -0 --threads=2 --keep {plain}").quiet().run()?;

    let seconds = |time: std::time::Duration| format!("{:.1} s", time.as_secs_f64());
    let binary = workspace.target.join(plan.profile).join("mcp-ovn");
    for (end, unpack) in [("tar", "cat"), ("tar.gz", "gzip"), ("tar.xz", "xz")] {
        let archive = dir.join(format!("must-gather.{end}"));
        let bundle = format!("--bundle={}", archive.display());
        let ours = cmd!(sh, "{binary} {bundle} call ovn_nbctl_show node_name=ovn-worker of=join").quiet();
        table.say(
            format!("**an archive of {}**, .{end}", megabytes(bytes)),
            megabytes(fs::metadata(&archive)?.len()),
        );
        let (first, memory) = watched(ours)?;
        table.say("first answer of a new process", seconds(first));
        table.say("peak memory of the server", megabytes(memory));
        table.say("`tar -t`", seconds(wall(cmd!(sh, "tar -tf {archive}").quiet())?));
        let options = (unpack != "cat").then_some("-dc");
        let unpacked = wall(cmd!(sh, "{unpack} {options...} {archive}").quiet())?;
        let unpack = options.map_or(unpack.to_owned(), |options| format!("{unpack} {options}"));
        table.say(format!("`{unpack}`, output discarded"), seconds(unpacked));
    }
    Ok(())
}

/// Writes logs of a container, in files of a hundred megabytes: lines that repeat as in practice, with numbers that do
/// not repeat.
fn logs(folder: &Path, bytes: u64) -> Result {
    fs::create_dir_all(folder)?;
    let (mut left, mut number, mut file) = (bytes, 0x9e37_79b9_u64, 0);
    while left > 0 {
        let mut log = BufWriter::new(File::create(folder.join(format!("{file}.log")))?);
        let mut room = left.min(100_000_000);
        left -= room;
        file += 1;
        while room > 0 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (a, b, c) = (number >> 60, number >> 33 & 0xffff, number >> 17 & 0xff);
            let line = format!(
                "2026-11-22T08:{:02}:{:02}.{b:05}Z I1122 {b:05} 1 base_network_controller_pods.go:{c}] [shop/web-{b:x}] addLogicalPort took {c}.{a}ms, libovsdb time {a}ms\n",
                number >> 40 & 31,
                number >> 48 & 31,
            );
            let take = line.len().min(usize::try_from(room)?);
            log.write_all(line.as_bytes().get(..take).unwrap_or_default())?;
            room -= take as u64;
        }
        log.flush()?;
    }
    Ok(())
}
