//! The tool that shows the state of ovs-vswitchd.

use crate::{compare::OwnValues, subjects::Subject, switch, types};
use mcp_core::{Answer, Argv, CounterDelta, Node, ReadError, Row, RowIdentity, Tool, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(crate) struct AppctlShow;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// State to show.
    subject: Subject,
    /// Bridge for fdb, fdb_stats and mdb.
    #[serde(default)]
    bridge: Option<String>,
    /// Show the growth of the counters of coverage, datapath or pmd during this time.
    #[serde(default)]
    #[schemars(range(min = 1, max = 120))]
    delta_seconds: Option<u16>,
}

impl Tool for AppctlShow {
    const NAME: &'static str = "ovs_appctl_show";
    const TITLE: &'static str = "State of ovs-vswitchd";
    const TOOLSET: &'static str = "daemon";
    const DESCRIPTION: &'static str = "Shows the state that `ovs-appctl` prints: events and drops (coverage), load (upcall, memory), lost \
         lookups and ports (datapath), learnt addresses (fdb, mdb), tunnels, bonds.";
    type Params = Params;

    fn title(params: &Params) -> String {
        params.subject.name().into()
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let subject = params.subject;
        if params.bridge.is_some() && subject.commands().is_some() {
            return Err(ToolError::bad(
                format!("{} does not belong to a bridge", subject.name()),
                "Omit bridge.",
            ));
        }
        if let Some(seconds) = types::delta_seconds(params.delta_seconds)? {
            return delta(node, subject, seconds).await;
        }
        let mut answer = match subject.commands() {
            Some(forms) => {
                let text = switch::text(node, forms).await?;
                Answer { rows: rows(subject, &text, None), ..Answer::default() }
            }
            None => of_bridges(node, subject, params.bridge.as_deref()).await?,
        };
        answer.if_empty = format!("there is no {} to show", subject.name());
        answer.facts = OwnValues::read(node).await.facts();
        Ok(answer)
    }
}

async fn delta(node: &Node<'_>, subject: Subject, seconds: u16) -> Result<Answer, ToolError> {
    let (Some(counters), Some(forms)) = (subject.counters(), subject.commands()) else {
        return Err(ToolError::bad(
            format!("{} has no counters to sample", subject.name()),
            "Sample coverage, datapath or pmd; ovs_ofctl_show samples the counters of ports.",
        ));
    };
    // A live node answers the first form.
    let form: Vec<Argv> = forms.into_iter().take(1).collect();
    let read = || async { Ok::<_, ReadError>(counters(&switch::text(node, form.clone()).await?)) };
    Ok(CounterDelta::sample(node, seconds, read).await?.answer())
}

/// Returns the output of each bridge. If one bridge fails, the others still answer.
async fn of_bridges(node: &Node<'_>, subject: Subject, name: Option<&str>) -> Result<Answer, ToolError> {
    let names: Vec<String> = match name {
        Some(name) => vec![name.to_owned()],
        None => switch::read(node).await?.bridges.into_keys().collect(),
    };
    let mut answer = Answer::default();
    for name in &names {
        let bridge = switch::bridge(node, Some(name)).await?;
        let Some(command) = subject.command_of(&bridge.name) else { continue };
        let heading: Arc<str> = format!("bridge {name}").into();
        match switch::text(node, vec![command]).await {
            Ok(text) => answer.rows.extend(rows(subject, &text, Some(&heading))),
            Err(e) if names.len() > 1 => {
                let why = e.to_string();
                answer.notes.push(format!("{name}: {}", why.lines().next().unwrap_or_default()));
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(answer)
}

/// Returns one row per line. Lines that differ by nature, such as ages and counters, are not compared with other
/// nodes.
fn rows(subject: Subject, text: &str, heading: Option<&Arc<str>>) -> Vec<Row> {
    let comparable = matches!(subject, Subject::Tunnels | Subject::Bond | Subject::Bfd);
    let row = |line: &str| {
        let row = match comparable {
            true => Row::with(line, RowIdentity { key: key(line), ..RowIdentity::default() }),
            false => Row::with(
                line,
                RowIdentity { key: line.trim().into(), local: true, ..RowIdentity::default() },
            ),
        };
        heading.map_or(row.clone(), |heading| row.under(heading))
    };
    let mut all: Vec<Row> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match all.last_mut().filter(|_| matches!(subject, Subject::Datapath) && line.starts_with("    ")) {
            // The counters of a port belong to its row.
            Some(port) => port.text += &format!("\n{line}"),
            None => all.push(row(line)),
        }
    }
    all
}

/// Returns a tunnel without the number of its port, which each node assigns itself.
fn key(line: &str) -> String {
    match line.trim().strip_prefix("port ").and_then(|rest| rest.split_once(": ")) {
        Some((_, rest)) => {
            rest.split(", ").filter(|part| !part.starts_with("dp port=")).collect::<Vec<_>>().join(", ")
        }
        None => line.trim().to_owned(),
    }
}
