//! A small MCP client over a server's standard streams, in both versions of the protocol.
//!
//! The client is written against the protocol and not against the SDK of the servers, because two programs that share a
//! library can share a mistake.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use xshell::{Shell, cmd};

use crate::workspace::Result;

/// The time limit of one answer, which is longer than any answer takes.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The way in which client and server agree on the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// 2025-11-25: `initialize` first, then requests.
    Initialize,
    /// 2026-07-28: no handshake; every request names the client.
    Discover,
}

impl Era {
    /// Both versions.
    pub(crate) const ALL: [Self; 2] = [Self::Initialize, Self::Discover];

    /// Returns the revision of the protocol.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::Initialize => "2025-11-25",
            Self::Discover => "2026-07-28",
        }
    }
}

/// A running server and our end of its pipes.
pub(crate) struct Session {
    child: Child,
    /// Is `None` after the client has hung up.
    input: Option<ChildStdin>,
    lines: Receiver<std::io::Result<String>>,
    era: Era,
    last_id: u64,
}

/// The answer of a server: a result, or the error object of JSON-RPC.
pub(crate) type Reply = std::result::Result<Value, Value>;

impl Session {
    /// Starts a server. Its log goes to our standard error, without warnings, because the mistakes of a probe are
    /// deliberate.
    pub(crate) fn start(sh: &Shell, binary: &Path, arguments: &[String], era: Era) -> Result<Self> {
        let mut command =
            Command::from(cmd!(sh, "{binary} {arguments...}").env("RUST_LOG", "error,kube_client=off"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("the server has no standard output")?;
        let (send, lines) = channel();
        // A separate thread reads, so that a silent server does not block the probe forever.
        std::thread::spawn(move || BufReader::new(output).lines().try_for_each(|line| send.send(line)));
        Ok(Self { child, input, lines, era, last_id: 0 })
    }

    /// Returns the id of the server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Begins the conversation in the way of its protocol version, and returns what the server says about itself.
    pub(crate) fn open(&mut self) -> Result<Value> {
        match self.era {
            Era::Initialize => {
                let params = json!({
                    "protocolVersion": self.era.version(),
                    "capabilities": {},
                    "clientInfo": client_info(),
                });
                let hello = self.expect("initialize", params)?;
                self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
                Ok(hello)
            }
            Era::Discover => self.expect("server/discover", json!({})),
        }
    }

    /// Sends a request, and waits for the answer.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Result<Reply> {
        let id = self.ask(method, params)?;
        match self.answer().map_err(|error| format!("{method}: {error}"))? {
            (answered, reply) if answered == id => Ok(reply),
            (other, _) => {
                Err(format!("{method}: the server answered {other}, which is not the id of this request")
                    .into())
            }
        }
    }

    /// Sends a request without waiting, and returns its id.
    pub(crate) fn ask(&mut self, method: &str, mut params: Value) -> Result<u64> {
        self.last_id += 1;
        let id = self.last_id;
        if let (Era::Discover, Some(params)) = (self.era, params.as_object_mut()) {
            params.insert("_meta".into(), who_asks(self.era.version()));
        }
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        Ok(id)
    }

    /// Returns the next answer, with the id of its request.
    pub(crate) fn answer(&mut self) -> Result<(u64, Reply)> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        loop {
            let mut message = self.receive(deadline)?.ok_or("the server went away")?;
            // A message without an id is a notification.
            if let Some(id) = message.get("id") {
                let id = id
                    .as_u64()
                    .ok_or_else(|| format!("the server answered {id}, which is not the id of a request"))?;
                return Ok((
                    id,
                    match message.get_mut("error") {
                        Some(error) => Err(error.take()),
                        None => Ok(message.get_mut("result").map(Value::take).unwrap_or_default()),
                    },
                ));
            }
        }
    }

