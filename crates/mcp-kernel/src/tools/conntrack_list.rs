//! Connections.

use crate::{
    commands,
    compare::{self, identity},
    connection::Connection,
    lines, types,
};
use mcp_core::{Answer, Db, Many, Node, Output, Place, ReadError, Row, Tool, ToolError};
use ovn_model::{host, zones};
use ovsdb::Select;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

pub(crate) struct List;

/// Which connections; `conntrack_events` takes the same.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// At either end, before or after NAT.
    #[serde(default)]
    address: Option<String>,
    /// At either end.
    #[serde(default)]
    port: Option<u16>,
    /// tcp, udp …
    #[serde(default)]
    protocol: Option<String>,
    /// Number of a zone.
    #[serde(default)]
    zone: Option<u16>,
    /// 0x2, or value/mask.
    #[serde(default)]
    mark: Option<String>,
    /// SYN_SENT, UNREPLIED …
    #[serde(default)]
    state: Option<String>,
}

/// What a call asks for.
pub(crate) struct Filter<'a> {
    address: Option<IpAddr>,
    mark: Option<u32>,
    params: &'a Params,
}

impl Params {
    pub(crate) fn filter(&self) -> Result<Filter<'_>, ToolError> {
        Ok(Filter {
            address: types::address(self.address.as_deref())?,
            mark: types::mark(self.mark.as_deref())?,
            params: self,
        })
    }
}

impl Filter<'_> {
    pub(crate) fn wants(&self, it: &Connection<'_>) -> bool {
        let Params { port, protocol, zone, state, .. } = self.params;
        let in_state = |state: &String| {
            it.state.is_some_and(|is| is.eq_ignore_ascii_case(state))
                || (it.unreplied && state.eq_ignore_ascii_case("UNREPLIED"))
                || it.rest.iter().any(|flag| flag.trim_matches(['[', ']']).eq_ignore_ascii_case(state))
        };
        self.address.is_none_or(|ip| it.has_address(|is| is == ip))
            && port.is_none_or(|port| it.has_port(port))
            && protocol.as_ref().is_none_or(|protocol| it.protocol.0.eq_ignore_ascii_case(protocol))
            && zone.is_none_or(|zone| it.zone() == zone)
            && self.mark.is_none_or(|mark| it.mark() == mark)
            && state.as_ref().is_none_or(in_state)
    }
}

/// Connections that are kept of a table that may have millions; the others are counted.
const KEPT: usize = 10_000;

/// What was found in one or more listings.
#[derive(Default)]
struct Found {
    kept: Vec<(u16, String)>,
    total: usize,
    wanted: usize,
    /// By zone, protocol and state.
    counts: BTreeMap<(u16, String, String), usize>,
    other: Vec<String>,
}

impl Found {
    fn read(&mut self, output: &[u8], filter: &Filter<'_>) {
        for line in output.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            let line = String::from_utf8_lossy(line);
            let Some(it) = Connection::parse(&line) else {
                // The count, which conntrack writes to standard error and sos into the same file.
                if !line.contains("flow entries have been shown") {
                    self.other.push(line.into_owned());
                }
                continue;
            };
            self.total += 1;
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
        match node.command(place.clone(), &commands::connections_v6()).await {
            Ok(output) => found.read(&output.stdout, &filter),
            // What is recorded is one listing of both families.
            Err(ReadError::NotCollected { .. }) => {}
            Err(e) => notes.push(format!("no connections of IPv6: {e}")),
        }
        found.kept.sort();
        let names = if matches!(place, Place::Host) { zone_names(node).await } else { BTreeMap::new() };
        if found.wanted > found.kept.len() {
            notes.push(format!(
                "only {} of {} are kept: narrow them with address, port, zone or state; all together, by zone, \
                 protocol and state: {}",
                found.kept.len(),
                found.wanted,
                counts(&found.counts)
            ));
        }
        notes.insert(0, format!("{} of {} connections", found.wanted, found.total));
        notes.extend(lines::not_understood(&found.other));
        let rows = found.kept.into_iter().map(|(zone, text)| {
            // Every connection is a node's own.
            let identity = identity(text.clone(), Vec::new(), true);
            Row::with(format!("  {text}"), identity).under(&heading(zone, &names))
        });
        Ok(Answer {
            rows: rows.collect(),
            if_empty: "there is no such connection".into(),
            notes,
            ..Answer::default()
        })
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

/// What the zones stand for, as far as `conf.db` and OVN-Kubernetes tell.
async fn zone_names(node: &Node<'_>) -> BTreeMap<u16, Arc<str>> {
    let mut names: BTreeMap<u16, Arc<str>> = BTreeMap::from([(0, "zone 0 (the host's own)".into())]);
    let reserved = zones::RESERVED.iter().map(|(id, name)| (*id, format!("zone {id} ({name})").into()));
    names.extend(reserved);
    let bridges = Select::from("Bridge").columns(["name", "external_ids"]);
    if let Ok(rows) = node.rows(Db::OpenVSwitch, &[bridges]).await {
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
    names
}
