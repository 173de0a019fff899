//! The tool `tcpdump_capture`: captures packets at one or more points at the same time.

use crate::{
    commands, nat,
    point::{self, CapturePoint, MAX_POINTS},
    report,
    source::PacketSource,
    types::Question,
};
use futures::future::join_all;
use mcp_core::{
    Answer, Capture, ClusterReader, ClusterTool, CommandPlace, NodeName, RunningCapture, ToolError,
    argv::CaptureFilter, chain, check_seconds,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeSet, time::Duration};

/// The largest capture of one point, in bytes. The limits of packets and of their length are usually reached first.
const MAX_BYTES: u64 = 32 << 20;

/// The time that a call keeps for finding the containers and for the analysis, in seconds.
const REST: u64 = 3;

pub(crate) struct TcpdumpCapture;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Params {
    /// Points: `pod NAMESPACE/NAME [INTERFACE]` or `node NAME [INTERFACE]`. Default interface: any.
    #[schemars(length(min = 1, max = MAX_POINTS))]
    at: Vec<String>,
    /// A filter of pcap-filter(7) with addresses and numbers, no names: `host 10.244.1.5 and tcp port 80`.
    #[serde(default)]
    filter: Option<String>,
    /// How long to capture, in seconds. Default: 10.
    #[serde(default)]
    #[schemars(range(min = 1, max = 60))]
    seconds: Option<u64>,
    /// Packets per point. Default: 1000.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    packets: Option<u32>,
    /// Bytes of each packet to keep. Default: 256, which is enough for the headers.
    #[serde(default)]
    #[schemars(range(min = 64, max = 1600))]
    snap_length: Option<u32>,
}

impl Params {
    fn seconds(&self) -> u64 {
        self.seconds.unwrap_or(10)
    }
}

impl ClusterTool for TcpdumpCapture {
    const NAME: &'static str = "tcpdump_capture";
    const TITLE: &'static str = "Capture packets";
    const TOOLSET: &'static str = "capture";
    const DESCRIPTION: &'static str = "Captures packets with tcpdump on a live cluster, at several points at once, and says how \
         each connection went and at which point its packets are lost. It shows headers only. Use it last, because it takes \
         time of the node, and cause the traffic while it runs; tcpdump_analyze asks more about the capture.";
    type Params = Params;

    fn title(params: &Params) -> String {
        let filter = params.filter.as_deref().map(|filter| format!(" that match `{filter}`"));
        format!("packets{} at {} in {} s", filter.unwrap_or_default(), params.at.join(", "), params.seconds())
    }

    async fn run(cluster: &ClusterReader<'_>, params: &Params) -> Result<Answer, ToolError> {
        let filter = params.filter.as_deref().map(str::trim).filter(|filter| !filter.is_empty());
        let filter = filter.map(CaptureFilter::parse).transpose()?;
        let seconds = params.seconds();
        check_seconds(seconds, REST, cluster.within())?;
        let points = point::resolve(cluster, &params.at).await?;
        let labels: Vec<String> = points.iter().map(ToString::to_string).collect();
        let running = cluster.captures()?.begin(&Self::title(params), &labels, MAX_BYTES)?;
        let nodes: Vec<&str> = points.iter().map(|point| point.node.as_str()).collect();
        running.capture().add_context(format!("{NODES}{}", nodes.join(" ")));
        capture_all(cluster, &running, &points, filter.as_ref(), params).await?;
        let nodes: BTreeSet<NodeName> = points.iter().map(|point| point.node.clone()).collect();
        if points.len() > 1 {
            remember_translations(cluster, &running, &nodes).await;
        }
        let capture = running.capture().clone();
        match running.end() {
            Ok(Some(path)) => cluster.note(format!("the capture is saved in {}", path.display())),
            Ok(None) => {}
            Err(e) => cluster.note(format!("the capture could not be saved: {e}")),
        }
        let source = PacketSource::Kept(capture.clone());
        let mut answer =
            report::of(cluster, source, &Question::default(), nodes.into_iter().collect()).await?;
        answer.notes.push(format!(
            "the capture is kept for 30 minutes; tcpdump_analyze capture={} asks more about it",
            capture.id()
        ));
        Ok(answer)
    }
}

