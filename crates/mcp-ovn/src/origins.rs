//! The rows of both databases behind OpenFlow cookies, read with four queries for any number of cookies.

use crate::flows;
use mcp_core::{Db, Node, ReadError};
use ovn_model::{
    UuidPrefix,
    detrace::{Index, Mention, VirtualIp, counterpart, counterpart_selects, kubernetes_owner, summary},
    lflow::{Datapath, Datapaths, Flow},
    owners, owners_selects,
    stages::{Layout, Release},
};
use ovsdb::{Row, Rows, Select, Uuid};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// The rows that cookies refer to.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    southbound: Vec<Row>,
    /// The northbound rows; `None` if the database could not be read.
    northbound: Option<Vec<Row>>,
    /// All load balancers, read only if the load balancer behind a flow is gone.
    balancers: Vec<Row>,
    /// The rows that refer to a northbound row, such as `Logical_Router GR_ovn-worker`.
    owners: BTreeMap<Uuid, Vec<String>>,
    datapaths: Datapaths,
    layout: Option<Layout>,
    pub(crate) notes: Vec<String>,
}

impl Origins {
    /// Reads the rows behind cookies. If the OVN version is unknown, the tables in which flows were seen determine the
    /// layout of the pipelines.
    pub(crate) async fn read(
        node: &Node<'_>,
        prefixes: &BTreeSet<&UuidPrefix>,
        mentions: impl Iterator<Item = &Mention>,
    ) -> Result<Self, ReadError> {
        let schema = node.schema(Db::Sb).await?;
        let mut selects = Index::selects(&schema);
        let tables = selects.len();
        selects.extend(Datapaths::selects(&schema));
        selects.push(Release::select());
        let read = flows::rows(node, &selects).await?;
        let (index, rest) = read.split_at(tables.min(read.len()));
        let index = Index::new(index);
        let found: Vec<_> = prefixes.iter().flat_map(|prefix| index.find(prefix)).collect();
        let mut origins = Self { datapaths: Datapaths::new(rest), ..Self::default() };
        if !found.is_empty() {
            origins.southbound = rows_of(flows::rows(node, &Index::rows_selects(&found)).await?);
        }
        let release = rest.last().and_then(Release::of);
        let seen = mentions.filter_map(|mention| Some((mention.table?, u32::try_from(mention.cookie).ok()?)));
        let flows: Vec<Flow> = origins.southbound.iter().filter_map(flow).collect();
        origins.layout = release.and_then(Layout::of).or_else(|| Layout::seen(seen, &flows));
        if let Err(e) = origins.read_northbound(node, prefixes).await {
            origins
                .notes
                .push(format!("the northbound database was not read, so the northbound rows behind the flows are unknown: {e}"));
        }
        Ok(origins)
    }

    async fn read_northbound(
        &mut self,
        node: &Node<'_>,
        prefixes: &BTreeSet<&UuidPrefix>,
    ) -> Result<(), ReadError> {
        let schema = node.schema(Db::Nb).await?;
        let index = Index::new(&node.rows(Db::Nb, &Index::selects(&schema)).await?);
        let hints: Vec<UuidPrefix> =
            self.southbound.iter().filter_map(flow).filter_map(|flow| flow.hint?.parse().ok()).collect();
        let found: Vec<_> =
            prefixes.iter().copied().chain(&hints).flat_map(|prefix| index.find(prefix)).collect();
        let mut selects = Index::rows_selects(&found);
        let named = self.southbound.iter().filter_map(counterpart);
        selects
            .extend(named.flat_map(|(tables, name)| counterpart_selects(tables, name).collect::<Vec<_>>()));
        let rows = if selects.is_empty() { Vec::new() } else { rows_of(node.rows(Db::Nb, &selects).await?) };
        // If another row needs the same flow, ovn-northd keeps the flow with the hint to the first row.
        let gone = |flow: &Flow| {
            flow.hint
                .as_ref()
                .is_some_and(|hint| hint.parse().is_ok_and(|hint: UuidPrefix| index.find(&hint).is_empty()))
        };
        let stale = self.southbound.iter().filter_map(flow).filter(gone);
        if stale.filter_map(|flow| VirtualIp::of_match(&flow.matches)).next().is_some() {
            self.balancers = rows_of(node.rows(Db::Nb, &[Select::from("Load_Balancer")]).await?);
            let selects = owners_selects(&schema, "Load_Balancer");
            self.owners.extend(owners("Load_Balancer", &node.rows(Db::Nb, &selects).await?));
        }
        // Read the owners of rows such as ACLs (port groups) and routes (routers). Other rows are identified by their
        // names.
        let owned: BTreeSet<&str> = rows.iter().map(|row| row.table.name.as_str()).collect();
        for table in owned
            .into_iter()
            .filter(|table| !matches!(*table, "Load_Balancer" | "Logical_Switch" | "Logical_Router"))
        {
            self.owners.extend(owners(table, &node.rows(Db::Nb, &owners_selects(&schema, table)).await?));
        }
        self.northbound = Some(rows);
        Ok(())
    }

