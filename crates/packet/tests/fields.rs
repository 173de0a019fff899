//! Tests that every field keeps its own bits, and that every printed value parses to the same value.

use packet::{CtState, Field, Masked, Packet, Subfield, Tuple, bits};
use proptest::prelude::*;

fn field() -> impl Strategy<Value = Field> {
    let all: Vec<Field> = Field::all().collect();
    prop::sample::select(all)
}

proptest! {
    #[test]
    fn setting_a_field_changes_no_other_bits(field in field(), value: u128, filler: u128) {
        let mut packet = Packet::default();
        for other in Field::all() {
            packet.set(other, filler);
        }
        let before = packet.clone();
        packet.set(field, value);
        prop_assert_eq!(packet.get(field), value & bits(field.width()));
        for other in Field::all().filter(|other| !field.shares_bits_with(*other)) {
            prop_assert_eq!(packet.get(other), before.get(other), "{} changed {}", field, other);
        }
    }

    #[test]
    fn a_printed_value_parses_to_the_same(field in field(), value: u128, mask: u128) {
        let value = value & bits(field.width());
        prop_assert_eq!(field.parse(&field.show(value)), Ok(value));
        let masked = Masked::new(value, mask & bits(field.width()));
        prop_assert_eq!(field.parse_masked(&field.show_masked(masked)), Ok(masked));
    }

    #[test]
    fn no_text_makes_the_parser_panic(field in field(), text: String) {
        if let Ok(value) = field.parse(&text) {
            prop_assert!(value <= bits(field.width()));
        }
        if let Ok(masked) = field.parse_masked(&text) {
            prop_assert!(masked.matches(masked.value));
        }
    }

    #[test]
    fn a_part_of_a_part_selects_the_same_bits(value: u128, first in 0u8..32, width in 1u8..32, inner in 0u8..32) {
        let field = Field::REG3;
        let part = Subfield::of(field, first, width);
        prop_assert_eq!(part.is_some(), first + width <= 32);
        let nested = part.and_then(|part| part.part(inner, 1));
        prop_assert_eq!(nested.is_some(), part.is_some() && inner < width);
        if let (Some(part), Some(nested)) = (part, nested) {
            prop_assert_eq!(nested.extract(value), part.extract(value) >> inner & 1);
            prop_assert_eq!(part.extract(part.insert(value, 0)), 0);
        }
    }

    #[test]
    fn reversing_a_tuple_twice_restores_it(protocol: u8, source: u32, destination: u32, a: u16, b: u16) {
        let mut packet = Packet::default();
        packet.set(Field::ETH_TYPE, 0x0800);
        packet.set(Field::IP_PROTO, protocol.into());
        let tuple = Tuple { ip6: false, protocol, source: source.into(), destination: destination.into(),
            source_port: a, destination_port: b };
        tuple.write(&mut packet);
        prop_assert_eq!(packet.tuple(), Some(tuple));
        prop_assert_eq!(tuple.reversed().reversed(), tuple);
    }
}

#[test]
fn names_are_unique() {
    for field in Field::all() {
        assert_eq!(Field::named(field.name()), Some(field));
    }
    assert_eq!(Field::named("nw_src"), Some(Field::IP_SRC));
    assert_eq!(Field::named("nonsense"), None);
}

#[test]
fn registers_overlap_as_in_the_switch() {
    let mut packet = Packet::default();
    for n in 0..16 {
        packet.set(Field::reg(n).expect("a register"), u128::from(n) + 0x10);
    }
    assert_eq!(packet.get(Field::XXREG0), 0x10_0000_0011_0000_0012_0000_0013);
    assert_eq!(packet.get(Field::xreg(7).expect("a register")), 0x1e_0000_001f);
    assert_eq!(Field::reg(16), None);
}

#[test]
fn a_packet_prints_its_fields() {
    let mut packet = Packet::default();
    packet.set(Field::ETH_TYPE, 0x0800);
    packet.set(Field::IP_SRC, 0x0a00_0001);
    packet.set(Field::IP_PROTO, 6);
    packet.set(Field::TCP_DST, 80);
    packet.set(Field::REG0, 5);
    packet.set_ct_state(CtState::NEW | CtState::TRK);
    assert_eq!(
        packet.to_string(),
        "ct_state=new|trk,reg0=0x5,eth_type=0x800,ip_src=10.0.0.1,nw_proto=6,tcp_dst=80"
    );
    packet.clear_ct();
    packet.set(Field::ETH_TYPE, 0x0806);
    assert_eq!(packet.to_string(), "reg0=0x5,eth_type=0x806,arp_op=6,arp_spa=10.0.0.1,tcp_dst=80");
}

#[test]
fn states_have_names() {
    assert_eq!("est,rpl,trk".parse(), Ok(CtState::EST | CtState::RPL | CtState::TRK));
    assert_eq!("est,bogus".parse::<CtState>(), Err("bogus".to_owned()));
    assert_eq!(CtState::default().to_string(), "0");
}
