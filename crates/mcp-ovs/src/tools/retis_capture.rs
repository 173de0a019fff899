//! The tool `retis_capture`: records packets in the kernel, with what Open vSwitch did with them.

use crate::{commands, switch};
use capture::event::{Events, OvsStep, PacketPath, packets, read};
use mcp_core::{
    Answer, CommandPlace, Many, Node, Row, Tool, ToolError, argv::CaptureFilter, check_seconds, counted,
    must_stop,
};
use ovn_model::datapath::Flow;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// The time in seconds that a call keeps for starting retis, which attaches to the kernel first, and for the answer.
const REST: u64 = 10;
/// The length of the line with the functions of a packet, in bytes.
const LINE: usize = 400;

pub(crate) struct RetisCapture;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Params {
    /// A filter of pcap-filter(7) with addresses and numbers, no names: `host 10.244.1.5 and tcp port 80`.
    filter: String,
    /// How long to record, in seconds. Default: 10.
    #[serde(default)]
    #[schemars(range(min = 1, max = 60))]
    seconds: Option<u64>,
}

impl Params {
    fn seconds(&self) -> u64 {
        self.seconds.unwrap_or(10)
    }
}

impl Tool for RetisCapture {
    const NAME: &'static str = "retis_capture";
    const TITLE: &'static str = "Record packets in the kernel and the switch";
    const TOOLSET: &'static str = "probes";
    const DESCRIPTION: &'static str = "Records packets with retis on a live node, and says for each packet which devices and \
         datapath flows it passed, and where and why the kernel dropped it. It needs an image with retis \
         (--allow-debug-pods, --debug-image) and a kernel with probes and BTF. Use it last and with a narrow filter, \
         because it slows the node down a little while it runs.";
    const MANY: Many = Many::Each { because: "each node has its own kernel" };
    type Params = Params;

    fn title(params: &Params) -> String {
        format!("packets that match `{}` in the kernel in {} s", params.filter, params.seconds())
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let filter = CaptureFilter::parse(&params.filter)?;
        let seconds = params.seconds();
        check_seconds(seconds, REST, node.within())?;
        let time = Duration::from_secs(seconds + REST / 2);
        let output = node.follow(CommandPlace::Host, &commands::retis(&filter), time).await?;
        let events = read(&String::from_utf8_lossy(&output.stdout), must_stop);
        // A flow of the datapath lives for seconds, so the list is read right after the packets.
        let flows = match switch::text(node, commands::datapath_flows()).await {
            Ok(flows) => flows,
            Err(e) => {
                node.note(format!(
                    "the datapath flows of the packets are not known: {}",
                    mcp_core::chain(&e)
                ));
                String::new()
            }
        };
        Ok(answer(&events, &flows))
    }
}

/// Returns a row for each packet: packets that were dropped come first.
fn answer(read: &Events, flows: &str) -> Answer {
    let flows: BTreeMap<&str, &str> = flows
        .lines()
        .take_while(|_| !must_stop())
        .filter_map(|line| Some((Flow::parse(line)?.ufid?, line)))
        .collect();
    let all = packets(&read.events);
    let mut rows = Vec::new();
    for (heading, wanted) in [("dropped:", true), ("not dropped:", false)] {
        let heading: Arc<str> = heading.into();
        for packet in all.iter().filter(|packet| packet.drops.is_empty() != wanted) {
            let mut text = format!("  {}\n    {}", packet.summary(&read.events), packet.line(LINE));
            for flow in datapath_flows(packet, read, &flows) {
                text += &format!("\n    datapath flow {flow}");
            }
            rows.push(Row::line(text).under(&heading));
        }
    }
    let mut notes = read.notes();
    notes.push(format!("{} of {}", counted(read.events.len(), "event"), counted(all.len(), "packet")));
    let if_empty = "no packet matched the filter while it was recorded".into();
    Answer { rows, if_empty, notes, ..Answer::default() }
}

/// Returns the flows that the datapath found for a packet, in their order.
fn datapath_flows(packet: &PacketPath, read: &Events, flows: &BTreeMap<&str, &str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for event in packet.events.iter().filter_map(|index| read.events.get(*index)) {
        let shown = match &event.ovs {
            Some(OvsStep::Lookup(Some(flow))) => {
                let ufid = flow.ufid.as_deref().unwrap_or_default();
                match flows.get(ufid) {
                    Some(line) => (*line).to_owned(),
                    None => format!("ufid:{ufid}, which no longer exists"),
                }
            }
            Some(OvsStep::Lookup(None)) => "none: the packet goes to ovs-vswitchd".to_owned(),
            _ => continue,
        };
        if found.last() != Some(&shown) {
            found.push(shown);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A real recording has no events of the switch, so this one shows packets without flows.
    #[test]
    fn dropped_packets_come_first() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/captured-events/retis/retis.json");
        let events = read(&std::fs::read_to_string(path).unwrap(), || false);
        let answer = answer(&events, "");
        assert_eq!(answer.rows.len(), 73);
        let dropped = answer.rows.iter().take_while(|row| row.heading.as_deref() == Some("dropped:"));
        assert_eq!(dropped.count(), packets(&events.events).iter().filter(|it| !it.drops.is_empty()).count());
        let first = &answer.rows.first().unwrap().text;
        assert!(
            first.contains("dropped (NO_SOCKET)") && first.contains("lo: net:netif_receive_skb"),
            "{first}"
        );
        assert!(answer.notes.contains(&"229 events of 73 packets".to_owned()), "{:?}", answer.notes);
    }
}
