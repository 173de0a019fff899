//! `cargo xtask soak`: makes thousands of generated calls of every tool, which must not change the lab.
//!
//! It then makes hostile calls while strace(1) watches which programs the servers start, makes random changes, which
//! the comparisons of nodes must report, checks that the fuzz targets compile, and compares traces of random packets
//! with the real ovn-trace.
//!
//! The servers are constructed so that no tool can write; this task checks the result. The servers themselves list the
//! tools and their parameters, so a new tool is covered automatically.

mod counters;
mod generate;
mod planted;
mod random;
mod state;
mod traces;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use xshell::cmd;

use self::generate::CallIntent;
pub(crate) use self::generate::{Tool, Words};
use self::planted::Planted;
pub(crate) use self::random::Random;
use self::state::{Changes, NODES, State};
use crate::api::Server;
use crate::cases;
use crate::mcp::{self, Era, Session};
use crate::programs;
use crate::workspace::{Crate, Result, Workspace};

/// How much more likely a question about the lab is than a question about a bundle.
const OF_LAB: usize = 5;

/// The upper limit of an answer of a server, with its first and last lines.
const LONGEST_ANSWER: usize = 32_000;

/// `cargo xtask soak`
#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// Make 500 calls, and none of the other checks
    #[arg(long)]
    quick: bool,
    /// Number of calls, over all servers
    #[arg(long, default_value_t = 10_000, conflicts_with = "quick")]
    calls: usize,
    /// Number of packets that are compared with a daemon of ovn-trace, on each database
    #[arg(long, default_value_t = 100_000, conflicts_with = "quick")]
    packets: usize,
    /// Number of packets that are compared with a process of ovn-trace each, on each database
    #[arg(long, default_value_t = 5_000, conflicts_with = "quick")]
    processes: usize,
    /// Number of random changes of each kind of source that a comparison of nodes has to report
    #[arg(long, default_value_t = 1_000, conflicts_with = "quick")]
    changes: usize,
    /// Number of random packets for each table of routes, and of random logs that are paged through
    #[arg(long, default_value_t = 2_000, conflicts_with = "quick")]
    cases: usize,
    /// Number of hostile values for each parameter of each tool, while strace(1) watches the servers on the nodes
    #[arg(long, default_value_t = 20, conflicts_with = "quick")]
    values: usize,
    /// Seed of an earlier run, to repeat its calls, changes and packets
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Use the API server of the lab instead of the local backend
    #[arg(long)]
    api: bool,
    /// Folder of the lab
    #[arg(long, default_value = "/var/lib/ovnk-lab", value_name = "DIR")]
    lab: PathBuf,
}

/// The outcomes of the calls of one tool.
#[derive(Clone, Copy, Default)]
struct Tally {
    answered: usize,
    failed: usize,
    refused: usize,
}

/// Makes the calls, and compares the state of the lab before and after.
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
        None => local(&soak.lab),
    };

    // Addresses that were learnt at the same time also age out at the same time, perhaps between two looks at the lab.
    let warm = concat!(env!("CARGO_MANIFEST_DIR"), "/lab/warm.sh");
    cmd!(workspace.sh, "bash {warm}").env("LAB_DIR", &soak.lab).run()?;
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
    // The idle lab is observed for the same time, to see which changes it makes itself.
    println!("{calls} calls in {took:.0?}; observing the idle lab for the same time");
    std::thread::sleep(took);
    let later = look()?;

    let left: Vec<_> = std::fs::read_dir(scratch.path())?.flatten().map(|file| file.path()).collect();
    if !left.is_empty() {
        return Err(format!("the servers left temporary files: {left:?}").into());
    }
    judge(&before.changes(&after), &after.changes(&later), before.len())?;
    // `cargo xtask test` makes fewer hostile calls and changes, and compares fewer packets, so a quick run leaves them
    // out.
    if soak.quick {
        return Ok(());
    }
    programs::attack(&workspace, &soak.lab, soak.values, soak.seed)?;
    random_changes(&workspace, soak)?;
    random_cases(&workspace, soak)?;
    fuzz_targets(&workspace)?;
    traces::compare(&workspace, &soak.lab, soak.packets, soak.processes, soak.seed)
}

/// Compares the evaluation of routes and rules with the kernel, and pages of logs with the whole log, in more cases
/// than the tests do.
fn random_cases(workspace: &Workspace, soak: &Soak) -> Result {
    let (seed, cases) = (soak.seed.to_string(), soak.cases.to_string());
    let kernel = cmd!(workspace.sh, "cargo test --workspace --test kernel -- --include-ignored");
    kernel.env("HOST_NET_SEED", seed).env("HOST_NET_CASES", &cases).run()?;
    let logs = cmd!(workspace.sh, "cargo test --workspace --lib -- log::pages");
    Ok(logs.env("PROPTEST_CASES", &cases).run()?)
}

/// Checks that the fuzz targets still compile: no other task builds them.
fn fuzz_targets(workspace: &Workspace) -> Result {
    Ok(cmd!(workspace.sh, "cargo check --quiet --locked --manifest-path fuzz/Cargo.toml").run()?)
}

/// Checks that the comparisons of nodes report more random changes of a source than the tests make.
fn random_changes(workspace: &Workspace, soak: &Soak) -> Result {
    let (seed, changes) = (soak.seed.to_string(), soak.changes.to_string());
    let test = cmd!(workspace.sh, "cargo test --workspace --test changes -- --nocapture");
    Ok(test.env("CHANGES_SEED", seed).env("CHANGES", changes).run()?)
}

/// Returns the source flags of a server for the nodes of a lab.
pub(crate) fn local(lab: &Path) -> Vec<String> {
    NODES.iter().map(|node| format!("--local={node}={}", lab.join(node).join("pid").display())).collect()
}

/// Makes the calls of one server, in one process.
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
    // Cases about the lab are repeated, because only a call that gets an answer tests much.
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
        let mood = CallIntent::draw(random);
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

/// Checks that remote commands end with their calls, or very soon after.
fn nothing_runs(server: &Server) -> Result {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let running = server.processes()?;
        if running.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("these commands still run in containers: {running:#?}").into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Reports the changes that the idle lab does not make too.
fn judge(changes: &Changes, idle: &Changes, looked_at: usize) -> Result {
    // Rows come and go with new UUIDs, so only the place is compared, without the value.
    let place = |line: &String| {
        line.split(['"', '=']).next().unwrap_or_default().trim_start_matches(['+', '-']).to_owned()
    };
    let excused: std::collections::BTreeSet<String> = idle.iter().map(place).collect();
    let (same, ours): (Vec<&String>, Vec<&String>) =
        changes.iter().partition(|line| excused.contains(&place(line)));
    for line in &same {
        println!("the idle lab also changes this: {line}");
    }
    if ours.is_empty() {
        println!("compared {looked_at} values, rules, flows, files and processes: the calls changed nothing");
        return Ok(());
    }
    let lines: Vec<&str> = ours.iter().take(40).map(|line| line.as_str()).collect();
    Err(format!("the lab changed in {} places while tools were called:\n{}", ours.len(), lines.join("\n"))
        .into())
}
