//! The container's own ovn-trace, live.

use crate::{commands, flows};
use mcp_core::{ClusterError, Node, Output, Place, ReadError, ToolError, argv::CtState};
use ovn_model::lflow::Datapaths;
use ovsdb::{Rows, Select};

/// What conntrack says at each step, from what was given of it. The program has another default than its users: it takes
/// every packet for one of a known connection, and so goes past load balancers.
pub(crate) fn conntrack(given: &[CtState]) -> Result<[CtState; 4], ToolError> {
    match *given {
        [] => Ok([CtState::New; 4]),
        [a] => Ok([a; 4]),
        [a, b] => Ok([a, b, b, b]),
        [a, b, c] => Ok([a, b, c, c]),
        [a, b, c, d] => Ok([a, b, c, d]),
        _ => Err(ToolError::bad(
            "ct has more than four states",
            "Give those of the first steps: the last one holds from there on.",
        )),
    }
}

/// ovn-trace parses each flow of each datapath: about 12 KiB each, and everything before the first packet.
const MOST_FLOWS: usize = 300_000;

/// Is the database small enough?
pub(crate) async fn check_size(node: &Node<'_>, datapaths: &Datapaths) -> Result<(), ToolError> {
    let read = flows::rows(node, &[Select::from("Logical_Flow").columns(["logical_dp_group"])]).await?;
    let of_row = |row: &ovsdb::Row| {
        row.refs("logical_dp_group").next().map_or(1, |group| datapaths.members(group).count())
    };
    let flows: usize = read.iter().flat_map(|rows: &Rows| &rows.rows).map(of_row).sum();
    match flows <= MOST_FLOWS {
        true => Ok(()),
        false => Err(ToolError::bad(
            format!(
                "the zone has {flows} flows, counting each datapath's: ovn-trace would need more memory than it may"
            ),
            "Leave form out: the same flows are evaluated here, without the program.",
        )),
    }
}

/// Runs it where the southbound database is.
pub(crate) async fn run(node: &Node<'_>, trace: &commands::Trace<'_>) -> Result<Output, ToolError> {
    if !node.is_live() {
        return Err(ToolError::bad(
            "form=real runs the ovn-trace of the cluster's container, and this source is not live",
            "Leave form out: the same flows are evaluated here, without any program.",
        ));
    }
    match node.command(Place::SbSocket, &trace.limited()).await {
        // Containers that lack prlimit(1), and those of which another was tried in vain (`NotRunning`).
        Err(ReadError::NoProgram { .. } | ReadError::Cluster(ClusterError::NotRunning { .. })) => {
            Ok(node.command(Place::SbSocket, &trace.unlimited()).await?)
        }
        result => Ok(result?),
    }
}
