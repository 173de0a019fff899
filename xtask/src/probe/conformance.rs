//! The conformance suites of the protocol, over HTTP: what a server of real tools can show is judged by its authors.
//!
//! The suites want fixtures too (tools that return an image, ask the client, ...). Those checks fail with every
//! server that is of use; `xtask/conformance` lists them with their reasons, and any other failure is one.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use xshell::cmd;

use super::{Subject, check, node};
use crate::mcp::Era;
use crate::workspace::{Result, Workspace};

/// The suite that knows an era, and how it is told which.
fn suite(era: Era) -> (&'static str, [&'static str; 2]) {
    match era {
        Era::Initialize => ("@modelcontextprotocol/conformance@0.1.16", ["--suite", "active"]),
        Era::Discover => {
            ("@modelcontextprotocol/conformance@0.2.0-alpha.12", ["--requirements", Era::Discover.version()])
        }
    }
}

/// Lets the suites of both eras examine a server.
pub(super) fn examine(workspace: &Workspace, subject: &Subject<'_>) -> Result {
    let sh = &workspace.sh;
    let server = Listening::start(workspace, subject)?;
    let url = &server.url;
    for era in Era::ALL {
        let (package, chosen) = suite(era);
        let version = era.version();
        let program = node::program(workspace, package, "conformance", &format!("conformance-{version}"))?;
        let expected = workspace.root.join(format!("xtask/conformance/{version}.yml"));
        let run =
            cmd!(sh, "timeout 120 {program} server --url {url} {chosen...} --expected-failures {expected}");
        let output = run.quiet().ignore_status().output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        // The summary comes last; before it there is a line or two for each of the scenarios.
        let summary = text.split_once("=== SUMMARY ===").map_or(&*text, |(_, summary)| summary);
        check(output.status.success(), || {
            format!("conformance {version}: {summary}\n{}", String::from_utf8_lossy(&output.stderr))
        })?;
        let total =
            text.lines().find_map(|line| line.strip_prefix("Total: ")).unwrap_or("nothing was counted");
        check(!total.starts_with("0 "), || format!("conformance {version}: {total}"))?;
        println!("{} {version}: conformance: {total}, as expected", subject.layer.name);
    }
    server.stop(workspace)
}

/// A server that listens on a port of its own choice.
struct Listening {
    child: Child,
    url: String,
}

impl Listening {
    fn start(workspace: &Workspace, subject: &Subject<'_>) -> Result<Self> {
        let (binary, sources) = (workspace.binary(subject.layer), &subject.sources);
        let server = cmd!(workspace.sh, "{binary} {sources...} --http=127.0.0.1:0").env("RUST_LOG", "error");
        let mut child = Command::from(server).stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let said = child.stderr.take().ok_or("the server has no standard error")?;
        // Made before anything can fail, so that the process does not stay behind.
        let mut server = Self { child, url: String::new() };
        let mut said = BufReader::new(said);
        let mut line = String::new();
        said.by_ref().take(4096).read_line(&mut line)?;
        server.url = line
            .split_whitespace()
            .find(|word| word.starts_with("http://"))
            .ok_or_else(|| format!("the server does not say where it listens: {line}"))?
            .into();
        // Somebody must go on reading, or the server would wait for it.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::stderr()));
        Ok(server)
    }

    /// Tells it to stop, and checks that it does so in good order.
    fn stop(mut self, workspace: &Workspace) -> Result {
        let pid = self.child.id().to_string();
        cmd!(workspace.sh, "kill -TERM {pid}").quiet().run()?;
        let status = self.child.wait()?;
        check(status.success(), || format!("after SIGTERM the server ended with {status}"))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
