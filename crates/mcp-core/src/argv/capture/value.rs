//! The values of tests: addresses, networks, ports and protocols.

use super::{
    BadFilter, FilterProtocol,
    lex::Kind,
    names,
    parse::{Parser, Qualifier, Type, is_keyword},
    tree::{Ends, Test, Value},
};
use std::net::IpAddr;

impl Parser<'_> {
    /// Parses one value of a qualifier.
    pub(super) fn value(&mut self, Qualifier { ends, kind }: Qualifier) -> Result<Test, BadFilter> {
        self.count()?;
        let value = match kind {
            Type::Host => self.host(ends)?,
            Type::Net => self.net(ends)?,
            Type::Port => Value::Port(self.port()?),
            Type::Ports => self.ports()?,
            Type::Protocol => return Ok(Test::Number(ends.protocol, self.protocol(ends.protocol)?)),
        };
        Ok(Test::End(ends, value))
    }

    fn host(&mut self, ends: Ends) -> Result<Value, BadFilter> {
        let value = match (self.peek(), ends.protocol) {
            (Some(Kind::Mac(mac)), Some(FilterProtocol::Ether)) => Value::Mac(mac),
            (_, Some(FilterProtocol::Ether)) => {
                return Err(self.wanted("the address of a network card, such as 0a:58:0a:f4:00:04,"));
            }
            (Some(Kind::Mac(_)), _) => {
                return Err(self.refused(
                    "this is the address of a network card: write `ether host`, `ether src` or `ether dst`",
                ));
            }
            (Some(Kind::Dotted(address, 4)), _) => Value::Host(self.version(address.into(), ends)?),
            (Some(Kind::V6(address)), _) => Value::Host(self.version(address.into(), ends)?),
            (Some(Kind::Dotted(..)), _) => {
                return Err(
                    self.refused("an address has four numbers: write them all, or `net ADDRESS/LENGTH`")
                );
            }
            (Some(Kind::Name(name)), _) if !is_keyword(name) => {
                return Err(self.refused("names are not looked up: write the address of the host"));
            }
            _ => return Err(self.wanted("an IPv4 or IPv6 address")),
        };
        self.next();
        if self.peek() == Some(Kind::Sign("/")) {
            return Err(self.refused("only `net` takes a length: write `net ADDRESS/LENGTH`"));
        }
        Ok(value)
    }

    /// Checks that an address is of the version that the qualifier names.
    fn version(&self, address: IpAddr, ends: Ends) -> Result<IpAddr, BadFilter> {
        match (ends.protocol, address) {
            (None, _) | (Some(FilterProtocol::Ip6), IpAddr::V6(_)) => Ok(address),
            (Some(FilterProtocol::Ip6), IpAddr::V4(_)) => Err(self.wanted("an IPv6 address")),
            (Some(_), IpAddr::V4(_)) => Ok(address),
            (Some(_), IpAddr::V6(_)) => Err(self.wanted("an IPv4 address")),
        }
    }

    fn net(&mut self, ends: Ends) -> Result<Value, BadFilter> {
        let begin = self.place();
        let (address, length) = match self.peek() {
            Some(Kind::Dotted(address, given)) => (IpAddr::V4(address), 8 * given),
            Some(Kind::V6(address)) => (IpAddr::V6(address), 128),
            // libpcap takes `10` alone for 10.0.0.0/8.
            Some(Kind::Number(first @ 1..=255, false)) => match self.kind(self.place() + 1) {
                Some(Kind::Sign("/") | Kind::Name("mask")) => {
                    return Err(self.refused("write the first address of the network with all its numbers"));
                }
                _ => (IpAddr::V4((first << 24).into()), 8),
            },
            Some(Kind::Name(name)) if !is_keyword(name) => {
                return Err(self.refused("names are not looked up: write the address of the network"));
            }
            _ => return Err(self.wanted("a network, such as 10.244.0.0/16,")),
        };
        let address = self.version(address, ends)?;
        self.next();
        if let (IpAddr::V4(address), true) = (address, self.take("mask")) {
            let Some(Kind::Dotted(mask, 4)) = self.peek() else {
                return Err(self.wanted("a netmask, such as 255.255.255.0,"));
            };
            self.next();
            let (bits, ones) = (u32::from(mask), u32::from(mask).leading_ones());
            self.no_host(begin, u32::from(address) & !bits != 0)?;
            return Ok(match u8::try_from(ones) {
                Ok(length) if ones == bits.count_ones() => Value::Net(address.into(), length),
                _ => Value::Mask(address, mask),
            });
        }
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = match self.take("/") {
            true => u8::try_from(self.number("the length of a prefix", most)?).unwrap_or_default(),
            false => length,
        };
        let host = match address {
            IpAddr::V4(address) => u32::from(address).checked_shl(length.into()).unwrap_or(0) != 0,
            IpAddr::V6(address) => u128::from(address).checked_shl(length.into()).unwrap_or(0) != 0,
        };
        self.no_host(begin, host)?;
        Ok(Value::Net(address, length))
    }

    /// Returns an error at a token if an address has bits outside of its network.
    fn no_host(&mut self, at: usize, has_host: bool) -> Result<(), BadFilter> {
        if !has_host {
            return Ok(());
        }
        self.go_back(at);
        Err(self.refused(
            "the address has bits outside of the network: write the first address of the network, or `host`",
        ))
    }

    fn port(&mut self) -> Result<u16, BadFilter> {
        if let Some(Kind::Name(name)) = self.peek()
            && !is_keyword(name)
        {
            let number = names::service(name).map_or("its number".into(), |port| port.to_string());
            return Err(self.refused(&format!("names of services are not looked up: write {number}")));
        }
        self.number("the number of a port", u16::MAX.into())
            .map(|port| u16::try_from(port).unwrap_or_default())
    }

    fn ports(&mut self) -> Result<Value, BadFilter> {
        let range = match self.peek() {
            Some(Kind::Name(name)) if !is_keyword(name) => name.split_once('-'),
            _ => {
                let port = self.port()?;
                return Ok(Value::Ports(port, port));
            }
        };
        match range.map(|(first, last)| (first.parse::<u16>(), last.parse::<u16>())) {
            Some((Ok(first), Ok(last))) if first <= last => {
                self.next();
                Ok(Value::Ports(first, last))
            }
            Some((Ok(_), Ok(_))) => Err(self.refused("the first port is larger than the last")),
            _ => Err(self.wanted("two numbers of ports, such as 30000-32767,")),
        }
    }

    fn protocol(&mut self, layer: Option<FilterProtocol>) -> Result<u32, BadFilter> {
        let (known, most): (fn(&str) -> Option<u32>, u32) = match layer {
            Some(FilterProtocol::Ether) => (names::ether_type, 0xffff),
            _ => (names::ip_protocol, 0xff),
        };
        match self.peek() {
            // A name that is also a keyword needs its backslash.
            Some(Kind::Name(name)) if FilterProtocol::of(name).is_some() => {
                let hint = known(name).map_or_else(String::new, |number| format!(", or {number}"));
                Err(self.refused(&format!("it is a keyword: write `\\{name}`{hint}")))
            }
            Some(Kind::Name(name) | Kind::Escaped(name)) => {
                let number = known(name).ok_or_else(|| self.refused("write the number of the protocol"))?;
                self.next();
                Ok(number)
            }
            _ => self.number("the number of a protocol", most),
        }
    }
}