/// The beginning of the text that names the node of each point of a capture.
const NODES: &str = "nodes: ";

/// Returns the names of the nodes of a capture's points, in the order of the points.
pub(crate) fn nodes_of(kept: &Capture) -> Vec<String> {
    let context = kept.context();
    let nodes = context.iter().find_map(|text| text.strip_prefix(NODES)).unwrap_or_default();
    nodes.split_whitespace().map(str::to_owned).collect()
}

/// Captures at all points at once.
///
/// # Errors
///
/// Returns an error if no point could be captured. A note names each point that could not.
async fn capture_all(
    cluster: &ClusterReader<'_>,
    running: &RunningCapture,
    points: &[CapturePoint],
    filter: Option<&CaptureFilter>,
    params: &Params,
) -> Result<(), ToolError> {
    let time = Duration::from_secs(params.seconds());
    let (snap_length, packets) = (params.snap_length.unwrap_or(256), params.packets.unwrap_or(1000));
    let at = points.iter().zip(running.capture().parts()).map(|(point, part)| async move {
        let argv = commands::tcpdump_on(&point.interface, filter, snap_length, packets);
        cluster.node(&point.node).capture(point.place.clone(), &argv, time, part).await
    });
    let ended = join_all(at).await;
    let mut failed = Vec::new();
    for (point, ended) in points.iter().zip(ended) {
        if let Err(e) = ended {
            failed.push((point, ToolError::from(e)));
        }
    }
    if failed.len() == points.len()
        && let Some((_, error)) = failed.pop()
    {
        return Err(error);
    }
    for (point, error) in failed {
        cluster.note(format!("nothing was captured at {point}: {}. {}", chain(&error), error.hint()));
    }
    Ok(())
}

/// Keeps the translations of the nodes' connections with the capture, so that its points can be joined across NAT.
async fn remember_translations(
    cluster: &ClusterReader<'_>,
    running: &RunningCapture,
    nodes: &BTreeSet<NodeName>,
) {
    let read = nodes.iter().map(|name| async move {
        let argv = commands::connections();
        (name, cluster.node(name).command(CommandPlace::OvsSocket, &argv).await)
    });
    for (name, read) in join_all(read).await {
        match read {
            Ok(output) => running.capture().add_context(nat::translated(&String::from_utf8_lossy(&output.stdout))),
            Err(e) => cluster.note(format!(
                "packets may not be recognised behind NAT, because the connections of {name} are not known: {}",
                chain(&e)
            )),
        }
    }
}

/// What tcpdump(8) reports when it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TcpdumpCounts {
    /// The packets that it wrote.
    pub(crate) captured: Option<u64>,
    /// The packets that the kernel dropped because tcpdump was too slow.
    pub(crate) dropped: Option<u64>,
}

impl TcpdumpCounts {
    /// Reads the lines that tcpdump(8) writes to standard error: `15 packets captured`, `0 packets dropped by kernel`.
    pub(crate) fn parse(said: &str) -> Self {
        let count = |end: &str| {
            said.lines().rev().find_map(|line| {
                let (count, what) = line.trim().split_once(' ')?;
                what.strip_prefix("packet").filter(|what| what.trim_start_matches('s') == end)?;
                count.parse().ok()
            })
        };
        Self { captured: count(" captured"), dropped: count(" dropped by kernel") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_tcpdump_are_read() {
        let said = "tcpdump: listening on eth0, link-type EN10MB (Ethernet), snapshot length 256 bytes\n\
                    1 packet captured\n17 packets received by filter\n3 packets dropped by kernel\n";
        assert_eq!(TcpdumpCounts::parse(said), TcpdumpCounts { captured: Some(1), dropped: Some(3) });
        assert_eq!(TcpdumpCounts::parse("tcpdump: listening on eth0\n"), TcpdumpCounts::default());
    }
}
