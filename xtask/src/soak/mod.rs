//! `cargo xtask soak`: thousands of generated calls of every tool, against a lab that must be the same afterwards.
//!
//! That no tool can write is a matter of construction; this looks whether it is true. The tools and their parameters are taken
//! from the servers themselves, so a new tool is covered by being there.

mod counters;
mod generate;
mod planted;
mod random;
mod state;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use self::generate::{Mood, Tool, Words};
use self::planted::Planted;
use self::random::Random;
use self::state::{Changes, NODES, State};
use crate::api::Server;
use crate::cases;
use crate::mcp::{self, Era, Session};
use crate::workspace::{Crate, Result, Workspace};

/// How much likelier a question about the lab is than one about a bundle.
const OF_LAB: usize = 5;

/// More than the longest answer that a server gives, with its first and last lines.
const LONGEST_ANSWER: usize = 32_000;

/// `cargo xtask soak`
#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// 500 calls
    #[arg(long)]
    quick: bool,
    /// So many calls, over all servers
    #[arg(long, default_value_t = 10_000, conflicts_with = "quick")]
    calls: usize,
    /// The same calls again: the seed of an earlier run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Over the API server of the lab, and not over the local backend
    #[arg(long)]
    api: bool,
    /// The lab's folder
    #[arg(long, default_value = "/var/lib/ovnk-lab", value_name = "DIR")]
    lab: PathBuf,
}

/// What became of the calls of one tool.
#[derive(Clone, Copy, Default)]
struct Tally {
    answered: usize,
    failed: usize,
    refused: usize,
}

/// Asks, and compares.
pub(crate) fn run(soak: &Soak) -> Result {
    let workspace = Workspace::open()?;
    workspace.build_layers()?;
    let calls = if soak.quick { 500 } else { soak.calls };
    let layers: Vec<&Crate> = workspace.layers().collect();
    let scratch = workspace.sh.create_temp_dir()?;
    workspace.sh.set_var("TMPDIR", scratch.path());
    let server = soak.api.then(|| Server::start(&workspace, &soak.lab, &[])).transpose()?;
    let source: Vec<String> = match &server {
        Some(server) => vec![format!("--kubeconfig={}", server.kubeconfig().display())],
        None => NODES
            .iter()
            .map(|node| format!("--local={node}={}", soak.lab.join(node).join("pid").display()))
            .collect(),
    };

    let _planted = Planted::plant(&workspace.sh, &soak.lab)?;
    let look = || State::of(&workspace.sh, &soak.lab);
    let before = look()?;
    let start = Instant::now();
    let mut random = Random::new(soak.seed);
    for (number, layer) in layers.iter().enumerate() {
        let share = calls / layers.len() + usize::from(number < calls % layers.len());
        let tallies = layer_calls(&workspace, layer, &source, share, &mut random)
            .map_err(|error| format!("{} (seed {}): {error}", layer.name, soak.seed))?;
        report(layer, &tallies);
    }
    let took = start.elapsed();
    if let Some(server) = &server {
        nothing_runs(server)?;
    }
    let after = look()?;
    // What the lab does when nobody asks it anything, for as long as it was asked.
    println!("{calls} calls in {took:.0?}; now as long without any");
    std::thread::sleep(took);
    let later = look()?;

    let left: Vec<_> = std::fs::read_dir(scratch.path())?.flatten().map(|file| file.path()).collect();
    if !left.is_empty() {
        return Err(format!("temporary files were left: {left:?}").into());
    }
    judge(&before.changes(&after), &after.changes(&later), before.len())
}

/// The calls of one server, over one process.
fn layer_calls(
    workspace: &Workspace,
    layer: &Crate,
    source: &[String],
    calls: usize,
    random: &mut Random,
) -> Result<BTreeMap<String, Tally>> {
    let mut session = Session::start(&workspace.sh, &workspace.binary(layer), source, Era::Initialize)?;
    session.open()?;
    let list = session.expect("tools/list", json!({}))?;
    let mut known: BTreeMap<String, Vec<_>> = BTreeMap::new();
    // Only what is answered goes far.
    for case in cases::with_lab(workspace, layer)? {
        let times = if case.is_of_lab() { OF_LAB } else { 1 };
        known.entry(case.tool).or_default().extend(std::iter::repeat_n(case.params, times));
    }
    let entries = list.get("tools").and_then(Value::as_array).cloned().unwrap_or_default();
    let cases = |entry: &Value| {
        let name = entry.get("name").and_then(Value::as_str).unwrap_or_default();
        known.get(name).cloned().unwrap_or_default()
    };
    let tools: Vec<Tool> = entries.iter().filter_map(|entry| Tool::new(entry, cases(entry))).collect();
    if tools.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut words = Words::new();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for tool in tools.iter().cycle().take(calls) {
        let mood = Mood::draw(random);
        let arguments = tool.arguments(mood, &words, random);
        let reply = session
            .request("tools/call", json!({ "name": tool.name, "arguments": arguments }))
            .map_err(|error| format!("{} {arguments}: {error}", tool.name))?;
        let tally = tallies.entry(tool.name.clone()).or_default();
        let Ok(result) = reply else {
            tally.refused += 1;
            continue;
        };
        let said = mcp::said(&result)?;
        let text = said.as_ref().unwrap_or_else(|error| error);
        if text.trim().is_empty() || text.len() > LONGEST_ANSWER {
            return Err(format!("{} {arguments}: an answer of {} bytes", tool.name, text.len()).into());
        }
        match said {
            Ok(text) => {
                tally.answered += 1;
                words.learn(&text, random);
            }
            Err(_) => tally.failed += 1,
        }
    }
    session.close()?;
    Ok(tallies)
}

fn report(layer: &Crate, tallies: &BTreeMap<String, Tally>) {
    println!("{:28} {:>8} {:>8} {:>8}", layer.name, "answered", "error", "refused");
    for (name, Tally { answered, failed, refused }) in tallies {
        println!("  {name:26} {answered:8} {failed:8} {refused:8}");
    }
}

/// Remote commands end with their calls, or very soon after.
fn nothing_runs(server: &Server) -> Result {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let running = server.processes()?;
        if running.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("these still run in containers: {running:#?}").into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A change is ours unless the idle lab makes such changes too.
fn judge(changes: &Changes, idle: &Changes, looked_at: usize) -> Result {
    // Rows come and go under new UUIDs: what is the same is the place, without the value.
    let place = |line: &String| {
        line.split(['"', '=']).next().unwrap_or_default().trim_start_matches(['+', '-']).to_owned()
    };
    let excused: std::collections::BTreeSet<String> = idle.iter().map(place).collect();
    let (same, ours): (Vec<&String>, Vec<&String>) =
        changes.iter().partition(|line| excused.contains(&place(line)));
    for line in &same {
        println!("changes without us too: {line}");
    }
    if ours.is_empty() {
        println!("{looked_at} values, rules, flows, files and processes: none was changed");
        return Ok(());
    }
    let lines: Vec<&str> = ours.iter().take(40).map(|line| line.as_str()).collect();
    Err(format!("{} changes while tools were called:\n{}", ours.len(), lines.join("\n")).into())
}
