//! Container and host logs, as streams, so that no log is held in memory as a whole.

use crate::{NodeName, PodRef, sanitize::Redactor};
use bytes::Bytes;
use jiff::Timestamp;
use std::{fmt, time::Instant};
use tokio::sync::mpsc;

/// The log to read, and the part of it that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// The log.
    pub source: LogSource,
    /// The time before which nothing is needed. A source that cannot select by time sends more.
    pub since: Option<Timestamp>,
    /// The number of last lines that are needed. A source that cannot count lines sends more.
    pub tail: Option<u64>,
}

impl LogQuery {
    /// Returns a query for the whole log as it is now.
    pub fn all(source: LogSource) -> Self {
        Self { source, since: None, tail: None }
    }
}

/// The origin of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogSource {
    /// A container of a pod.
    Container {
        /// The pod.
        pod: PodRef,
        /// The container, which may have ended. If it is empty, the only container whose log the source has is meant.
        container: String,
        /// The run of the container.
        part: LogPart,
    },
    /// The host.
    Host {
        /// The node.
        node: NodeName,
        /// The log of the host.
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

/// The run of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogPart {
    /// The current run, or the last one of an ended container.
    #[default]
    Current,
    /// The previous run.
    Previous,
    /// All kept runs, oldest first: the previous run, rotated files and the current one.
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
    /// The packets that ACLs with logging allowed or dropped.
    AclAudit,
    /// NetworkManager.
    NetworkManager,
    /// ovs-configuration, which creates br-ex on OpenShift.
    OvsConfiguration,
    /// The container runtime: CRI-O or containerd.
    Runtime,
    /// The kernel's ring buffer.
    Kernel,
    /// Libreswan.
    Libreswan,
}

impl HostLog {
    /// All host logs.
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

/// Returns the paths of a log's files below `/`, in distributions, OpenShift and upstream images.
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

/// Returns the systemd units whose journal is the log, the likeliest one first. Kernel lines have no unit in the
/// journal.
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

/// Formats the query as the key by which a recording of its answer is found.
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

/// The bytes of a log, with private keys redacted. The pieces need not end at line breaks. The stream ends with the
/// log, or with an error if the log cannot be read to its end. Dropping the stream stops reading.
#[derive(Debug)]
pub struct LogStream {
    pieces: mpsc::Receiver<std::io::Result<Bytes>>,
    filter: Redactor,
}

impl LogStream {
    /// Returns a stream and the sender of its bytes.
    pub fn channel() -> (mpsc::Sender<std::io::Result<Bytes>>, Self) {
        // The number of pieces in flight keeps both ends busy and fits in memory.
        let (sender, pieces) = mpsc::channel(8);
        (sender, Self { pieces, filter: Redactor::default() })
    }

    /// Returns the next piece.
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

    /// Returns the next piece, or [`TimedOut`](std::io::ErrorKind::TimedOut) if it does not arrive before the
    /// deadline, so that the caller can keep the pieces that arrived before.
    pub async fn next_before(&mut self, deadline: Instant) -> Option<std::io::Result<Bytes>> {
        match tokio::time::timeout_at(deadline.into(), self.next()).await {
            Ok(piece) => piece,
            Err(_) => Some(Err(std::io::ErrorKind::TimedOut.into())),
        }
    }
}
