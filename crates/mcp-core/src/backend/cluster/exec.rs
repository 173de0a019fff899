//! Runs a command in a container, over a WebSocket.
//!
//! The API server does not end a command whose client is gone (kubernetes#89031, runc#3359). So each command runs under
//! `timeout` in its container. Its command line carries a mark, by which the command is found and killed when a call is
//! cancelled.

use super::{
    api::{Api, RequestDeadline},
    error::{ApiRequest, ClusterError},
};
use crate::{Argv, CapturePart, Output, PodRef, ReadError, argv::CallMark, commands};
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Status};
use kube::api::AttachParams;
use std::{
    fmt,
    pin::pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::Instant,
};

/// The output limit of a command, in bytes. It is more than any command prints that a tool runs; the answers of a
/// database server are the largest.
pub(super) const MAX_OUTPUT: usize = 512 << 20;
/// The limit of standard error, in bytes.
const MAX_ERROR: usize = 1 << 20;

/// How long `timeout` may take to report that it ended the command.
const TIMEOUT_GRACE: Duration = Duration::from_secs(1);

/// When the server looks for a cancelled command. The second time finds a command that was just starting.
const KILL_PAUSES: [Duration; 2] = [Duration::ZERO, Duration::from_millis(1500)];

/// How long the server waits for data that arrived before a connection was cut.
const DRAIN_TIME: Duration = Duration::from_millis(200);

/// The container where a command runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) pod: PodRef,
    pub(super) name: String,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.name, self.pod)
    }
}

/// Why a command gave no output.
pub(super) enum ExecError {
    /// The container does not have the program (exit status 126 or 127).
    NoProgram,
    /// The container does not have `timeout`.
    NoTimeout,
    /// The container is no longer running, with the message of the server.
    NotRunning(String),
    /// The pod no longer exists.
    Gone(ReadError),
    /// The command did not finish in time, with its output so far.
    TimedOut(Output),
    /// The server reported neither the start nor the end of the command within this time.
    Silent(Duration, Output),
    /// Any other error, which would happen in another container too.
    Failed(ReadError),
}

/// A buffer for output that is still arriving. It keeps its bytes even if the stream never ends.
#[derive(Default)]
struct StreamBuffer {
    bytes: Mutex<Vec<u8>>,
}

impl StreamBuffer {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads a stream to its end into a part of a capture, which says itself when it is full.
    async fn pass(mut from: impl AsyncRead + Unpin, into: &CapturePart) -> bool {
        let mut piece = vec![0; 64 << 10];
        while let Ok(n @ 1..) = from.read(&mut piece).await {
            if let Err(e) = into.put(piece.get(..n).unwrap_or_default()) {
                tracing::warn!("a capture cannot be kept: {e}");
                break;
            }
        }
        false
    }

    /// Reads a stream to its end. Bytes above the limit are read but dropped, because an unread stream blocks the other
    /// stream. Returns true if bytes were dropped.
    async fn fill(&self, mut from: impl AsyncRead + Unpin, limit: usize) -> bool {
        let (mut cut, mut piece) = (false, vec![0; 64 << 10]);
        // An error ends the stream. The missing exit status then shows that something went wrong.
        while let Ok(n @ 1..) = from.read(&mut piece).await {
            let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
            let room = limit.saturating_sub(bytes.len());
            bytes.extend(piece.iter().take(n.min(room)));
            cut |= n > room;
        }
        cut
    }
}

/// How long a command may run.
#[derive(Clone, Copy)]
pub(super) enum TimeLimit {
    /// Until it ends, within the time that the call has left.
    ToItsEnd,
    /// For this time, if the command does not end by itself, or for less if the call has less time left.
    For(Duration),
}

impl TimeLimit {
    /// The time limit in whole seconds. The decimals of the number that `timeout` gets are the mark.
    fn seconds(self, left: Duration) -> u64 {
        match self {
            Self::ToItsEnd => left.as_secs() + u64::from(left.subsec_millis() > 0),
            Self::For(time) => time.as_secs().min(left.as_secs()),
        }
    }
}

