//! `pods/exec`: a command in a container, its streams over a WebSocket.
//!
//! The protocols are Kubernetes' `v5.channel.k8s.io` and `v4.channel.k8s.io`: each message begins with the number of its
//! channel. The fifth can close a channel, so that a command sees the end of its standard input.

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

/// Best first.
pub(super) const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const CLOSE: u8 = 255;

/// What a client wants of a command.
#[derive(Clone, Debug)]
pub(super) struct Exec {
    container: Container,
    argv: Vec<String>,
    stdin: bool,
    stdout: bool,
    stderr: bool,
    /// Cut the connection after so many bytes: a fault.
    cut: Option<usize>,
}

impl Exec {
    /// Reads the query.
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

    /// Runs the command, and serves the client as long as it is there.
    pub(super) async fn run(self, mut socket: WebSocket) {
        // The real server begins so, and clients must live with it.
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
        // A task of its own: nobody waits for the command but this, and nothing but its end ends it.
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

/// A client that attached itself to a container: it hears what comes from now on.
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

/// Carries messages to a client and its input from it, until there are no more or it is gone.
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
                        // Not a word: the connection is simply gone.
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
                    // Sizes of terminals.
                    _ => {}
                },
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
        }
    }
    let leave = async {
        _ = to_client.send(goodbye()).await;
        // Until the client has said goodbye too, for what is sent last must arrive.
        while let Some(Ok(_)) = from_client.next().await {}
    };
    _ = tokio::time::timeout(Duration::from_secs(1), leave).await;
}

/// Writes what comes to a command, until it or its source ends.
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

/// Reads a stream to its end, and passes it on as long as somebody listens.
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

/// All is said, and nothing went wrong.
fn goodbye() -> Message {
    Message::Close(Some(CloseFrame { code: close_code::NORMAL, reason: "".into() }))
}

/// How a command ended, as the error channel says it.
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

/// What containerd and runc say of a command that they cannot start.
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
