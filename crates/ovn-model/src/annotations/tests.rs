use super::*;
use serde_json::json;

/// The annotations of the capture's nodes and pods.
fn worker() -> Value {
    json!({ "metadata": { "annotations": {
        "k8s.ovn.org/host-cidrs": r#"["172.18.0.3/16"]"#,
        "k8s.ovn.org/l3-gateway-config": r#"{"default":{"mode":"shared","bridge-id":"br-ex","interface-id":"br-ex_ovn-worker","mac-address":"d2:84:7a:80:c7:57","ip-addresses":["172.18.0.3/16"],"ip-address":"172.18.0.3/16","next-hops":["172.18.0.1"],"next-hop":"172.18.0.1","node-port-enable":"true","vlan-id":"0"}}"#,
        "k8s.ovn.org/node-chassis-id": "df523cc5-4e30-4f51-a0e2-eb3087c74473",
        "k8s.ovn.org/node-encap-ips": r#"["172.18.0.3"]"#,
        "k8s.ovn.org/node-id": "2",
        "k8s.ovn.org/node-primary-ifaddr": r#"{"ipv4":"172.18.0.3/16"}"#,
        "k8s.ovn.org/node-subnets": r#"{"blue_l3-secondary":["10.201.1.0/24"],"default":["10.244.1.0/24"]}"#,
        "k8s.ovn.org/node-transit-switch-port-ifaddr": r#"{"ipv4":"100.88.0.2/16"}"#,
        "node.alpha.kubernetes.io/ttl": "0",
    } } })
}

#[test]
fn annotations_of_a_node() {
    let all = NodeAnnotations::of(&worker());
    assert_eq!(all.zone, None);
    assert_eq!(all.chassis_id.as_deref(), Some("df523cc5-4e30-4f51-a0e2-eb3087c74473"));
    assert_eq!(all.subnets["default"], ["10.244.1.0/24".parse().unwrap()]);
    assert_eq!(all.subnets["blue_l3-secondary"], ["10.201.1.0/24".parse().unwrap()]);
    assert_eq!(all.transit, ["100.88.0.2/16".parse().unwrap()]);
    assert_eq!(all.encap_ips, ["172.18.0.3".parse::<IpAddr>().unwrap()]);
    assert_eq!((all.primary.len(), all.host_cidrs.len()), (1, 1));
    assert_eq!(
        all.gateways["default"].to_string(),
        "shared, br-ex (br-ex_ovn-worker) 172.18.0.3/16, next hop 172.18.0.1, mac d2:84:7a:80:c7:57, node ports enabled"
    );
    assert!(all.unreadable.is_empty());
}

#[test]
fn older_and_broken_forms() {
    let node = json!({ "metadata": { "annotations": {
        "k8s.ovn.org/node-subnets": r#"{"default":"10.244.1.0/24"}"#,
        "k8s.ovn.org/node-primary-ifaddr": r#"{"ipv4":"172.18.0.3/16","ipv6":"fc00::3/64"}"#,
        "k8s.ovn.org/host-cidrs": "[172.18.0.3/16",
        "k8s.ovn.org/zone-name": "global",
    } } });
    let all = NodeAnnotations::of(&node);
    assert_eq!(all.subnets["default"], ["10.244.1.0/24".parse().unwrap()]);
    assert_eq!(all.primary.len(), 2);
    assert_eq!(all.zone.as_deref(), Some("global"));
    assert_eq!(all.unreadable, [("k8s.ovn.org/host-cidrs".into(), "[172.18.0.3/16".into())]);
    assert_eq!(NodeAnnotations::of(&json!({})), NodeAnnotations::default());
}

const NETWORKS: &str = r#"{"blue/l2-secondary":{"ip_addresses":["10.200.0.2/16"],"mac_address":"0a:58:0a:c8:00:02","ip_address":"10.200.0.2/16","tunnel_id":11,"role":"secondary"},"default":{"ip_addresses":["10.244.0.6/24"],"mac_address":"0a:58:0a:f4:00:06","gateway_ips":["10.244.0.1"],"routes":[{"dest":"10.244.0.0/16","nextHop":"10.244.0.1"},{"dest":"10.96.0.0/16","nextHop":"10.244.0.1"}],"ip_address":"10.244.0.6/24","gateway_ip":"10.244.0.1","role":"primary"}}"#;

