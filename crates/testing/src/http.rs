//! A server that listens for HTTP in a process of its own, and a client without a library.

use super::Failed;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

/// A listening server.
pub struct HttpProcess {
    child: Child,
    address: String,
}

impl HttpProcess {
    /// Starts a server on a port that the kernel chooses.
    pub fn start(program: &str, arguments: &[String]) -> Result<Self, Failed> {
        #[expect(clippy::disallowed_methods, reason = "the server, as an operator starts it")]
        let mut command = Command::new(program);
        command.args(arguments).arg("--http=127.0.0.1:0").env_remove("MCP_HTTP_TOKEN").stdin(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stderr.as_mut().ok_or("no standard error")?).read_line(&mut line)?;
        let address =
            line.trim().strip_prefix("serving MCP on http://").and_then(|url| url.strip_suffix("/mcp"));
        Ok(Self { child, address: address.ok_or_else(|| line.clone())?.to_owned() })
    }

    /// Sends a request of JSON-RPC, and returns the whole answer with its head.
    pub fn ask(&self, method: &str, params: &Value) -> Result<String, Failed> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for HttpProcess {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
