//! MCP over standard input and output, with one message per line.
//!
//! The SDK's own reader does not answer a line that is not JSON, so the client would wait forever.

use crate::message::{self, MAX_MESSAGE_BYTES, RejectedMessage};
use rmcp::{
    RoleServer,
    service::{RxJsonRpcMessage, TxJsonRpcMessage},
    transport::Transport,
};
use std::{io, sync::Arc};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    sync::{Mutex, Notify, mpsc},
};

/// A transport that reads and writes lines.
pub(crate) struct Stdio<W> {
    messages: mpsc::Receiver<RxJsonRpcMessage<RoleServer>>,
    output: Arc<Mutex<W>>,
}

impl<W: AsyncWrite + Send + Unpin + 'static> Stdio<W> {
    /// Starts to read. `closed` is notified when the client closes its end.
    pub(crate) fn new(
        input: impl AsyncRead + Send + Unpin + 'static,
        output: W,
        closed: Arc<Notify>,
    ) -> Self {
        let (sender, messages) = mpsc::channel(1);
        let output = Arc::new(Mutex::new(output));
        let to = output.clone();
        tokio::spawn(async move {
            if let Err(problem) = read(BufReader::new(input), &to, &sender).await {
                tracing::warn!(%problem, "cannot read from the client");
            }
            closed.notify_one();
        });
        Self { messages, output }
    }
}

impl<W: AsyncWrite + Send + Unpin + 'static> Transport<RoleServer> for Stdio<W> {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let output = self.output.clone();
        async move { write(&output, &message).await }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        self.messages.recv().await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.messages.close();
        self.output.lock().await.flush().await
    }
}

/// Passes on messages and answers invalid ones with an error, until the input ends or the receiver is gone. A last
/// line without a line break is incomplete, and is ignored.
async fn read(
    mut input: impl AsyncBufRead + Unpin,
    output: &Mutex<impl AsyncWrite + Unpin>,
    messages: &mpsc::Sender<RxJsonRpcMessage<RoleServer>>,
) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut input).take(MAX_MESSAGE_BYTES as u64 + 1).read_until(b'\n', &mut line).await?;
        let parsed = match line.last() {
            Some(b'\n') => message::parse(&line),
            Some(_) if line.len() > MAX_MESSAGE_BYTES => {
                line = Vec::new();
                skip_line(&mut input).await?;
                Err(RejectedMessage::too_long())
            }
            _ => return Ok(()),
        };
        match parsed {
            Ok(None) => {}
            Ok(Some(message)) => {
                if messages.send(message).await.is_err() {
                    return Ok(());
                }
            }
            Err(RejectedMessage { id, error }) => {
                write(output, &TxJsonRpcMessage::<RoleServer>::error(*error, id)).await?;
            }
        }
    }
}

/// Skips the rest of a line.
async fn skip_line(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<()> {
    loop {
        let piece = input.fill_buf().await?;
        let end = piece.iter().position(|byte| *byte == b'\n');
        let (len, last) = (end.map_or(piece.len(), |end| end + 1), end.is_some() || piece.is_empty());
        input.consume(len);
        if last {
            return Ok(());
        }
    }
}

/// Writes a message as one line. The lock keeps other messages from being written in between.
async fn write(
    output: &Mutex<impl AsyncWrite + Unpin>,
    message: &TxJsonRpcMessage<RoleServer>,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut output = output.lock().await;
    output.write_all(&line).await?;
    output.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_line_is_answered_or_passed_on() {
        let long = format!("\"{}\"", "x".repeat(2 * MAX_MESSAGE_BYTES));
        let input = format!(
            "{{\n\n{long}\n[]\n{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}}\n\"\\udead\"\n\
             {{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}}\n{{\"half\":"
        );
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let closed = Arc::new(Notify::new());
        let mut transport = Stdio::new(io::Cursor::new(input), theirs, closed.clone());
        let mut ids = Vec::new();
        while let Some(message) = transport.receive().await {
            ids.push(message.into_request().unwrap().1.to_string());
        }
        closed.notified().await;
        drop(transport);
        let mut told = String::new();
        BufReader::new(ours).read_to_string(&mut told).await.unwrap();
        let codes: Vec<i64> = told
            .lines()
            .map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["error"]["code"].as_i64().unwrap()
            })
            .collect();
        assert_eq!(ids, ["1", "2"]);
        assert_eq!(codes, [-32700, -32600, -32600, -32700]);
    }
}
