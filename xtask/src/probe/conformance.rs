//! The conformance suites of the protocol, over HTTP: the authors of the protocol judge a real server.
//!
//! The suites also need fixtures (tools that return an image, ask the client, ...). These checks fail with every real
//! server. `xtask/conformance` lists them with their reasons, and any other failure is an error.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use xshell::cmd;

use super::{Subject, check};
use crate::installed;
use crate::mcp::Era;
use crate::workspace::{Result, Workspace};

/// The arguments with which the suite for a version of the protocol selects the version.
fn chosen(era: Era) -> [&'static str; 2] {
    match era {
        Era::Initialize => ["--suite", "active"],
        Era::Discover => ["--requirements", Era::Discover.version()],
    }
}

/// Lets the suites of both versions examine a server.
pub(super) fn examine(workspace: &Workspace, subject: &Subject<'_>) -> Result {
    let sh = &workspace.sh;
    let server = HttpServer::start(workspace, subject)?;
    let url = &server.url;
    for era in Era::ALL {
        let (chosen, version) = (chosen(era), era.version());
        let program = installed::of_node(workspace, &format!("conformance-{version}"), "conformance")?;
        let expected = workspace.root.join(format!("xtask/conformance/{version}.yml"));
        let run =
            cmd!(sh, "timeout 120 {program} server --url {url} {chosen...} --expected-failures {expected}");
        let output = run.quiet().ignore_status().output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        // The summary comes last, after one or two lines for each scenario.
        let summary = text.split_once("=== SUMMARY ===").map_or(&*text, |(_, summary)| summary);
        check(output.status.success(), || {
            format!("conformance {version}: {summary}\n{}", String::from_utf8_lossy(&output.stderr))
        })?;
        let total =
            text.lines().find_map(|line| line.strip_prefix("Total: ")).unwrap_or("no total was printed");
        check(!total.starts_with("0 "), || format!("conformance {version}: {total}"))?;
        println!("{} {version}: conformance: {total}, as expected", subject.layer.name);
    }
    server.stop(workspace)
}

/// A server that listens on a port of its own choice.
struct HttpServer {
    child: Child,
    url: String,
}

impl HttpServer {
    fn start(workspace: &Workspace, subject: &Subject<'_>) -> Result<Self> {
        let (binary, sources) = (workspace.binary(subject.layer), &subject.sources);
        let server = cmd!(workspace.sh, "{binary} {sources...} --http=127.0.0.1:0").env("RUST_LOG", "error");
        let mut child = Command::from(server).stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let said = child.stderr.take().ok_or("the server has no standard error")?;
        // The value is made before anything can fail, so that its drop ends the process.
        let mut server = Self { child, url: String::new() };
        let mut said = BufReader::new(said);
        let mut line = String::new();
        said.by_ref().take(4096).read_line(&mut line)?;
        server.url = line
            .split_whitespace()
            .find(|word| word.starts_with("http://"))
            .ok_or_else(|| format!("the server does not print its address: {line}"))?
            .into();
        // A thread must continue to read, or the server would block on a full pipe.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::stderr()));
        Ok(server)
    }

    /// Tells the server to stop, and checks that it ends with success.
    fn stop(mut self, workspace: &Workspace) -> Result {
        let pid = self.child.id().to_string();
        cmd!(workspace.sh, "kill -TERM {pid}").quiet().run()?;
        let status = self.child.wait()?;
        check(status.success(), || format!("after SIGTERM the server ended with {status}"))
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
