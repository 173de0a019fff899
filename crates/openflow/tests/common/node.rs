//! The recorded switch of a node with the kernel's datapath.

use crate::common::{Failed, archive};
use openflow::{
    Bridge, Port, PortKind, Ports, Switch, Tunnel, TunnelKind, Vlans,
    eval::{Question, Trace, trace},
};
use packet::CtState;
use std::collections::BTreeMap;

/// The recorded outputs of the node.
pub(crate) struct Node(pub(crate) BTreeMap<String, String>);

impl Node {
    pub(crate) fn read() -> Result<Self, Failed> {
        Ok(Self(archive("kernel-datapath/sosreport-ovn-worker.tar.xz", |path| {
            path.contains("openvswitch/ov")
        })?))
    }

    fn output(&self, name: &str) -> &str {
        self.0.iter().find(|(path, _)| path.ends_with(name)).map_or("", |(_, text)| text)
    }

    /// Returns the ports of a bridge from `dpif/show`: `ovn-222222-0 2/4: (geneve: …, remote_ip=172.18.0.3)`.
    fn ports(&self, bridge: &str) -> BTreeMap<u16, Port> {
        let lines = self.output("ovs-appctl_dpif.show").lines();
        let of = lines.skip_while(|line| line.trim() != format!("{bridge}:")).skip(1);
        let port = |line: &str| {
            let (name, rest) = line.trim().split_once(' ')?;
            let (number, rest) = rest.split_once('/')?;
            let value = |key: &str| {
                let rest = rest.split(key).nth(1)?;
                rest.split([',', ')']).next()
            };
            let kind = match (value("peer="), value("remote_ip=")) {
                (Some(peer), _) => PortKind::Patch(peer.to_owned()),
                (_, Some(remote)) => PortKind::Tunnel(Tunnel {
                    kind: TunnelKind::Geneve,
                    remote: remote.parse().ok(),
                    local: None,
                    checksum: true,
                }),
                _ => PortKind::Plain,
            };
            Some((
                number.parse().ok()?,
                Port { name: name.to_owned(), kind, vlans: Vlans::default(), bond: None },
            ))
        };
        of.map_while(port).collect()
    }

    fn bridge(&self, name: &str) -> Bridge<'_> {
        Bridge::new(
            self.ports(name),
            self.output(&format!("OpenFlow15_dump-flows_{name}")),
            self.output(&format!("OpenFlow15_dump-groups_{name}")),
            self.output(&format!("fdb.show_{name}")),
        )
        .with_options(self.output(&format!("OpenFlow15_dump-tlv-map_{name}")))
    }

    pub(crate) fn switch(&self) -> Switch<'_> {
        Switch::new(["br-int", "br-ex"].map(|name| (name.to_owned(), self.bridge(name))))
    }
}

pub(crate) fn ask(
    switch: &Switch<'_>,
    bridge: &str,
    flow: &str,
    assumed: &[CtState],
) -> Result<Trace, Failed> {
    let packet = openflow::packet(flow, &Ports::default())?;
    let question = Question {
        bridge: bridge.into(),
        packet,
        states: Vec::new(),
        assumed: assumed.to_vec(),
        tells_tuple: false,
        names: false,
    };
    Ok(trace(switch, &question))
}
