//! The tool `ovn_db_status`: whether the requested configuration is in force, and the history of the databases.

use crate::{
    commands,
    daemon::{DaemonState, daemon_state},
    history,
};
use futures::future::join_all;
use jiff::Timestamp;
use mcp_core::{
    Answer, CommandPlace, Db, Many, Node, ReadError, Row, RowField, RowIdentity, Tool, ToolError, chain,
};
use ovn_model::status::{self, NotCopied, Progress, Verdict};
use ovsdb::{FileFormat, Rows};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

pub(crate) struct DbStatus;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// List the transactions of this database instead, newest first.
    #[serde(default)]
    history: Option<HistoryOf>,
    /// Start of the history, such as 2026-11-22T08:00:00Z.
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
        let window = history::Window::parse(params.since.as_deref(), params.until.as_deref())?;
        match params.history {
            Some(of) => history::answer(node, of.db(), &window).await,
            None if window != history::Window::default() => {
                Err(ToolError::bad("since and until need history", "Pass history=nb or history=sb."))
            }
            None => status(node).await,
        }
    }
}

async fn status(node: &Node<'_>) -> Result<Answer, ToolError> {
    let mut lines = Lines::default();
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
            DaemonState::Reported(state) => lines.add(name, &state, Some(&state)),
            DaemonState::Failed(why) => {
                lines.add(name, &format!("cannot be queried: {why}"), Some("cannot be queried"))
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
    Ok(Answer { rows: lines.rows, if_empty: String::new(), notes, facts, ..Answer::default() })
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

async fn database(node: &Node<'_>, db: Db, lines: &mut Lines) {
    if let Ok(schema) = node.schema(db).await {
        lines.add(&format!("{db} schema"), &schema.version, Some(&schema.version));
    }
    // A database file shows its size and format; without a file, the server reports its cluster state.
    if let Ok(file) = node.database(db).await {
        let form = match file.kind() {
            FileFormat::Standalone => "standalone".to_owned(),
            FileFormat::Clustered(cluster) => format!("clustered, server {}", cluster.server_id),
        };
        let transactions = file.transactions().len();
        lines.add(
            &format!("{db} file"),
            &format!("{} bytes, {transactions} transactions, {form}", file.file_len()),
            None,
        );
    } else {
        let state = match daemon_state(node, db.place(), &commands::cluster_status(db)).await {
            DaemonState::NotCollected(_) => return,
            DaemonState::Reported(state) => state,
            // A standalone server does not implement this command.
            DaemonState::Failed(why) if why.contains("is not a valid command") => "standalone".into(),
            DaemonState::Failed(why) => format!("cannot be queried: {why}"),
        };
        lines.add(&format!("{db} server"), &state, None);
    }
}

/// The lines of the status answer.
#[derive(Default)]
struct Lines {
    rows: Vec<Row>,
    /// The names of the states that were not collected, grouped by the reason.
    absent: BTreeMap<String, Vec<&'static str>>,
}

impl Lines {
    /// Adds a line. `same` is the value that should be equal on every node.
    fn add(&mut self, name: &str, value: &str, same: Option<&str>) {
        let fields = same.map(|value| RowField::one("value", value)).into_iter().collect();
        let identity = RowIdentity { key: name.into(), fields, ..RowIdentity::default() };
        self.rows.push(Row::with(format!("{name:<29}: {value}"), identity));
    }

    fn progress(&mut self, progress: &Progress, state: &str) {
        let number = |n: Option<i64>| n.map_or("?".into(), |n| n.to_string());
        let Progress { nb_cfg, sb_cfg, hv_cfg, sb_nb_cfg, .. } = *progress;
        self.add("zone", &progress.zone, Some(&progress.zone));
        let version = &progress.northd_version;
        self.add("versions", version, Some(version));
        let [wanted, northd, installed, southbound] = [nb_cfg, sb_cfg, hv_cfg, sb_nb_cfg].map(number);
        let cfg = format!(
            "nb_cfg {wanted} (requested), sb_cfg {northd}, hv_cfg {installed}; southbound nb_cfg {southbound}"
        );
        self.add("configuration", &format!("{state}: {cfg}"), Some(state));
        for (chassis, done) in &progress.chassis {
            self.add(&format!("installed on {chassis}"), &format!("nb_cfg {done}"), None);
        }
        let time = |seconds: Option<i64>| seconds.and_then(|it| Timestamp::from_second(it).ok());
        let written = match (time(progress.written), time(progress.copied)) {
            (Some(written), Some(copied)) if written == copied => {
                format!("{written}, copied by ovn-northd (e2e_timestamp, every 30 s)")
            }
            (Some(written), Some(copied)) => {
                format!("{written}; ovn-northd last copied {copied} (e2e_timestamp, every 30 s)")
            }
            (Some(written), None) => format!("{written} (e2e_timestamp, every 30 s)"),
            (None, _) => "unknown (no e2e_timestamp)".into(),
        };
        self.add("last ovnkube-controller write", &written, None);
    }
}
