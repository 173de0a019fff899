//! What becomes of connections, as it happens.

use crate::{
    commands,
    compare::{self, identity},
    connections,
    output::text,
    tools::conntrack_list::shown,
};
use host_net::{connection::Connection, lines};
use mcp_core::{Answer, Many, Node, Row, Tool, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

pub(crate) struct Events;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Params {
    /// How long to listen; default 5.
    #[serde(default)]
    #[schemars(range(min = 1, max = 60))]
    seconds: Option<u64>,
    #[serde(flatten)]
    which: connections::Params,
}

impl Tool for Events {
    const NAME: &'static str = "conntrack_events";
    const TITLE: &'static str = "Connection events";
    const TOOLSET: &'static str = "netfilter";
    const DESCRIPTION: &'static str = "Live only: connections that begin, change and end while it looks.";
    const MANY: Many = Many::Each { because: "each node tracks its own connections" };
    type Params = Params;

    fn title(params: &Params) -> String {
        format!("events of connections in {} s", params.seconds())
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let filter = params.which.filter()?;
        let seconds = params.seconds();
        if seconds > node.within().as_secs() {
            let within = node.within().as_secs();
            let problem = format!("seconds={seconds} does not fit into timeout_seconds={within}");
            return Err(ToolError::bad(problem, "Look for a shorter time, or raise timeout_seconds."));
        }
        let command = commands::connection_events();
        let output = node.follow(compare::place(node), &command, Duration::from_secs(seconds)).await?;
        let text = text(&output);
        let (mut rows, mut other, mut all) = (Vec::new(), Vec::new(), 0usize);
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match Connection::parse(line) {
                Some(it) => {
                    all += 1;
                    if filter.wants(&it) {
                        let text = shown(&it);
                        rows.push(Row::with(text.clone(), identity(text, Vec::new(), true)));
                    }
                }
                None => other.push(line.to_owned()),
            }
        }
        // The last one may be half of a line: the program was ended, not asked to end.
        if !text.ends_with('\n') {
            other.pop();
        }
        let mut notes = vec![format!("{} of {all} events", rows.len())];
        notes.extend(lines::not_understood(&other));
        Ok(Answer {
            rows,
            if_empty: "nothing of that sort happened while it looked".into(),
            notes,
            ..Answer::default()
        })
    }
}

impl Params {
    fn seconds(&self) -> u64 {
        const SECONDS: u64 = 5;
        self.seconds.unwrap_or(SECONDS)
    }
}