    /// Describes the rows behind a cookie. For a flow of several datapaths, `matched` is the datapath that the packet
    /// matched.
    pub(crate) fn text(&self, prefix: &UuidPrefix, matched: Option<u64>) -> String {
        let all = self.southbound.iter().filter(|row| prefix.is_of(row.uuid));
        let mut texts: Vec<String> = all.map(|row| self.southbound_text(row, matched)).collect();
        // Since OVN 26.03, a southbound load balancer has the same UUID as its northbound one, which is described with
        // it.
        let also_southbound = |uuid| self.southbound.iter().any(|row| row.uuid == uuid);
        let northbound = self.northbound.iter().flatten();
        let northbound = northbound.filter(|row| prefix.is_of(row.uuid) && !also_southbound(row.uuid));
        texts.extend(northbound.map(|row| self.northbound_text(row)));
        match texts.len() {
            0 => "  * no row in this zone's databases has this cookie or UUID: the flow belongs to another node or bridge, or its row was deleted".into(),
            1 => texts.concat().trim_end().to_owned(),
            several => format!("  * one of {several} rows:\n{}", texts.concat().trim_end()),
        }
    }

    fn southbound_text(&self, row: &Row, matched: Option<u64>) -> String {
        let Some(flow) = flow(row) else {
            let mut text = format!("  * {}\n", summary(row));
            if let Some(datapath) = row.refs("datapath").next().and_then(|uuid| self.datapaths.get(uuid)) {
                _ = writeln!(text, "  * Logical datapath: {}", datapath.shown());
            }
            if let Some((tables, name)) = counterpart(row) {
                let is =
                    |it: &&Row| tables.contains(&it.table.name.as_str()) && it.text("name") == Some(name);
                text.extend(self.northbound.iter().flatten().filter(is).map(|row| self.northbound_text(row)));
            }
            return text;
        };
        let openflow = match self.layout.and_then(|layout| layout.table(flow.pipeline, flow.table)) {
            Some(table) => format!(", OpenFlow table {table}"),
            None => String::new(),
        };
        let mut text = format!("  * {} [{}{openflow}]\n", self.datapaths_text(&flow, matched), flow.pipeline);
        let stage = flow.stage.as_deref().unwrap_or("no name");
        _ = writeln!(
            text,
            "  * Logical flow: table={} ({stage}), priority={}, match=({}), actions=({})",
            flow.table, flow.priority, flow.matches, flow.actions
        );
        text + &self.hint_text(&flow)
    }

    /// Describes the northbound row that a logical flow implements.
    fn hint_text(&self, flow: &Flow) -> String {
        let (Some(hint), Some(northbound)) = (&flow.hint, &self.northbound) else {
            let source = flow.source.as_deref().unwrap_or("unknown source line");
            return if flow.hint.is_some() {
                String::new()
            } else {
                format!("  * not made for a single northbound row ({source})\n")
            };
        };
        let Ok(prefix) = hint.parse::<UuidPrefix>() else {
            return format!("  * its stage-hint {hint} is not a UUID\n");
        };
        let candidates: Vec<&Row> = northbound.iter().filter(|row| prefix.is_of(row.uuid)).collect();
        match candidates.len() {
            0 => self.kept_text(hint, flow),
            1 => candidates.into_iter().map(|row| self.northbound_text(row)).collect(),
            n => {
                let texts: String = candidates.into_iter().map(|row| self.northbound_text(row)).collect();
                format!("  * made for one of {n} northbound rows whose UUIDs begin with {hint}:\n{texts}")
            }
        }
    }

    /// Describes why a flow exists although its northbound row is gone. OVN-Kubernetes recreates load balancers when a
    /// service changes, with the same virtual IP.
    fn kept_text(&self, hint: &str, flow: &Flow) -> String {
        let gone = format!("  * made for northbound row {hint}…, which is gone");
        let vip = VirtualIp::of_match(&flow.matches);
        let now = self.balancers.iter().filter(|row| vip.as_ref().is_some_and(|vip| vip.is_of(row)));
        let now: String = now.map(|row| self.northbound_text(row)).collect();
        match now.as_str() {
            "" => format!("{gone}; another row still needs the flow\n"),
            now => {
                format!("{gone}; these load balancers with the same virtual IP still need the flow:\n{now}")
            }
        }
    }

    fn datapaths_text(&self, flow: &Flow, matched: Option<u64>) -> String {
        let key = matched.and_then(|key| i64::try_from(key).ok());
        let one = |datapath: &Datapath| format!("Logical datapath: {}", datapath.shown());
        let with_key =
            |it: &&Datapath| flow.is_of(it.uuid, &self.datapaths) && it.tunnel_key == key && key.is_some();
        if let Some(datapath) = self.datapaths.iter().find(with_key) {
            return one(datapath);
        }
        match (flow.datapath, flow.group) {
            (Some(uuid), _) => self
                .datapaths
                .get(uuid)
                .map_or_else(|| format!("Logical datapath: {uuid} (no such row)"), one),
            (None, Some(group)) => self.datapaths.group_heading(group),
            (None, None) => "No logical datapath".into(),
        }
    }

    fn northbound_text(&self, row: &Row) -> String {
        let mut text = format!("    * {}\n", summary(row));
        if let Some(owners) = self.owners.get(&row.uuid) {
            _ = writeln!(text, "      Referenced by: {}", owners.join(", "));
        }
        if let Some(owner) = kubernetes_owner(row) {
            _ = writeln!(text, "      Kubernetes: {owner}");
        }
        text
    }
}

fn flow(row: &Row) -> Option<Flow> {
    (row.table.name == "Logical_Flow").then(|| Flow::new(row)).flatten()
}

/// Returns all rows without duplicates.
fn rows_of(read: Vec<Rows>) -> Vec<Row> {
    let mut seen = BTreeSet::new();
    read.into_iter().flat_map(|rows| rows.rows).filter(|row| seen.insert(row.uuid)).collect()
}