/// Runs a command in a container until it ends or its time is over. `before` is put in front of the program: a change
/// of root directory or of network namespace. Standard output goes to `into`, if given; the command then ends when that
/// part is full.
pub(super) async fn run(
    api: &Api,
    at: &Container,
    before: &[String],
    argv: &Argv,
    time: TimeLimit,
    into: Option<&CapturePart>,
    deadline: RequestDeadline,
) -> Result<Output, ExecError> {
    let left = deadline.left();
    let seconds = time.seconds(left);
    if seconds == 0 {
        return Err(ExecError::Failed(deadline.late(&format!("`{argv}`"))));
    }
    let begun = Instant::now();
    let mark = CallMark::new(seconds);
    let limit = mark.to_string();
    let bounded = ["timeout", "-k", "2", &limit].map(str::to_owned);
    let words = bounded.into_iter().chain(before.iter().cloned()).chain(argv.words().iter().cloned());
    let end = KillOnDrop { api: api.clone(), at: at.clone(), mark: Some(mark) };
    let asked = ApiRequest {
        verb: "create",
        resource: "pods/exec".into(),
        namespace: Some(at.pod.namespace.to_string()),
        name: Some(at.pod.name.to_string()),
    };
    let (stdout, stderr) = (StreamBuffer::default(), StreamBuffer::default());
    let work = attach(api, at, words.collect(), &asked, into, &stdout, &stderr);
    let work = async {
        tokio::select! {
            result = work => Some(result),
            // Dropping `end` ends the command.
            () = filled(into) => None,
        }
    };
    let Ok(result) = tokio::time::timeout(Duration::from_secs(seconds) + TIMEOUT_GRACE, work).await else {
        // The command may still run, so dropping `end` kills it.
        return Err(ExecError::Silent(Duration::from_secs(seconds), arrived(&stdout, &stderr)));
    };
    let Some(result) = result else { return Err(ExecError::TimedOut(arrived(&stdout, &stderr))) };
    let ended = match result {
        Err(e) => {
            if is_an_answer(&e) {
                // The command never started.
                end.done();
            }
            return Err(not_begun(e));
        }
        Ok(ended) => ended,
    };
    let Output { stdout, stderr, .. } = arrived(&stdout, &stderr);
    let Some(status) = ended.status else {
        // The connection was cut, and the command may still run.
        let heard = format!("{} bytes had arrived", stdout.len());
        return Err(ExecError::Failed(ClusterError::Cut { what: asked.to_string(), said: heard }.into()));
    };
    let message = status.message.clone().unwrap_or_default();
    let code = exit_status(&status);
    if code.is_some() || is_about_timeout(&message) {
        end.done();
    } else if !stdout.is_empty() {
        // The command ran, and the container runtime lost track of it.
        let said = format!("{message} ({} bytes had arrived)", stdout.len());
        return Err(ExecError::Failed(ClusterError::Cut { what: asked.to_string(), said }.into()));
    }
    if ended.cut {
        let what = format!("the output of `{argv}`");
        return Err(ExecError::Failed(ReadError::TooLarge { what, limit: MAX_OUTPUT as u64 }));
    }
    let said = String::from_utf8_lossy(&stderr);
    let time_was_over = begun.elapsed() >= Duration::from_secs(seconds);
    match code {
        // timeout(1) exits with 124 if the time is over, and with 137 if it had to kill the command. The `timeout` of
        // BusyBox has no exit status of its own.
        Some(124 | 137 | 143) if time_was_over => {
            Err(ExecError::TimedOut(Output { stdout, stderr, status: None }))
        }
        Some(126 | 127) if is_about_timeout(&said) || is_about_timeout(&message) => Err(ExecError::NoTimeout),
        Some(126 | 127) => Err(ExecError::NoProgram),
        Some(code) => Ok(Output { stdout, stderr, status: Some(code) }),
        // The runtime could not start the first word of the command line, which is `timeout`.
        None if is_about_timeout(&message) => Err(ExecError::NoTimeout),
        None => Err(ExecError::NotRunning(message)),
    }
}

