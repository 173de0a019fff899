//! Sets of numbers and of ports, which many flows share.

use packet::Masked;
use std::collections::{BTreeMap, HashSet};

/// Numbers, some of which have masks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    /// By mask, so that a look-up takes as many steps as there are different masks.
    by_mask: BTreeMap<u128, HashSet<u128>>,
}

impl Numbers {
    pub(crate) fn new(numbers: impl IntoIterator<Item = Masked>) -> Self {
        let mut by_mask: BTreeMap<u128, HashSet<u128>> = BTreeMap::new();
        for number in numbers {
            by_mask.entry(number.mask).or_default().insert(number.value);
        }
        Self { by_mask }
    }

    pub(crate) fn has(&self, value: u128) -> bool {
        self.by_mask.iter().any(|(mask, values)| values.contains(&(value & mask)))
    }

    /// All members, if they have no other mask than this one.
    pub(crate) fn exact(&self, mask: u128) -> Option<&HashSet<u128>> {
        (self.by_mask.len() == 1).then(|| self.by_mask.get(&mask)).flatten()
    }
}

/// Ports, each by the place of its datapath in the zone and its key there.
#[derive(Clone, Debug, Default)]
pub(crate) struct PortSet {
    keys: HashSet<(usize, u32)>,
    /// Key 0, which is no port, in every datapath.
    none: bool,
}

impl PortSet {
    pub(crate) fn new(keys: impl IntoIterator<Item = (usize, u32)>) -> Self {
        Self { keys: keys.into_iter().collect(), none: false }
    }

    /// What an empty name means.
    pub(crate) fn none() -> Self {
        Self { keys: HashSet::new(), none: true }
    }

    pub(crate) fn has(&self, datapath: usize, key: u32) -> bool {
        if key == 0 && self.none { true } else { self.keys.contains(&(datapath, key)) }
    }

    /// All members, unless it means no port.
    pub(crate) fn members(&self) -> Option<impl Iterator<Item = (usize, u32)> + '_> {
        (!self.none).then(|| self.keys.iter().copied())
    }
}
