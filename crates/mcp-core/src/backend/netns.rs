//! Finds the network namespace of a pod.
//!
//! A pod's interface is one end of a veth pair. The other end is a port of the integration bridge. OVN-Kubernetes
//! writes `iface-id=<namespace>_<pod>` to the row of that port in `conf.db`. `ip -d link` names the namespace of the
//! other end, if that namespace has a name in `/run/netns`. Container runtimes name it (CRI-O, containerd:
//! `cni-<uuid>`).

use super::ReadError;
use crate::{CommandTarget, PodRef};
use ovsdb::{Condition, Rows, Select};

/// The select that reads the port of a pod from `conf.db`.
pub(super) fn select(pod: &PodRef) -> Select {
    Select::from("Interface").columns(["name"]).filter(Condition::map_has(
        "external_ids",
        "iface-id",
        port_of(pod).as_str(),
    ))
}

/// The name of the port's interface in these rows.
pub(super) fn of_rows(rows: &Rows) -> Option<String> {
    rows.rows.iter().find_map(|row| row.text("name")).map(str::to_owned)
}

/// The name of the port's interface in the output of `ovs-vsctl list interface`.
pub(super) fn of_listing(text: &str, pod: &PodRef) -> Option<String> {
    let port = port_of(pod);
    let column = |record: &str, name: &str| {
        let line = record.lines().find(|line| line.split(':').next().is_some_and(|it| it.trim() == name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let is = |record: &&str| {
        let ids = column(record, "external_ids").unwrap_or_default();
        let ids = ids.trim_matches(['{', '}']).split(", ").filter_map(|pair| pair.split_once('='));
        ids.into_iter().any(|(key, value)| key == "iface-id" && value.trim_matches('"') == port)
    };
    text.split("\n\n").find(is).and_then(|record| Some(column(record, "name")?.trim_matches('"').to_owned()))
}

fn port_of(pod: &PodRef) -> String {
    format!("{}_{}", pod.namespace, pod.name)
}

/// Finds the name of the namespace from the pod's port and the output of `ip -d link`.
///
/// # Errors
/// Returns [`ReadError::NotCollected`], whose reason says what is missing.
pub(super) fn name(
    at: &CommandTarget,
    pod: &PodRef,
    port: Option<&str>,
    links: &str,
    source: &str,
) -> Result<String, ReadError> {
    let missing = |why: String| ReadError::NotCollected {
        what: format!("the network namespace of pod {pod}"),
        node: at.node.clone(),
        source_name: source.into(),
        why: Some(why),
        instead: Vec::new(),
    };
    let Some(port) = port else {
        return Err(missing(format!(
            "no Open vSwitch interface has iface-id={}: the pod uses the host's network or has no port",
            port_of(pod)
        )));
    };
    match peer(links, port) {
        Some(Peer::Named(name)) => Ok(name.into()),
        Some(Peer::Unnamed) => {
            Err(missing(format!("the network namespace of the peer of {port} has no name in /run/netns")))
        }
        None => Err(missing(format!("its port {port} is not among the node's network interfaces"))),
    }
}

/// The names of all interfaces in the output of `ip -d link`. An interface can have several names.
pub(crate) fn interfaces(links: &str) -> impl Iterator<Item = &str> {
    links.lines().filter_map(|line| {
        if let Some(other) = line.trim_start().strip_prefix("altname ") {
            return Some(other.trim());
        }
        let name = line.strip_prefix(|c: char| c.is_ascii_digit())?.split(' ').nth(1)?.strip_suffix(':')?;
        Some(name.split('@').next().unwrap_or(name))
    })
}

/// The namespace of an interface's peer.
#[derive(Debug, PartialEq, Eq)]
enum Peer<'a> {
    Named(&'a str),
    Unnamed,
}

/// Finds the peer namespace of an interface in the output of `ip -d link`: the line of the interface and the indented
/// lines below it.
fn peer<'a>(links: &'a str, interface: &str) -> Option<Peer<'a>> {
    let is = |line: &&str| {
        let name = line.split(' ').nth(1).map(|name| name.trim_end_matches(':'));
        name.map(|name| name.split('@').next().unwrap_or(name)) == Some(interface)
    };
    let mut lines = links.lines().skip_while(|line| line.starts_with(' ') || !is(line));
    lines.next()?;
    let details = lines.take_while(|line| line.starts_with(' ')).flat_map(str::split_whitespace);
    let name = details.skip_while(|word| *word != "link-netns").nth(1);
    // The name becomes a component of a path.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    Some(match name.filter(|name| name.chars().all(plain) && !name.starts_with('.')) {
        Some(name) => Peer::Named(name),
        None => Peer::Unnamed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_of_a_pod_is_found_in_a_listing() {
        let text = "_uuid               : 7\nexternal_ids        : {iface-id=shop_web-10, sandbox=\"a\"}\nname                : a10\n\n\
                    _uuid               : 8\nexternal_ids        : {attached_mac=\"0a:58\", iface-id=shop_web-1}\nname                : \"090d3c91b7564bc\"\n";
        let of = |pod: &str| of_listing(text, &pod.parse().unwrap());
        assert_eq!(of("shop/web-1").as_deref(), Some("090d3c91b7564bc"));
        assert_eq!(of("shop/web"), None);
    }

    #[test]
    fn interfaces_are_listed_with_their_altnames() {
        let links = "1: lo: <LOOPBACK,UP> mtu 65536\n    link/loopback 00:00:00:00:00:00\n2: eth0@if14: <UP> mtu 1500\n    \
                     link/ether 02:00:00:00:00:01\n    altname enp0s3\n10: br-ex: <UP> mtu 1500\n";
        assert_eq!(interfaces(links).collect::<Vec<_>>(), ["lo", "eth0", "enp0s3", "br-ex"]);
    }

    #[test]
    fn the_peer_namespace_may_have_no_name() {
        let links = "2: eth0@if14: <UP> mtu 1500\n    link/ether 02:00:00:00:00:01 link-netnsid 0 promiscuity 1\n\
                     18: 593cbb593dfe40b@if2: <UP> mtu 1400\n    link/ether 76:90:53:61:cd:40 link-netns cni-7398b2dc promiscuity 1\n    \
                     veth numtxqueues 2\n19: x@if2: <UP> mtu 1400\n    link/ether 02:00:00:00:00:02 link-netns ../../etc promiscuity 1\n";
        assert_eq!(peer(links, "593cbb593dfe40b"), Some(Peer::Named("cni-7398b2dc")));
        assert_eq!(peer(links, "eth0"), Some(Peer::Unnamed));
        assert_eq!(peer(links, "x"), Some(Peer::Unnamed));
        assert_eq!(peer(links, "593cbb"), None);
    }
}
