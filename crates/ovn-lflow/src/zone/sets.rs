//! Sets of numbers and of ports that many flows share.

use packet::Masked;
use std::collections::{BTreeMap, HashSet};

/// A set of numbers with masks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    /// The values by mask, so that a lookup needs one step for each distinct mask.
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

    /// Returns all members, if all of them have this mask.
    pub(crate) fn exact(&self, mask: u128) -> Option<&HashSet<u128>> {
        (self.by_mask.len() == 1).then(|| self.by_mask.get(&mask)).flatten()
    }
}

/// A set of ports, each with the index of its datapath in the zone and its key in the datapath.
#[derive(Clone, Debug, Default)]
pub(crate) struct PortSet {
    keys: HashSet<(usize, u32)>,
    /// True if the set means "no port": key 0 in every datapath.
    none: bool,
}

impl PortSet {
    pub(crate) fn new(keys: impl IntoIterator<Item = (usize, u32)>) -> Self {
        Self { keys: keys.into_iter().collect(), none: false }
    }

    /// Returns the set that an empty port name means.
    pub(crate) fn none() -> Self {
        Self { keys: HashSet::new(), none: true }
    }

    pub(crate) fn has(&self, datapath: usize, key: u32) -> bool {
        if key == 0 && self.none { true } else { self.keys.contains(&(datapath, key)) }
    }

    /// Returns all members, or `None` if the set means "no port".
    pub(crate) fn members(&self) -> Option<impl Iterator<Item = (usize, u32)> + '_> {
        (!self.none).then(|| self.keys.iter().copied())
    }
}
