//! A command in a container, over a WebSocket.
//!
//! The API server does not end a command whose client is gone (kubernetes#89031, runc#3359). So each command runs under
//! `timeout` in its container, with a mark on its command line by which it is found and ended when a call is cancelled.

use super::{
    api::{Api, Deadline},
    error::{Asked, ClusterError},
};
use crate::{Argv, Output, PodRef, ReadError, argv::CallMark, commands};
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

/// More than any command prints that a tool asks for: the answers of a database server are the largest.
pub(super) const MAX_OUTPUT: usize = 512 << 20;
/// More than a program needs to say what went wrong.
const MAX_ERROR: usize = 1 << 20;

/// For what `timeout` says of itself after the time is over.
const LATE: Duration = Duration::from_secs(1);

/// When a cancelled command is looked for: one that was about to begin is there a moment later.
const END_AFTER: [Duration; 2] = [Duration::ZERO, Duration::from_millis(1500)];

/// For what has arrived of a connection that was cut.
const DRAIN: Duration = Duration::from_millis(200);

/// Where a command runs.
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
pub(super) enum NotRun {
    /// The container has no such program (126, 127).
    NoProgram,
    /// It has no `timeout`.
    NoTimeout,
    /// The container does not run any more: what the server says.
    NotRunning(String),
    /// The pod is not there any more.
    Gone(ReadError),
    /// It was not finished in time: what had arrived.
    TimedOut(Output),
    /// Nobody said how it ended, or that it began, in this time.
    Silent(Duration, Output),
    /// Anything else, which another container would not do better.
    Failed(ReadError),
}

/// What arrived, while it arrives: it is there even if the end never comes.
#[derive(Default)]
struct Arrived {
    bytes: Mutex<Vec<u8>>,
}

