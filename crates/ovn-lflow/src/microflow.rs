//! Parses a microflow expression: a packet in the language of matches, as in ovn-trace(8).

use crate::{
    eval::Start,
    matches::{Constant, Expr, Relation, parse},
    symbol::Meaning,
    zone::Zone,
};
use packet::{Packet, bits};

impl Zone {
    /// Parses a microflow such as `inport == "pod" && ip4.src == 10.0.0.1 && tcp.dst == 80` into the start of a trace.
    /// The text need not contain the prerequisites of its fields: `tcp.dst` makes the packet TCP.
    ///
    /// # Errors
    /// Returns an error if the text is not a match, if `inport` is not a port of this zone, or if the value of a field
    /// is ambiguous.
    pub fn start(&self, text: &str) -> Result<Start, String> {
        let expr = parse(text).map_err(|error| error.to_string())?;
        let port = inport(&expr).ok_or("inport == \"name\" is missing")?;
        if self.port(port).is_none() {
            return Err(format!("this zone has no port {port:?}"));
        }
        let mut packet = Packet::default();
        // Apply the written fields first. They decide between alternative prerequisites, such as IPv4 and IPv6.
        for implied in [false, true] {
            self.apply(&expr, implied, &mut packet)?;
        }
        let mut start = Start::at(self, port, packet).ok_or("the port does not exist")?;
        let outport = name_of(&expr, "outport").and_then(|name| self.ports.key_of(start.datapath, name));
        start.packet.set(packet::Field::REG15, outport.unwrap_or(0).into());
        Ok(start)
    }

    fn apply(&self, expr: &Expr, implied: bool, packet: &mut Packet) -> Result<(), String> {
        match expr {
            Expr::Constant(true) => Ok(()),
            Expr::All(parts) => parts.iter().try_for_each(|part| self.apply(part, implied, packet)),
            Expr::Any(parts) => {
                // Another field may already have met this prerequisite.
                let met = parts.iter().any(|part| holds(part, packet));
                match parts.first().filter(|_| implied && !met) {
                    Some(first) => self.apply(first, implied, packet),
                    None => Ok(()),
                }
            }
            Expr::Compare { operand, relation: Relation::Eq, with, .. } => {
                if implied && !operand.symbol.prerequisite.is_empty() {
                    let needed = parse(operand.symbol.prerequisite).map_err(|error| error.to_string())?;
                    self.apply(&needed, true, packet)?;
                }
                match (operand.symbol.meaning, operand.place(), with.as_slice()) {
                    (Meaning::Port(_), ..) => Ok(()),
                    (_, Some(place), [Constant::Number(number), ..]) => {
                        let mask = number.mask.unwrap_or(bits(place.width()));
                        packet.set_bits(place, packet.bits(place) & !mask | number.value);
                        Ok(())
                    }
                    (Meaning::Predicate(text), _, [Constant::Number(number)]) if number.value == 1 => {
                        self.apply(&parse(text).map_err(|error| error.to_string())?, implied, packet)
                    }
                    _ => Err(format!("`{expr}` does not set the field to a single value")),
                }
            }
            // `tcp` and `!ip.frag[0]` are comparisons of a bit with 0.
            Expr::Compare { operand, relation: Relation::Ne, with, .. } => {
                let zero = matches!(with.as_slice(), [Constant::Number(number)] if number.value == 0);
                match (operand.symbol.meaning, operand.place()) {
                    (Meaning::Predicate(text), _) if zero => {
                        self.apply(&parse(text).map_err(|error| error.to_string())?, implied, packet)
                    }
                    (_, Some(place)) if zero && place.width() == 1 => {
                        packet.set_bits(place, 1);
                        Ok(())
                    }
                    _ => Err(format!("`{expr}` does not set the field to a single value")),
                }
            }
            _ => Err(format!("`{expr}` does not set the field to a single value")),
        }
    }
}

/// Returns whether a comparison with a number is true for the packet as it is now.
fn holds(expr: &Expr, packet: &Packet) -> bool {
    match expr {
        Expr::All(parts) => parts.iter().all(|part| holds(part, packet)),
        Expr::Any(parts) => parts.iter().any(|part| holds(part, packet)),
        Expr::Compare { operand, with, .. } => {
            match (operand.symbol.meaning, operand.place(), with.first()) {
                (Meaning::Predicate(text), ..) => parse(text).is_ok_and(|expr| holds(&expr, packet)),
                (_, Some(place), Some(Constant::Number(number))) => packet.bits(place) == number.value,
                _ => false,
            }
        }
        _ => false,
    }
}

fn name_of<'a>(expr: &'a Expr, symbol: &str) -> Option<&'a str> {
    match expr {
        Expr::All(parts) => parts.iter().find_map(|part| name_of(part, symbol)),
        Expr::Compare { operand, relation: Relation::Eq, with, .. } if operand.symbol.name == symbol => {
            match with.as_slice() {
                [Constant::Text(name)] => Some(name),
                _ => None,
            }
        }
        _ => None,
    }
}

fn inport(expr: &Expr) -> Option<&str> {
    name_of(expr, "inport")
}
