//! Implements `pods/exec`: runs a command in a container and carries its streams over a WebSocket.
//!
//! The protocols are Kubernetes' `v5.channel.k8s.io` and `v4.channel.k8s.io`: each message begins with the number of
//! its channel. Version 5 can close a channel, so that a command sees the end of its standard input.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::ChildStdin;
use tokio::sync::{broadcast, mpsc};

use super::process::Container;
use super::query::Query;
use super::status::Status;
use super::workload::Output;

/// The supported protocols, the preferred one first.
pub(super) const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const CLOSE: u8 = 255;

/// The exec request of a client.
#[derive(Clone, Debug)]
pub(super) struct Exec {
    container: Container,
    argv: Vec<String>,
    stdin: bool,
    stdout: bool,
    stderr: bool,
    /// The number of bytes after which a simulated fault cuts the connection.
    cut: Option<usize>,
}

impl Exec {
    /// Parses the query of an exec request.
    pub(super) fn new(container: Container, query: &Query, cut: Option<usize>) -> Result<Self, Status> {
        let (stdin, stdout, stderr) = (query.is("stdin"), query.is("stdout"), query.is("stderr"));
        if !(stdin || stdout || stderr) {
            return Err(Status::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
        }
        let argv = query.all("command");
        if argv.is_empty() {
            return Err(Status::bad_request("you must specify at least one command for the container"));
        }
        Ok(Self { container, argv, stdin, stdout, stderr, cut })
    }

    /// Runs the command, and serves the client until it disconnects.
    pub(super) async fn run(self, mut socket: WebSocket) {
        // The real server begins with empty messages, which clients must handle.
        for (channel, wanted) in [(STDOUT, self.stdout), (STDERR, self.stderr)] {
            if wanted && socket.send(message(channel, &[])).await.is_err() {
                return;
            }
        }
        let mut child = match self.container.spawn(&self.argv, self.stdin) {
            Ok(child) => child,
            Err(error) => {
                let status = refused(&self.argv, &error).object().to_string();
                _ = socket.send(message(ERROR, status.as_bytes())).await;
                _ = socket.send(goodbye()).await;
                return;
            }
        };
        let (sender, messages) = mpsc::channel(16);
        let stdin = child.stdin.take().map(feed);
        let out = child.stdout.take().map(|pipe| pump(pipe, STDOUT, self.stdout.then(|| sender.clone())));
        let err = child.stderr.take().map(|pipe| pump(pipe, STDERR, self.stderr.then(|| sender.clone())));
        // A separate task waits for the command, which runs to its end even if the client disconnects.
        tokio::spawn(async move {
            for pump in [out, err].into_iter().flatten() {
                _ = pump.await;
            }
            let status = match child.wait().await {
                Ok(status) => ended(status),
                Err(error) => Status::internal(error.to_string()).object(),
            };
            _ = sender.send(message(ERROR, status.to_string().as_bytes())).await;
        });
        serve(socket, messages, stdin, self.cut).await;
    }
}

/// Serves a client that attaches to a container. The client receives only output that is written from now on.
pub(super) async fn attach(output: Arc<Output>, mut socket: WebSocket) {
    for channel in [STDOUT, STDERR] {
        if socket.send(message(channel, &[])).await.is_err() {
            return;
        }
    }
    let live =
        output.live.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(broadcast::Sender::subscribe);
    let stdin = output.stdin.lock().unwrap_or_else(PoisonError::into_inner).take().map(feed);
    let (sender, messages) = mpsc::channel(16);
    tokio::spawn(async move {
        if let Some(mut live) = live {
            while let Ok((channel, bytes)) = live.recv().await {
                if sender.send(message(channel, &bytes)).await.is_err() {
                    return;
                }
            }
        }
        let status = json!({ "metadata": {}, "status": "Success" });
        _ = sender.send(message(ERROR, status.to_string().as_bytes())).await;
    });
    serve(socket, messages, stdin, None).await;
}

/// Carries messages to a client and input from it, until the messages end or the client disconnects.
async fn serve(
    socket: WebSocket,
    mut messages: mpsc::Receiver<Message>,
    mut stdin: Option<mpsc::Sender<Bytes>>,
    mut left: Option<usize>,
) {
    let (mut to_client, mut from_client) = socket.split();
    loop {
        tokio::select! {
            outgoing = messages.recv() => {
                let Some(outgoing) = outgoing else { break };
                if let Some(left) = &mut left {
                    let size = outgoing.clone().into_data().len();
                    if size > *left {
                        // The fault drops the connection without a close message.
                        return;
                    }
                    *left -= size;
                }
                if to_client.send(outgoing).await.is_err() {
                    break;
                }
            }
            incoming = from_client.next() => match incoming {
                Some(Ok(Message::Binary(bytes))) => match bytes.split_first() {
                    Some((&STDIN, input)) => {
                        if let Some(pipe) = &stdin
                            && pipe.send(Bytes::copy_from_slice(input)).await.is_err()
                        {
                            stdin = None;
                        }
                    }
                    Some((&CLOSE, [STDIN])) => stdin = None,
                    // Terminal sizes are ignored.
                    _ => {}
                },
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
        }
    }
    let leave = async {
        _ = to_client.send(goodbye()).await;
        // Waits for the client's close message, so that the last message arrives.
        while let Some(Ok(_)) = from_client.next().await {}
    };
    _ = tokio::time::timeout(Duration::from_secs(1), leave).await;
}

/// Writes received input to a command, until the command or the input ends.
fn feed(mut pipe: ChildStdin) -> mpsc::Sender<Bytes> {
    let (sender, mut input) = mpsc::channel::<Bytes>(16);
    tokio::spawn(async move {
        while let Some(bytes) = input.recv().await {
            if pipe.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    sender
}

/// Reads a stream to its end, and passes it on as long as there is a receiver.
fn pump(
    mut from: impl AsyncRead + Unpin + Send + 'static,
    channel: u8,
    to: Option<mpsc::Sender<Message>>,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut to = to;
        let mut buffer = vec![0; 32 << 10];
        while let Ok(size @ 1..) = from.read(&mut buffer).await {
            let bytes = buffer.get(..size).unwrap_or_default();
            if let Some(sender) = &to
                && sender.send(message(channel, bytes)).await.is_err()
            {
                to = None;
            }
        }
    })
}

fn message(channel: u8, bytes: &[u8]) -> Message {
    Message::Binary(Bytes::from([&[channel], bytes].concat()))
}

/// Returns the message that closes a connection normally.
fn goodbye() -> Message {
    Message::Close(Some(CloseFrame { code: close_code::NORMAL, reason: "".into() }))
}

/// Returns the status of a command that has ended, in the format of the error channel.
fn ended(status: std::process::ExitStatus) -> Value {
    use std::os::unix::process::ExitStatusExt;
    if status.success() {
        return json!({ "metadata": {}, "status": "Success" });
    }
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("command terminated with non-zero exit code: command terminated with exit code {code}"),
        "reason": "NonZeroExitCode",
        "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
    })
}

/// Returns the error of containerd and runc for a command that cannot be started.
fn refused(argv: &[String], error: &std::io::Error) -> Status {
    let program = argv.first().map(String::as_str).unwrap_or_default();
    let why = match error.kind() {
        std::io::ErrorKind::NotFound if program.contains('/') => "stat: no such file or directory".into(),
        std::io::ErrorKind::NotFound => "executable file not found in $PATH".into(),
        _ => error.to_string(),
    };
    Status::internal(format!(
        "error executing command in container: failed to exec in container: failed to start exec: OCI runtime exec \
         failed: exec failed: unable to start container process: exec: \"{program}\": {why}: unknown"
    ))
}