impl Arrived {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads to the end. What is above the limit is dropped, but read: a stream that nobody reads stops the other.
    async fn fill(&self, mut from: impl AsyncRead + Unpin, limit: usize) -> bool {
        let (mut cut, mut piece) = (false, vec![0; 64 << 10]);
        // An error ends the stream; that there is no exit status then tells.
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
pub(super) enum Time {
    /// To its end, within what is left of the call.
    ToItsEnd,
    /// So long, for one that does not end by itself; less if the call has less.
    For(Duration),
}

impl Time {
    /// In whole seconds: `timeout` knows no others here, since what is behind the point is the mark.
    fn seconds(self, left: Duration) -> u64 {
        match self {
            Self::ToItsEnd => left.as_secs() + u64::from(left.subsec_millis() > 0),
            Self::For(time) => time.as_secs().min(left.as_secs()),
        }
    }
}

/// Runs a command in a container, to its end or its time's. `before` comes before the program: a change of root or of
/// network namespace.
pub(super) async fn run(
    api: &Api,
    at: &Container,
    before: &[String],
    argv: &Argv,
    time: Time,
    deadline: Deadline,
) -> Result<Output, NotRun> {
    let left = deadline.left();
    let seconds = time.seconds(left);
    if seconds == 0 {
        return Err(NotRun::Failed(deadline.late(&format!("`{argv}`"))));
    }
    let begun = Instant::now();
    let mark = CallMark::new(seconds);
    let limit = mark.to_string();
    let bounded = ["timeout", "-k", "2", &limit].map(str::to_owned);
    let words = bounded.into_iter().chain(before.iter().cloned()).chain(argv.words().iter().cloned());
    let end = EndsWithUs { api: api.clone(), at: at.clone(), mark: Some(mark) };
    let asked = Asked {
        verb: "create",
        resource: "pods/exec".into(),
        namespace: Some(at.pod.namespace.to_string()),
        name: Some(at.pod.name.to_string()),
    };
    let (stdout, stderr) = (Arrived::default(), Arrived::default());
    let work = attach(api, at, words.collect(), &asked, &stdout, &stderr);
    let Ok(result) = tokio::time::timeout(Duration::from_secs(seconds) + LATE, work).await else {
        // The command may run, and `end` sees to it.
        return Err(NotRun::Silent(Duration::from_secs(seconds), arrived(&stdout, &stderr)));
    };
    let ended = match result {
        Err(e) => {
            if is_an_answer(&e) {
                // It never began.
                end.done();
            }
            return Err(not_begun(e));
        }
        Ok(ended) => ended,
    };
    let Output { stdout, stderr, .. } = arrived(&stdout, &stderr);
    let Some(status) = ended.status else {
        // The connection was cut, the command may run.
        let heard = format!("{} bytes had arrived", stdout.len());
        return Err(NotRun::Failed(ClusterError::Cut { what: asked.to_string(), said: heard }.into()));
    };
    let message = status.message.clone().unwrap_or_default();
    let code = exit_status(&status);
    if code.is_some() || is_about_timeout(&message) {
        end.done();
    } else if !stdout.is_empty() {
        // It ran, and the runtime lost it.
        let said = format!("{message} ({} bytes had arrived)", stdout.len());
        return Err(NotRun::Failed(ClusterError::Cut { what: asked.to_string(), said }.into()));
    }
    if ended.cut {
        let what = format!("the output of `{argv}`");
        return Err(NotRun::Failed(ReadError::TooLarge { what, limit: MAX_OUTPUT as u64 }));
    }
    let said = String::from_utf8_lossy(&stderr);
    let time_was_over = begun.elapsed() >= Duration::from_secs(seconds);
    match code {
        // timeout(1): 124 if the time was over, 137 if the command had to be killed; BusyBox's has no status of its own.
        Some(124 | 137 | 143) if time_was_over => {
            Err(NotRun::TimedOut(Output { stdout, stderr, status: None }))
        }
        Some(126 | 127) if is_about_timeout(&said) || is_about_timeout(&message) => Err(NotRun::NoTimeout),
        Some(126 | 127) => Err(NotRun::NoProgram),
        Some(code) => Ok(Output { stdout, stderr, status: Some(code) }),
        // The runtime could not start it: what it is missing is the first word.
        None if is_about_timeout(&message) => Err(NotRun::NoTimeout),
        None => Err(NotRun::NotRunning(message)),
    }
}

fn arrived(stdout: &Arrived, stderr: &Arrived) -> Output {
    Output { stdout: stdout.take(), stderr: stderr.take(), status: None }
}

/// A runtime's words for a program that is not there: `exec: "timeout": executable file not found in $PATH` (runc),
/// ``executable file `timeout` not found`` (crun). `timeout` itself says `timeout: failed to run command 'x'`.
fn is_about_timeout(said: &str) -> bool {
    ["\"timeout\"", "`timeout`", "'timeout'"].iter().any(|word| said.contains(word))
        && ["not found", "no such file", "No such file"].iter().any(|word| said.contains(word))
}

/// How a command ended.
struct Ended {
    /// None: the connection ended first.
    status: Option<Status>,
    /// Standard output was too long.
    cut: bool,
}

async fn attach(
    api: &Api,
    at: &Container,
    words: Vec<String>,
    asked: &Asked,
    stdout: &Arrived,
    stderr: &Arrived,
) -> Result<Ended, ReadError> {
    let pods: kube::Api<Pod> = kube::Api::namespaced(api.client(), at.pod.namespace.as_str());
    let how = AttachParams::default()
        .container(&at.name)
        .stdin(false)
        .max_stdout_buf_size(256 << 10)
        .max_stderr_buf_size(64 << 10);
    #[expect(clippy::disallowed_methods, reason = "the one place where a command is run in a container")]
    let process = pods.exec(at.pod.name.as_str(), words, &how).await;
    let mut process = process.map_err(|e| api.error(asked, e))?;
    let missing = || ReadError::unreadable(asked.to_string(), "a stream of the connection is missing");
    let status = process.take_status().ok_or_else(missing)?;
    let (out, err) = (process.stdout().ok_or_else(missing)?, process.stderr().ok_or_else(missing)?);
    // Both at once: neither may wait for the other.
    let mut streams = pin!(async { tokio::join!(stdout.fill(out, MAX_OUTPUT), stderr.fill(err, MAX_ERROR)) });
    let mut status = pin!(status);
    let status = tokio::select! {
        (cut, _) = &mut streams => return Ok(Ended { status: status.await, cut }),
        status = &mut status => status,
    };
    let (cut, _) = match status {
        Some(_) => streams.await,
        // A connection that was cut does not end its streams in kube 5.0: what is there is all there will be.
        None => tokio::time::timeout(DRAIN, streams).await.unwrap_or_default(),
    };
    Ok(Ended { status, cut })
}

/// The exit status, as kubectl finds it; the text of the message is another one in each version of the protocol.
fn exit_status(status: &Status) -> Option<i32> {
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    let causes = status.details.as_ref()?.causes.as_ref()?;
    let code = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"))?;
    code.message.as_ref()?.parse().ok()
}

/// Did somebody say that it was not started? A connection that broke says nothing.
fn is_an_answer(error: &ReadError) -> bool {
    !matches!(error, ReadError::Cluster(ClusterError::Cut { .. } | ClusterError::Unreachable { .. }))
}

/// The server did not start it: is that about this container?
fn not_begun(error: ReadError) -> NotRun {
    match &error {
        // Not about a pod whose name has the word in it: `pods "container-1" not found`.
        ReadError::Cluster(ClusterError::NotFound { said, .. })
            if said.contains("container") && !said.starts_with("pods \"") =>
        {
            NotRun::NotRunning(said.clone())
        }
        ReadError::Cluster(ClusterError::NotFound { .. }) => NotRun::Gone(error),
        ReadError::Cluster(ClusterError::Refused { code: 400 | 500, said, .. })
            if said.contains("container") =>
        {
            NotRun::NotRunning(said.clone())
        }
        ReadError::Cluster(ClusterError::Refused { code: 400, said, .. })
            if said.contains("does not have a host") =>
        {
            NotRun::Gone(error)
        }
        _ => NotRun::Failed(error),
    }
}

/// Ends a command that nobody waits for any more.
struct EndsWithUs {
    api: Api,
    at: Container,
    mark: Option<CallMark>,
}

impl EndsWithUs {
    /// It ended by itself.
    fn done(mut self) {
        self.mark = None;
    }
}

impl Drop for EndsWithUs {
    fn drop(&mut self) {
        let Some(mark) = self.mark.take() else { return };
        let (api, at) = (self.api.clone(), self.at.clone());
        let end = async move {
            let argv = commands::end_call(&mark);
            for pause in END_AFTER {
                tokio::time::sleep(pause).await;
                let words = ["timeout", "-k", "1", "3"].map(str::to_owned);
                let words = words.into_iter().chain(argv.words().iter().cloned()).collect();
                let asked = Asked::cluster("create", "pods/exec");
                let (out, err) = (Arrived::default(), Arrived::default());
                let work = attach(&api, &at, words, &asked, &out, &err);
                let ended = tokio::time::timeout(Duration::from_secs(3), work).await;
                let status = ended.ok().and_then(Result::ok).and_then(|ended| ended.status);
                match status.as_ref().and_then(exit_status) {
                    Some(0) => return,
                    // pkill(1): there is none, or none yet.
                    Some(1) => {}
                    _ => break,
                }
            }
            tracing::debug!(container = %at, "a cancelled command was not found, or is left to its time-out");
        };
        self.api.leftovers.see_to(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_exit_status_comes_from_the_causes_and_from_no_text() {
        let status = |value| exit_status(&serde_json::from_value(value).unwrap());
        let causes = json!([{ "reason": "ExitCode", "message": "7" }]);
        for (value, code) in [
            (json!({ "status": "Success" }), Some(0)),
            (json!({ "status": "Failure", "details": { "causes": causes } }), Some(7)),
            // v5.channel.k8s.io and v4 word it differently.
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
    async fn what_is_too_much_is_read_and_dropped() {
        let arrived = Arrived::default();
        assert!(arrived.fill(&[7; 300_000][..], 100_000).await, "it was cut");
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
