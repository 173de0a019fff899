//! Finds the flow of a stage that matches a packet without testing all flows.
//!
//! Most flows can match only if one field, such as the output port or the destination address, has one of a few values.
//! The index finds such a flow by that value. All other flows are always candidates.

use super::compile::{Node, Test};
use packet::{Field, Packet, bits};
use std::collections::{BTreeMap, HashMap};

/// The limit of index keys for one flow.
const MAX_KEYS: usize = 4096;

/// The flows of one stage that belong to one datapath or datapath group. A flow is its index in the zone, where flows
/// are in the order of their priority.
#[derive(Debug, Default)]
pub(crate) struct Index {
    by_value: BTreeMap<Field, HashMap<u128, Vec<u32>>>,
    rest: Vec<u32>,
}

impl Index {
    pub(crate) fn insert(&mut self, flow: u32, node: &Node) {
        match keys(node) {
            Some((field, values)) => {
                let map = self.by_value.entry(field).or_default();
                for value in values {
                    map.entry(value).or_default().push(flow);
                }
            }
            None => self.rest.push(flow),
        }
    }

    /// Adds the flows that may match, in no particular order.
    pub(crate) fn candidates(&self, datapath: usize, packet: &Packet, found: &mut Vec<u32>) {
        found.extend(&self.rest);
        for (field, map) in &self.by_value {
            let value = packet.get(*field);
            found.extend(map.get(&key(*field, datapath, value)).into_iter().flatten());
        }
    }
}

/// Returns the index key of a value. The key of a port includes its datapath, because port keys are unique only there.
fn key(field: Field, datapath: usize, value: u128) -> u128 {
    if is_port(field) { (datapath as u128) << 32 | value } else { value }
}

fn is_port(field: Field) -> bool {
    [Field::REG14, Field::REG15].contains(&field)
}

/// Ranks a field by how well it distinguishes flows. Returns `None` for fields that nearly all packets share.
fn rank(field: Field) -> Option<u8> {
    Some(match field {
        Field::IP_DST | Field::IPV6_DST => 0,
        Field::IP_SRC | Field::IPV6_SRC => 1,
        Field::ETH_DST => 2,
        Field::ND_TARGET => 3,
        Field::REG14 | Field::REG15 => 4,
        Field::ETH_SRC => 5,
        Field::TCP_DST | Field::UDP_DST | Field::SCTP_DST => 6,
        _ => return None,
    })
}

/// Returns a field and its possible values: the match can be true only if the field has one of these values.
fn keys(node: &Node) -> Option<(Field, Vec<u128>)> {
    match node {
        Node::Test(place, test, false) if place.is_whole() => {
            rank(place.field())?;
            let whole = bits(place.width());
            let values = match test {
                Test::Masked(masked) if masked.mask == whole => vec![masked.value],
                Test::Among(numbers) => numbers.exact(whole)?.iter().copied().collect(),
                _ => return None,
            };
            (!is_port(place.field())).then_some((place.field(), values))
        }
        Node::Port(field, ports) if is_port(*field) => {
            let members = ports.members()?;
            Some((*field, members.map(|(datapath, value)| key(*field, datapath, value.into())).collect()))
        }
        Node::All(parts) => {
            let all = parts.iter().filter_map(keys).filter(|(_, values)| values.len() <= MAX_KEYS);
            all.min_by_key(|(field, values)| (values.len().ilog2_or_zero(), rank(*field)))
        }
        Node::Any(parts) => {
            let mut all = parts.iter().map(keys);
            let (field, mut values) = all.next()??;
            for next in all {
                let (other, more) = next?;
                if other != field || values.len() + more.len() > MAX_KEYS {
                    return None;
                }
                values.extend(more);
            }
            values.sort_unstable();
            values.dedup();
            Some((field, values))
        }
        _ => None,
    }
}

/// Rounds a number of keys to its order of magnitude, so that a few more keys do not outweigh a better field.
trait Magnitude {
    fn ilog2_or_zero(self) -> u32;
}

impl Magnitude for usize {
    fn ilog2_or_zero(self) -> u32 {
        self.checked_ilog2().unwrap_or(0)
    }
}
