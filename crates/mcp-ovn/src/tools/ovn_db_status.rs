//! The tool `ovn_db_status`: whether the requested configuration is in force, and the history of the databases.

use crate::{
    commands,
    daemon::{DaemonState, daemon_state},
    history,
    status_lines::StatusLines,
};
use futures::future::join_all;
use mcp_core::{Answer, CommandPlace, Db, Many, Node, ReadError, Tool, ToolError, chain};
use ovn_model::status::{self, NotCopied, Verdict};
use ovsdb::{FileFormat, Rows};
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

pub(crate) struct DbStatus;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// List the transactions of this database instead, newest first.
    #[serde(default)]
    history: Option<HistoryOf>,
    /// Start of the history: 2026-11-22T08:00:00Z, or an age such as 15m.
    #[serde(default)]
    since: Option<String>,
    /// End of the history: only transactions before this time.
    #[serde(default)]
    until: Option<String>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum HistoryOf {
    Nb,
    Sb,
}

impl HistoryOf {
    fn db(self) -> Db {
        match self {
            Self::Nb => Db::Nb,
            Self::Sb => Db::Sb,
        }
    }
}

impl Tool for DbStatus {
    const NAME: &'static str = "ovn_db_status";
    const TITLE: &'static str = "State of OVN databases and daemons";
    const TOOLSET: &'static str = "status";
    const DESCRIPTION: &'static str = "Tells whether the configuration that OVN-Kubernetes wrote is in \
         force on a node: nb_cfg, sb_cfg, hv_cfg, the state and connections of ovn-northd and ovn-controller, \
         schemas, cluster state. Call it first: if a zone is behind, its rows show the requested configuration, \
         not the installed one. `history` lists transactions instead: what changed, when, and by which \
         client.";
    type Params = Params;

    fn title(params: &Params) -> String {
        match params.history {
            Some(of) => format!("transactions of {}", of.db()),
            None => "status of OVN".into(),
        }
    }

    fn many(params: &Params) -> Many {
        match params.history {
            Some(_) => Many::Each { because: "each zone has its own transactions" },
            None => Many::Compare,
        }
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let limits = history::TimeLimits { since: params.since.as_deref(), until: params.until.as_deref() };
        match params.history {
            Some(of) => history::answer(node, of.db(), limits).await,
            None if limits.since.or(limits.until).is_some() => {
                Err(ToolError::bad("since and until need history", "Pass history=nb or history=sb."))
            }
            None => status(node).await,
        }
    }
}

async fn status(node: &Node<'_>) -> Result<Answer, ToolError> {
    let mut lines = StatusLines { is_compared: node.is_compared(), ..StatusLines::default() };
    let nb = node.rows(Db::Nb, &status::nb_selects()).await;
    let sb = node.rows(Db::Sb, &status::sb_selects()).await;
    let mut notes = Vec::new();
    let (nb, sb) = match (nb, sb) {
        (Err(e), Err(_)) => return Err(e.into()),
        (nb, sb) => (readable(nb, &mut notes), readable(sb, &mut notes)),
    };
    let progress = status::progress(&nb, &sb);
    let mut verdict = progress.verdict();
    not_copied(node, &mut verdict).await;
    let commands = [
        ("ovn-northd", CommandPlace::Northd, commands::northd_status()),
        ("ovn-northd to northbound", CommandPlace::Northd, commands::northd_connection(Db::Nb)),
        ("ovn-northd to southbound", CommandPlace::Northd, commands::northd_connection(Db::Sb)),
        ("ovn-controller", CommandPlace::OvnController, commands::controller_state()),
        ("ovn-controller to southbound", CommandPlace::OvnController, commands::controller_connection()),
    ];
    // All commands run in parallel, so that one hanging daemon does not delay the others past the time limit.
    let states =
        join_all(commands.iter().map(|(_, place, argv)| daemon_state(node, place.clone(), argv))).await;
    for ((name, ..), state) in commands.iter().zip(&states) {
        match state {
            DaemonState::Reported(state) if HEALTHY.contains(&state.as_str()) => {}
            DaemonState::Reported(state) => verdict.unknown.push(format!("{name}: {state}")),
            DaemonState::Failed(why) => verdict.unknown.push(format!("{name} cannot be queried: {why}")),
            DaemonState::NotCollected(_) => {}
        }
    }
    lines.progress(&progress, verdict.state());
    for db in [Db::Nb, Db::Sb] {
        database(node, db, &mut lines).await;
    }
    for ((name, ..), state) in commands.iter().zip(states) {
        match state {
            DaemonState::NotCollected(why) => lines.absent.entry(why).or_default().push(name),
            DaemonState::Reported(state) => lines.add(name, &state, &state),
            DaemonState::Failed(why) => {
                lines.add(name, &format!("cannot be queried: {why}"), "cannot be queried")
            }
        }
    }
    notes.extend(verdict.behind);
    let unknown = verdict.unknown.into_iter();
    notes.extend(unknown.map(|why| format!("cannot tell whether the configuration is in force: {why}")));
    for (why, names) in &lines.absent {
        let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
        notes.push(format!("this source did not collect: {}{why}", names.join(", ")));
    }
    let facts = crate::compare::OwnValues::read(node).await.facts();
    let not_compared = lines.own.into_iter().map(str::to_owned).collect();
    Ok(Answer { rows: lines.rows, if_empty: String::new(), notes, facts, not_compared, ..Answer::default() })
}

