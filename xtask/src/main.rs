//! `cargo xtask`: the tasks of this project, such as tests, references, the lab and benchmarks.
#![expect(clippy::print_stdout, reason = "a task prints its results for the person who runs it")]

mod api;
mod bench;
mod cases;
mod demo;
mod docs;
mod fuzz;
mod generate;
mod golden;
mod installed;
mod lab;
mod mcp;
mod probe;
mod programs;
mod record;
mod soak;
mod suite;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about)]
enum Task {
    /// Check everything that must hold before a change is merged
    Test(test::Test),
    /// Compare the answers of the tools with their snapshots, or accept the new ones
    Golden(golden::Golden),
    /// Record the answers of a live source to the cases of a scenario
    Record(record::Record),
    /// Write the references of tools and commands, or check that they are up to date
    Docs(docs::Docs),
    /// Check the rules of structure and language that the compiler does not check
    Tidy,
    /// Test every server with both versions of MCP, with the MCP Inspector and with the conformance suites
    Probe(probe::Probe),
    /// Show a troubleshooting session over MCP on the shipped must-gather
    Demo,
    /// Measure large databases, the start of a server, and sizes
    Bench(bench::Bench),
    /// Damage untrusted input at random, and check that it is refused
    Fuzz(fuzz::Fuzz),
    /// Write the bundle of a generated cluster of any number of nodes
    Generate(generate::Generate),
    /// Check which programs the servers start: none over bundles, and only the listed ones in the lab
    Programs(programs::Programs),
    /// Call every tool thousands of times, and check that the lab does not change
    Soak(soak::Soak),
    /// Control the test lab: two nodes of OVN-Kubernetes on this machine
    Lab(lab::Lab),
}

/// Runs one task. If a script of the lab did the work, the exit status is that of the script.
fn run(task: Task) -> workspace::Result<ExitCode> {
    match task {
        Task::Lab(lab) => return lab::run(lab),
        Task::Test(test) => test::run(&test)?,
        Task::Golden(golden) => golden::run(&golden)?,
        Task::Record(record) => record::run(&record)?,
        Task::Docs(docs) => docs::run(&docs)?,
        Task::Tidy => tidy::run()?,
        Task::Probe(probe) => probe::run(&probe)?,
        Task::Demo => demo::run()?,
        Task::Programs(programs) => programs::run(&programs)?,
        Task::Soak(soak) => soak::run(&soak)?,
        Task::Bench(bench) => bench::run(&bench)?,
        Task::Fuzz(fuzz) => fuzz::run(&fuzz)?,
        Task::Generate(generate) => generate::run(&generate)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs one task by its command line, for tasks that consist of other tasks.
fn task(words: &[&str]) -> workspace::Result {
    let task = Task::try_parse_from([&["xtask"], words].concat())?;
    if run(task)? == ExitCode::SUCCESS {
        Ok(())
    } else {
        Err(format!("cargo xtask {} failed", words.join(" ")).into())
    }
}

/// Starts this program again without the variables that cargo sets for a program that it runs. Some build scripts
/// (ring's) read these variables, so cargo would build half of the workspace again when it is called from here, and
/// again when it is not.
fn forget_cargo() -> std::io::Result<()> {
    use std::os::unix::process::CommandExt;
    let is_told = |name: &str| ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|told| name.starts_with(told));
    let told: Vec<_> = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_told)).collect();
    if told.is_empty() {
        return Ok(());
    }
    #[expect(clippy::disallowed_methods, reason = "this program itself")]
    let mut again = std::process::Command::new(std::env::current_exe()?);
    again.args(std::env::args_os().skip(1));
    for (name, _) in told {
        again.env_remove(name);
    }
    // `exec` returns only if it fails.
    Err(again.exec())
}

fn main() -> ExitCode {
    if let Err(error) = forget_cargo() {
        eprintln!("warning: {error}");
    }
    run(Task::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}
