//! The lines of the answer of `ovn_db_status`.

use jiff::Timestamp;
use mcp_core::{Row, RowField, RowIdentity};
use ovn_model::status::Progress;
use std::collections::BTreeMap;

/// The lines of the status answer.
#[derive(Default)]
pub(crate) struct StatusLines {
    pub(crate) rows: Vec<Row>,
    /// Whether the lines are compared with those of other nodes.
    pub(crate) is_compared: bool,
    /// The names of the lines that are not compared, because each node has its own value.
    pub(crate) own: Vec<&'static str>,
    /// The names of the states that were not collected, grouped by the reason.
    pub(crate) absent: BTreeMap<String, Vec<&'static str>>,
}

impl StatusLines {
    /// Adds a line. `same` is the value that should be equal on every node.
    pub(crate) fn add(&mut self, name: &str, value: &str, same: &str) {
        let fields = vec![RowField::one("value", same)];
        let identity = RowIdentity { key: name.into(), fields, ..RowIdentity::default() };
        self.rows.push(Row::with(format!("{name:<29}: {value}"), identity));
    }

    /// Adds a line whose value belongs to the node. A comparison names it in `what` and leaves it out.
    pub(crate) fn add_own(&mut self, name: &str, value: &str, what: &'static str) {
        match self.is_compared {
            true => self.own.push(what),
            false => self.rows.push(Row::line(format!("{name:<29}: {value}"))),
        }
    }

    /// Adds the lines on the configuration and who has it.
    pub(crate) fn progress(&mut self, progress: &Progress, state: &str) {
        let number = |n: Option<i64>| n.map_or("?".into(), |n| n.to_string());
        let Progress { nb_cfg, sb_cfg, hv_cfg, sb_nb_cfg, .. } = *progress;
        self.add("zone", &progress.zone, &progress.zone);
        let version = &progress.northd_version;
        self.add("versions", version, version);
        let [wanted, northd, installed, southbound] = [nb_cfg, sb_cfg, hv_cfg, sb_nb_cfg].map(number);
        let cfg = format!(
            "nb_cfg {wanted} (requested), sb_cfg {northd}, hv_cfg {installed}; southbound nb_cfg {southbound}"
        );
        self.add("configuration", &format!("{state}: {cfg}"), state);
        for (chassis, done) in &progress.chassis {
            let what = "the nb_cfg that each chassis installed";
            self.add_own(&format!("installed on {chassis}"), &format!("nb_cfg {done}"), what);
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
        self.add_own(
            "last ovnkube-controller write",
            &written,
            "the time of the last ovnkube-controller write",
        );
    }
}
