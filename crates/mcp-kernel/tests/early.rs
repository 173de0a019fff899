//! The data about a node in must-gathers of OpenShift 4.5 to 4.9, apart from databases.

use mcp_testing::{EarlyGather, Failed};
use serde_json::json;

#[test]
fn addresses_routes_and_rules_are_read() -> Result<(), Failed> {
    // The first versions name a file after the pod; later versions name it after the node and the pod.
    for owner in [EarlyGather::POD.to_owned(), format!("ovn-worker_{}", EarlyGather::POD)] {
        let named = |name: &str| format!("{owner}_{name}");
        let gather = EarlyGather::with(&[
            ("iptables-save_-c", &named("iptables")),
            ("ip_addr", &named("ip_addr")),
            ("ip_route", &named("ip_route")),
            ("ip_-6_route", &named("ip_6_route")),
            ("ip_-s_-d_link", &named("ip_-s_-d_link")),
        ])?;
        let answers = [
            (
                "ip_addr_show",
                json!({ "interface": "ovn-k8s-mp0" }),
                "  inet 10.244.0.2/24 brd 10.244.0.255 scope global ovn-k8s-mp0",
            ),
            (
                "ip_link_show",
                json!({ "interface": "ovn-k8s-mp0" }),
                "ovn-k8s-mp0 <BROADCAST,MULTICAST,PROMISC,UP,LOWER_UP> mtu 1400",
            ),
            ("ip_route_show", json!({}), "  10.96.0.0/16 via 169.254.0.4 dev br-ex src 169.254.0.2 mtu 1400"),
            (
                "iptables_save",
                json!({ "chain": "KUBE-FIREWALL" }),
                "-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8",
            ),
        ];
        for (tool, params, said) in answers {
            let text = gather.ask(mcp_kernel::layer(), tool, params)?;
            assert!(text.contains(said), "{tool}: {text}");
            assert!(text.contains(&format!("network_logs/{owner}_")), "{tool}: {text}");
        }
        // The answer says that only table main is known. A command that was not run gives an error.
        let text = gather.ask(mcp_kernel::layer(), "ip_route_show", json!({}))?;
        assert!(
            text.contains("fe80::/64 dev br-ex") && text.contains("note: only table main was collected"),
            "{text}"
        );
        let text = gather.ask(mcp_kernel::layer(), "ip_rule_show", json!({}))?;
        assert!(text.starts_with("error: ") && text.contains("was not collected"), "{text}");
    }
    Ok(())
}

#[test]
fn an_empty_file_may_be_a_failure() -> Result<(), Failed> {
    let gather = EarlyGather::with(&[("ip_route", "ovn-worker_ip_route")])?;
    std::fs::write(gather.log("ovn-worker_ip_addr"), "")?;
    // Every host has addresses.
    let text = gather.ask(mcp_kernel::layer(), "ip_addr_show", json!({}))?;
    assert!(text.starts_with("error: ") && text.contains("the output is empty"), "{text}");
    let text = gather.ask(mcp_kernel::layer(), "ip_route_show", json!({}))?;
    assert!(!text.contains("is empty: the command"), "{text}");
    // A host may have no IPv6 routes.
    std::fs::write(gather.log("ovn-worker_ip_6_route"), "")?;
    let text = gather.ask(mcp_kernel::layer(), "ip_route_show", json!({}))?;
    assert!(
        text.contains("ovn-worker_ip_6_route is empty: the command printed nothing, or it failed"),
        "{text}"
    );
    Ok(())
}
