//! The tool `host_counters`: counters and settings of the kernel.

use crate::{
    commands,
    compare::{self, identity},
    counter::{self, KernelValue},
    output::{text, understood},
    types,
};
use host_net::lines::Parsed;
use mcp_core::{
    Answer, Argv, CounterDelta, Many, Node, Output, Reading, Row, RowField, Tool, ToolError,
    argv::InterfaceName,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The setting that sysctl prints although it is a state: the number of connections.
const CONNECTIONS: &str = "net.netfilter.nf_conntrack_count";

pub(crate) struct HostCounters;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The group of counters or settings. `ethtool` and `features` need `interface`.
    what: What,
    /// Interface. With `sysctl`, only its settings are shown.
    #[serde(default)]
    interface: Option<String>,
    /// Part of the name. With `sysctl`, it searches all settings.
    #[serde(default)]
    name: Option<String>,
    /// Also shows counters that are 0.
    #[serde(default)]
    zeros: bool,
    /// Shows the growth of each counter during this time. Needs a live node.
    #[serde(default)]
    #[schemars(range(min = 1, max = 120))]
    delta_seconds: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum What {
    Nstat,
    Ethtool,
    Features,
    Softnet,
    Conntrack,
    Xfrm,
    Sysctl,
}

impl What {
    /// Returns the name of the group in headings and errors.
    fn name(self) -> &'static str {
        match self {
            Self::Nstat => "protocol counters",
            Self::Ethtool => "driver counters",
            Self::Features => "driver features",
            Self::Softnet => "receive counters by processor",
            Self::Conntrack => "conntrack statistics",
            Self::Xfrm => "IPsec counters",
            Self::Sysctl => "kernel settings",
        }
    }

    /// Returns true if the group contains settings and not counters.
    fn is_setting(self) -> bool {
        matches!(self, Self::Features | Self::Sysctl)
    }
}

impl Tool for HostCounters {
    const NAME: &'static str = "host_counters";
    const TITLE: &'static str = "Kernel counters and settings";
    const TOOLSET: &'static str = "counters";
    const DESCRIPTION: &'static str = "Shows kernel counters, such as drops and errors, or kernel \
         settings (sysctl, driver features).";
    type Params = Params;

    fn title(params: &Params) -> String {
        match (&params.interface, params.what) {
            (Some(name), What::Ethtool | What::Features) => format!("{} of {name}", params.what.name()),
            _ => params.what.name().into(),
        }
    }

    fn many(params: &Params) -> Many {
        match params.what.is_setting() {
            true => Many::Compare,
            false => Many::Each { because: "each node has its own counters" },
        }
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let hint = "Pass the name of an interface. ip_link_show lists them.";
        let interface = types::parsed::<InterfaceName>("interface", params.interface.as_deref(), hint)?;
        if let Some(seconds) = params.delta_seconds {
            if params.what.is_setting() {
                let problem = "delta_seconds measures counters, and these are settings";
                return Err(ToolError::bad(problem, "Omit delta_seconds."));
            }
            let sample = || async {
                let parsed = read(node, params.what, interface.as_ref()).await?;
                Ok::<_, ToolError>(counter::counters(&parsed.rows))
            };
            return Ok(CounterDelta::sample(node, seconds, sample).await?.answer());
        }
        let parsed = read(node, params.what, interface.as_ref()).await?;
        let all = parsed.rows.len();
        let shown: Vec<&KernelValue> = parsed.rows.iter().filter(|it| is_shown(it, params)).collect();
        let mut notes = parsed.notes();
        let named = parsed.rows.iter().filter(|it| is_named(it, params)).count();
        if params.what == What::Sysctl && params.name.is_none() {
            notes.push(format!(
                "only the {} of {all} settings that matter to OVN-Kubernetes are shown; to search all settings, pass \
                 name, for example name=ip_local",
                shown.len()
            ));
        } else if shown.len() < named {
            notes.push(format!("{} counters are 0; zeros=true shows them", named - shown.len()));
        }
        let is_own = |it: &&&KernelValue| node.is_compared() && it.name == CONNECTIONS;
        let not_compared =
            shown.iter().filter(is_own).map(|it| format!("{} (each node has its own)", it.name)).collect();
        let width = shown.iter().map(|it| it.name.chars().count()).max().unwrap_or(0).min(60);
        Ok(Answer {
            rows: rows(&shown, width, params.what, node.is_compared()),
            if_empty: match &params.name {
                Some(name) if named == 0 => format!("no name contains `{name}`; {all} values were read"),
                _ => format!("all {named} values are 0"),
            },
            notes,
            facts: compare::facts(node).await,
            not_compared,
            ..Answer::default()
        })
    }
}

