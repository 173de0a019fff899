//! The tool `tcpdump_analyze`: says what happened in a capture.

use crate::{events, report, source::PacketSource, types::Question};
use mcp_core::{Answer, BundleFile, ClusterReader, ClusterTool, Row, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;
use std::io::Read;

pub(crate) struct TcpdumpAnalyze;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Params {
    /// The id of a capture of tcpdump_capture.
    #[serde(default)]
    capture: Option<String>,
    /// A pcap, pcapng or retis file of a bundle: its path or a part of it. Without `capture` and `file`, the captures
    /// and files are listed.
    #[serde(default)]
    file: Option<String>,
    #[serde(flatten)]
    question: Question,
}

impl ClusterTool for TcpdumpAnalyze {
    const NAME: &'static str = "tcpdump_analyze";
    const TITLE: &'static str = "Analyse a capture";
    const TOOLSET: &'static str = "analysis";
    const DESCRIPTION: &'static str = "Says what happened in a capture: connections that were refused, not answered or reset, \
         retransmissions, ICMP errors, DNS questions without an answer, and where packets are lost between the points. \
         It names the OVN datapaths and ports of tunnels. Use it for a capture of tcpdump_capture or a pcap file of a \
         bundle; packets=true lists the packets.";
    type Params = Params;

    fn title(params: &Params) -> String {
        match (&params.capture, &params.file) {
            (Some(id), _) => format!("capture {}", id.get(..8).unwrap_or(id)),
            (None, Some(file)) => format!("capture {file}"),
            (None, None) => "captures".into(),
        }
    }

    async fn run(cluster: &ClusterReader<'_>, params: &Params) -> Result<Answer, ToolError> {
        let source = match (&params.capture, &params.file) {
            (Some(_), Some(_)) => {
                return Err(ToolError::bad("both `capture` and `file` are given", "Pass one of them."));
            }
            (Some(id), None) => PacketSource::Kept(cluster.captures()?.find(id.trim())?),
            (None, Some(file)) => {
                let file = only_file(cluster, file.trim()).await?;
                if !file.is_capture() {
                    return recorded_events(cluster, &file).await;
                }
                PacketSource::File(file)
            }
            (None, None) => return list(cluster).await,
        };
        let nodes = cluster.nodes().await?;
        report::of(cluster, source, &params.question, nodes).await
    }
}

/// Answers about a file of retis or pwru.
async fn recorded_events(cluster: &ClusterReader<'_>, file: &BundleFile) -> Result<Answer, ToolError> {
    /// The largest file that is read, in bytes.
    const MOST: u64 = 64 << 20;
    let text = cluster
        .binary(file, |content| {
            let mut bytes = Vec::new();
            content.take(MOST).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        })
        .await?;
    if text.len() as u64 >= MOST {
        cluster.note(format!("only the first {} MiB of the file were read", MOST >> 20));
    }
    let answer = events::answer(&text);
    Ok(Answer { if_empty: "the file has no event of a packet".into(), ..answer })
}

/// Returns the one file with this path, or the one capture file whose path contains the text.
async fn only_file(cluster: &ClusterReader<'_>, asked: &str) -> Result<BundleFile, ToolError> {
    let files = if cluster.is_live() { Vec::new() } else { cluster.files(asked).await? };
    let exact: Vec<&BundleFile> = files.iter().filter(|file| file.path == asked).collect();
    let like: Vec<&BundleFile> =
        files.iter().filter(|file| file.is_capture() || file.is_event_recording()).collect();
    match (exact.as_slice(), like.as_slice()) {
        ([one], _) | ([], [one]) => Ok((*one).clone()),
        ([], []) if cluster.is_live() => Err(ToolError::bad(
            "`file` needs a bundle, and this source is live",
            "Pass the id of a capture of tcpdump_capture as `capture`.",
        )),
        ([], []) => {
            let all = cluster.files("").await?;
            let all = all
                .iter()
                .filter(|file| file.is_capture() || file.is_event_recording())
                .map(|file| file.path.clone());
            Err(ToolError::not_found("capture file of this source", asked, all))
        }
        ([], several) => {
            let names: Vec<&str> = several.iter().take(10).map(|file| file.path.as_str()).collect();
            Err(ToolError::bad(
                format!("{} capture files have `{asked}` in their paths", several.len()),
                format!("Pass a longer part of the path of one: {}.", names.join(", ")),
            ))
        }
        _ => Err(ToolError::bad(
            format!("several bundles have the file `{asked}`"),
            "Pass bundle= to choose one bundle.",
        )),
    }
}

/// Lists the captures that the server keeps and the capture files of the bundles.
async fn list(cluster: &ClusterReader<'_>) -> Result<Answer, ToolError> {
    let mut rows: Vec<Row> = Vec::new();
    for kept in cluster.captures()?.list() {
        let begun = kept.begun().strftime("%Y-%m-%dT%H:%M:%SZ");
        let state = if kept.is_running() { ", still runs" } else { "" };
        rows.push(Row::line(format!(
            "capture={}  {begun}  {} bytes{state}  {}",
            kept.id(),
            kept.len(),
            kept.title()
        )));
    }
    if !cluster.is_live() {
        let files = cluster.files("").await?;
        let files = files.iter().filter(|file| file.is_capture() || file.is_event_recording());
        rows.extend(
            files.map(|file| {
                Row::line(format!("file={}  {} bytes, in {}", file.path, file.size, file.bundle))
            }),
        );
    }
    let if_empty = if cluster.is_live() {
        "this server keeps no capture; tcpdump_capture makes one"
    } else {
        "this source has no file whose name ends with .pcap, .pcapng or .cap or begins with retis, plain or compressed"
    };
    Ok(Answer { rows, if_empty: if_empty.into(), ..Answer::default() })
}
