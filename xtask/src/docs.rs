//! `cargo xtask docs`: the references of tools and commands, as the servers print them.
//!
//! Made from the code that runs, so they cannot promise what is not there; checked in, so that a change of what a
//! server may run shows in the diff of the change.

use std::fs;

use clap::Args;
use xshell::cmd;

use crate::workspace::{Result, Workspace};

const FOLDER: &str = "docs/reference";

/// `cargo xtask docs [--check]`
#[derive(Debug, Args)]
pub(crate) struct Docs {
    /// Write nothing; fail if what is written is not what the servers say
    #[arg(long)]
    check: bool,
}

/// Writes or checks the references of every layer.
pub(crate) fn run(docs: &Docs) -> Result {
    let workspace = Workspace::open()?;
    println!("building the servers; the first build takes some minutes");
    workspace.build_layers()?;
    println!("comparing {FOLDER} with what the servers print");
    let mut stale = Vec::new();
    for layer in workspace.layers() {
        for of in ["tools", "commands"] {
            let binary = workspace.binary(layer);
            let text = cmd!(workspace.sh, "{binary} reference {of}").quiet().output()?.stdout;
            let name = format!("{FOLDER}/{}-{of}.md", layer.layer());
            let path = workspace.root.join(&name);
            let written = fs::read(&path).unwrap_or_default();
            if written == text {
                continue;
            }
            if docs.check {
                stale.push(format!("{name}: {}", difference(&written, &text)));
            } else {
                workspace.sh.write_file(&path, &text)?;
                println!("wrote {name}");
            }
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!("out of date: `cargo xtask docs` writes them anew\n  {}", stale.join("\n  ")).into())
}

/// Where two texts part.
fn difference(written: &[u8], now: &[u8]) -> String {
    let (written, now) = (String::from_utf8_lossy(written), String::from_utf8_lossy(now));
    let (mut old, mut new) = (written.lines(), now.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (old.next(), new.next()) {
            (None, None) => return "the ends of lines".into(),
            (old, new) if old == new => {}
            (old, new) => {
                let or_end = |line: Option<&str>| line.map_or("(end)".into(), |line| format!("`{line}`"));
                return format!("line {number} is {}, should be {}", or_end(old), or_end(new));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn says_where_two_texts_part() {
        assert_eq!(difference(b"a\nb\n", b"a\nc\n"), "line 2 is `b`, should be `c`");
        assert_eq!(difference(b"", b"a\n"), "line 1 is (end), should be `a`");
        assert_eq!(difference(b"a\n", b"a"), "the ends of lines");
    }
}