/// Returns true if the value matches the parameters `name` and `interface`. The name ignores case.
fn is_named(it: &KernelValue, params: &Params) -> bool {
    let of = params.interface.as_deref().filter(|_| params.what == What::Sysctl);
    let name = params.name.as_deref().unwrap_or_default().to_lowercase();
    it.name.to_lowercase().contains(&name) && of.is_none_or(|of| counter::interface_of(&it.name) == Some(of))
}

fn is_shown(it: &KernelValue, params: &Params) -> bool {
    if !is_named(it, params) {
        return false;
    }
    match params.what {
        What::Sysctl => params.name.is_some() || counter::matters(&it.name),
        What::Features => true,
        _ => params.zeros || !it.is_zero(),
    }
}

async fn read(
    node: &Node<'_>,
    what: What,
    interface: Option<&InterfaceName>,
) -> Result<Parsed<KernelValue>, ToolError> {
    let of = || {
        let hint = "ip_link_show lists the interfaces.";
        interface.ok_or_else(|| {
            ToolError::bad("parameter `interface` is missing: driver values belong to one interface", hint)
        })
    };
    type Parser = fn(&str) -> Parsed<KernelValue>;
    let (command, parse): (Argv, Parser) = match what {
        What::Nstat => (commands::protocol_counters(), counter::parse_nstat),
        What::Ethtool => (commands::driver_counters(of()?), counter::parse_ethtool),
        What::Features => (commands::driver_features(of()?), counter::parse_ethtool),
        What::Softnet => (commands::softnet(), counter::parse_softnet),
        What::Conntrack => (commands::connection_statistics(), counter::parse_conntrack),
        What::Xfrm => (commands::xfrm_counters(), counter::parse_xfrm),
        What::Sysctl => (commands::settings(), counter::parse_sysctl),
    };
    let place = compare::place(node);
    let reading = Reading::command(place, command, move |output: Output| parse(&text(&output)));
    Ok(understood(what.name(), node.first(vec![reading]).await?)?)
}

/// Returns the rows of values. A comparison has one row for all settings of an interface, so that an interface that a
/// node lacks is one difference.
fn rows(shown: &[&KernelValue], width: usize, what: What, is_compared: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut interfaces: BTreeMap<&str, Vec<&KernelValue>> = BTreeMap::new();
    for it in shown.iter().filter(|it| !(is_compared && it.name == CONNECTIONS)) {
        match counter::interface_of(&it.name).filter(|_| is_compared && what.is_setting()) {
            Some(interface) => interfaces.entry(interface).or_default().push(it),
            None => rows.push(row(it, width, what)),
        }
    }
    rows.extend(
        interfaces.into_iter().map(|(interface, settings)| of_interface(interface, &settings, width)),
    );
    rows
}

fn line(it: &KernelValue, width: usize) -> String {
    format!("{:<width$}  {}", it.name, it.value)
}

fn of_interface(interface: &str, settings: &[&KernelValue], width: usize) -> Row {
    let text: Vec<String> = settings.iter().map(|it| line(it, width)).collect();
    let fields = settings.iter().map(|it| RowField::one(&it.name, &it.value)).collect();
    let local = ovn_model::host::is_pod_interface(interface);
    Row::with(text.join("\n"), identity(format!("settings of {interface}"), fields, local))
}

fn row(it: &KernelValue, width: usize, what: What) -> Row {
    let KernelValue { name, value } = it;
    Row::with(line(it, width), identity(name, vec![RowField::one("value", value)], !what.is_setting()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<Row> {
        let values = counter::parse_sysctl(text).rows;
        rows(&values.iter().collect::<Vec<_>>(), 0, What::Sysctl, true)
    }

    #[test]
    fn the_settings_of_an_interface_are_compared_as_one_row_and_the_connections_are_not_compared() {
        let text = "net.ipv4.conf.eth1.rp_filter = 0\nnet.ipv4.ip_forward = 1\nnet.ipv4.conf.eth1.forwarding = 1\n\
                    net.ipv6.conf.eth1.forwarding = 1\nnet.netfilter.nf_conntrack_count = 77\n";
        let rows = of(text);
        let keys: Vec<(&str, usize, bool)> = rows
            .iter()
            .filter_map(|row| row.identity.as_ref())
            .map(|it| (it.key.as_str(), it.fields.len(), it.local))
            .collect();
        assert_eq!(keys, [("net.ipv4.ip_forward", 1, false), ("settings of eth1", 3, false),]);
        let text: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        assert!(text.contains(&"net.ipv4.conf.eth1.rp_filter  0\nnet.ipv4.conf.eth1.forwarding  1\nnet.ipv6.conf.eth1.forwarding  1"), "{text:?}");
    }
}
