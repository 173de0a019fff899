//! A server in a process of its own, as a client starts it. Tests use it to limit the memory of the server.

use super::Failed;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
};

/// A running server, and the client's end of its standard input and output.
pub struct ServerProcess {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    last_id: u64,
}

impl ServerProcess {
    /// Starts a server whose process may have at most `memory` bytes of data, and initializes the connection. The limit
    /// is that of prlimit(1): the kernel refuses more memory, and a program that needs more aborts.
    pub fn limited(program: &str, arguments: &[String], memory: u64) -> Result<Self, Failed> {
        #[expect(clippy::disallowed_methods, reason = "the server, as its clients start it")]
        let mut command = Command::new("prlimit");
        command.arg(format!("--data={memory}")).arg(program).args(arguments).env("RUST_LOG", "error");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().ok_or("the server has no standard output")?);
        let mut server = Self { child, input, output, last_id: 0 };
        let hello = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": { "name": "tests", "version": "0" },
        });
        server.ask_all(&[("initialize", hello)])?;
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        writeln!(server.input.as_mut().ok_or("the client has hung up")?, "{ready}")?;
        Ok(server)
    }

    /// Calls tools at once, and returns the text of each answer or error, in the order of the calls.
    pub fn call_all(&mut self, calls: &[(&str, Value)]) -> Result<Vec<String>, Failed> {
        let requests: Vec<(&str, Value)> = calls
            .iter()
            .map(|(tool, arguments)| ("tools/call", json!({ "name": tool, "arguments": arguments })))
            .collect();
        let answers = self.ask_all(&requests)?;
        Ok(answers.iter().map(|answer| text(answer).unwrap_or_else(|| answer.to_string())).collect())
    }

    /// Sends requests at once, and returns the message that answers each of them.
    fn ask_all(&mut self, requests: &[(&str, Value)]) -> Result<Vec<Value>, Failed> {
        let first = self.last_id + 1;
        let ids = first..first + requests.len() as u64;
        self.last_id = ids.end - 1;
        let input = self.input.as_mut().ok_or("the client has hung up")?;
        let mut answers = BTreeMap::new();
        std::thread::scope(|scope| {
            // A separate thread writes, because the server may answer before it has read everything.
            scope.spawn(|| {
                for (id, (method, params)) in ids.clone().zip(requests) {
                    let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
                    // If the server is gone, its output ends too, and the reader reports that.
                    if writeln!(input, "{request}").is_err() {
                        return;
                    }
                }
            });
            let mut line = String::new();
            while answers.len() < requests.len() {
                line.clear();
                if self.output.read_line(&mut line)? == 0 {
                    return Err(format!(
                        "the server ended after {} of {} answers",
                        answers.len(),
                        requests.len()
                    )
                    .into());
                }
                let message: Value = serde_json::from_str(&line)?;
                if let Some(id) = message.get("id").and_then(Value::as_u64) {
                    answers.insert(id, message);
                }
            }
            Ok::<(), Failed>(())
        })?;
        ids.map(|id| answers.remove(&id).ok_or_else(|| format!("no answer to request {id}").into())).collect()
    }

    /// Hangs up, and returns how the server ended.
    pub fn end(mut self) -> Result<ExitStatus, Failed> {
        drop(self.input.take());
        Ok(self.child.wait()?)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // After `end` the process is gone. Otherwise the test failed, and the server must not stay behind.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The text of a tool's answer or error.
fn text(message: &Value) -> Option<String> {
    let content = message.pointer("/result/content")?.as_array()?;
    Some(content.iter().filter_map(|block| block.get("text")?.as_str()).collect())
}
