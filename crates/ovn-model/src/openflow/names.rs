//! The meaning of the numbers in flows: tables of the integration bridge by the version of OVN, and the cookies,
//! zones and marks that OVN-Kubernetes uses. Unknown numbers have no name.

use crate::{
    lflow::{Flow as LogicalFlow, Pipeline},
    stages::{Layout, Release, StageNames, Table},
    zones,
};
use ovsdb::{Row, Rows, Select};
use std::collections::BTreeSet;

/// The cookies of OVN-Kubernetes' flows on its external bridges (`go-controller/pkg/node/types/const.go`). The flows
/// of services have other cookies, which are hashes of the services' names.
const EXTERNAL_COOKIES: &[(u64, &str)] = &[
    (0xdef_f105, "OVN-Kubernetes' default flows"),
    (0xe7_45ec_f105, "services with externalTrafficPolicy Local"),
    (0x304, "drops ICMP `fragmentation needed` messages to other nodes"),
    (0x305, "drops gratuitous ARP for the egress IPs of other nodes"),
];

/// The marks of packets (`pkt_mark`, `skb_mark`).
const PACKET_MARKS: &[(u64, &str)] = &[
    (0x3f0, "egress IP pod to a node: the bridge translates the source to the node's address"),
    (0x3f1, "egress IP on a secondary interface"),
    (0x17_45ec, "internalTrafficPolicy Local"),
];

/// The marks of connections in zone 64000.
const CONNECTION_MARKS: &[(u64, &str)] =
    &[(1, "connection that OVN opened"), (2, "connection that the host opened")];

/// Returns the meaning of a cookie of an external bridge.
pub fn external_cookie(cookie: u64) -> Option<&'static str> {
    EXTERNAL_COOKIES.iter().find(|(it, _)| *it == cookie).map(|(_, what)| *what)
}

/// Returns the meaning of the numbers in flows of an external bridge, each number once. `flows` are printed flows.
pub fn external_legend<'a>(flows: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut legend = BTreeSet::new();
    for flow in flows {
        let mut add = |word: &str, named: &mut dyn FnMut(u64) -> Option<&'static str>| {
            for value in numbers_after(flow, word) {
                if let Some(what) = named(value) {
                    let value = if word == "zone=" { value.to_string() } else { format!("{value:#x}") };
                    legend.insert(format!("{word}{value}: {what}"));
                }
            }
        };
        add("cookie=", &mut external_cookie);
        add("zone=", &mut |zone| reserved_zone(zone));
        add("pkt_mark=", &mut |mark| of(PACKET_MARKS, mark));
        add("ct_mark=", &mut |mark| of(CONNECTION_MARKS, mark));
        // ovs-actions(7): `exec(load:0x1->NXM_NX_CT_MARK[])`, since OpenFlow 1.2 `exec(set_field:0x1->ct_mark)`.
        if flow.contains("->NXM_NX_CT_MARK[]") || flow.contains("->ct_mark") {
            let mut commits = |word: &str, after: &str| {
                for mark in
                    numbers_after(flow, word).filter(|mark| flow.contains(&format!("{word}{mark:#x}{after}")))
                {
                    if let Some(what) = of(CONNECTION_MARKS, mark) {
                        legend.insert(format!("ct_mark={mark:#x}: {what}"));
                    }
                }
            };
            commits("load:", "->NXM_NX_CT_MARK[]");
            commits("set_field:", "->ct_mark");
        }
    }
    legend.into_iter().collect()
}

fn of(table: &'static [(u64, &'static str)], value: u64) -> Option<&'static str> {
    table.iter().find(|(it, _)| *it == value).map(|(_, what)| *what)
}

fn reserved_zone(zone: u64) -> Option<&'static str> {
    zones::RESERVED.iter().find(|(id, _)| u64::from(*id) == zone).map(|(_, use_)| *use_)
}

/// Returns the numbers after a word that is not part of another word.
fn numbers_after<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = u64> + 'a {
    text.match_indices(word).filter_map(move |(at, _)| {
        let before = text.get(..at)?.chars().next_back();
        let whole = !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        let rest = text.get(at + word.len()..)?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        openflow::tokens::number(rest.get(..end)?).filter(|_| whole)
    })
}

/// The purposes of the tables of the integration bridge.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    release: Option<Release>,
    layout: Option<Layout>,
    stages: StageNames,
}

