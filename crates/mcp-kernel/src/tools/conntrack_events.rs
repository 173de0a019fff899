//! The tool `conntrack_events`: listens for connection tracking events of a live node.

use crate::{
    commands,
    compare::{self, identity},
    connections,
    output::text,
    tools::conntrack_list::shown,
};
use host_net::{connection::Connection, lines};
use mcp_core::{Answer, Many, Node, Row, Tool, ToolError, check_seconds};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

pub(crate) struct ConntrackEvents;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Params {
    /// How long to listen, in seconds. Default: 5.
    #[serde(default)]
    #[schemars(range(min = 1, max = 60))]
    seconds: Option<u64>,
    #[serde(flatten)]
    which: connections::Params,
}

impl Tool for ConntrackEvents {
    const NAME: &'static str = "conntrack_events";
    const TITLE: &'static str = "Connection events";
    const TOOLSET: &'static str = "netfilter";
    const DESCRIPTION: &'static str = "Listens on a live node and lists the connections that begin, change \
         or end during that time.";
    const MANY: Many = Many::Each { because: "each node tracks its own connections" };
    type Params = Params;

    fn title(params: &Params) -> String {
        format!("connection events in {} s", params.seconds())
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let filter = params.which.filter()?;
        let seconds = params.seconds();
        check_seconds(seconds, 0, node.within())?;
        let command = commands::connection_events();
        let output = node.follow(compare::place(node), &command, Duration::from_secs(seconds)).await?;
        let text = text(&output);
        let (mut rows, mut other, mut all) = (Vec::new(), Vec::new(), 0usize);
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match Connection::parse(line) {
                Some(it) => {
                    all += 1;
                    if filter.matches(&it) {
                        let text = shown(&it);
                        rows.push(Row::with(text.clone(), identity(text, Vec::new(), true)));
                    }
                }
                None => other.push(line.to_owned()),
            }
        }
        // The last line may be incomplete, because the program was killed.
        if !text.ends_with('\n') {
            other.pop();
        }
        let mut notes = vec![format!("{} of {all} events match", rows.len())];
        notes.extend(lines::not_understood(&other));
        Ok(Answer {
            rows,
            if_empty: "no matching event occurred during this time".into(),
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