    /// Cancels a request.
    pub(crate) fn cancel(&mut self, id: u64) -> Result {
        let params = json!({ "requestId": id, "reason": "the client no longer waits" });
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }))
    }

    /// Sends a request that must not fail.
    pub(crate) fn expect(&mut self, method: &str, params: Value) -> Result<Value> {
        self.request(method, params)?.map_err(|error| format!("{method}: {error}").into())
    }

    /// Calls a tool, and returns the text of its answer, or of its error.
    pub(crate) fn call(
        &mut self,
        tool: &str,
        arguments: &Value,
    ) -> Result<std::result::Result<String, String>> {
        let result = self.expect("tools/call", json!({ "name": tool, "arguments": arguments }))?;
        said(&result)
    }

    /// Returns the evidence that the first line of an answer names: what was read, and where.
    pub(crate) fn evidence(&mut self, answer: &str) -> Result<String> {
        let first = answer.lines().next().unwrap_or_default();
        let uri = first.split_whitespace().find(|word| word.starts_with("evidence://"));
        let uri = uri.ok_or_else(|| format!("the answer names no evidence: {first}"))?;
        let read = self.expect("resources/read", json!({ "uri": uri }))?;
        let text = read.pointer("/contents/0/text").and_then(Value::as_str);
        Ok(text.ok_or("the evidence has no text")?.to_owned())
    }

    /// Hangs up, and checks that the server then ends with success and sends nothing more.
    pub(crate) fn close(mut self) -> Result {
        drop(self.input.take());
        let deadline = Instant::now() + Duration::from_secs(5);
        if let Some(message) = self.receive(deadline)? {
            return Err(format!("the server sent a message after the end of its input: {message}").into());
        }
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the server ended with {status}").into()) }
    }

    /// Hangs up in the middle of a call, whose answer may still arrive, and waits until the server has ended with
    /// success.
    pub(crate) fn hang_up(mut self) -> Result {
        drop(self.input.take());
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        while self.receive(deadline)?.is_some() {}
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the server ended with {status}").into()) }
    }

    /// Sends the server a signal (`TERM`, `KILL`), and waits for its end.
    pub(crate) fn end(mut self, signal: &str) -> Result<ExitStatus> {
        let (sh, pid) = (Shell::new()?, self.pid().to_string());
        cmd!(sh, "kill -{signal} {pid}").quiet().run()?;
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        // The answers of running calls may still arrive.
        while self.receive(deadline)?.is_some() {}
        Ok(self.child.wait()?)
    }

    fn send(&mut self, message: &Value) -> Result {
        let input = self.input.as_mut().ok_or("the client has hung up")?;
        Ok(input.write_all(format!("{message}\n").as_bytes())?)
    }

    /// Returns the next message, or `None` if the server closed its end.
    fn receive(&self, deadline: Instant) -> Result<Option<Value>> {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                let line = line?;
                let message: Map<String, Value> = serde_json::from_str(&line)
                    .map_err(|_| format!("the server wrote a line to stdout that is not JSON-RPC: {line}"))?;
                match message.get("jsonrpc") {
                    Some(version) if version == "2.0" => Ok(Some(message.into())),
                    _ => {
                        Err(format!("the server wrote a line to stdout that is not JSON-RPC 2.0: {line}")
                            .into())
                    }
                }
            }
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err("the server did not answer within the time limit".into()),
        }
    }
}

/// Returns the text of a tool's answer, or of its error.
pub(crate) fn said(result: &Value) -> Result<std::result::Result<String, String>> {
    let content = result.get("content").and_then(Value::as_array).ok_or("the answer has no content")?;
    let text = content.iter().filter_map(|block| block.get("text")?.as_str()).collect::<String>();
    let failed = result.get("isError").and_then(Value::as_bool).unwrap_or_default();
    Ok(if failed { Err(text) } else { Ok(text) })
}

impl Drop for Session {
    fn drop(&mut self) {
        // After `close` the process is already gone. Otherwise something failed, and the server must not stay behind.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn client_info() -> Value {
    json!({ "name": "xtask", "version": env!("CARGO_PKG_VERSION") })
}

/// Returns the metadata of a request in the stateless version of the protocol.
fn who_asks(version: &str) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": client_info(),
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}
