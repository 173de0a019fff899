//! A packet: the values of all fields.

use crate::{
    CtState, Field, Subfield, Tuple, bits,
    registry::{CELLS, Cell},
};
use std::fmt;

/// A packet as a switch sees it, with registers and connection tracking state. All fields are zero at first.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Packet {
    /// The cells of all fields. Fields that share bits share a cell.
    cells: [u128; CELLS],
}

impl Default for Packet {
    fn default() -> Self {
        Self { cells: [0; CELLS] }
    }
}

impl Packet {
    fn cell(&self, cell: Cell) -> u128 {
        self.cells.get(cell as usize).copied().unwrap_or(0)
    }

    /// Returns the value of a field.
    #[must_use]
    pub fn get(&self, field: Field) -> u128 {
        let place = field.place();
        (self.cell(place.cell) >> place.shift) & bits(place.width)
    }

    /// Sets a field. Ignores bits of the value beyond the width of the field.
    pub fn set(&mut self, field: Field, value: u128) {
        let place = field.place();
        let mask = bits(place.width) << place.shift;
        if let Some(cell) = self.cells.get_mut(place.cell as usize) {
            *cell = (*cell & !mask) | ((value << place.shift) & mask);
        }
    }

    /// Returns the value of some bits of a field.
    #[must_use]
    pub fn bits(&self, part: Subfield) -> u128 {
        part.extract(self.get(part.field()))
    }

    /// Sets some bits of a field. Ignores bits of the value beyond their number.
    pub fn set_bits(&mut self, part: Subfield, value: u128) {
        self.set(part.field(), part.insert(self.get(part.field()), value));
    }

    /// Exchanges the values of two fields. Cuts each value to the width of its new field.
    pub fn exchange(&mut self, a: Subfield, b: Subfield) {
        let (left, right) = (self.bits(a), self.bits(b));
        self.set_bits(a, right);
        self.set_bits(b, left);
    }

    /// Returns whether the packet is IPv4.
    #[must_use]
    pub fn is_ip4(&self) -> bool {
        self.get(Field::ETH_TYPE) == 0x0800
    }

    /// Returns whether the packet is IPv6.
    #[must_use]
    pub fn is_ip6(&self) -> bool {
        self.get(Field::ETH_TYPE) == 0x86dd
    }

    /// Returns whether the packet has ports: TCP, UDP or SCTP over IP.
    #[must_use]
    pub fn has_ports(&self) -> bool {
        (self.is_ip4() || self.is_ip6()) && matches!(self.get(Field::IP_PROTO), 6 | 17 | 132)
    }

    /// Returns the connection tracking state.
    #[must_use]
    pub fn ct_state(&self) -> CtState {
        CtState(self.get(Field::CT_STATE) as u32)
    }

    /// Sets the connection tracking state.
    pub fn set_ct_state(&mut self, state: CtState) {
        self.set(Field::CT_STATE, u128::from(state.0));
    }

    /// Clears the connection tracking fields: state, zone, mark, label and original tuple.
    pub fn clear_ct(&mut self) {
        for field in Field::CONNECTION_TRACKING {
            self.set(*field, 0);
        }
    }

    /// Returns the source, destination, protocol and ports of an IP packet.
    #[must_use]
    pub fn tuple(&self) -> Option<Tuple> {
        Tuple::of(self)
    }

    /// Returns the fields that are not zero, without fields that are part of another field, in the order of the
    /// registry.
    pub fn filled(&self) -> impl Iterator<Item = (Field, u128)> + '_ {
        Field::all()
            .filter(|field| field.is_shown(self))
            .map(|field| (field, self.get(field)))
            .filter(|(_, value)| *value != 0)
    }
}

impl fmt::Display for Packet {
    /// Prints the fields that are not zero: `eth_type=0x800,ip_src=10.0.0.1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (field, value)) in self.filled().enumerate() {
            write!(f, "{}{}={}", if at > 0 { "," } else { "" }, field.name(), field.show(value))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packet({self})")
    }
}
