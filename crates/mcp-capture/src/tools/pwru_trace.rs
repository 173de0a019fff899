//! The tool `pwru_trace`: follows packets through the functions of the kernel, and says where it drops them.

use crate::{commands, events};
use mcp_core::{
    Answer, CommandPlace, Many, Node, Tool, ToolError,
    argv::{CaptureFilter, PwruFunctions},
    check_seconds,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// The time in seconds that a call keeps for starting the program, which attaches to the functions first, and for
/// the answer.
const REST: u64 = 10;

pub(crate) struct PwruTrace;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Params {
    /// A filter of pcap-filter(7) with addresses and numbers, no names: `host 10.244.1.5 and tcp port 80`.
    filter: String,
    /// `drops` (default) records only drops, with the functions that led to them; `path` records the way of each
    /// packet.
    #[serde(default)]
    functions: PwruFunctions,
    /// How long to record, in seconds. Default: 10.
    #[serde(default)]
    #[schemars(range(min = 1, max = 60))]
    seconds: Option<u64>,
    /// The number of events after which the recording ends. Default: 2000.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    events: Option<u32>,
}

impl Params {
    fn seconds(&self) -> u64 {
        self.seconds.unwrap_or(10)
    }
}

impl Tool for PwruTrace {
    const NAME: &'static str = "pwru_trace";
    const TITLE: &'static str = "Follow packets through the kernel";
    const TOOLSET: &'static str = "probes";
    const DESCRIPTION: &'static str = "Follows packets through the functions of the kernel with pwru on a live node, and says \
         where and why the kernel drops them. It needs an image with pwru (--allow-debug-pods, --debug-image) and a kernel \
         with kprobes and BTF. Use it last and with a narrow filter, because it slows the node down a little while it runs.";
    const MANY: Many = Many::Each { because: "each node has its own kernel" };
    type Params = Params;

    fn title(params: &Params) -> String {
        format!("packets that match `{}` in the kernel in {} s", params.filter, params.seconds())
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let filter = CaptureFilter::parse(&params.filter)?;
        let seconds = params.seconds();
        check_seconds(seconds, REST, node.within())?;
        let argv = commands::pwru(params.functions, &filter, params.events.unwrap_or(2000));
        // Attaching to the functions takes seconds before the recording begins.
        let time = Duration::from_secs(seconds + REST / 2);
        let output = node.follow(CommandPlace::Host, &argv, time).await?;
        Ok(events::answer(&String::from_utf8_lossy(&output.stdout)))
    }
}
