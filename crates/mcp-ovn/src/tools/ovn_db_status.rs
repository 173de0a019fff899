//! Is what was asked for in force, and what was asked for when.

use crate::{
    commands,
    daemon::{Said, said},
    history,
};
use futures::future::join_all;
use jiff::Timestamp;
use mcp_core::{Answer, Db, Field, Identity, Many, Node, Place, ReadError, Row, Tool, ToolError, chain};
use ovn_model::status::{self, NotCopied, Progress, Verdict};
use ovsdb::{Kind, Rows};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

pub(crate) struct DbStatus;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Instead: this database's transactions, newest first.
    #[serde(default)]
    history: Option<HistoryOf>,
    /// With history: from 2026-11-22T08:00:00Z on.
    #[serde(default)]
    since: Option<String>,
    /// With history: before this time.
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
    const TITLE: &'static str = "State of OVN's databases and daemons";
    const TOOLSET: &'static str = "status";
    const DESCRIPTION: &'static str = "Is what OVN-Kubernetes asked for in force on a node, behind, or unknown: \
         nb_cfg, sb_cfg, hv_cfg, ovn-northd, ovn-controller, connections, schemas, cluster state. Call it first: where a \
         zone is behind, its rows say what is wanted, not what is. With `history`, transactions: what changed, \
         when, by what.";
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
            None if window != history::Window::default() => Err(ToolError::bad(
                "since and until are given without history",
                "Add history=nb or history=sb.",
            )),
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
        ("ovn-northd", Place::Northd, commands::northd_status()),
        ("ovn-northd to northbound", Place::Northd, commands::northd_connection(Db::Nb)),
        ("ovn-northd to southbound", Place::Northd, commands::northd_connection(Db::Sb)),
        ("ovn-controller", Place::OvnController, commands::controller_state()),
        ("ovn-controller to southbound", Place::OvnController, commands::controller_connection()),
    ];
    // At once: one daemon that hangs must not keep the others from answering in time.
    let asked = commands.iter().map(|(_, place, argv)| said(node, place.clone(), argv));
    let said = join_all(asked).await;
    for ((name, ..), said) in commands.iter().zip(&said) {
        match said {
            Said::Is(state) if WELL.contains(&state.as_str()) => {}
            Said::Is(state) => verdict.unknown.push(format!("{name}: {state}")),
            Said::Nothing(why) => verdict.unknown.push(format!("{name} gives no answer: {why}")),
            Said::NotCollected(_) => {}
        }
    }
    lines.progress(&progress, verdict.state());
    for db in [Db::Nb, Db::Sb] {
        database(node, db, &mut lines).await;
    }
    for ((name, ..), said) in commands.iter().zip(said) {
        match said {
            Said::NotCollected(why) => lines.absent.entry(why).or_default().push(name),
            Said::Is(state) => lines.add(name, &state, Some(&state)),
            Said::Nothing(why) => lines.add(name, &format!("no answer: {why}"), Some("no answer")),
        }
    }
    notes.extend(verdict.behind);
    notes.extend(verdict.unknown.into_iter().map(|why| format!("not known whether all is in force: {why}")));
    for (why, names) in &lines.absent {
        let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
        notes.push(format!("not collected in this source: the state of {}{why}", names.join(", ")));
    }
    let facts = crate::compare::OwnValues::read(node).await.facts();
    Ok(Answer { rows: lines.rows, if_empty: String::new(), notes, facts, ..Answer::default() })
}

/// What daemons say that work: `ovn-appctl status` of ovn-northd, `connection-status` and `debug/status` of both.
const WELL: [&str; 3] = ["active", "running", "connected"];

/// Compares the two databases, if both can be read. That one is not there is said already.
async fn not_copied(node: &Node<'_>, verdict: &mut Verdict) {
    /// ovn-northd may wait so long before it looks again (`northd-backoff-interval-ms`), and then it works.
    const MEANWHILE: Duration = Duration::from_secs(1);
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
        node.pause(MEANWHILE).await;
        found = compare().await.map(|second| second.still(first));
    }
    match found {
        Ok(missing) => verdict.behind.extend(missing.finding()),
        Err(ReadError::NotCollected { .. } | ReadError::NotHeld { .. }) => {}
        Err(e) => verdict.unknown.push(format!("the databases cannot be compared: {}", chain(&e))),
    }
}

/// What could be read; what could not is a note, since the other database can still be told of.
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
    // A file tells its size and form; without one, the server tells its place in a cluster.
    if let Ok(file) = node.database(db).await {
        let form = match file.kind() {
            Kind::Standalone => "standalone".to_owned(),
            Kind::Clustered(cluster) => format!("clustered, server {}", cluster.server_id),
        };
        let transactions = file.transactions().len();
        lines.add(
            &format!("{db} file"),
            &format!("{} bytes, {transactions} transactions, {form}", file.file_len()),
            None,
        );
    } else {
        let state = match said(node, db.place(), &commands::cluster_status(db)).await {
            Said::NotCollected(_) => return,
            Said::Is(state) => state,
            // A standalone server knows no such command.
            Said::Nothing(why) if why.contains("is not a valid command") => "standalone".into(),
            Said::Nothing(why) => format!("no answer: {why}"),
        };
        lines.add(&format!("{db} server"), &state, None);
    }
}

/// The status, a row a line.
#[derive(Default)]
struct Lines {
    rows: Vec<Row>,
    /// What the source does not hold, by the reason.
    absent: BTreeMap<String, Vec<&'static str>>,
}

impl Lines {
    /// A line; `same`: what should be the same on every node.
    fn add(&mut self, name: &str, value: &str, same: Option<&str>) {
        let fields = same.map(|value| Field::one("value", value)).into_iter().collect();
        let identity = Identity { key: name.into(), fields, ..Identity::default() };
        self.rows.push(Row::with(format!("{name:<29}: {value}"), identity));
    }

    fn progress(&mut self, progress: &Progress, state: &str) {
        let number = |n: Option<i64>| n.map_or("?".into(), |n| n.to_string());
        let Progress { nb_cfg, sb_cfg, hv_cfg, sb_nb_cfg, .. } = *progress;
        self.add("zone", &progress.zone, Some(&progress.zone));
        let version = &progress.northd_version;
        self.add("versions", version, Some(version));
        let cfg = format!(
            "nb_cfg {} asked for, sb_cfg {}, hv_cfg {}; southbound nb_cfg {}",
            number(nb_cfg),
            number(sb_cfg),
            number(hv_cfg),
            number(sb_nb_cfg)
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
                format!("{written}; ovn-northd copied that of {copied} (e2e_timestamp, every 30 s)")
            }
            (Some(written), None) => format!("{written} (e2e_timestamp, every 30 s)"),
            (None, _) => "not known: there is no e2e_timestamp".into(),
        };
        self.add("ovnkube-controller wrote last", &written, None);
    }
}
