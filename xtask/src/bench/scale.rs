//! A generated cluster of 300 nodes and 20,000 pods: the time from the start of a process to its first answer, its
//! memory, and the size of the answer.

use std::path::Path;

use xshell::cmd;

use super::measure::{median, peak, wall};
use super::{Plan, Table, megabytes, milliseconds};
use crate::workspace::{Result, Workspace};

// The layer's own test of limits asks the same questions.
#[path = "../../../crates/mcp-k8s/tests/scale/bundle.rs"]
mod bundle;

/// The numbers of nodes and pods; a quick run uses a thirtieth.
const SIZE: [usize; 2] = [300, 20_000];
/// The upper limit of an answer in bytes.
const BOUND: usize = 24_000;

/// The first questions: the overview, a list, one object, and the location of a pod, a service and an address.
const QUESTIONS: [&[&str]; 8] = [
    &["cluster_overview"],
    &["kubectl_get", "kind=pods"],
    &["kubectl_get", "kind=pod/web-00042", "output=yaml"],
    &["kubectl_events", "type=Warning"],
    &["ovnkube_locate", "what=tenant-000/web-00042"],
    &["ovnkube_locate", "what=tenant-000/web"],
    &["ovnkube_locate", "what=10.128.9.4"],
    // The address belongs to no object, so all zones are searched.
    &["ovnkube_locate", "what=10.128.9.250"],
];

/// Generates the must-gather, asks each question in a new process, and deletes the must-gather.
pub(super) fn measure(workspace: &Workspace, plan: &Plan, table: &mut Table) -> Result {
    let folder = workspace.sh.create_temp_dir()?;
    let [nodes, pods] = if plan.profile == "release" { SIZE } else { SIZE.map(|n| n / 30) };
    bundle::write(folder.path(), nodes, pods, &databases(workspace)?)?;
    table.say(
        format!("**a must-gather of {nodes} nodes with databases and {pods} pods**, the first answer"),
        String::new(),
    );
    QUESTIONS.iter().try_for_each(|question| ask(workspace, plan, table, folder.path(), question))
}

/// Returns a northbound and a southbound database; the generated databases have their schemas.
fn databases(workspace: &Workspace) -> Result<[Vec<u8>; 2]> {
    let (sh, scratch) = (&workspace.sh, workspace.sh.create_temp_dir()?);
    let (bundle, scratch) = (workspace.root.join("testdata/capture/must-gather.tar.xz"), scratch.path());
    cmd!(sh, "tar --extract --xz --file {bundle} --directory {scratch}").quiet().run()?;
    let first = |db: &str| -> Result<Vec<u8>> {
        let found = cmd!(sh, "find {scratch} -name *_{db} -type f -print -quit").quiet().read()?;
        Ok(std::fs::read(found)?)
    };
    Ok([first("nbdb")?, first("sbdb")?])
}

fn ask(workspace: &Workspace, plan: &Plan, table: &mut Table, folder: &Path, question: &[&str]) -> Result {
    let sh = &workspace.sh;
    let server = workspace.target.join(plan.profile).join("mcp-k8s");
    let call = || cmd!(sh, "{server} --bundle {folder} call {question...}").quiet();
    let time = median(plan.runs.min(3), || wall(call()))?;
    let memory = peak(call())?;
    let bytes = call().read()?.len();
    let what = question.join(" ");
    table.say(format!("{what}: time"), milliseconds(time));
    table.aim("peak memory", megabytes(memory), "< 200 MB", memory < 200_000_000);
    table.aim("bytes of the answer", bytes.to_string(), "<= 24000", bytes <= BOUND);
    Ok(())
}
