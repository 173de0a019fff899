//! A listening server, and an HTTP client without a library, so that the tests control every byte.

use mcp_testing::{Failed, testdata};
use serde_json::{Value, json};
use std::{net::SocketAddr, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};

/// The headers that every client sends.
pub(crate) const USUAL: [(&str, &str); 3] = [
    ("Host", "localhost"),
    ("Content-Type", "application/json"),
    ("Accept", "application/json, text/event-stream"),
];

/// A server process that listens on a port of its own choice.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) addr: SocketAddr,
}

pub(crate) fn command(args: &[&str]) -> Command {
    let bundle = format!("--bundle={}", testdata().join("capture/must-gather.tar.xz").display());
    #[expect(clippy::disallowed_methods, reason = "a test starts the server as an operator does")]
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-ovn"));
    command.arg(bundle).args(args).env_remove("MCP_HTTP_TOKEN").stdin(Stdio::null()).kill_on_drop(true);
    command
}

impl Server {
    pub(crate) async fn start(args: &[&str], token: Option<&str>) -> Result<Self, Failed> {
        let mut command = command(args);
        if !args.iter().any(|arg| arg.starts_with("--http=")) {
            command.arg("--http=127.0.0.1:0");
        }
        let mut child = command.envs(token.map(|t| ("MCP_HTTP_TOKEN", t))).stderr(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stderr.as_mut().ok_or("no stderr")?).read_line(&mut line).await?;
        assert!(token.is_none_or(|token| !line.contains(token)), "{line}");
        let addr =
            line.trim().strip_prefix("serving MCP on http://").and_then(|url| url.strip_suffix("/mcp"));
        Ok(Self { child, addr: addr.ok_or(line.clone())?.parse()? })
    }

    /// Sends a request with additional headers and reads the whole response.
    pub(crate) async fn post(&self, headers: &[(&str, &str)], body: &Value) -> Result<Reply, Failed> {
        let mut all = USUAL.to_vec();
        all.retain(|(name, _)| headers.iter().all(|(other, _)| other != name));
        all.extend(headers);
        exchange(self.addr, &request("POST /mcp", &all, &body.to_string())).await
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Reply, Failed> {
        exchange(self.addr, &request(&format!("GET {path}"), &[("Host", "10.1.2.3:8931")], "")).await
    }

    pub(crate) async fn call(&self) -> Result<Reply, Failed> {
        self.post(&[], &call()).await
    }
}

pub(crate) fn request(line: &str, headers: &[(&str, &str)], body: &str) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    format!("{line} HTTP/1.1\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// An HTTP response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Result<Value, Failed> {
        Ok(serde_json::from_str(&self.body)?)
    }

    /// Returns the text of a tool's answer.
    pub(crate) fn text(&self) -> Result<String, Failed> {
        let json = self.json()?;
        let text = json.pointer("/result/content/0/text").and_then(Value::as_str);
        Ok(text.ok_or_else(|| self.body.clone())?.into())
    }
}

pub(crate) async fn exchange(addr: SocketAddr, request: &str) -> Result<Reply, Failed> {
    let mut stream = TcpStream::connect(addr).await?;
    // A server that rejects the request need not read the rest, so a write error is expected.
    _ = stream.write_all(request.as_bytes()).await;
    answer(stream).await
}

pub(crate) async fn answer(mut stream: TcpStream) -> Result<Reply, Failed> {
    let mut bytes = Vec::new();
    let end = timeout(Duration::from_secs(60), stream.read_to_end(&mut bytes)).await?;
    let text = String::from_utf8(bytes)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| format!("{end:?}: no answer: {text:?}"))?;
    let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
    Ok(Reply { status, head: head.to_lowercase(), body: body.into() })
}

pub(crate) fn params() -> Value {
    json!({ "node_name": "ovn-worker", "of": "join" })
}

pub(crate) fn call() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "ovn_nbctl_show", "arguments": params() } })
}

/// Sends a request of the stateless protocol version with its required headers.
pub(crate) async fn modern(
    server: &Server,
    method: &str,
    name: Option<&str>,
    params: &Value,
) -> Result<Reply, Failed> {
    let mut params = params.as_object().cloned().unwrap_or_default();
    let who = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "0" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    params.insert("_meta".into(), who);
    let mut headers = vec![("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", method)];
    headers.extend(name.map(|name| ("Mcp-Name", name)));
    server.post(&headers, &json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })).await
}
