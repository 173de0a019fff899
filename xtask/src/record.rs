//! `cargo xtask record`: asks a live source the questions of a scenario's cases, and records the answers.
//!
//! The cases that test the tools also select the data to record, so every recording has a case that reads it.

use std::fs;
use std::path::Path;

use clap::Args;
use serde_json::{Value, json};
use xshell::cmd;

use crate::cases::{self, Case};
use crate::workspace::{Result, Workspace};

/// `cargo xtask record SCENARIO -- SOURCE-FLAGS...`
#[derive(Debug, Args)]
pub(crate) struct Record {
    /// The folder of testdata to fill; the scenario `lab` uses the lab, unless flags name another source
    scenario: String,
    /// The folder of the lab
    #[arg(long, default_value = "/var/lib/ovnk-lab", value_name = "DIR")]
    lab_dir: String,
    /// Version of OVN; read from the lab if the source is the lab
    #[arg(long, value_name = "VERSION")]
    ovn: Option<String>,
    /// Version of Open vSwitch
    #[arg(long, value_name = "VERSION")]
    ovs: Option<String>,
    /// Release of the kernel
    #[arg(long, value_name = "RELEASE")]
    kernel: Option<String>,
    /// Source flags of a server: --local=NODE=PID-FILE, --bundle=PATH
    #[arg(last = true, value_name = "SOURCE-FLAGS")]
    source: Vec<String>,
}

/// Asks every case of the scenario, in every layer, and replaces the earlier recordings.
pub(crate) fn run(record: &Record) -> Result {
    let workspace = Workspace::open()?;
    workspace.build_layers()?;
    let source = &record.source()?;
    let folder = workspace.root.join("testdata").join(&record.scenario);
    workspace.sh.create_dir(&folder)?;
    // The new recordings are written next to the old ones, which are deleted only when the new ones are complete.
    let new = folder.join("recorded.new");
    workspace.sh.remove_path(&new)?;
    let asked = ask(record, &workspace, source, &new);
    let replaced = asked.and_then(|asked| replace(&new, &folder.join("recorded")).map(|()| asked));
    workspace.sh.remove_path(&new)?;
    let asked = replaced?;
    let today = cmd!(workspace.sh, "date --utc +%F").quiet().read()?;
    let about = json!({
        "scenario": record.scenario,
        "recorded": today,
        "source": source,
        "ovn": record.version(&workspace, record.ovn.as_deref(), &["ovn-nbctl", "--version"]),
        "ovs": record.version(&workspace, record.ovs.as_deref(), &["ovs-vswitchd", "--version"]),
        "kernel": record.version(&workspace, record.kernel.as_deref(), &["uname", "-r"]),
    });
    workspace.sh.write_file(folder.join("scenario.json"), format!("{about:#}\n"))?;
    println!("{asked} cases recorded in testdata/{}", record.scenario);
    Ok(())
}

/// Asks every case, and records the source's answers in a folder. Returns the number of cases.
fn ask(record: &Record, workspace: &Workspace, source: &[String], new: &Path) -> Result<usize> {
    let mut asked = 0;
    for layer in workspace.layers() {
        let binary = workspace.binary(layer);
        for case in cases::of(workspace, layer)?.iter().filter(|case| case.scenario == record.scenario) {
            let (tool, arguments) = (&case.tool, arguments(case));
            let call = cmd!(workspace.sh, "{binary} {source...} --record {new} call {tool} {arguments...}");
            let output = call.quiet().ignore_status().output()?;
            // A tool may refuse a question: the refusal is an answer too, and its case expects the same refusal.
            let first = if output.status.success() { &output.stdout } else { &output.stderr };
            println!("{}: {}", case.name, String::from_utf8_lossy(first).lines().next().unwrap_or_default());
            asked += 1;
        }
    }
    if asked == 0 {
        return Err(format!("no case has the scenario `{}`", record.scenario).into());
    }
    Ok(asked)
}

/// Replaces the old recordings by new ones.
fn replace(new: &Path, old: &Path) -> Result {
    if !new.exists() {
        return Err("the source gave no answer: the earlier recordings stay".into());
    }
    if old.exists() {
        fs::remove_dir_all(old)?;
    }
    Ok(fs::rename(new, old)?)
}

impl Record {
    fn is_lab(&self) -> bool {
        self.source.is_empty() && self.scenario == "lab"
    }

    fn source(&self) -> Result<Vec<String>> {
        let dir = &self.lab_dir;
        match self.scenario.as_str() {
            _ if !self.source.is_empty() => Ok(self.source.clone()),
            "lab" => Ok(["ovn-worker", "ovn-worker2"]
                .map(|node| format!("--local={node}={dir}/{node}/pid"))
                .into()),
            other => Err(format!(
                "name the source of `{other}`: cargo xtask record {other} -- --local=NODE=PID-FILE"
            )
            .into()),
        }
    }

    /// Returns the version that the user gave, otherwise the version that a program in the lab prints, otherwise null.
    fn version(&self, workspace: &Workspace, given: Option<&str>, program: &[&str]) -> Value {
        if given.is_some() || !self.is_lab() {
            return given.into();
        }
        let script = workspace.root.join("xtask/lab/enter.sh");
        let dir = &self.lab_dir;
        let asked =
            cmd!(workspace.sh, "bash {script} ovn-worker {program...}").env("LAB_DIR", dir).quiet().read();
        asked.ok().as_deref().and_then(version_in).into()
    }
}

/// Returns the version in the first line of a program's output, without the suffix of a machine or distribution.
fn version_in(text: &str) -> Option<&str> {
    let mut words = text.lines().next()?.split_whitespace();
    let version = words.rfind(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    version.split('-').next()
}

/// Returns the parameters of a case for the command line: texts unchanged, and all other values as JSON.
fn arguments(case: &Case) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    case.params.iter().map(|(key, value)| format!("{key}={}", text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_without_what_a_machine_adds() {
        assert_eq!(version_in("ovn-nbctl 23.03.1\nOpen vSwitch Library 3.1.0\n"), Some("23.03.1"));
        assert_eq!(version_in("ovs-vswitchd (Open vSwitch) 3.1.0\n"), Some("3.1.0"));
        assert_eq!(version_in("6.1.0-29-amd64\n"), Some("6.1.0"));
        assert_eq!(version_in("no such program\n"), None);
    }

    #[test]
    fn texts_are_passed_as_they_are_and_all_else_as_json() -> Result {
        let params =
            json!({ "table": "ACL", "limit": 5, "where": [{ "column": "action", "value": "drop" }] });
        let case = Case {
            name: String::new(),
            scenario: String::new(),
            tool: String::new(),
            params: params.as_object().cloned().ok_or("no object")?,
        };
        let wanted = ["table=ACL", "limit=5", r#"where=[{"column":"action","value":"drop"}]"#];
        assert_eq!(arguments(&case), wanted);
        Ok(())
    }
}
