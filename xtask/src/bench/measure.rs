//! Times and memory of other processes, measured from outside and in the same way for each process.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use xshell::Cmd;

use crate::workspace::Result;

/// Runs something several times, and returns the median time.
pub(super) fn median(runs: usize, mut run: impl FnMut() -> Result<Duration>) -> Result<Duration> {
    middle((0..runs).map(|_| run()).collect::<Result<_>>()?)
}

/// Returns the median of these times.
pub(super) fn middle(mut times: Vec<Duration>) -> Result<Duration> {
    times.sort();
    times.get(times.len() / 2).copied().ok_or("nothing was run".into())
}

/// Returns the time from start to end of a program whose output is discarded.
pub(super) fn wall(command: Cmd<'_>) -> Result<Duration> {
    let mut command = quiet(command);
    let start = Instant::now();
    let status = command.status()?;
    if status.success() { Ok(start.elapsed()) } else { Err(format!("{command:?}: {status}").into()) }
}

/// Returns the peak memory of a program, in bytes.
pub(super) fn peak(command: Cmd<'_>) -> Result<u64> {
    Ok(watched(command)?.1)
}

/// Returns the time from start to end of a program whose output is discarded, and its peak memory, in bytes.
///
/// The kernel keeps the peak, so occasional polling misses only the growth between the last poll and the end. Polling
/// costs a little: times of less than a tenth of a second are measured without it.
pub(super) fn watched(command: Cmd<'_>) -> Result<(Duration, u64)> {
    let mut command = quiet(command);
    let start = Instant::now();
    let mut child = command.spawn()?;
    let mut peak = 0;
    loop {
        if let Some(status) = child.try_wait()? {
            let time = start.elapsed();
            return if status.success() {
                Ok((time, peak))
            } else {
                Err(format!("{command:?}: {status}").into())
            };
        }
        peak = memory(child.id(), "VmHWM").unwrap_or(peak);
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// Returns a memory figure of a process, in bytes.
pub(super) fn memory(pid: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

fn quiet(command: Cmd<'_>) -> Command {
    let mut command = Command::from(command);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}
