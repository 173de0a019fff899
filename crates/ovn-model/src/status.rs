//! The progress of a zone: whether the requested configuration is in force.
//!
//! A client raises `NB_Global.nb_cfg`. ovn-northd copies it to `SB_Global.nb_cfg` when it has processed all earlier
//! changes, ovn-controller writes it to its `Chassis_Private` row when the flows are installed, and ovn-northd
//! summarizes both in `NB_Global.sb_cfg` and `hv_cfg` (ovn-nb(5), ovn-sb(5), "nb_cfg"). Clients do not raise it with
//! each change, so equal numbers alone do not show that ovn-northd follows. Two more signs do:
//!
//! * ovnkube-controller writes the time to `NB_Global.options:e2e_timestamp` every 30 seconds, and ovn-northd copies
//!   the options to `SB_Global` (`go-controller/pkg/metrics/ovnkube_controller.go`);
//! * ovn-northd copies ports, address sets and the load balancers of switches to the southbound database
//!   ([`NotCopied`]).

use ovsdb::{Row, Rows, Select};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Returns the selects on the northbound database.
pub fn nb_selects() -> Vec<Select> {
    vec![Select::from("NB_Global")]
}

/// Returns the selects on the southbound database.
pub fn sb_selects() -> Vec<Select> {
    vec![
        Select::from("SB_Global"),
        Select::from("Chassis_Private").columns(["name", "nb_cfg", "nb_cfg_timestamp"]),
        Select::from("Chassis").columns(["name", "hostname", "other_config"]),
    ]
}

/// The progress of a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last requested configuration.
    pub nb_cfg: Option<i64>,
    /// The last configuration that ovn-northd had processed, according to the northbound database.
    pub sb_cfg: Option<i64>,
    /// The last configuration that every chassis had installed.
    pub hv_cfg: Option<i64>,
    /// The last configuration that ovn-northd had processed, according to the southbound database.
    pub sb_nb_cfg: Option<i64>,
    /// The host name of each chassis of this zone, and the last configuration that it had installed.
    pub chassis: Vec<(String, i64)>,
    /// The time when ovnkube-controller last wrote the time to the northbound database, in seconds since 1970.
    pub written: Option<i64>,
    /// The last such time that ovn-northd copied to the southbound database.
    pub copied: Option<i64>,
    /// The name of the zone, which in interconnect mode is the name of the node.
    pub zone: String,
    /// The version, as ovn-northd writes it: `26.03.1-21.8.0-82.14`.
    pub northd_version: String,
}

/// Reads the progress from the rows that [`nb_selects`] and [`sb_selects`] selected.
pub fn progress(nb: &[Rows], sb: &[Rows]) -> Progress {
    let global = first(nb, "NB_Global");
    let sb_global = first(sb, "SB_Global");
    let rows = |table: &str| sb.iter().find(|r| r.table.name == table).map_or(&[][..], |r| &r.rows);
    let remote = |row: &Row| row.map_get("other_config", "is-remote") == Some("true");
    let host = |name: &str| rows("Chassis").iter().find(|chassis| chassis.text("name") == Some(name));
    let chassis = rows("Chassis_Private").iter().filter_map(|private| {
        let name = private.text("name")?;
        match host(name) {
            // The chassis of other zones never report to this zone.
            Some(chassis) if remote(chassis) => None,
            Some(chassis) => {
                Some((chassis.text("hostname").unwrap_or(name).to_owned(), private.int("nb_cfg")?))
            }
            None => Some((name.to_owned(), private.int("nb_cfg")?)),
        }
    });
    let int = |row: Option<&Row>, column| row.and_then(|row| row.int(column));
    let time = |row: Option<&Row>| row?.map_get("options", "e2e_timestamp")?.parse().ok();
    Progress {
        nb_cfg: int(global, "nb_cfg"),
        sb_cfg: int(global, "sb_cfg"),
        hv_cfg: int(global, "hv_cfg"),
        sb_nb_cfg: int(sb_global, "nb_cfg"),
        chassis: chassis.collect(),
        written: time(global),
        copied: time(sb_global),
        zone: global.and_then(|g| g.text("name")).unwrap_or_default().into(),
        northd_version: global
            .and_then(|g| g.map_get("options", "northd_internal_version"))
            .unwrap_or_default()
            .into(),
    }
}

