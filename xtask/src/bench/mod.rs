//! `cargo xtask bench`: measures time and memory, and compares them with the real programs and with our aims.
//!
//! The benchmark never fails a build, because machines differ. Ratios to another program on the same machine say more
//! than times.

mod archives;
mod data;
mod databases;
mod exec;
mod lflows;
mod logs;
mod measure;
mod openflow;
mod outputs;
mod scale;
mod server;
mod zones;

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use xshell::cmd;

use crate::workspace::{LAYERS, Result, Workspace};

/// Measures one subject, and adds rows to the table.
type Measure = fn(&Workspace, &Plan, &mut Table) -> Result;

/// The subjects in the order in which they are measured.
const PIECES: &[(&str, Measure)] = &[
    ("databases", databases::measure),
    ("lflows", lflows::measure),
    ("zones", zones::measure),
    ("logs", logs::measure),
    ("scale", scale::measure),
    ("archives", archives::measure),
    ("server", server::measure),
    ("outputs", outputs::measure),
    ("openflow", openflow::measure),
    ("exec", exec::measure),
];

/// The pieces that measure an example and no server, with the arguments of cargo that build only this example.
const EXAMPLES: &[(&str, [&str; 4])] =
    &[("openflow", ["--package", "openflow", "--example", "follow_flows"])];

/// `cargo xtask bench [--quick] [--only PIECE,..]`
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Measure only these pieces, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "PIECE", value_parser = pieces())]
    only: Vec<String>,
    /// Make few runs of the programs that the tests built; times of the dev profile mean little
    #[arg(long)]
    quick: bool,
    /// Folder of large southbound databases, packed (*-sb.db.xz); without one, the largest of the shipped must-gather
    #[arg(long, value_name = "DIR", default_value = "../shared/data")]
    data: PathBuf,
}

fn pieces() -> PossibleValuesParser {
    PossibleValuesParser::new(PIECES.iter().map(|(name, _)| *name))
}

/// The settings of a measurement.
struct Plan {
    /// The folder of the large databases.
    data: PathBuf,
    /// Whether to use a part of generated data, and the smallest of other data.
    quick: bool,
    /// The folder of cargo's profile.
    profile: &'static str,
    runs: usize,
    starts: usize,
}

/// Measures, and prints a table.
pub(crate) fn run(bench: &Bench) -> Result {
    let workspace = Workspace::open()?;
    let sh = &workspace.sh;
    let (data, quick) = (workspace.root.join(&bench.data), bench.quick);
    let plan = if quick {
        Plan { data, quick, profile: "debug", runs: 1, starts: 5 }
    } else {
        Plan { data, quick, profile: "release", runs: 7, starts: 20 }
    };
    let release = (!bench.quick).then_some("--release");
    let example = |piece: &String| EXAMPLES.iter().find(|(name, _)| name == piece).map(|(_, build)| build);
    let examples: Option<Vec<_>> = bench.only.iter().map(example).collect();
    match examples.filter(|examples| !examples.is_empty()) {
        Some(examples) => {
            for build in examples {
                cmd!(sh, "cargo build --quiet {release...} {build...}").quiet().run()?;
            }
        }
        None => {
            cmd!(
                sh,
                "cargo build --quiet {release...} {LAYERS...} --example one_row --example bare_exec --example compile --example follow_flows"
            )
            .quiet()
            .run()?;
        }
    }

    let mut table = Table { judge: !bench.quick, rows: Vec::new() };
    for (name, measure) in PIECES {
        if bench.only.is_empty() || bench.only.iter().any(|only| only == name) {
            eprintln!("measuring {name}");
            measure(&workspace, &plan, &mut table)?;
        }
    }
    if bench.quick {
        println!(
            "This is a dev build. The aims are for release builds: run cargo xtask bench without --quick.\n"
        );
    }
    table.print();
    Ok(())
}

/// The measured values, our aims, and whether the aims are met.
struct Table {
    /// Whether to judge. Aims are for release builds and large databases; otherwise they are left out.
    judge: bool,
    rows: Vec<[String; 4]>,
}

impl Table {
    fn say(&mut self, what: impl Into<String>, measured: String) {
        self.rows.push([what.into(), measured, String::new(), String::new()]);
    }

    fn aim(&mut self, what: impl Into<String>, measured: String, aim: &str, met: bool) {
        if !self.judge {
            return self.say(what, measured);
        }
        self.rows.push([what.into(), measured, aim.into(), if met { "met" } else { "MISSED" }.into()]);
    }

    /// Prints Markdown for docs/performance.md.
    fn print(&self) {
        let head = ["what", "measured", "aim", "aim is"].map(str::to_owned);
        let all: Vec<&[String; 4]> = std::iter::once(&head).chain(&self.rows).collect();
        let mut widths = [0; 4];
        for row in &all {
            for (width, cell) in widths.iter_mut().zip(row.iter()) {
                *width = cell.chars().count().max(*width);
            }
        }
        for (number, row) in all.iter().enumerate() {
            let cells: Vec<String> =
                row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            println!("| {} |", cells.join(" | "));
            if number == 0 {
                println!("|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
            }
        }
    }
}

/// Formats milliseconds with the significant digits.
fn milliseconds(time: std::time::Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    if ms < 10.0 { format!("{ms:.2} ms") } else { format!("{ms:.0} ms") }
}

/// Formats megabytes of a million bytes.
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
