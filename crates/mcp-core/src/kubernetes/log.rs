//! Logs, of containers and of hosts, as streams: a log is never held in memory as a whole.

use crate::{NodeName, PodRef, sanitize::Redactor};
use bytes::Bytes;
use jiff::Timestamp;
use std::{fmt, time::Instant};
use tokio::sync::mpsc;

/// Which log, and which part of it a source may leave out before it sends anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// Whose log.
    pub source: LogSource,
    /// Nothing before this is needed. A source that can't tell sends more.
    pub since: Option<Timestamp>,
    /// Only the last lines are needed, so many. A source that can't tell sends more.
    pub tail: Option<u64>,
}

impl LogQuery {
    /// All of a log, as it is now.
    pub fn all(source: LogSource) -> Self {
        Self { source, since: None, tail: None }
    }
}

/// Whose log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogSource {
    /// A container of a pod.
    Container {
        /// The pod.
        pod: PodRef,
        /// The container; also one that ended. Empty: the only one that the source has a log of.
        container: String,
        /// Which of its runs.
        part: LogPart,
    },
    /// The host.
    Host {
        /// The node.
        node: NodeName,
        /// Which log.
        log: HostLog,
    },
    /// A file of a bundle.
    File {
        /// The name of the bundle.
        bundle: String,
        /// The path inside the bundle.
        path: String,
    },
}

/// Which run of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogPart {
    /// The one that runs, or ran last.
    #[default]
    Current,
    /// The one before.
    Previous,
    /// All that is kept: the previous run, rotated files and the current one, oldest first.
    All,
}

/// A log of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostLog {
    /// The kubelet.
    Kubelet,
    /// ovs-vswitchd.
    OvsVswitchd,
    /// Open vSwitch's ovsdb-server.
    OvsdbServer,
    /// ovn-controller, where it runs on the host.
    OvnController,
    /// What ACLs with logging let through or dropped.
    AclAudit,
    /// NetworkManager.
    NetworkManager,
    /// ovs-configuration, which makes br-ex on OpenShift.
    OvsConfiguration,
    /// The container runtime: CRI-O or containerd.
    Runtime,
    /// The kernel's ring buffer.
    Kernel,
    /// Libreswan.
    Libreswan,
}

impl HostLog {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Kubelet,
        Self::OvsVswitchd,
        Self::OvsdbServer,
        Self::OvnController,
        Self::AclAudit,
        Self::NetworkManager,
        Self::OvsConfiguration,
        Self::Runtime,
        Self::Kernel,
        Self::Libreswan,
    ];
}

/// Where a host has the files of a log, below `/`: those of distributions, of OpenShift and of upstream's images.
pub(crate) fn host_files(log: HostLog) -> &'static [&'static str] {
    match log {
        HostLog::Kubelet => &["var/log/kubelet.log", "kubelet.log"],
        HostLog::OvsVswitchd => &["var/log/openvswitch/ovs-vswitchd.log"],
        HostLog::OvsdbServer => &["var/log/openvswitch/ovsdb-server.log"],
        HostLog::OvnController => &[
            "var/log/ovn/ovn-controller.log",
            "var/log/openvswitch/ovn-controller.log",
            "var/log/ovn-kubernetes/ovn-controller.log",
        ],
        HostLog::AclAudit => &["var/log/ovn/acl-audit-log.log"],
        HostLog::NetworkManager | HostLog::OvsConfiguration => &[],
        HostLog::Runtime => &["containerd.log", "var/log/containerd.log", "var/log/crio.log"],
        HostLog::Kernel => &["sos_commands/kernel/dmesg_-T", "sos_commands/kernel/dmesg", "var/log/dmesg"],
        HostLog::Libreswan => &["var/log/openvswitch/libreswan.log", "var/log/pluto.log"],
    }
}

/// The units of systemd whose journal a log is, the likeliest first. The kernel's lines are in the journal without a unit.
pub(crate) fn host_units(log: HostLog) -> &'static [&'static str] {
    match log {
        HostLog::Kubelet => &["kubelet"],
        HostLog::OvsVswitchd => &["ovs-vswitchd", "openvswitch"],
        HostLog::OvsdbServer => &["ovsdb-server", "openvswitch"],
        HostLog::OvnController => &["ovn-controller"],
        HostLog::AclAudit | HostLog::Kernel => &[],
        HostLog::NetworkManager => &["NetworkManager"],
        HostLog::OvsConfiguration => &["ovs-configuration"],
        HostLog::Runtime => &["crio", "containerd"],
        HostLog::Libreswan => &["ipsec"],
    }
}

impl fmt::Display for HostLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kubelet => "kubelet",
            Self::OvsVswitchd => "ovs-vswitchd",
            Self::OvsdbServer => "ovsdb-server",
            Self::OvnController => "ovn-controller",
            Self::AclAudit => "acl-audit",
            Self::NetworkManager => "NetworkManager",
            Self::OvsConfiguration => "ovs-configuration",
            Self::Runtime => "runtime",
            Self::Kernel => "kernel",
            Self::Libreswan => "libreswan",
        })
    }
}

/// What a recording of it is found by.
impl fmt::Display for LogQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            LogSource::Container { pod, container, part } => {
                let part = match part {
                    LogPart::Current => "",
                    LogPart::Previous => " --previous",
                    LogPart::All => " --all",
                };
                write!(f, "log {pod} -c {container}{part}")?;
            }
            LogSource::Host { node, log } => write!(f, "log {node} {log}")?,
            LogSource::File { bundle, path } => write!(f, "file {path} in {bundle}")?,
        }
        if let Some(since) = self.since {
            write!(f, " --since-time={since}")?;
        }
        if let Some(tail) = self.tail {
            write!(f, " --tail={tail}")?;
        }
        Ok(())
    }
}

/// The bytes of a log, in pieces that need not end where a line does, without private keys. It ends with the log, or
/// with an error where it could not be read to its end. Dropping it stops the reading.
#[derive(Debug)]
pub struct LogStream {
    pieces: mpsc::Receiver<std::io::Result<Bytes>>,
    filter: Redactor,
}

impl LogStream {
    /// A stream, and where its bytes go.
    pub fn channel() -> (mpsc::Sender<std::io::Result<Bytes>>, Self) {
        // Pieces in flight: enough to keep both ends busy, little enough to hold.
        let (sender, pieces) = mpsc::channel(8);
        (sender, Self { pieces, filter: Redactor::default() })
    }

    /// The next piece.
    pub async fn next(&mut self) -> Option<std::io::Result<Bytes>> {
        loop {
            let shown = match self.pieces.recv().await {
                Some(Ok(piece)) => self.filter.push(&piece),
                Some(Err(e)) => return Some(Err(e)),
                None => {
                    let rest = self.filter.finish();
                    return (!rest.is_empty()).then(|| Ok(rest.into()));
                }
            };
            if !shown.is_empty() {
                return Some(Ok(shown.into()));
            }
        }
    }

    /// The next piece, or [`TimedOut`](std::io::ErrorKind::TimedOut) if it does not come before the deadline: what came
    /// until then is worth more than an error.
    pub async fn next_before(&mut self, deadline: Instant) -> Option<std::io::Result<Bytes>> {
        match tokio::time::timeout_at(deadline.into(), self.next()).await {
            Ok(piece) => piece,
            Err(_) => Some(Err(std::io::ErrorKind::TimedOut.into())),
        }
    }
}
