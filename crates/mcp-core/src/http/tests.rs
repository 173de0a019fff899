//! Tests of long calls over a socket: a client that disconnects ends its call, the number of calls is limited, and a
//! stop waits for running calls.

use super::*;
use crate::{
    Answer, Argv, Backend, Budget, CommandTarget, Coverage, Db, Layer, Node, NodeName, Output, Progress,
    ReadError, ReadValue, Tool, ToolEntry, ToolError,
};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, oneshot},
    task::JoinHandle,
};

/// A tool that reads nothing, because opening the source takes long enough for the tests.
struct Wait;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

impl Tool for Wait {
    const NAME: &'static str = "wait";
    const TITLE: &'static str = "Wait";
    const DESCRIPTION: &'static str = "Waits.";
    const TOOLSET: &'static str = "test";
    type Params = Nothing;

    fn title(_: &Nothing) -> String {
        "Wait".into()
    }

    async fn run(_: &Node<'_>, _: &Nothing) -> Result<Answer, ToolError> {
        Err(ToolError::bad("it waited", "none"))
    }
}

/// A source that is open after the test notifies it.
#[derive(Default)]
struct Slow {
    waiting: Arc<AtomicUsize>,
    go: Arc<Notify>,
}

/// A guard that counts a waiting call until the call is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[async_trait]
impl Backend for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    async fn open(&self, progress: &Progress) -> Result<(), ReadError> {
        self.waiting.fetch_add(1, SeqCst);
        let _waiting = Waiting(&self.waiting);
        progress.opening(self.go.notified(), "it", || (1_000_000, 4_000_000)).await;
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<NodeName>, ReadError> {
        Ok(Vec::new())
    }

    async fn coverage(&self) -> Result<Coverage, ReadError> {
        unreachable!()
    }

    async fn command(&self, _: &CommandTarget, _: &Argv) -> Result<ReadValue<Output>, ReadError> {
        unreachable!()
    }

    async fn schema(&self, _: &CommandTarget, _: Db) -> Result<Arc<ovsdb::Schema>, ReadError> {
        unreachable!()
    }

    async fn rows(
        &self,
        _: &CommandTarget,
        _: Db,
        _: &[ovsdb::Select],
    ) -> Result<ReadValue<Vec<ovsdb::Rows>>, ReadError> {
        unreachable!()
    }

    async fn database(&self, _: &CommandTarget, _: Db) -> Result<ReadValue<Arc<ovsdb::Database>>, ReadError> {
        unreachable!()
    }
}

/// A running server, with the handles that control it.
struct Running {
    server: Server,
    addr: SocketAddr,
    waiting: Arc<AtomicUsize>,
    go: Arc<Notify>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start() -> Self {
        let layer =
            Layer::new("mcp-test", "0", "Test").instructions("Wait.").tools(vec![ToolEntry::of::<Wait>()]);
        let slow = Slow::default();
        let (waiting, go) = (slow.waiting.clone(), slow.go.clone());
        let server = Server::new(layer, Arc::new(slow), Budget::default());
        let args = HttpArgs { addr: None, token_file: None, hosts: Vec::new(), origins: Vec::new() };
        let listening = Listening::open(server.clone(), "127.0.0.1:0".parse().unwrap(), &args).await.unwrap();
        let addr = listening.addr;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(listening.serve(async move { _ = stopped.await }));
        Self { server, addr, waiting, go, stop, task }
    }

    /// Starts a call in the stateless protocol or in the one before.
    async fn call(&self, modern: bool) -> TcpStream {
        self.call_with(modern, "").await
    }