/// Waits until more bytes arrive than a capture keeps.
async fn filled(into: Option<&CapturePart>) {
    match into {
        Some(part) => part.filled().await,
        None => std::future::pending().await,
    }
}

fn arrived(stdout: &StreamBuffer, stderr: &StreamBuffer) -> Output {
    Output { stdout: stdout.take(), stderr: stderr.take(), status: None }
}

/// Returns true if a runtime reports that `timeout` is missing: `exec: "timeout": executable file not found in $PATH`
/// (runc), ``executable file `timeout` not found`` (crun). `timeout` itself reports a missing program as `timeout:
/// failed to run command 'x'`.
fn is_about_timeout(said: &str) -> bool {
    ["\"timeout\"", "`timeout`", "'timeout'"].iter().any(|word| said.contains(word))
        && ["not found", "no such file", "No such file"].iter().any(|word| said.contains(word))
}

/// How a command ended.
struct ExecEnd {
    /// The status, or `None` if the connection ended first.
    status: Option<Status>,
    /// True if standard output was longer than its limit.
    cut: bool,
}

async fn attach(
    api: &Api,
    at: &Container,
    words: Vec<String>,
    asked: &ApiRequest,
    into: Option<&CapturePart>,
    stdout: &StreamBuffer,
    stderr: &StreamBuffer,
) -> Result<ExecEnd, ReadError> {
    let pods: kube::Api<Pod> = kube::Api::namespaced(api.client(), at.pod.namespace.as_str());
    let how = AttachParams::default()
        .container(&at.name)
        .stdin(false)
        .max_stdout_buf_size(256 << 10)
        .max_stderr_buf_size(64 << 10);
    #[expect(clippy::disallowed_methods, reason = "the one place where a command is run in a container")]
    let process = pods.exec(at.pod.name.as_str(), words, &how).await;
    let mut process = process.map_err(|e| api.error(asked, e))?;
    let missing =
        || ReadError::unreadable(asked.to_string(), "the connection has no stdout, stderr or status stream");
    let status = process.take_status().ok_or_else(missing)?;
    let (out, err) = (process.stdout().ok_or_else(missing)?, process.stderr().ok_or_else(missing)?);
    // Both streams are read at once, because neither may wait for the other.
    let out = async {
        match into {
            Some(part) => StreamBuffer::pass(out, part).await,
            None => stdout.fill(out, MAX_OUTPUT).await,
        }
    };
    let mut streams = pin!(async { tokio::join!(out, stderr.fill(err, MAX_ERROR)) });
    let mut status = pin!(status);
    let status = tokio::select! {
        (cut, _) = &mut streams => return Ok(ExecEnd { status: status.await, cut }),
        status = &mut status => status,
    };
    let (cut, _) = match status {
        Some(_) => streams.await,
        // A connection that was cut does not end its streams in kube 5.0, so no more data comes.
        None => tokio::time::timeout(DRAIN_TIME, streams).await.unwrap_or_default(),
    };
    Ok(ExecEnd { status, cut })
}

/// The exit status, from the field that kubectl uses. The text of the message differs between versions of the protocol.
fn exit_status(status: &Status) -> Option<i32> {
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    let causes = status.details.as_ref()?.causes.as_ref()?;
    let code = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"))?;
    code.message.as_ref()?.parse().ok()
}

/// Returns true if the server reported that the command was not started. A broken connection reports nothing.
fn is_an_answer(error: &ReadError) -> bool {
    !matches!(error, ReadError::Cluster(ClusterError::Cut { .. } | ClusterError::Unreachable { .. }))
}

