//! The Kubernetes object that a northbound row was made for.

use ovsdb::Row;

/// Returns the object that OVN-Kubernetes noted in `external_ids`, or `None` if it noted nothing.
///
/// Examples are `NetworkPolicy shop/allow-web`, `Service shop/web` and `Pod shop/web-7d`. See
/// `go-controller/pkg/libovsdb/ops/db_object_types.go`.
pub fn kubernetes_owner(row: &Row) -> Option<String> {
    let id = |key| row.map_get("external_ids", key).filter(|value| !value.is_empty());
    if let (Some(kind), Some(owner)) = (id("k8s.ovn.org/kind"), id("k8s.ovn.org/owner")) {
        return Some(format!("{kind} {owner}"));
    }
    if let (Some(kind), Some(name)) = (id("k8s.ovn.org/owner-type"), id("k8s.ovn.org/name")) {
        // Colons join the parts of a name. Egress IPs join their own name and the pod's with `_`.
        let (name, pod) = name.split_once('_').filter(|_| kind == "EgressIP").unwrap_or((name, ""));
        let of_pod = if pod.is_empty() { String::new() } else { format!(" for Pod {pod}") };
        return Some(format!("{kind} {}{of_pod}", name.replace(':', "/")));
    }
    if let (Some(namespace), Some(name)) = (id("namespace"), row.text("name")) {
        // `<namespace>_<pod>`, which on other networks follows the name of the network attachment.
        let prefix = format!("{namespace}_");
        let (before, pod) = name.rsplit_once(&prefix)?;
        return (before.is_empty() || before.ends_with('_')).then(|| format!("Pod {namespace}/{pod}"));
    }
    id("ic-node").or(id("node")).map(|node| format!("Node {node}"))
}