/// The state of a zone: behind if any part is behind, otherwise unknown if any part is unknown, otherwise in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The parts that are behind, in words.
    pub behind: Vec<String>,
    /// The reasons why it is unknown whether the rest is in force.
    pub unknown: Vec<String>,
}

impl Verdict {
    /// Returns the state in one word or two.
    pub fn state(&self) -> &'static str {
        match (self.behind.is_empty(), self.unknown.is_empty()) {
            (false, _) => "behind",
            (true, false) => "unknown",
            (true, true) => "in force",
        }
    }
}

/// The interval at which ovnkube-controller writes the time.
const WRITTEN_EVERY: Duration = Duration::from_secs(30);

impl Progress {
    /// Derives the state from the numbers and times.
    pub fn verdict(&self) -> Verdict {
        let mut verdict = Verdict::default();
        self.numbers(&mut verdict);
        self.times(&mut verdict);
        verdict
    }

    fn numbers(&self, verdict: &mut Verdict) {
        let Verdict { behind, unknown } = verdict;
        match (self.nb_cfg, self.sb_nb_cfg) {
            (None, _) => unknown.push("NB_Global has no row: the requested configuration is unknown".into()),
            (Some(_), None) => {
                unknown.push("SB_Global has no row: the progress of ovn-northd is unknown".into());
            }
            (Some(nb_cfg), Some(done)) if done < nb_cfg => behind.push(format!(
                "ovn-northd has not processed the last change: nb_cfg {nb_cfg}, southbound {done}; it is stopped, paused or busy"
            )),
            _ => {}
        }
        let asked = self.sb_nb_cfg.or(self.nb_cfg);
        for (chassis, done) in &self.chassis {
            if let Some(asked) = asked.filter(|asked| done < asked) {
                behind.push(format!(
                    "ovn-controller of {chassis} has not installed the configuration of the southbound database: requested {asked}, installed {done}"
                ));
            }
        }
        if self.chassis.is_empty() {
            unknown.push(
                "Chassis_Private has no row for a chassis of this zone: the configuration that ovn-controller installed \
                 is unknown"
                    .into(),
            );
        }
    }

    fn times(&self, verdict: &mut Verdict) {
        let (Some(written), Some(copied)) = (self.written, self.copied) else { return };
        let late = u64::try_from(written.saturating_sub(copied)).unwrap_or(0);
        // The two databases are read at different moments, so one of the two times may be written between the reads.
        if late > 2 * WRITTEN_EVERY.as_secs() {
            verdict.behind.push(format!(
                "ovn-northd has not followed the northbound database for {late} s: its e2e_timestamp is {written}, the \
                 southbound one {copied}; ovn-northd is stopped, paused or busy"
            ));
        } else if late > 0 {
            verdict.unknown.push(format!(
                "the e2e_timestamp of the northbound database is {late} s newer than the southbound one: ovn-northd lags \
                 behind, or the databases were read at different times"
            ));
        }
    }
}

/// The data of the northbound database that the southbound database should contain but lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotCopied(Vec<String>);

impl NotCopied {
    /// Returns the selects on the northbound database.
    pub fn nb_selects() -> Vec<Select> {
        vec![
            Select::from("Logical_Switch").columns(["load_balancer", "load_balancer_group"]),
            Select::from("Load_Balancer_Group").columns(["load_balancer"]),
            Select::from("Load_Balancer").columns(["name", "vips"]),
            Select::from("Address_Set").columns(["name", "addresses"]),
            Select::from("Logical_Switch_Port").columns(["name"]),
            Select::from("Logical_Router_Port").columns(["name"]),
        ]
    }

