//! The Kubernetes object that a northbound row was made for.

use ovsdb::Row;

/// `NetworkPolicy shop/allow-web`, `Service shop/web`, `Pod shop/web-7d`: what OVN-Kubernetes noted in `external_ids`
/// (`go-controller/pkg/libovsdb/ops/db_object_types.go`); nothing where it noted nothing.
pub fn kubernetes_owner(row: &Row) -> Option<String> {
    let id = |key| row.map_get("external_ids", key).filter(|value| !value.is_empty());
    if let (Some(kind), Some(owner)) = (id("k8s.ovn.org/kind"), id("k8s.ovn.org/owner")) {
        return Some(format!("{kind} {owner}"));
    }
    if let (Some(kind), Some(name)) = (id("k8s.ovn.org/owner-type"), id("k8s.ovn.org/name")) {
        // The parts of a name are joined with colons; egress IPs join their own name and the pod's with `_`.
        let (name, pod) = name.split_once('_').filter(|_| kind == "EgressIP").unwrap_or((name, ""));
        let of_pod = if pod.is_empty() { String::new() } else { format!(" for Pod {pod}") };
        return Some(format!("{kind} {}{of_pod}", name.replace(':', "/")));
    }
    if let (Some(namespace), Some(name)) = (id("namespace"), row.text("name")) {
        // `<namespace>_<pod>`, on other networks after the network attachment's name.
        let prefix = format!("{namespace}_");
        let (before, pod) = name.rsplit_once(&prefix)?;
        return (before.is_empty() || before.ends_with('_')).then(|| format!("Pod {namespace}/{pod}"));
    }
    id("ic-node").or(id("node")).map(|node| format!("Node {node}"))
}
