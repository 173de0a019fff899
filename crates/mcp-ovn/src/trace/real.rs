//! Runs the real ovn-trace in a container of a live cluster.

use crate::{commands, flows};
use mcp_core::{ClusterError, CommandPlace, Node, Output, ReadError, ToolError, argv::CtState};
use ovn_model::lflow::Datapaths;
use ovsdb::{Rows, Select};

/// Returns the conntrack state of each of the four steps that ovn-trace accepts. The default is `new`, because the
/// program's own default (`est`) treats every packet as part of a known connection and skips load balancing.
pub(crate) fn conntrack_states(given: &[CtState]) -> Result<[CtState; 4], ToolError> {
    match *given {
        [] => Ok([CtState::New; 4]),
        [a] => Ok([a; 4]),
        [a, b] => Ok([a, b, b, b]),
        [a, b, c] => Ok([a, b, c, c]),
        [a, b, c, d] => Ok([a, b, c, d]),
        _ => Err(ToolError::bad(
            "ct has more than four states",
            "Pass at most four states: the last one repeats.",
        )),
    }
}

/// The largest number of flows that ovn-trace may parse. It parses the flows of all datapaths before it traces the
/// packet and needs about 12 KiB for each.
const MAX_FLOWS: usize = 300_000;

/// Refuses a database whose flows would need too much memory in ovn-trace.
pub(crate) async fn check_size(node: &Node<'_>, datapaths: &Datapaths) -> Result<(), ToolError> {
    let read = flows::rows(node, &[Select::from("Logical_Flow").columns(["logical_dp_group"])]).await?;
    let of_row = |row: &ovsdb::Row| {
        row.refs("logical_dp_group").next().map_or(1, |group| datapaths.members(group).count())
    };
    let flows: usize = read.iter().flat_map(|rows: &Rows| &rows.rows).map(of_row).sum();
    match flows <= MAX_FLOWS {
        true => Ok(()),
        false => Err(ToolError::bad(
            format!(
                "the zone has {flows} flows (counted for each datapath), so ovn-trace would exceed its memory limit"
            ),
            "Omit form: this server then evaluates the same flows without ovn-trace.",
        )),
    }
}

/// Runs ovn-trace in the container of the southbound database.
pub(crate) async fn run(node: &Node<'_>, trace: &commands::Trace<'_>) -> Result<Output, ToolError> {
    if !node.is_live() {
        return Err(ToolError::bad(
            "form=real runs ovn-trace in the cluster's container, but this source is not live",
            "Omit form: this server then evaluates the same flows without ovn-trace.",
        ));
    }
    match node.command(CommandPlace::SbSocket, &trace.limited()).await {
        // The container lacks prlimit(1), or the attempt in another container failed (`NotRunning`).
        Err(ReadError::NoProgram { .. } | ReadError::Cluster(ClusterError::NotRunning { .. })) => {
            Ok(node.command(CommandPlace::SbSocket, &trace.unlimited()).await?)
        }
        result => Ok(result?),
    }
}
