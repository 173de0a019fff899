//! Conntrack zones and the objects that they belong to.
//!
//! ovn-controller gives its own zone to each logical port and to each gateway router's SNAT and DNAT. It shows the
//! zones with `ovn-appctl ct-zone-list` (ovn-controller(8)) and keeps them over restarts in
//! `external_ids:ct-zone-<name>` of the integration bridge (ovs-vswitchd.conf.db(5) leaves the key to its user;
//! ovn-controller(8), "ct-zone-*").

use ovsdb::{Rows, Select};

/// A zone and its owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Zone {
    /// The number of the zone, as conntrack and flows show it.
    pub id: u16,
    /// The owner: a logical port, or a router's name or UUID with `_snat` or `_dnat`.
    pub name: String,
}

/// The zones that OVN-Kubernetes uses outside OVN, on the external bridge (go-controller/pkg/node, `ctZone`
/// constants).
pub const RESERVED: &[(u16, &str)] = &[
    (64000, "external bridge, default zone"),
    (64001, "external bridge, masqueraded host-to-service traffic"),
    (64002, "external bridge, OVN's masquerade address"),
    (64003, "external bridge, node ports of the host"),
    (64004, "external bridge, reassembly of fragments"),
];

/// Parses the `<name> <zone>` lines of `ovn-appctl ct-zone-list`, and returns the other lines unchanged.
pub fn parse_list(text: &str) -> (Vec<Zone>, Vec<String>) {
    let mut zones = Vec::new();
    let mut other = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        // A name may contain spaces. The zone is the last word.
        match line.rsplit_once(' ').map(|(name, id)| (name.trim(), id.parse())) {
            Some((name, Ok(id))) if !name.is_empty() => zones.push(Zone { id, name: name.into() }),
            _ => other.push(line.to_owned()),
        }
    }
    zones.sort();
    (zones, other)
}

/// Reads the zones that ovn-controller keeps on its bridge from rows of `Bridge` in `conf.db`.
pub fn of_bridges(bridges: &Rows) -> (Vec<Zone>, Vec<String>) {
    kept(bridges.rows.iter().flat_map(|bridge| bridge.map("external_ids")))
}

/// Parses the same zones from the `<column> : <value>` lines that `ovs-vsctl list Bridge` prints (ovs-vsctl(8),
/// "Output Formats").
pub fn parse_bridges(text: &str) -> (Vec<Zone>, Vec<String>) {
    let maps = text.lines().filter_map(|line| {
        let (column, value) = line.split_once(':')?;
        (column.trim() == "external_ids").then(|| value.trim())?.strip_prefix('{')?.strip_suffix('}')
    });
    // Kubernetes allows neither a comma nor a quote in names, so no name of a port, router or switch contains one.
    let pairs = maps.flat_map(|map| map.split(", ")).filter_map(|pair| pair.split_once('='));
    kept(pairs.map(|(key, value)| (key.trim_matches('"'), value.trim_matches('"'))))
}

fn kept<'a>(external_ids: impl Iterator<Item = (&'a str, &'a str)>) -> (Vec<Zone>, Vec<String>) {
    let mut zones = Vec::new();
    let mut other = Vec::new();
    for (key, value) in external_ids {
        if let Some(name) = key.strip_prefix("ct-zone-") {
            match value.parse() {
                Ok(id) => zones.push(Zone { id, name: name.into() }),
                Err(_) => other.push(format!("{key}={value}")),
            }
        }
    }
    zones.sort();
    (zones, other)
}

/// Returns the select on the southbound database that gives the names for [`named`].
pub fn datapaths_select() -> Select {
    Select::from("Datapath_Binding").columns(["external_ids"])
}

/// Replaces UUIDs in zones with names: some versions of ovn-controller name a router's zones after the UUID of its
/// datapath binding.
pub fn named(mut zones: Vec<Zone>, datapaths: &Rows) -> Vec<Zone> {
    for zone in &mut zones {
        let Some((uuid, what)) = zone.name.rsplit_once('_') else { continue };
        let Ok(uuid) = uuid.parse() else { continue };
        if let Some(name) = datapaths.get(uuid).and_then(|row| row.map_get("external_ids", "name")) {
            zone.name = format!("{name}_{what}");
        }
    }
    zones
}

/// Returns the zones that two names share. Traffic of one owner then meets the connection state of the other.
pub fn shared(zones: &[Zone]) -> Vec<(u16, Vec<&str>)> {
    let shared = zones.chunk_by(|a, b| a.id == b.id).filter(|same| same.len() > 1);
    shared
        .filter_map(|same| Some((same.first()?.id, same.iter().map(|zone| zone.name.as_str()).collect())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zones_of_a_listing() {
        let text = "_uuid               : 11f0\nexternal_ids        : {bridge-id=br-ex}\nname                : br-ex\n\n\
                    external_ids        : {ct-zone-GR_a_snat=\"0\", \"ct-zone-x:y\"=\"7\", ct-zone-bad=\"no\"}\n";
        let zone = |id, name: &str| Zone { id, name: name.into() };
        assert_eq!(
            parse_bridges(text),
            (vec![zone(0, "GR_a_snat"), zone(7, "x:y")], vec!["ct-zone-bad=no".to_owned()])
        );
    }

    #[test]
    fn a_shared_zone_is_found() {
        let (zones, other) = parse_list("a_snat 3\nshop_web-1 7\nclients_c 3\nnot a zone\n");
        assert_eq!(zones.iter().map(|z| z.id).collect::<Vec<_>>(), [3, 3, 7]);
        assert_eq!(shared(&zones), [(3, vec!["a_snat", "clients_c"])]);
        assert_eq!(other, ["not a zone"]);
    }

    proptest! {
        #[test]
        fn no_line_is_lost(text in "([a-z_ ]{0,8} ?[0-9]{0,6}\n){0,20}|.*") {
            let (zones, other) = parse_list(&text);
            prop_assert_eq!(zones.len() + other.len(), text.lines().filter(|l| !l.trim().is_empty()).count());
        }
    }
}