    async fn call_with(&self, modern: bool, meta: &str) -> TcpStream {
        let about = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"0"},"io.modelcontextprotocol/clientCapabilities":{},"#;
        let headers = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: wait\r\n";
        let (about, headers) = if modern { (about, headers) } else { ("", "") };
        let meta = format!("{about}{meta}");
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"wait","arguments":{{"node_name":"all"}},"_meta":{{{}}}}}}}"#,
            meta.trim_end_matches(',')
        );
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        stream
    }

    /// Waits until exactly `number` calls wait.
    async fn settle(&self, number: usize) {
        let reached = async {
            while self.waiting.load(SeqCst) != number {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let reached = timeout(Duration::from_secs(5), reached).await;
        assert!(reached.is_ok(), "{} calls wait, not {number}", self.waiting.load(SeqCst));
    }
}

async fn answer(mut stream: TcpStream) -> String {
    let mut text = String::new();
    timeout(Duration::from_secs(10), stream.read_to_string(&mut text)).await.unwrap().unwrap();
    text
}

/// Reads from the stream until the text arrives, and returns everything that was read.
async fn until(stream: &mut TcpStream, text: &str) -> String {
    let mut heard = String::new();
    let mut buffer = [0; 4096];
    while !heard.contains(text) {
        let n = timeout(Duration::from_secs(10), stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(n > 0, "{heard}");
        heard += &String::from_utf8_lossy(&buffer[..n]);
    }
    heard
}

/// Sends these bytes on a new connection, and returns everything that the server answers.
async fn told(running: &Running, request: &str) -> String {
    let mut stream = TcpStream::connect(running.addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    answer(stream).await
}

#[tokio::test]
async fn ambiguous_requests_and_invalid_messages_are_refused() {
    let running = Running::start().await;
    let post = |head: &str, body: &str| {
        format!(
            "POST /mcp HTTP/1.1\r\n{head}Connection: close\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let host = "Host: localhost\r\n";
    for (body, code) in [("{", -32700), ("\"\\ud800\"", -32700), ("[]", -32600), ("{}", -32600)] {
        let answer = told(&running, &post(host, body)).await;
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.contains(&format!("\"code\":{code}")),
            "{answer}"
        );
    }
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert!(told(&running, &post(host, ping)).await.starts_with("HTTP/1.1 200 "));
    for head in [
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: evil@127.0.0.1\r\n",
        "Host: localhost\r\nOrigin: http://localhost:80evil\r\n",
        "Host: localhost\r\nOrigin: http://localhost\r\nOrigin: http://localhost\r\n",
    ] {
        let answer = told(&running, &post(head, ping)).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{head}: {answer}");
    }
    let absolute = post(host, ping).replacen("/mcp", "http://localhost/mcp", 1);
    assert!(told(&running, &absolute).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn silent_connections_lock_nobody_out() {
    let running = Running::start().await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(TcpStream::connect(running.addr).await.unwrap());
    }
    // The request has no Connection header, so the server must close the connection.
    let health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = told(&running, health).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok\n"), "{answer}");
    let stream = running.call(false).await;
    running.settle(1).await;
    drop(stream);
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_call() {
    let running = Running::start().await;
    for modern in [false, true] {
        let stream = running.call(modern).await;
        running.settle(1).await;
        drop(stream);
        running.settle(0).await;
    }
}

#[tokio::test]
async fn a_client_that_asks_for_progress_gets_it() {
    let running = Running::start().await;
    for modern in [false, true] {
        let mut stream = running.call_with(modern, r#""progressToken":"mine""#).await;
        let heard = until(&mut stream, "notifications/progress").await;
        for part in [r#""progressToken":"mine""#, r#""total":100"#, "opening it: 1.0 of 4.0 MB read"] {
            assert!(heard.contains(part), "{heard}");
        }
        assert!(!heard.contains(r#""id":1"#), "{heard}");
        running.go.notify_waiters();
        until(&mut stream, r#""isError":true"#).await;
    }
}

#[tokio::test]
async fn sixty_four_calls_run_at_once_and_the_others_wait() {
    let running = Running::start().await;
    let mut streams = Vec::new();
    for _ in 0..70 {
        streams.push(running.call(false).await);
    }
    running.settle(64).await;
    sleep(Duration::from_millis(50)).await;
    running.settle(64).await;
    drop(streams.split_off(6));
    running.settle(6).await;
}

#[tokio::test]
async fn without_http_the_limits_of_running_and_waiting_calls_apply_too() {
    let running = Running::start().await;
    let arguments = serde_json::json!({ "node_name": "all" }).as_object().cloned().unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..600 {
        let (server, arguments) = (running.server.clone(), arguments.clone());
        calls.spawn(async move { server.call("wait", arguments, Progress::default()).await });
    }
    for _ in 512..600 {
        let refused = calls.join_next().await.unwrap().unwrap().unwrap_err();
        assert!(
            refused.starts_with("error: the server is busy: 512 calls already run or wait\nhint: Wait until"),
            "{refused}"
        );
    }
    running.settle(64).await;
    calls.shutdown().await;
    running.settle(0).await;
}

#[tokio::test]
async fn a_call_that_never_starts_reports_that_the_server_is_busy() {
    let running = Running::start().await;
    let arguments = |seconds: u64| {
        let all = serde_json::json!({ "node_name": "all", "timeout_seconds": seconds });
        all.as_object().cloned().unwrap()
    };
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (server, arguments) = (running.server.clone(), arguments(300));
        calls.spawn(async move { server.call("wait", arguments, Progress::default()).await });
    }
    running.settle(64).await;
    let late = running.server.call("wait", arguments(1), Progress::default()).await.unwrap_err();
    assert!(
        late.starts_with(
            "error: the server is busy: 64 calls run at once, and none of them ended within 1 s"
        ),
        "{late}"
    );
}

#[tokio::test]
async fn a_stop_lets_a_call_end() {
    let running = Running::start().await;
    let stream = running.call(true).await;
    running.settle(1).await;
    running.stop.send(()).unwrap();
    sleep(Duration::from_millis(50)).await;
    assert!(TcpStream::connect(running.addr).await.is_err(), "the server still accepts connections");
    running.go.notify_waiters();
    assert!(answer(stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
    running.task.await.unwrap();
}

#[tokio::test]
async fn a_stop_does_not_wait_forever() {
    let mut running = Running::start().await;
    let stream = running.call(false).await;
    running.settle(1).await;
    let (stop, _) = oneshot::channel();
    std::mem::replace(&mut running.stop, stop).send(()).unwrap();
    timeout(GRACE + Duration::from_secs(2), &mut running.task).await.unwrap().unwrap();
    // The call is dropped on its own thread, which takes a moment.
    running.settle(0).await;
    assert!(answer(stream).await.starts_with("HTTP/1.1 500 "));
}