/// Decides whether a failed start concerns only this container.
fn not_begun(error: ReadError) -> ExecError {
    match &error {
        // A pod's name may contain the word, as in `pods "container-1" not found`.
        ReadError::Cluster(ClusterError::NotFound { said, .. })
            if said.contains("container") && !said.starts_with("pods \"") =>
        {
            ExecError::NotRunning(said.clone())
        }
        ReadError::Cluster(ClusterError::NotFound { .. }) => ExecError::Gone(error),
        ReadError::Cluster(ClusterError::Refused { code: 400 | 500, said, .. })
            if said.contains("container") =>
        {
            ExecError::NotRunning(said.clone())
        }
        ReadError::Cluster(ClusterError::Refused { code: 400, said, .. })
            if said.contains("does not have a host") =>
        {
            ExecError::Gone(error)
        }
        _ => ExecError::Failed(error),
    }
}

/// Kills a command when nobody waits for it any more.
struct KillOnDrop {
    api: Api,
    at: Container,
    mark: Option<CallMark>,
}

impl KillOnDrop {
    /// Records that the command ended by itself.
    fn done(mut self) {
        self.mark = None;
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let Some(mark) = self.mark.take() else { return };
        let (api, at) = (self.api.clone(), self.at.clone());
        let end = async move {
            let argv = commands::end_call(&mark);
            for pause in KILL_PAUSES {
                tokio::time::sleep(pause).await;
                let words = ["timeout", "-k", "1", "3"].map(str::to_owned);
                let words = words.into_iter().chain(argv.words().iter().cloned()).collect();
                let asked = ApiRequest::cluster("create", "pods/exec");
                let (out, err) = (StreamBuffer::default(), StreamBuffer::default());
                let work = attach(&api, &at, words, &asked, None, &out, &err);
                let ended = tokio::time::timeout(Duration::from_secs(3), work).await;
                let status = ended.ok().and_then(Result::ok).and_then(|ended| ended.status);
                match status.as_ref().and_then(exit_status) {
                    Some(0) => return,
                    // pkill(1) found no such process, or the process has not started yet.
                    Some(1) => {}
                    _ => break,
                }
            }
            tracing::debug!(container = %at, "a cancelled command was not found, or ends at its time limit");
        };
        self.api.leftovers.see_to(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_exit_status_comes_from_the_causes_and_not_from_the_message() {
        let status = |value| exit_status(&serde_json::from_value(value).unwrap());
        let causes = json!([{ "reason": "ExitCode", "message": "7" }]);
        for (value, code) in [
            (json!({ "status": "Success" }), Some(0)),
            (json!({ "status": "Failure", "details": { "causes": causes } }), Some(7)),
            // The protocols v5.channel.k8s.io and v4 use different texts.
            (
                json!({ "status": "Failure", "message": "command terminated with exit code 9", "details": { "causes": causes } }),
                Some(7),
            ),
            (json!({ "status": "Failure", "message": "command terminated with exit code 9" }), None),
            (
                json!({ "status": "Failure", "details": { "causes": [{ "reason": "ExitCode", "message": "x" }] } }),
                None,
            ),
        ] {
            assert_eq!(status(value.clone()), code, "{value}");
        }
    }

    #[tokio::test]
    async fn output_above_the_limit_is_read_and_dropped() {
        let arrived = StreamBuffer::default();
        assert!(arrived.fill(&[7; 300_000][..], 100_000).await, "bytes were dropped");
        assert_eq!(arrived.take(), [7; 100_000]);
        assert!(!arrived.fill(&[7; 10][..], 10).await);
    }

    #[test]
    fn a_missing_timeout_is_not_a_missing_program() {
        let runc = "OCI runtime exec failed: exec failed: unable to start container process: exec: \"timeout\": \
                    executable file not found in $PATH: unknown";
        assert!(is_about_timeout(runc));
        assert!(is_about_timeout("executable file `timeout` not found in $PATH: No such file or directory"));
        assert!(!is_about_timeout("timeout: failed to run command 'conntrack': No such file or directory"));
        assert!(!is_about_timeout("timeout: can't execute 'conntrack': No such file or directory"));
    }
}
