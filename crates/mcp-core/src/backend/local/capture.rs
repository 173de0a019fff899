//! Keeps the output of a program that watches this host for a while.

use super::{MAX_ERROR, Namespaces, drain, spawn};
use crate::{Argv, CapturePart, CommandTarget, Output, ReadError};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::{io, os::unix::process::ExitStatusExt, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Child,
};

/// The time that a program has to report what it counted, after it was told to end.
const REPORT_TIME: Duration = Duration::from_secs(2);

/// Runs a program for `time`, or until `into` is full. The program is then told to end, so that it can report what it
/// counted. It is killed if the caller goes away.
pub(super) async fn run(
    at: &CommandTarget,
    argv: &Argv,
    namespaces: &Namespaces,
    time: Duration,
    into: &CapturePart,
) -> Result<Output, ReadError> {
    let failed = |e: io::Error| ReadError::unreadable(format!("the output of `{argv}`"), e);
    let mut child = spawn(at, argv, namespaces)?;
    let (out, err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let mut output = Output::default();
    let was_ended = {
        let mut streams = std::pin::pin!(async {
            let (kept, said) = tokio::join!(keep(out, into), drain(err, &mut output.stderr, MAX_ERROR));
            kept.and(said)
        });
        let is_over = async {
            tokio::select! {
                () = tokio::time::sleep(time.min(at.within)) => {}
                () = into.filled() => {}
            }
        };
        tokio::select! {
            ended = &mut streams => { ended.map_err(failed)?; false }
            () = is_over => {
                tell_to_end(&child);
                match tokio::time::timeout(REPORT_TIME, streams).await {
                    Ok(ended) => ended.map_err(failed)?,
                    Err(_) => tracing::debug!(program = argv.program(), "it did not end when it was told to"),
                }
                true
            }
        }
    };
    if was_ended {
        child.start_kill().map_err(failed)?;
    }
    let status = child.wait().await.map_err(failed)?;
    // A program that was told to end did not fail.
    let code = if was_ended { Some(0) } else { status.code() };
    output.status = code.or(status.signal().map(|signal| 128 + signal));
    Ok(output)
}

/// Copies a stream to its end. Bytes above the limit of the part are read and dropped, because a program that cannot
/// write does not report either.
async fn keep(mut from: impl AsyncRead + Unpin, into: &CapturePart) -> io::Result<()> {
    let mut piece = vec![0; 64 << 10];
    loop {
        match from.read(&mut piece).await? {
            0 => return Ok(()),
            n => into.put(piece.get(..n).unwrap_or_default()).map(drop)?,
        }
    }
}

/// Sends SIGTERM. The handle refers to this child only: it has not been waited for, so its number is not used again.
fn tell_to_end(child: &Child) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    let told = pid.map(|pid| pidfd_send_signal(pidfd_open(pid, PidfdFlags::empty())?, Signal::TERM));
    if let Some(Err(e)) = told {
        tracing::debug!("cannot end a program: {e}");
    }
}
