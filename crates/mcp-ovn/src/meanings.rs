//! The meanings of the names of port groups and address sets, which OVN-Kubernetes makes from hashes.

use mcp_core::{Db, Node};
use ovn_model::label;
use ovsdb::{Row, Select};
use std::collections::BTreeMap;

/// Returns the owners of the port groups (`@a7401…`) and address sets (`$a7401…`) that these texts may name. It reads
/// nothing if the texts name none.
pub(crate) async fn of_sets<'a>(
    node: &Node<'_>,
    mut texts: impl Iterator<Item = &'a str>,
) -> BTreeMap<String, String> {
    // ovn-architecture(7) and ovn-nb(5), ACL: `@` refers to a port group and `$` to an address set.
    if !texts.any(|text| text.contains("@a") || text.contains("$a")) {
        return BTreeMap::new();
    }
    let select = |table: &str| Select::from(table).columns(["name", "external_ids"]);
    // Without the northbound database the names stay as they are, which is not a gap in the answer.
    let read = node.rows(Db::Nb, &[select("Port_Group"), select("Address_Set")]).await.unwrap_or_default();
    let of_table = |mark: char, at: usize| {
        let rows = read.get(at).into_iter().flat_map(|rows| &rows.rows);
        rows.filter_map(move |row| Some((format!("{mark}{}", row.text("name")?), owner(row)?)))
    };
    of_table('@', 0).chain(of_table('$', 1)).collect()
}

/// Returns the owner in the label of a row, such as `NetpolNamespace:shop:Ingress`.
fn owner(row: &Row) -> Option<String> {
    let label = label(row);
    let (_, owner) = label.split_once(" (")?;
    Some(owner.strip_suffix(')')?.to_owned())
}
