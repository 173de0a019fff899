//! The evaluation of logical flows: the time to compile a zone next to the time to read its rows, and the time of a
//! packet.

use std::collections::BTreeMap;
use std::path::Path;

use xshell::cmd;

use super::measure::peak;
use super::{Plan, Table, data, megabytes};
use crate::workspace::{Result, Workspace};

/// The database for the packets between all pairs of pods. In other databases the pods are fewer, or on many nodes.
const PAIRS: &str = "ic1-sb.db";

/// Measures each database.
pub(super) fn measure(workspace: &Workspace, plan: &Plan, table: &mut Table) -> Result {
    let scratch = workspace.sh.create_temp_dir()?;
    let few = if plan.quick { 1 } else { usize::MAX };
    for file in data::southbound(workspace, plan, scratch.path())?.into_iter().take(few) {
        one(workspace, plan, &file, table)?;
    }
    Ok(())
}

fn one(workspace: &Workspace, plan: &Plan, file: &Path, table: &mut Table) -> Result {
    let sh = &workspace.sh;
    let example = workspace.target.join(plan.profile).join("examples/compile");
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let size = std::fs::metadata(file)?.len();
    table.say(format!("**{name}**, a zone compiled"), megabytes(size));
    let said = ZoneTimes::of(&cmd!(sh, "{example} {file}").quiet().read()?);
    table.say("flows in force", said.text("flows in force")?.to_owned());
    let (read, compiled) = (said.number("reading")?, said.number("compiling")?);
    table.say("reading all rows of Logical_Flow", format!("{read:.0} ms"));
    let ratio = compiled / read;
    table.aim("compiling the zone", format!("{compiled:.0} ms, {ratio:.1} x"), "3 x", ratio <= 3.0);
    let memory = peak(cmd!(sh, "{example} {file}").quiet())?;
    let sizes = memory as f64 / size as f64;
    let measured = format!("{sizes:.1} ({})", megabytes(memory));
    table.aim("peak memory, in multiples of the file size", measured, "< 6", sizes < 6.0);
    if let Ok(median) = said.number("median") {
        let (most, packets) = (said.number("99th percentile")?, said.text("packets")?);
        let what = format!("a warm trace, median of {packets}");
        table.aim(what, format!("{median:.2} ms"), "< 1 ms", median < 1.0);
        table.aim("... 99th percentile", format!("{most:.2} ms"), "< 5 ms", most < 5.0);
    }
    if name == PAIRS {
        let said = ZoneTimes::of(&cmd!(sh, "{example} {file} pairs").quiet().read()?);
        let seconds = said.number("seconds")?;
        let what = format!("{} pairs of pods, on one core", said.text("pairs")?);
        table.aim(what, format!("{seconds:.1} s"), "< 20 s", seconds < 20.0);
    }
    Ok(())
}

/// The values that the example prints, by name.
struct ZoneTimes(BTreeMap<String, String>);

impl ZoneTimes {
    fn of(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once(": "));
        Self(pairs.map(|(what, value)| (what.to_owned(), value.to_owned())).collect())
    }

    fn text(&self, what: &str) -> Result<&str> {
        Ok(self.0.get(what).ok_or_else(|| format!("the example does not say `{what}`"))?)
    }

    fn number(&self, what: &str) -> Result<f64> {
        Ok(self.text(what)?.parse()?)
    }
}