impl Tables {
    /// Returns the selects on the southbound database.
    pub fn selects() -> Vec<Select> {
        vec![
            Release::select(),
            Select::from("Logical_Flow").columns(["pipeline", "table_id", "external_ids"]),
        ]
    }

    /// Reads the tables from the rows that [`Self::selects`] selected. If the version is unknown, the tables and
    /// cookies of `flows` give the layout.
    pub fn new(read: &[Rows], flows: impl IntoIterator<Item = (u8, u64)>) -> Self {
        let release = read.first().and_then(Release::of);
        let outline: Vec<LogicalFlow> =
            read.get(1).map(|rows| rows.rows.iter().filter_map(outline).collect()).unwrap_or_default();
        let seen = flows.into_iter().filter_map(|(table, cookie)| Some((table, u32::try_from(cookie).ok()?)));
        let layout = release.and_then(Layout::of).or_else(|| Layout::seen(seen, &outline));
        Self { release, layout, stages: StageNames::of(&outline) }
    }

    /// Returns the purpose of a table, or `None` if it is not known.
    pub fn name(&self, table: u8) -> Option<String> {
        match self.layout?.role(table)? {
            Table::Stage(pipeline, stage) => match self.stages.get(pipeline, i64::from(stage)) {
                [] => Some(format!("{pipeline} stage {stage}")),
                names => Some(names.join(", ")),
            },
            Table::Physical => self.layout?.physical(table).map(str::to_owned),
        }
    }

    /// Returns the tables whose stages have this text in their names.
    pub fn find(&self, text: &str) -> Vec<u8> {
        let stage = |table: u8| match self.layout?.role(table)? {
            Table::Stage(pipeline, stage) => Some(self.stages.get(pipeline, i64::from(stage))),
            Table::Physical => None,
        };
        (0..=u8::MAX)
            .filter(|table| stage(*table).is_some_and(|names| names.iter().any(|name| name.contains(text))))
            .collect()
    }

    /// Returns the names of all stages.
    pub fn stages(&self) -> impl Iterator<Item = &str> {
        self.stages.iter()
    }

    /// Returns the reason why tables have no names, if they have none.
    pub fn unknown(&self) -> Option<String> {
        match (self.layout, self.release) {
            (Some(_), _) => None,
            (None, Some(release)) => {
                Some(format!("tables have no names: the tables of the stages in OVN {release} are not known"))
            }
            (None, None) => Some(
                "tables have no names: the southbound database does not contain the version of OVN".into(),
            ),
        }
    }
}

/// Reads the columns of a logical flow that describe its stage.
fn outline(row: &Row) -> Option<LogicalFlow> {
    Some(LogicalFlow {
        uuid: row.uuid,
        datapath: None,
        group: None,
        pipeline: match row.text("pipeline")? {
            "ingress" => Pipeline::Ingress,
            "egress" => Pipeline::Egress,
            _ => return None,
        },
        table: row.int("table_id")?,
        priority: 0,
        matches: String::new(),
        actions: String::new(),
        stage: row.map_get("external_ids", "stage-name").map(str::to_owned),
        hint: None,
        source: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_named_by_their_context() {
        let flows = [
            "cookie=0xdeff105, n_packets=0, priority=105,pkt_mark=0x3f0,ip,in_port=2 actions=ct(commit,zone=64000,nat(src=172.18.0.2),exec(set_field:0x1->ct_mark)),output:1",
            "cookie=0x304, table=0, priority=100,ct_state=+est+trk,ct_mark=0x2,ip actions=LOCAL",
            "cookie=0xacf710ce7fc86143, priority=110,tcp,tp_dst=30080 actions=load:0x1->NXM_NX_REG0[]",
        ];
        assert_eq!(
            external_legend(flows),
            [
                "cookie=0x304: drops ICMP `fragmentation needed` messages to other nodes",
                "cookie=0xdeff105: OVN-Kubernetes' default flows",
                "ct_mark=0x1: connection that OVN opened",
                "ct_mark=0x2: connection that the host opened",
                "pkt_mark=0x3f0: egress IP pod to a node: the bridge translates the source to the node's address",
                "zone=64000: external bridge, default zone",
            ]
        );
        assert!(
            external_legend(["cookie=0xacf7, table=1 actions=ct(zone=17),load:0x1->NXM_NX_REG0[]"])
                .is_empty()
        );
    }
}
