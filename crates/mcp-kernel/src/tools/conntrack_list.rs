//! The tool `conntrack_list`: the connections that the kernel tracks.

use crate::{
    commands,
    compare::{self, identity},
    connections::{ConnectionFilter, Params},
};
use host_net::{
    connection::{self, Connection},
    lines,
};
use mcp_core::{Answer, CommandPlace, Db, Many, Node, Output, ReadError, Row, Tool, ToolError, must_stop};
use ovn_model::{host, zones};
use ovsdb::Select;
use std::{collections::BTreeMap, sync::Arc};

pub(crate) struct ConntrackList;

/// The largest number of connections that an answer lists. A table may have millions, and the rest is only counted.
const MAX_LISTED: usize = 10_000;

/// The connections of one or more listings.
#[derive(Default)]
struct ConnectionTable {
    /// The zone and the text of the matching connections, at most [`MAX_LISTED`].
    kept: Vec<(u16, String)>,
    /// The number of all connections.
    total: usize,
    /// The number of IPv6 connections.
    v6: usize,
    /// The number of connections that match the filter.
    wanted: usize,
    /// The number of matching connections by zone, protocol and state.
    counts: BTreeMap<(u16, String, String), usize>,
    /// The lines that the parser did not understand.
    other: Vec<String>,
}

impl ConnectionTable {
    fn read(&mut self, output: &[u8], filter: &ConnectionFilter<'_>) {
        let output = connection::without_count(output);
        for line in output.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            if must_stop() {
                return;
            }
            let line = String::from_utf8_lossy(line);
            let Some(it) = Connection::parse(&line) else {
                self.other.push(line.into_owned());
                continue;
            };
            self.total += 1;
            self.v6 += usize::from(it.family.is_some_and(|(family, _)| family == "ipv6"));
            if !filter.matches(&it) {
                continue;
            }
            self.wanted += 1;
            let state = it.state.or(it.unreplied.then_some("UNREPLIED")).unwrap_or_default();
            *self.counts.entry((it.zone(), it.protocol.0.into(), state.into())).or_default() += 1;
            if self.kept.len() < MAX_LISTED {
                self.kept.push((it.zone(), shown(&it)));
            }
        }
    }
}

/// Prints a connection with a comment about its translation and the meaning of its mark.
pub(crate) fn shown(it: &Connection<'_>) -> String {
    let mark = host::connection_mark(it.zone(), it.mark()).map(|meaning| format!("mark: {meaning}"));
    let translated = it.is_translated().then(|| "translated".to_owned());
    let notes: Vec<String> = translated.into_iter().chain(mark).collect();
    if notes.is_empty() { it.to_string() } else { format!("{it}  # {}", notes.join("; ")) }
}

impl Tool for ConntrackList {
    const NAME: &'static str = "conntrack_list";
    const TITLE: &'static str = "Connections";
    const TOOLSET: &'static str = "netfilter";
    const DESCRIPTION: &'static str = "Lists the connections that the kernel tracks, by zone and with \
         their NAT. For connections of the OVS userspace datapath, use ovs_appctl_dpctl_dump_conntrack.";
    const MANY: Many = Many::Each { because: "each node tracks its own connections" };
    type Params = Params;

    fn title(_: &Params) -> String {
        "connections".into()
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let filter = params.filter()?;
        let place = compare::place(node);
        let mut found = ConnectionTable::default();
        let output: Output = node.command(place.clone(), &commands::connections()).await?;
        found.read(&output.stdout, &filter);
        drop(output);
        let mut notes = Vec::new();
        // Without `-f`, newer versions of conntrack list both families, and sos records that output.
        if found.v6 == 0 {
            match node.command(place.clone(), &commands::connections_v6()).await {
                Ok(output) => found.read(&output.stdout, &filter),
                Err(ReadError::NotCollected { .. }) => {}
                Err(e) => notes.push(format!("IPv6 connections are not shown: {e}")),
            }
        }
        if let Some(line) = found.other.first().filter(|_| found.total == 0) {
            let why = format!("the output is `{}`", line.trim());
            return Err(ReadError::unreadable("the list of connections", why).into());
        }
        found.kept.sort();
        let ZoneNames { zones: names, userspace } =
            if matches!(place, CommandPlace::Host) { zone_names(node).await } else { ZoneNames::default() };
        if found.wanted > found.kept.len() {
            notes.push(format!(
                "only {} of {} connections can be listed: narrow the list with address, port, zone or state. \
                 Number of connections by zone, protocol and state: {}",
                found.kept.len(),
                found.wanted,
                counts(&found.counts)
            ));
        }
        let total = found.total;
        notes.insert(0, format!("{} of {total} connections match", found.wanted));
        notes.extend(lines::not_understood(&found.other));
        let rows = found.kept.into_iter().map(|(zone, text)| {
            // No other node has the same connection.
            let identity = identity(text.clone(), Vec::new(), true);
            Row::with(format!("  {text}"), identity).under(&heading(zone, &names))
        });
        Ok(Answer { rows: rows.collect(), if_empty: if_empty(total, userspace), notes, ..Answer::default() })
    }
}

/// Says that no connection matches, and names the tool for the userspace datapath, which tracks its own connections.
fn if_empty(total: usize, userspace: bool) -> String {
    let none = if total == 0 {
        "the kernel tracks no connection".to_owned()
    } else {
        format!("none of the kernel's {total} connections matches")
    };
    if userspace {
        format!(
            "{none}; this node has bridges with the userspace datapath: ovs_appctl_dpctl_dump_conntrack lists \
             their connections"
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
    if more > 0 { format!("{}, and {more} more combinations", shown.join(", ")) } else { shown.join(", ") }
}

/// The names of the conntrack zones, and whether this node has a userspace datapath.
#[derive(Default)]
struct ZoneNames {
    /// The heading of each zone.
    zones: BTreeMap<u16, Arc<str>>,
    /// Whether a bridge has the userspace datapath.
    userspace: bool,
}

/// Reads the names of the zones from `conf.db` and the southbound database, as far as they can be read.
async fn zone_names(node: &Node<'_>) -> ZoneNames {
    let mut userspace = false;
    let mut names: BTreeMap<u16, Arc<str>> = BTreeMap::from([(0, "zone 0 (the host's own)".into())]);
    let reserved = zones::RESERVED.iter().map(|(id, name)| (*id, format!("zone {id} ({name})").into()));
    names.extend(reserved);
    let bridges = Select::from("Bridge").columns(["name", "external_ids", "datapath_type"]);
    if let Ok(rows) = node.rows(Db::OpenVSwitch, &[bridges]).await {
        let bridges = rows.iter().flat_map(|rows| &rows.rows);
        userspace = bridges.into_iter().any(|bridge| bridge.text("datapath_type") == Some("netdev"));
        let zones: Vec<zones::Zone> = rows.iter().flat_map(|rows| zones::of_bridges(rows).0).collect();
        // Without the southbound database, a zone is named by the UUID of its datapath.
        let zones = match node.rows(Db::Sb, &[zones::datapaths_select()]).await {
            Ok(datapaths) => datapaths.iter().fold(zones, zones::named),
            Err(_) => zones,
        };
        for zone in zones {
            let host = if zone.id == 0 { "the host's own, shared with " } else { "" };
            names.insert(zone.id, format!("zone {} ({host}{})", zone.id, zone.name).into());
        }
    }
    ZoneNames { zones: names, userspace }
}
