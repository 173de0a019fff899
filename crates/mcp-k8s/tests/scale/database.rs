//! Generates the databases of a zone: the schema of a real file, and rows as ovnkube-controller and ovn-northd write
//! them.

use super::{address, mac, name_of_node, name_of_pod, namespace_of, vip};
use serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};

/// The first tunnel key of a zone's own switch. The keys below belong to routers.
const FIRST_KEY: usize = 2;

/// Builds a file of `ovsdb(5)`: the schema of another file, which is its first record, and one transaction that inserts
/// all rows.
fn file(like: &[u8], rows: Map<String, Value>) -> Vec<u8> {
    let mut schema: Vec<u8> =
        like.split_inclusive(|byte| *byte == b'\n').take(2).flatten().copied().collect();
    let record = Value::Object(rows).to_string() + "\n";
    let hash: String = Sha1::digest(&record).iter().map(|byte| format!("{byte:02x}")).collect();
    schema.extend_from_slice(format!("OVSDB JSON {} {hash}\n{record}", record.len()).as_bytes());
    schema
}

fn uuid(table: usize, n: usize) -> String {
    format!("{table:08x}-0000-4000-8000-{n:012x}")
}

fn refs(uuids: impl Iterator<Item = String>) -> Value {
    json!(["set", uuids.map(|uuid| json!(["uuid", uuid])).collect::<Vec<_>>()])
}

fn map<const N: usize>(pairs: [(&str, String); N]) -> Value {
    json!(["map", pairs.map(|(key, value)| [key.to_owned(), value]).to_vec()])
}

/// Builds the northbound database of a zone. One zone lacks a backend of the first service.
pub(crate) fn northbound(like: &[u8], node: usize, nodes: usize, pods: usize, short: bool) -> Vec<u8> {
    let own = || (node..pods).step_by(nodes);
    let name = name_of_node(node);
    let mut ports = Map::new();
    for n in own() {
        ports.insert(
            uuid(1, n),
            json!({
                "name": format!("{}_{}", namespace_of(n), name_of_pod(n)),
                "addresses": format!("{} {}", mac(n, nodes), address(n, nodes)),
                "port_security": format!("{} {}", mac(n, nodes), address(n, nodes)),
                "up": true,
                "external_ids": map([("namespace", namespace_of(n)), ("pod", "true".into())]),
                "options": map([("iface-id-ver", format!("00000000-0000-4000-8000-{n:012}")), ("requested-chassis", name.clone())]),
            }),
        );
    }
    let others = || (0..nodes).filter(|other| *other != node);
    for other in others() {
        ports.insert(
            uuid(2, other),
            json!({
                "name": format!("tstor-{}", name_of_node(other)),
                "type": "remote",
                "addresses": format!("0a:58:64:58:{:02x}:{:02x} 100.88.{}.{}/16", other / 250, other % 250 + 2, other / 250, other % 250 + 2),
            }),
        );
    }
    let mut balancers = Map::new();
    for (at, service) in (0..pods).step_by(super::PODS_OF_A_NAMESPACE).enumerate() {
        let namespace = namespace_of(service);
        let missing = usize::from(short && at == 0);
        let backends: Vec<String> = super::backends(service, pods)
            .skip(missing)
            .map(|n| format!("{}:8080", address(n, nodes)))
            .collect();
        balancers.insert(
            uuid(3, at),
            json!({
                "name": format!("Service_{namespace}/web_TCP_cluster"),
                "protocol": "tcp",
                "vips": map([(&format!("{}:80", vip(at)), backends.join(","))]),
                "external_ids": map([("k8s.ovn.org/kind", "Service".into()), ("k8s.ovn.org/owner", format!("{namespace}/web"))]),
            }),
        );
    }
    let switches = json!({
        uuid(4, 0): { "name": name, "ports": refs(own().map(|n| uuid(1, n))), "load_balancer": refs(balancers.keys().cloned()),
            "other_config": map([("subnet", super::subnet(node))]) },
        uuid(4, 1): { "name": "transit_switch", "ports": refs(others().map(|other| uuid(2, other))) },
    });
    let mut rows = Map::new();
    rows.insert("_date".into(), json!(1_795_334_400_000_u64));
    rows.insert("NB_Global".into(), json!({ uuid(5, 0): { "name": name, "nb_cfg": 1 } }));
    rows.insert("Logical_Switch".into(), switches);
    rows.insert("Logical_Switch_Port".into(), ports.into());
    rows.insert("Load_Balancer".into(), balancers.into());
    file(like, rows)
}

/// Builds the southbound database of a zone, with its port bindings.
pub(crate) fn southbound(like: &[u8], node: usize, nodes: usize, pods: usize) -> Vec<u8> {
    let mut bindings = Map::new();
    for (at, n) in (node..pods).step_by(nodes).enumerate() {
        bindings.insert(
            uuid(1, n),
            json!({
                "logical_port": format!("{}_{}", namespace_of(n), name_of_pod(n)),
                "datapath": ["uuid", uuid(2, 0)],
                "chassis": ["uuid", uuid(3, 0)],
                "tunnel_key": at + FIRST_KEY,
                "up": true,
            }),
        );
    }
    let name = name_of_node(node);
    let mut rows = Map::new();
    rows.insert("_date".into(), json!(1_795_334_400_000_u64));
    rows.insert(
        "Datapath_Binding".into(),
        json!({ uuid(2, 0): { "tunnel_key": 3, "external_ids": map([("name", name.clone())]) } }),
    );
    rows.insert(
        "Encap".into(),
        json!({ uuid(4, 0): { "type": "geneve", "ip": super::address_of_node(node), "chassis_name": name } }),
    );
    rows.insert(
        "Chassis".into(),
        json!({ uuid(3, 0): { "name": name, "hostname": name, "encaps": ["uuid", uuid(4, 0)] } }),
    );
    rows.insert("Port_Binding".into(), bindings.into());
    file(like, rows)
}
