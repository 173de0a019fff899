//! `cargo xtask`: what this project does to itself.

mod lab;

use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about)]
enum Task {
    /// The test lab: two nodes of OVN-Kubernetes on this machine
    Lab(lab::Lab),
}

fn main() -> ExitCode {
    let outcome = match Task::parse() {
        Task::Lab(lab) => lab::run(lab),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}
