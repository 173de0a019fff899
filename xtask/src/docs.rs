//! `cargo xtask docs`: writes the references of tools and commands that the servers print.
//!
//! The references are generated from the running code, so they cannot promise what does not exist. They are checked in,
//! so that the diff of a change shows which commands a server may run after it.

use std::fs;

use clap::Args;
use xshell::cmd;

use crate::workspace::{Result, Workspace};

const FOLDER: &str = "docs/reference";

/// `cargo xtask docs [--check]`
#[derive(Debug, Args)]
pub(crate) struct Docs {
    /// Write nothing; fail if the written references differ from the output of the servers
    #[arg(long)]
    check: bool,
}

/// Writes or checks the references of every layer.
pub(crate) fn run(docs: &Docs) -> Result {
    let workspace = Workspace::open()?;
    println!("building the servers; the first build takes a few minutes");
    workspace.build_layers()?;
    println!("comparing {FOLDER} with the output of the servers");
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
    Err(format!("out of date: run `cargo xtask docs`\n  {}", stale.join("\n  ")).into())
}

/// Returns the first difference of two texts.
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
                return format!("line {number} is {}, but should be {}", or_end(old), or_end(new));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn says_where_two_texts_part() {
        assert_eq!(difference(b"a\nb\n", b"a\nc\n"), "line 2 is `b`, but should be `c`");
        assert_eq!(difference(b"", b"a\n"), "line 1 is (end), but should be `a`");
        assert_eq!(difference(b"a\n", b"a"), "the ends of lines");
    }
}
