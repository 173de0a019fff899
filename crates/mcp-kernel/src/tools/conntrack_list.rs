//! Connections.

use crate::{
    commands,
    compare::{self, identity},
    connections::{Filter, Params},
};
use host_net::{
    connection::{self, Connection},
    lines,
};
use mcp_core::{Answer, Db, Many, Node, Output, Place, ReadError, Row, Tool, ToolError};
use ovn_model::{host, zones};
use ovsdb::Select;
use std::{collections::BTreeMap, sync::Arc};

pub(crate) struct List;

/// Connections that are kept of a table that may have millions; the others are counted.
const KEPT: usize = 10_000;

/// What was found in one or more listings.
#[derive(Default)]
struct Found {
    kept: Vec<(u16, String)>,
    total: usize,
    /// Those of IPv6.
    v6: usize,
    wanted: usize,
    /// By zone, protocol and state.
    counts: BTreeMap<(u16, String, String), usize>,
    other: Vec<String>,
}

impl Found {
    fn read(&mut self, output: &[u8], filter: &Filter<'_>) {
        let output = connection::without_count(output);
        for line in output.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            let line = String::from_utf8_lossy(line);
            let Some(it) = Connection::parse(&line) else {
                self.other.push(line.into_owned());
                continue;
            };
            self.total += 1;
            self.v6 += usize::from(it.family.is_some_and(|(family, _)| family == "ipv6"));
            if !filter.wants(&it) {
                continue;
            }
            self.wanted += 1;
            let state = it.state.or(it.unreplied.then_some("UNREPLIED")).unwrap_or_default();
            *self.counts.entry((it.zone(), it.protocol.0.into(), state.into())).or_default() += 1;
            if self.kept.len() < KEPT {
                self.kept.push((it.zone(), shown(&it)));
            }
        }
    }
}

/// A connection, and what its mark stands for.
pub(crate) fn shown(it: &Connection<'_>) -> String {
    let mark = host::connection_mark(it.zone(), it.mark()).map(|meaning| format!("mark: {meaning}"));
    let translated = it.is_translated().then(|| "translated".to_owned());
    let notes: Vec<String> = translated.into_iter().chain(mark).collect();
    if notes.is_empty() { it.to_string() } else { format!("{it}  # {}", notes.join("; ")) }
}

impl Tool for List {
    const NAME: &'static str = "conntrack_list";
    const TITLE: &'static str = "Connections";
    const TOOLSET: &'static str = "netfilter";
    const DESCRIPTION: &'static str = "The kernel's connections by zone, with translations. Of the userspace datapath: ovs_appctl_dpctl_dump_conntrack.";
    const MANY: Many = Many::Each { because: "each node tracks its own connections" };
    type Params = Params;

    fn title(_: &Params) -> String {
        "connections".into()
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let filter = params.filter()?;
        let place = compare::place(node);
        let mut found = Found::default();
        let output: Output = node.command(place.clone(), &commands::connections()).await?;
        found.read(&output.stdout, &filter);
        drop(output);
        let mut notes = Vec::new();
        // Newer versions list both families when they are asked for none, and sos records that.
        if found.v6 == 0 {
            match node.command(place.clone(), &commands::connections_v6()).await {
                Ok(output) => found.read(&output.stdout, &filter),
                Err(ReadError::NotCollected { .. }) => {}
                Err(e) => notes.push(format!("no connections of IPv6: {e}")),
            }
        }
        if let Some(line) = found.other.first().filter(|_| found.total == 0) {
            let why = format!("it says `{}`", line.trim());
            return Err(ReadError::unreadable("what was recorded as the connections", why).into());
        }
        found.kept.sort();
        let Names { zones: names, userspace } =
            if matches!(place, Place::Host) { names(node).await } else { Names::default() };
        if found.wanted > found.kept.len() {
            notes.push(format!(
                "only {} of {} are kept: narrow them with address, port, zone or state; all together, by zone, \
                 protocol and state: {}",
                found.kept.len(),
                found.wanted,
                counts(&found.counts)
            ));
        }
        let total = found.total;
        notes.insert(0, format!("{} of {total} connections", found.wanted));
        notes.extend(lines::not_understood(&found.other));
        let rows = found.kept.into_iter().map(|(zone, text)| {
            // Every connection is a node's own.
            let identity = identity(text.clone(), Vec::new(), true);
            Row::with(format!("  {text}"), identity).under(&heading(zone, &names))
        });
        Ok(Answer { rows: rows.collect(), if_empty: if_empty(total, userspace), notes, ..Answer::default() })
    }
}

/// The datapath in user space has connections of its own.
fn if_empty(total: usize, userspace: bool) -> String {
    let none = if total == 0 {
        "the kernel tracks no connection".to_owned()
    } else {
        format!("none of the kernel's {total} connections is such a one")
    };
    if userspace {
        format!(
            "{none}; bridges of this node have the userspace datapath, whose connections              ovs_appctl_dpctl_dump_conntrack shows"
        )
    } else {
        none
    }
}

fn heading(zone: u16, names: &BTreeMap<u16, Arc<str>>) -> Arc<str> {
    names.get(&zone).cloned().unwrap_or_else(|| format!("zone {zone}").into())
}

fn counts(counts: &BTreeMap<(u16, String, String), usize>) -> String {
    const SHOWN: usize = 40;
    let mut all: Vec<_> = counts.iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let one = |((zone, protocol, state), count): (&(u16, String, String), &usize)| {
        format!("{count} zone={zone} {protocol} {state}").trim_end().to_owned()
    };
    let more = all.len().saturating_sub(SHOWN);
    let shown: Vec<String> = all.into_iter().take(SHOWN).map(one).collect();
    if more > 0 { format!("{}, and {more} more sorts", shown.join(", ")) } else { shown.join(", ") }
}

/// What `conf.db` tells of the bridges.
#[derive(Default)]
struct Names {
    /// What the zones stand for.
    zones: BTreeMap<u16, Arc<str>>,
    /// A bridge has the userspace datapath.
    userspace: bool,
}

/// What the zones stand for, as far as `conf.db` and OVN-Kubernetes tell.
async fn names(node: &Node<'_>) -> Names {
    let mut userspace = false;
    let mut names: BTreeMap<u16, Arc<str>> = BTreeMap::from([(0, "zone 0 (the host's own)".into())]);
    let reserved = zones::RESERVED.iter().map(|(id, name)| (*id, format!("zone {id} ({name})").into()));
    names.extend(reserved);
    let bridges = Select::from("Bridge").columns(["name", "external_ids", "datapath_type"]);
    if let Ok(rows) = node.rows(Db::OpenVSwitch, &[bridges]).await {
        let bridges = rows.iter().flat_map(|rows| &rows.rows);
        userspace = bridges.into_iter().any(|bridge| bridge.text("datapath_type") == Some("netdev"));
        let zones: Vec<zones::Zone> = rows.iter().flat_map(|rows| zones::of_bridges(rows).0).collect();
        // Without the southbound database UUIDs stay UUIDs.
        let zones = match node.rows(Db::Sb, &[zones::datapaths_select()]).await {
            Ok(datapaths) => datapaths.iter().fold(zones, zones::named),
            Err(_) => zones,
        };
        for zone in zones {
            let host = if zone.id == 0 { "the host's own, shared by " } else { "" };
            names.insert(zone.id, format!("zone {} ({host}{})", zone.id, zone.name).into());
        }
    }
    Names { zones: names, userspace }
}