    /// Returns the selects on the southbound database.
    pub fn sb_selects() -> Vec<Select> {
        vec![
            Select::from("Load_Balancer").columns(["name", "vips"]),
            Select::from("Address_Set").columns(["name", "addresses"]),
            Select::from("Port_Binding").columns(["logical_port"]),
        ]
    }

    /// Compares the rows that [`Self::nb_selects`] and [`Self::sb_selects`] selected.
    pub fn new(nb: &[Rows], sb: &[Rows]) -> Self {
        let rows = |of: &[Rows], table: &str| -> Vec<Row> {
            let rows = of.iter().filter(|rows| rows.table.name == table).flat_map(|rows| rows.rows.clone());
            rows.collect()
        };
        let mut missing = Vec::new();
        let mut compare = |what: &str, asked: &[(String, String)], done: &[(String, String)]| {
            let done: BTreeMap<&str, &str> =
                done.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            for (name, value) in asked {
                match done.get(name.as_str()) {
                    None => missing.push(format!("{what} {name}")),
                    Some(other) if other != value => missing.push(format!("{what} {name} as it is now")),
                    Some(_) => {}
                }
            }
        };
        let ports = |of: &[Rows], tables: &[&str], column: &str| -> Vec<(String, String)> {
            let rows = tables.iter().flat_map(|table| rows(of, table));
            rows.filter_map(|row| Some((row.text(column)?.to_owned(), String::new()))).collect()
        };
        compare(
            "port",
            &ports(nb, &["Logical_Switch_Port", "Logical_Router_Port"], "name"),
            &ports(sb, &["Port_Binding"], "logical_port"),
        );
        let sets = |of: &[Rows]| -> Vec<(String, String)> {
            let members = |row: &Row| {
                row.strings("addresses").collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
            };
            rows(of, "Address_Set")
                .iter()
                .filter_map(|row| Some((row.text("name")?.to_owned(), members(row))))
                .collect()
        };
        compare("address set", &sets(nb), &sets(sb));
        let balancer = |row: &Row| {
            let vips: BTreeMap<&str, &str> = row.map("vips").collect();
            Some((row.text("name")?.to_owned(), format!("{vips:?}")))
        };
        // Only some versions copy load balancers that belong to routers alone.
        let switches = rows(nb, "Logical_Switch");
        let groups: BTreeSet<_> = switches.iter().flat_map(|row| row.refs("load_balancer_group")).collect();
        let of_groups = rows(nb, "Load_Balancer_Group");
        let of_groups = of_groups.iter().filter(|row| groups.contains(&row.uuid));
        let used: BTreeSet<_> =
            switches.iter().chain(of_groups).flat_map(|row| row.refs("load_balancer")).collect();
        let asked: Vec<_> = rows(nb, "Load_Balancer")
            .iter()
            .filter(|row| used.contains(&row.uuid))
            .filter_map(balancer)
            .collect();
        let done: Vec<_> = rows(sb, "Load_Balancer").iter().filter_map(balancer).collect();
        compare("load balancer", &asked, &done);
        Self(missing)
    }

    /// Keeps the data that was also missing before, because ovn-northd needs a moment for new data.
    #[must_use]
    pub fn still(mut self, before: &Self) -> Self {
        self.0.retain(|it| before.0.contains(it));
        self
    }

    /// Returns the missing data in words, or `None` if nothing is missing.
    pub fn finding(&self) -> Option<String> {
        /// The number of names that are shown. They are enough to know where to look.
        const SHOWN: usize = 5;
        let (first, more) = self.0.split_at(self.0.len().min(SHOWN));
        let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
        (!first.is_empty()).then(|| {
            format!(
                "the southbound database lacks what the northbound one has: {}{more}; ovn-northd is stopped, paused or busy",
                first.join(", ")
            )
        })
    }
}

fn first<'a>(rows: &'a [Rows], table: &str) -> Option<&'a Row> {
    rows.iter().find(|rows| rows.table.name == table)?.rows.first()
}
