//! Identifies the server that owns a debug pod. A server that was killed leaves pods behind, and the next server must
//! tell them from the pods of a running server.

use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};
use std::{fmt, str::FromStr};

/// A process, described so that another process on the same host can tell whether it still runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// The host's name.
    host: String,
    /// The boot ID of the host's kernel.
    boot: String,
    pid_namespace: String,
    pid: u32,
    /// The start time in clock ticks after boot (proc_pid_stat(5), field 22), because process IDs are reused.
    started: u64,
}

impl Owner {
    /// This process.
    pub(super) fn this_process() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let pid = std::process::id();
        Self {
            host: read("/proc/sys/kernel/hostname"),
            boot: read("/proc/sys/kernel/random/boot_id"),
            pid_namespace: namespace.to_string_lossy().into_owned(),
            pid,
            started: started(pid).unwrap_or(0),
        }
    }

    /// Returns true if the process is known to have ended. The state of a process on another host is unknown.
    pub(super) fn is_dead(&self) -> bool {
        let us = Self::this_process();
        let same_place =
            (&self.host, &self.boot, &self.pid_namespace) == (&us.host, &us.boot, &us.pid_namespace);
        same_place && started(self.pid).map_or_else(|| is_gone(self.pid), |started| started != self.started)
    }
}

/// Returns true if the process does not exist. With `hidepid` (proc(5)), the process of another user has no folder in
/// /proc, but it exists.
fn is_gone(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_none_or(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in parentheses, may contain any character.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, boot, pid_namespace, pid, started } = self;
        write!(f, "{host} {boot} {pid_namespace} {pid} {started}")
    }
}

impl FromStr for Owner {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let [host, boot, pid_namespace, pid, started] =
            text.split(' ').collect::<Vec<_>>().try_into().map_err(|_| ())?;
        Ok(Self {
            host: host.to_owned(),
            boot: boot.to_owned(),
            pid_namespace: pid_namespace.to_owned(),
            pid: pid.parse().map_err(|_| ())?,
            started: started.parse().map_err(|_| ())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_knows_whether_it_is_dead() {
        let us = Owner::this_process();
        assert_eq!(us.to_string().parse(), Ok(us.clone()));
        assert!(!us.is_dead());
        assert!(Owner { started: us.started + 1, ..us.clone() }.is_dead(), "its process ID was reused");
        assert!(Owner { pid: 4_194_305, ..us.clone() }.is_dead(), "above the largest process ID of Linux");
        assert!(!Owner { host: "elsewhere".into(), pid: 4_194_305, ..us.clone() }.is_dead());
        assert!(!Owner { boot: "another".into(), pid: 4_194_305, ..us }.is_dead());
        assert!("".parse::<Owner>().is_err() && "a b c d e".parse::<Owner>().is_err());
    }
}
