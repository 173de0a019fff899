//! Is what was asked for in force?
//!
//! A client raises `NB_Global.nb_cfg`; ovn-northd copies it to `SB_Global.nb_cfg` when it has worked off all before
//! it, ovn-controller writes it to its `Chassis_Private` row when the flows are installed, and ovn-northd sums
//! up in `NB_Global.sb_cfg` and `hv_cfg` (ovn-nb(5), ovn-sb(5), "nb_cfg").

use ovsdb::{Row, Rows, Select};

/// What has to be read of the northbound database.
pub fn nb_selects() -> Vec<Select> {
    vec![Select::from("NB_Global")]
}

/// What has to be read of the southbound database.
pub fn sb_selects() -> Vec<Select> {
    vec![
        Select::from("SB_Global"),
        Select::from("Chassis_Private").columns(["name", "nb_cfg", "nb_cfg_timestamp"]),
        Select::from("Chassis").columns(["name", "hostname", "other_config"]),
    ]
}

/// How far a zone has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last configuration that was asked for.
    pub nb_cfg: Option<i64>,
    /// The last that ovn-northd had worked off, as the northbound database says.
    pub sb_cfg: Option<i64>,
    /// The last that every chassis had installed.
    pub hv_cfg: Option<i64>,
    /// The last that ovn-northd had worked off, as the southbound database says.
    pub sb_nb_cfg: Option<i64>,
    /// The last that each chassis of this zone had installed: its host name, and the number.
    pub chassis: Vec<(String, i64)>,
    /// The zone's name: in interconnect mode the node's.
    pub zone: String,
    /// Versions, as ovn-northd writes them: `26.03.1-21.8.0-82.14`.
    pub northd_version: String,
}

/// Reads it from what [`nb_selects`] and [`sb_selects`] asked for.
pub fn progress(nb: &[Rows], sb: &[Rows]) -> Progress {
    let global = first(nb, "NB_Global");
    let sb_global = first(sb, "SB_Global");
    let rows = |table: &str| sb.iter().find(|r| r.table.name == table).map_or(&[][..], |r| &r.rows);
    let remote = |row: &Row| row.map_get("other_config", "is-remote") == Some("true");
    let host = |name: &str| rows("Chassis").iter().find(|chassis| chassis.text("name") == Some(name));
    let chassis = rows("Chassis_Private").iter().filter_map(|private| {
        let name = private.text("name")?;
        match host(name) {
            // The other zones' chassis never report to this one.
            Some(chassis) if remote(chassis) => None,
            Some(chassis) => {
                Some((chassis.text("hostname").unwrap_or(name).to_owned(), private.int("nb_cfg")?))
            }
            None => Some((name.to_owned(), private.int("nb_cfg")?)),
        }
    });
    let int = |row: Option<&Row>, column| row.and_then(|row| row.int(column));
    Progress {
        nb_cfg: int(global, "nb_cfg"),
        sb_cfg: int(global, "sb_cfg"),
        hv_cfg: int(global, "hv_cfg"),
        sb_nb_cfg: int(sb_global, "nb_cfg"),
        chassis: chassis.collect(),
        zone: global.and_then(|g| g.text("name")).unwrap_or_default().into(),
        northd_version: global
            .and_then(|g| g.map_get("options", "northd_internal_version"))
            .unwrap_or_default()
            .into(),
    }
}

impl Progress {
    /// What is behind, in words; nothing if all is in force.
    pub fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        let Some(nb_cfg) = self.nb_cfg else { return findings };
        if let Some(done) = self.sb_nb_cfg.filter(|done| *done < nb_cfg) {
            findings.push(format!(
                "ovn-northd has not worked off the last change: nb_cfg {nb_cfg}, southbound {done}; it is stopped, paused or busy"
            ));
        }
        for (chassis, done) in &self.chassis {
            let asked = self.sb_nb_cfg.unwrap_or(nb_cfg);
            if *done < asked {
                findings.push(format!(
                    "ovn-controller of {chassis} has not installed what the southbound database asks for: {asked}, installed {done}"
                ));
            }
        }
        findings
    }
}

fn first<'a>(rows: &'a [Rows], table: &str) -> Option<&'a Row> {
    rows.iter().find(|rows| rows.table.name == table)?.rows.first()
}
