//! The tool `ip_addr_show`: the addresses of interfaces.

use crate::{
    compare::{self, identity},
    types::{self, InterfaceParam},
};
use host_net::interface::Interface;
use mcp_core::{Answer, Node, Row, RowField, Tool, ToolError};
use ovn_model::host::is_pod_interface;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{net::IpAddr, sync::Arc};

pub(crate) struct IpAddrShow;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Params {
    #[serde(flatten)]
    of: InterfaceParam,
    /// Only interfaces whose network contains this address.
    #[serde(default)]
    address: Option<String>,
}

impl Tool for IpAddrShow {
    const NAME: &'static str = "ip_addr_show";
    const TITLE: &'static str = "Addresses";
    const TOOLSET: &'static str = "network";
    const DESCRIPTION: &'static str = "Lists the addresses of each interface, or finds the interface of an \
         address.";
    type Params = Params;

    fn title(_: &Params) -> String {
        "addresses".into()
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let wanted = types::address(params.address.as_deref())?;
        let parsed = compare::interfaces(node, compare::place(node)).await?;
        Ok(Answer {
            rows: params.of.among(&parsed.rows)?.flat_map(|it| rows(it, wanted)).collect(),
            if_empty: match wanted {
                Some(wanted) => format!("no interface has {wanted} or a network that contains it"),
                None => "no interface has an address".into(),
            },
            notes: parsed.notes(),
            facts: compare::facts(node).await,
            ..Answer::default()
        })
    }
}

fn rows(interface: &Interface, wanted: Option<IpAddr>) -> Vec<Row> {
    let heading: Arc<str> = format!("{}:", interface.name).into();
    let has = |ip: IpAddr| {
        move |it: &&host_net::interface::Address| it.network().is_some_and(|net| net.contains(&ip))
    };
    let addresses = interface.addresses.iter().filter(|address| wanted.is_none_or(|ip| has(ip)(address)));
    let row = |address: &host_net::interface::Address| {
        let words: Vec<&str> = address.words.iter().map(String::as_str).take(2).collect();
        let local = address.is_link_local()
            || is_pod_interface(&interface.name)
            || compare::is_of_one(address.network());
        let attributes =
            RowField { name: "attributes".into(), values: attributes(&address.words), spanning: true };
        let identity = identity(format!("{} {}", interface.name, words.join(" ")), vec![attributes], local);
        Row::with(format!("  {}", address.text()), identity).under(&heading)
    };
    addresses.map(row).collect()
}

/// Returns the attributes of an address (`scope global`, `dadfailed`) without its remaining lifetimes.
fn attributes(words: &[String]) -> Vec<String> {
    let mut words = words.iter().skip(2).map(String::as_str);
    let mut attributes = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "valid_lft" | "preferred_lft" => _ = words.next(),
            "scope" | "brd" | "peer" | "metric" | "proto" => {
                attributes.push(format!("{word} {}", words.next().unwrap_or_default()));
            }
            word => attributes.push(word.to_owned()),
        }
    }
    attributes
}