/// The healthy states that `status`, `connection-status` and `debug/status` of the two daemons report.
const HEALTHY: [&str; 3] = ["active", "running", "connected"];

/// Compares the two databases, if both can be read. The caller already reports a missing database.
async fn not_copied(node: &Node<'_>, verdict: &mut Verdict) {
    /// ovn-northd may wait this long before its next run (`northd-backoff-interval-ms`).
    const NORTHD_BACKOFF: Duration = Duration::from_secs(1);
    let compare = || async {
        let nb = node.rows(Db::Nb, &NotCopied::nb_selects()).await?;
        let sb = node.rows(Db::Sb, &NotCopied::sb_selects()).await?;
        Ok::<_, ReadError>(NotCopied::new(&nb, &sb))
    };
    let mut found = compare().await;
    if node.is_live()
        && let Ok(first) = &found
        && first.finding().is_some()
    {
        node.pause(NORTHD_BACKOFF).await;
        found = compare().await.map(|second| second.still(first));
    }
    match found {
        Ok(missing) => verdict.behind.extend(missing.finding()),
        Err(ReadError::NotCollected { .. } | ReadError::NotHeld { .. }) => {}
        Err(e) => verdict.unknown.push(format!("the databases cannot be compared: {}", chain(&e))),
    }
}

/// Returns the rows. If the read failed, adds a note, so that the status of the other database is still shown.
fn readable(read: Result<Vec<Rows>, ReadError>, notes: &mut Vec<String>) -> Vec<Rows> {
    read.unwrap_or_else(|e| {
        notes.push(chain(&e));
        Vec::new()
    })
}

async fn database(node: &Node<'_>, db: Db, lines: &mut StatusLines) {
    if let Ok(schema) = node.schema(db).await {
        lines.add(&format!("{db} schema"), &schema.version, &schema.version);
    }
    // A database file shows its size and format; without a file, the server reports its cluster state.
    if let Ok(file) = node.database(db).await {
        let form = match file.kind() {
            FileFormat::Standalone => "standalone".to_owned(),
            FileFormat::Clustered(cluster) => format!("clustered, server {}", cluster.server_id),
        };
        let transactions = file.transactions().len();
        lines.add_own(
            &format!("{db} file"),
            &format!("{} bytes, {transactions} transactions, {form}", file.file_len()),
            "the size and the transactions of each database file",
        );
    } else {
        let state = match daemon_state(node, db.place(), &commands::cluster_status(db)).await {
            DaemonState::NotCollected(_) => return,
            DaemonState::Reported(state) => state,
            // A standalone server does not implement this command.
            DaemonState::Failed(why) if why.contains("is not a valid command") => "standalone".into(),
            DaemonState::Failed(why) => format!("cannot be queried: {why}"),
        };
        lines.add_own(&format!("{db} server"), &state, "the state of each database server");
    }
}
