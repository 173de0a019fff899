//! Outputs of commands in a must-gather, which its scripts ran in the pods of IPsec and FRR.
//!
//! `gather_network_logs` writes files such as `network_logs/ipsec/xfrm/<pod>_state.log`. `gather_frrk8s` writes one
//! file per pod with one section per command: `namespaces/openshift-frr-k8s/pods/<pod>/frr/frr/logs/dump_frr`;
//! `gather_metallb` does the same for the speakers of MetalLB. Up to OpenShift 4.9, `gather_network_logs` wrote more
//! data of each node directly into `network_logs` ([`early`]).

use super::CommandKey;
use crate::{
    NodeName,
    backend::{bundle::files::Files, coverage::DataArea},
};
use jiff::Timestamp;

/// The output of a command, or a copy of a file.
pub(crate) struct Gathered {
    pub(crate) node: NodeName,
    /// The area that it belongs to.
    pub(crate) area: DataArea,
    /// The command, if this is the output of a command.
    pub(crate) essence: Option<CommandKey>,
    /// The path of the file on the node, if this is a copy of a file.
    pub(crate) copy_of: Option<String>,
    /// The section of the file, if the file has several.
    pub(crate) section: Option<&'static str>,
    /// The path in the bundle.
    pub(crate) path: String,
    /// The path in answers.
    pub(crate) shown: String,
    pub(crate) when: Option<Timestamp>,
}

