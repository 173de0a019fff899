//! Sockets.

use crate::{
    commands,
    compare::{self, identity},
    output::text,
    types,
};
use host_net::{
    socket::{self, Socket},
    state,
    wanted::Wanted,
};
use mcp_core::{Answer, Field, Node, Output, ReadError, Reading, Row, Tool, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct Show;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// LISTEN, ESTAB …
    #[serde(default)]
    state: Option<String>,
    /// At either end, or a listener at every address.
    #[serde(default)]
    address: Option<String>,
    /// At either end.
    #[serde(default)]
    port: Option<u16>,
    /// A part of its name.
    #[serde(default)]
    process: Option<String>,
    /// Shows timers and retransmissions.
    #[serde(default)]
    details: bool,
}

impl Tool for Show {
    const NAME: &'static str = "ss_show";
    const TITLE: &'static str = "Sockets";
    const TOOLSET: &'static str = "network";
    const DESCRIPTION: &'static str =
        "Sockets with processes: does something listen, does it retransmit (details)?";
    type Params = Params;

    fn title(_: &Params) -> String {
        "sockets".into()
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let wanted = Wanted { address: types::address(params.address.as_deref())?, port: params.port };
        types::state(params.state.as_deref(), &state::OF_SOCKETS)?;
        let parse = |output: Output| socket::parse(&text(&output));
        let place = compare::place(node);
        let parsed = node
            .first(vec![
                Reading::command(place.clone(), commands::sockets(), parse),
                Reading::recorded(place, "ss -peaonmi", parse),
            ])
            .await?;
        // What stands in place of the list is not shown: a key of TCP may be in it.
        if parsed.rows.is_empty() && !parsed.other.is_empty() {
            let why = "it is no list of sockets";
            return Err(ReadError::unreadable("what was recorded as the sockets", why).into());
        }
        let is_wanted = |it: &&Socket| {
            params.state.as_ref().is_none_or(|state| is_in(it, state))
                && params
                    .process
                    .as_ref()
                    .is_none_or(|name| it.processes().iter().any(|it| it.contains(name.as_str())))
                && (!wanted.is_any() || it.concerns(wanted))
        };
        let mut shown: Vec<&Socket> = parsed.rows.iter().filter(is_wanted).collect();
        let key = |it: &Socket| {
            (!it.is_listening(), it.kind.clone(), it.local_port(), it.local.clone(), it.peer.clone())
        };
        shown.sort_by_key(|it| key(it));
        let mut notes = vec![format!("{} of {} sockets", shown.len(), parsed.rows.len())];
        notes.extend(socket::not_understood(&parsed.other));
        Ok(Answer {
            rows: shown.into_iter().map(|it| row(it, params.details)).collect(),
            if_empty: "there is no such socket".into(),
            notes,
            facts: compare::facts(node).await,
            ..Answer::default()
        })
    }
}

/// UDP has no state that is called listening.
fn is_in(it: &Socket, state: &str) -> bool {
    state::is(&it.state, state) || (state::is("LISTEN", state) && it.is_listening())
}

fn row(it: &Socket, details: bool) -> Row {
    /// Below, programs choose their ports; from here on the kernel does (`net.ipv4.ip_local_port_range`).
    const EPHEMERAL: u16 = 32768;
    let local = !it.is_listening() || it.local_port().is_none_or(|port| port >= EPHEMERAL);
    let processes = Field {
        name: "process".into(),
        values: it.processes().into_iter().map(str::to_owned).collect(),
        spanning: true,
    };
    let key = format!("{} {} {}", it.kind, it.state, it.local);
    Row::with(it.text(details), identity(key, vec![processes], local))
}
