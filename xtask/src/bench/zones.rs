//! The evaluation of logical flows: the time to compile a zone next to the time to read its rows, and the time of a
//! packet.

use xshell::cmd;

use super::{Plan, Table, data, megabytes};
use crate::workspace::{Result, Workspace};

/// Measures each database.
pub(super) fn measure(workspace: &Workspace, plan: &Plan, table: &mut Table) -> Result {
    let scratch = workspace.sh.create_temp_dir()?;
    let example = workspace.target.join(plan.profile).join("examples/compile");
    let few = if plan.quick { 1 } else { usize::MAX };
    for file in data::southbound(workspace, plan, scratch.path())?.into_iter().take(few) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        table.say(format!("**{name}**, a zone compiled"), megabytes(std::fs::metadata(&file)?.len()));
        let said = cmd!(workspace.sh, "{example} {file}").quiet().read()?;
        for (what, value) in said.lines().filter_map(|line| line.split_once(": ")) {
            table.say(what, value.to_owned());
        }
    }
    Ok(())
}
