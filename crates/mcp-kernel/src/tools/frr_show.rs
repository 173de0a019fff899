//! The tool `frr_show`: routing protocols and routes of FRR.

use crate::{
    commands::{self, ALLOW},
    compare::{self, identity},
    output::text,
    secrets,
};
use mcp_core::{Answer, Argv, CommandPlace, Fact, Node, Output, Reading, Row, Tool, ToolError, argv};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct FrrShow;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The `show` command to run.
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum What {
    RunningConfig,
    BgpSummary,
    BgpRoutes,
    BgpRoutesIpv6,
    BgpNeighbors,
    IpRoute,
    Ipv6Route,
    Bfd,
    Evpn,
    EvpnSummary,
    Version,
}

impl What {
    /// Returns the command, and the form of it that reports record, which lacks `-u` (the restriction to the user
    /// view) and `--histfile`.
    fn command(self) -> (Argv, &'static str) {
        match self {
            // The user view cannot show the configuration, so this command runs without `-u`.
            Self::RunningConfig => (
                argv!(ALLOW: "vtysh", "--histfile=/dev/null", "-c", "show running-config"),
                "vtysh -c show running-config",
            ),
            Self::BgpSummary => (
                argv!(ALLOW: "vtysh", "--histfile=/dev/null", "-u", "-c", "show bgp vrf all summary"),
                "vtysh -c show bgp summary",
            ),
            Self::BgpRoutes => (
                argv!(ALLOW: "vtysh", "--histfile=/dev/null", "-u", "-c", "show bgp ipv4 unicast"),
                "vtysh -c show bgp ipv4 unicast",
            ),
            Self::BgpRoutesIpv6 => (
                argv!(ALLOW: "vtysh", "--histfile=/dev/null", "-u", "-c", "show bgp ipv6 unicast"),
                "vtysh -c show bgp ipv6 unicast",
            ),
            Self::BgpNeighbors => (
                argv!(ALLOW: "vtysh", "--histfile=/dev/null", "-u", "-c", "show bgp neighbors"),
                "vtysh -c show bgp neighbors",
            ),
            Self::IpRoute => (
                argv!(ALLOW: "vtysh", "--histfile=/dev/null", "-u", "-c", "show ip route vrf all"),
                "vtysh -c show ip route",
            ),
            Self::Ipv6Route => (
                argv!(ALLOW: "vtysh", "--histfile=/dev/null", "-u", "-c", "show ipv6 route vrf all"),
                "vtysh -c show ipv6 route",
            ),
            // The user view cannot show BFD either.
            Self::Bfd => (
                argv!(ALLOW: "vtysh", "--histfile=/dev/null", "-c", "show bfd peers"),
                "vtysh -c show bfd peers",
            ),
            Self::Evpn => (
                argv!(ALLOW: "vtysh", "--histfile=/dev/null", "-u", "-c", "show evpn vni"),
                "vtysh -c show evpn vni",
            ),
            Self::EvpnSummary => (
                argv!(ALLOW: "vtysh", "--histfile=/dev/null", "-u", "-c", "show bgp l2vpn evpn summary"),
                "vtysh -c show bgp l2vpn evpn summary",
            ),
            Self::Version => (
                argv!(ALLOW: "vtysh", "--histfile=/dev/null", "-u", "-c", "show version"),
                "vtysh -c show version",
            ),
        }
    }
}

impl Tool for FrrShow {
    const NAME: &'static str = "frr_show";
    const TITLE: &'static str = "FRR";
    const TOOLSET: &'static str = "routing";
    const DESCRIPTION: &'static str = "Shows the BGP, BFD and EVPN state, the routes or the configuration \
         of FRR.";
    type Params = Params;

    fn title(params: &Params) -> String {
        let (_, command) = params.what.command();
        format!("FRR: {}", command.trim_start_matches("vtysh -c "))
    }

    async fn run(node: &Node<'_>, params: &Params) -> Result<Answer, ToolError> {
        let lines = |output: Output| -> Vec<String> { text(&output).lines().map(str::to_owned).collect() };
        let (command, recorded) = params.what.command();
        let mut readings = vec![
            Reading::command(CommandPlace::Host, command, lines),
            Reading::recorded(CommandPlace::Host, recorded, lines),
        ];
        let config = params.what == What::RunningConfig;
        if config {
            // The file is what FRR reads at its next start, and may differ from the running configuration.
            readings.push(Reading::command(CommandPlace::Host, commands::frr_file(), lines));
        }
        let lines: Vec<String> = node.first(readings).await?;
        let shown = lines.iter().map(|line| secrets::without_passwords(line));
        let shown = shown.filter(|line| {
            !matches!(line.trim(), "" | "!" | "Building configuration..." | "Current configuration:")
        });
        Ok(Answer {
            rows: shown.map(|line| Row::with(line.clone(), identity(line, Vec::new(), !config))).collect(),
            if_empty: "FRR answered with an empty list".into(),
            notes: Vec::new(),
            facts: compare::facts(node)
                .await
                .into_iter()
                .chain(lines.iter().filter_map(|line| own(line)))
                .collect(),
            ..Answer::default()
        })
    }
}

/// Returns the value that a line of the configuration defines for this node only, such as its BGP router ID. The
/// configuration of its peers contains the same value.
fn own(line: &str) -> Option<Fact> {
    let (kind, value) = match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["bgp", "router-id", id] => ("BGP router ID", (*id).to_owned()),
        ["network", prefix] => ("BGP network", (*prefix).to_owned()),
        _ => return None,
    };
    Some(Fact { kind: kind.into(), value, field: None })
}
