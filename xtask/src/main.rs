//! `cargo xtask`: what this project does to itself.
#![expect(clippy::print_stdout, reason = "a task talks to the one who runs it")]

mod api;
mod bench;
mod cases;
mod demo;
mod docs;
mod fuzz;
mod golden;
mod lab;
mod mcp;
mod probe;
mod record;
mod soak;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about)]
enum Task {
    /// Everything that must hold before a change is merged: the one test command
    Test(test::Test),
    /// Compare the answers of the tools with their snapshots, or accept the new ones
    Golden(golden::Golden),
    /// Record what the cases of a scenario ask of a live source
    Record(record::Record),
    /// Write the tool and command references, or check that they are up to date
    Docs(docs::Docs),
    /// Check the rules of the architecture that a compiler does not
    Tidy,
    /// Talk to every server in both eras of MCP, and let the MCP Inspector and the conformance suites do the same
    Probe(probe::Probe),
    /// Watch a troubleshooting session over MCP on the shipped must-gather
    Demo,
    /// Measure: large databases, start of a server, sizes
    Bench(bench::Bench),
    /// Damage what strangers write at random, and see that it is refused
    Fuzz(fuzz::Fuzz),
    /// Call every tool thousands of times, and see that the lab stays as it was
    Soak(soak::Soak),
    /// The test lab: two nodes of OVN-Kubernetes on this machine
    Lab(lab::Lab),
}

/// Runs one task. Its exit status is the lab's script's where a script did the work.
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
        Task::Soak(soak) => soak::run(&soak)?,
        Task::Bench(bench) => bench::run(&bench)?,
        Task::Fuzz(fuzz) => fuzz::run(&fuzz)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs one task by its command line, for tasks that are made of others.
fn task(words: &[&str]) -> workspace::Result {
    let task = Task::try_parse_from([&["xtask"], words].concat())?;
    if run(task)? == ExitCode::SUCCESS {
        Ok(())
    } else {
        Err(format!("cargo xtask {} failed", words.join(" ")).into())
    }
}

/// Starts this program once more, without what cargo tells a program that it runs. Build scripts look at that (ring's does):
/// cargo would build half of everything anew when it is called from here, and once more when it is not.
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
    // It comes back only if it cannot be done.
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