/// The content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GatheredContent {
    Output(&'static str),
    Copy(&'static str),
    /// The section of a command: the title of the section, and the command.
    Section(&'static str, &'static str),
}

/// The sections of the file that `gather_frrk8s` writes, in their order, and the vtysh commands.
const SECTIONS: [GatheredContent; 5] = [
    GatheredContent::Section("show running-config", "vtysh -c show running-config"),
    GatheredContent::Section("show bgp ipv4", "vtysh -c show bgp ipv4 unicast"),
    GatheredContent::Section("show bgp ipv6", "vtysh -c show bgp ipv6 unicast"),
    GatheredContent::Section("show bgp neighbor", "vtysh -c show bgp neighbors"),
    GatheredContent::Section("show bfd peer", "vtysh -c show bfd peers"),
];

/// The namespaces whose pods run FRR.
const FRR: [&str; 3] = ["/openshift-frr-k8s/pods/", "/frr-k8s-system/pods/", "/metallb-system/pods/"];

/// Recognizes a file of FRR, whose configuration and outputs are among its logs. Returns the pod and the rest of the
/// path.
pub(super) fn of_frr(path: &str) -> Option<(&str, &str)> {
    FRR.iter().find_map(|folder| path.split_once(folder))?.1.split_once('/')
}

/// Returns the pod whose output a file contains, and the content of the file.
pub(super) fn kept(path: &str) -> Option<(&str, Vec<GatheredContent>)> {
    const IPSEC: &str = "network_logs/ipsec/";
    if let Some((_, rest)) = path.split_once(IPSEC) {
        let ends = [
            ("xfrm/", "_state.log", GatheredContent::Output("ip xfrm state")),
            ("xfrm/", "_policy.log", GatheredContent::Output("ip xfrm policy")),
            ("status/", ".log", GatheredContent::Output("ipsec status")),
            ("trafficstatus/", ".log", GatheredContent::Output("ipsec trafficstatus")),
            ("", "_ipsec.d/openvswitch.conf", GatheredContent::Copy("/etc/ipsec.d/openvswitch.conf")),
            ("", "_ipsec.conf", GatheredContent::Copy("/etc/ipsec.conf")),
        ];
        let of = |(folder, end, kept)| {
            let pod: &str = rest.strip_prefix(folder)?.strip_suffix(end)?;
            (!pod.contains('/')).then(|| (pod, vec![kept]))
        };
        return ends.into_iter().find_map(of);
    }
    let (pod, file) = of_frr(path)?;
    match file {
        "frr/frr/logs/dump_frr" => Some((pod, SECTIONS.to_vec())),
        "frr/frr/logs/frr.conf" => Some((pod, vec![GatheredContent::Copy("/etc/frr/frr.conf")])),
        _ => None,
    }
}

/// Recognizes the files of a node in must-gathers of OpenShift 4.5 to 4.9. Returns the owner, which precedes the kind
/// of data in the file's name: the pod of ovnkube-node, the node and that pod (`<node>_<pod>_ip_addr`), or the node.
pub(super) fn early(path: &str) -> Option<(&str, GatheredContent)> {
    const ENDS: [(&str, &str); 12] = [
        ("_iptables", "iptables-save -c"),
        ("_ip_addr", "ip addr"),
        ("_ip_route", "ip route"),
        ("_ip_6_route", "ip -6 route"),
        ("_ip_-s_-d_link", "ip -s -d link"),
        ("_ovs_ofctl_dump_ports_br_int", "ovs-ofctl dump-ports-desc br-int"),
        ("_ovs_ofctl_dump_ports_br_local", "ovs-ofctl dump-ports-desc br-local"),
        ("_ovs_ofctl_dump_ports_br_ex", "ovs-ofctl dump-ports-desc br-ex"),
        ("_ovs_ofctl_dump_flows_br_int", "ovs-ofctl dump-flows br-int"),
        ("_ovs_ofctl_dump_flows_br_local", "ovs-ofctl dump-flows br-local"),
        ("_ovs_ofctl_dump_flows_br_ex", "ovs-ofctl dump-flows br-ex"),
        ("_ovs_dump", "ovs-vsctl show"),
    ];
    let name = in_network_logs(path)?;
    ENDS.iter().find_map(|(end, command)| Some((name.strip_suffix(end)?, GatheredContent::Output(command))))
}

/// The name of a file that is directly in `network_logs`.
pub(super) fn in_network_logs(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once('/')?;
    (folder.rsplit('/').next() == Some("network_logs")).then_some(name)
}

impl GatheredContent {
    /// The area that the content belongs to.
    fn area(self, path: &str) -> DataArea {
        match self {
            _ if of_frr(path).is_some() => DataArea::Frr,
            Self::Output(command) if command.starts_with("ovs-") => DataArea::Dataplane,
            Self::Output(_) if in_network_logs(path).is_some() => DataArea::Kernel,
            _ => DataArea::Ipsec,
        }
    }

    pub(super) fn of(self, node: NodeName, files: &Files, path: &str) -> Gathered {
        let start = ["network_logs/", "namespaces/"].iter().find_map(|folder| path.find(folder)).unwrap_or(0);
        let (essence, copy_of, section) = match self {
            Self::Output(command) => (Some(command), None, None),
            Self::Copy(of) => (None, Some(of.to_owned()), None),
            Self::Section(title, command) => (Some(command), None, Some(title)),
        };
        Gathered {
            node,
            area: self.area(path),
            essence: essence.map(|command| CommandKey::of(command.split(' '))),
            copy_of,
            section,
            path: path.to_owned(),
            shown: path.get(start..).unwrap_or(path).to_owned(),
            when: files.modified(path),
        }
    }
}

/// Returns the lines below a title such as `###### show bgp ipv4`, up to the next title.
pub(crate) fn section(text: &str, title: &str) -> Option<String> {
    let heading =
        |line: &str| line.starts_with("######").then(|| line.trim_matches('#').trim().to_lowercase());
    let mut lines =
        text.lines().skip_while(|line| heading(line).is_none_or(|heading| !heading.starts_with(title)));
    lines.next()?;
    Some(
        lines.take_while(|line| heading(line).is_none()).fold(String::new(), |text, line| text + line + "\n"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_recognized_by_their_paths() {
        fn of(path: &str) -> Option<(String, Option<GatheredContent>, usize)> {
            kept(path).map(|(pod, kept)| (pod.to_owned(), kept.first().copied(), kept.len()))
        }
        let ipsec = |pod: &str, kept| Some((pod.to_owned(), Some(kept), 1));
        let root = "must-gather/quay-io/network_logs/ipsec";
        assert_eq!(
            of(&format!("{root}/xfrm/ovn-ipsec-host-x_state.log")),
            ipsec("ovn-ipsec-host-x", GatheredContent::Output("ip xfrm state"))
        );
        assert_eq!(
            of(&format!("{root}/trafficstatus/a.log")),
            ipsec("a", GatheredContent::Output("ipsec trafficstatus"))
        );
        assert_eq!(
            of(&format!("{root}/a_ipsec.d/openvswitch.conf")),
            ipsec("a", GatheredContent::Copy("/etc/ipsec.d/openvswitch.conf"))
        );
        assert_eq!(of(&format!("{root}/a_libreswan.log")), None);
        assert_eq!(of(&format!("{root}/a_ipsec.d/ipsec.secrets")), None);
        let early =
            |name: &str| early(&format!("a/b/network_logs/{name}")).map(|(of, kept)| (of.to_owned(), kept));
        let output = |of: &str, command| Some((of.to_owned(), GatheredContent::Output(command)));
        assert_eq!(early("node-1_ovnkube-node-x_ip_6_route"), output("node-1_ovnkube-node-x", "ip -6 route"));
        assert_eq!(early("ovnkube-node-x_iptables"), output("ovnkube-node-x", "iptables-save -c"));
        assert_eq!(early("node-1_ovs_dump"), output("node-1", "ovs-vsctl show"));
        assert_eq!((early("ipsec/x_iptables"), early("x_nbdb.gz"), early("iptables")), (None, None, None));
        let frr = of("x/namespaces/openshift-frr-k8s/pods/frr-k8s-z/frr/frr/logs/dump_frr");
        assert_eq!(frr.map(|(pod, _, sections)| (pod, sections)), Some(("frr-k8s-z".into(), 5)));
    }

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let dump = "###### show running-config\n!\nrouter bgp 1\n###### Show bgp ipv4\nx\n";
        assert_eq!(section(dump, "show running-config").as_deref(), Some("!\nrouter bgp 1\n"));
        assert_eq!(section(dump, "show bgp ipv4").as_deref(), Some("x\n"));
        assert_eq!(section(dump, "show bgp ipv6"), None);
    }
}