#[test]
fn networks_of_a_pod() {
    let pod = json!({ "metadata": { "annotations": { POD_NETWORKS: NETWORKS } } });
    let all = pod_networks(&pod);
    let shown: Vec<_> = all.networks.iter().map(PodNetwork::to_string).collect();
    assert_eq!(
        shown,
        [
            "default: 10.244.0.6/24 0a:58:0a:f4:00:06 primary, gateway 10.244.0.1, routes 10.244.0.0/16,10.96.0.0/16 via 10.244.0.1",
            "blue/l2-secondary: 10.200.0.2/16 0a:58:0a:c8:00:02 secondary, tunnel key 11",
        ]
    );
    assert!(all.is_annotated && all.unreadable.is_empty());
    assert_eq!(pod_networks(&json!({})), PodNetworks::default());
    let broken = pod_networks(&json!({ "metadata": { "annotations": { POD_NETWORKS: "{" } } }));
    assert_eq!((broken.networks.len(), broken.unreadable), (0, vec!["{".to_owned()]));
}

/// A network without address management has `null` for its addresses, and a network of an unknown form does not hide
/// the others.
#[test]
fn networks_are_parsed_separately() {
    let text = r#"{"blue/l2":{"ip_addresses":null,"mac_address":"0a:58:c0:a8:00:02","role":"secondary","routes":null},"default":{"ip_addresses":["10.244.0.6/24"],"mac_address":"0a:58:0a:f4:00:06"},"new/form":{"ip_addresses":7}}"#;
    let all = pod_networks(&json!({ "metadata": { "annotations": { POD_NETWORKS: text } } }));
    let shown: Vec<_> = all.networks.iter().map(PodNetwork::to_string).collect();
    assert_eq!(
        shown,
        ["default: 10.244.0.6/24 0a:58:0a:f4:00:06", "blue/l2: none 0a:58:c0:a8:00:02 secondary"]
    );
    assert_eq!(all.unreadable, [r#"new/form: {"ip_addresses":7}"#]);
    let node = json!({ "metadata": { "annotations": {
        "k8s.ovn.org/host-cidrs": "null",
        "k8s.ovn.org/node-subnets": r#"{"default":null}"#,
        "k8s.ovn.org/node-masquerade-subnet": r#"{"ipv4":"169.254.0.0/17","ipv6":null}"#,
    } } });
    let node = NodeAnnotations::of(&node);
    assert!(node.unreadable.is_empty() && node.subnets["default"].is_empty(), "{node:?}");
    assert_eq!(node.masquerade, ["169.254.0.0/17".parse().unwrap()]);
}

#[test]
fn annotations_are_readable_or_unchanged() {
    for (key, text, shown) in [
        (
            "k8s.ovn.org/node-subnets",
            r#"{"blue":["10.1.0.0/24","fd00::/64"],"default":"10.2.0.0/24"}"#,
            "blue: 10.1.0.0/24, fd00::/64; default: 10.2.0.0/24",
        ),
        ("k8s.ovn.org/host-cidrs", r#"["172.18.0.3/16"]"#, "172.18.0.3/16"),
        ("k8s.ovn.org/acl-logging", r#"{"deny":"info"}"#, "deny: info"),
        ("k8s.ovn.org/tunnel-keys", "[]", "none"),
        (
            "k8s.v1.cni.cncf.io/network-status",
            r#"[{"name":"blue/l2","interface":"net1","ips":["10.200.0.2"],"mac":"0a:58","dns":{}}]"#,
            "net1 blue/l2 10.200.0.2 0a:58",
        ),
    ] {
        assert_eq!(readable(key, text).as_deref(), Some(shown), "{key}");
    }
    for (key, text) in [
        ("k8s.ovn.org/node-id", "2"),
        ("k8s.ovn.org/pod-networks", "{"),
        ("k8s.ovn.org/zone-name", "a"),
        ("example.org/x", "[1]"),
    ] {
        assert_eq!(readable(key, text), None, "{key}");
    }
}
