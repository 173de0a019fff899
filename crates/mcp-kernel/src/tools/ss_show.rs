//! The tool `ss_show`: the sockets of a node or a pod.

use crate::{
    commands,
    compare::{self, identity},
    output::{text, timed},
    types,
};
use host_net::{
    address_filter::AddressFilter,
    socket::{self, Socket},
    state,
};
use mcp_core::{Answer, Node, Output, ReadError, Reading, Row, RowField, Tool, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct SsShow;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Socket state, such as LISTEN or ESTAB.
    #[serde(default)]
    state: Option<String>,
    /// Local or peer address; also finds sockets on all addresses.
    #[serde(default)]
    address: Option<String>,
    /// Local or peer port.
    #[serde(default)]
    port: Option<u16>,
    /// Part of the name of the process.
    #[serde(default)]
    process: Option<String>,
    /// Also shows timers and retransmissions.
    #[serde(default)]
    details: bool,
}

impl Tool for SsShow {
    const NAME: &'static str = "ss_show";
    const TITLE: &'static str = "Sockets";
    const TOOLSET: &'static str = "network";
    const DESCRIPTION: &'static str = "Lists TCP, UDP and raw sockets with their processes. Shows what \
         listens and, with `details`, what retransmits.";
    type Params = Params;

    fn title(_: &Params) -> String {
        "sockets".into()
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let wanted = AddressFilter { address: types::address(params.address.as_deref())?, port: params.port };
        types::state(params.state.as_deref(), &state::SOCKET_STATES)?;
        let parse = |output: Output| socket::parse(timed(&text(&output)));
        let place = compare::place(node);
        let parsed = node
            .first(vec![
                Reading::command(place.clone(), commands::sockets(), parse),
                Reading::recorded(place, "ss -peaonmi", parse),
            ])
            .await?;
        // The error does not quote the output, because it may contain a TCP-MD5 key.
        if parsed.rows.is_empty() && !parsed.other.is_empty() {
            let why = "the output is not a list of sockets";
            return Err(ReadError::unreadable("the list of sockets", why).into());
        }
        let is_wanted = |it: &&Socket| {
            params.state.as_ref().is_none_or(|state| is_in(it, state))
                && params
                    .process
                    .as_ref()
                    .is_none_or(|name| it.processes().iter().any(|it| it.contains(name.as_str())))
                && (!wanted.is_set() || it.matches(wanted))
        };
        let mut shown: Vec<&Socket> = parsed.rows.iter().filter(is_wanted).collect();
        let key = |it: &Socket| {
            (!it.is_listening(), it.kind.clone(), it.local_port(), it.local.clone(), it.peer.clone())
        };
        shown.sort_by_key(|it| key(it));
        let mut notes = vec![format!("{} of {} sockets match", shown.len(), parsed.rows.len())];
        notes.extend(socket::not_understood(&parsed.other));
        Ok(Answer {
            rows: shown.into_iter().map(|it| row(it, params.details)).collect(),
            if_empty: "no socket matches".into(),
            notes,
            facts: compare::facts(node).await,
            ..Answer::default()
        })
    }
}

/// Returns true if the socket is in the state. UDP has no state LISTEN, so a UDP socket without a peer counts as
/// listening.
fn is_in(it: &Socket, state: &str) -> bool {
    state::is_same(&it.state, state) || (state::is_same("LISTEN", state) && it.is_listening())
}

fn row(it: &Socket, details: bool) -> Row {
    /// The first port that the kernel assigns by itself (`net.ipv4.ip_local_port_range`). Programs choose lower ports.
    const EPHEMERAL: u16 = 32768;
    let local = !it.is_listening() || it.local_port().is_none_or(|port| port >= EPHEMERAL);
    let processes = RowField {
        name: "process".into(),
        values: it.processes().into_iter().map(str::to_owned).collect(),
        spanning: true,
    };
    let key = format!("{} {} {}", it.kind, it.state, it.local);
    Row::with(it.text(details), identity(key, vec![processes], local))
}
