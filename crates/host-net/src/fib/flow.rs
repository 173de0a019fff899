//! The packet that is looked up in the rules and routes, and the result of the lookup.

use crate::{
    route::{NextHop, Route},
    rule::RoutingRule,
};
use std::net::IpAddr;

/// The known properties of a packet that is looked up.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The destination address.
    pub to: IpAddr,
    /// The source address, or `None` if the host has not selected one yet.
    pub from: Option<IpAddr>,
    /// The interface on which the packet arrives, or `None` if the host sends it.
    pub input: Option<String>,
    /// The interface to which the socket is bound.
    pub output: Option<String>,
    /// The VRF to which the packet belongs.
    pub vrf: Option<String>,
    /// The packet mark.
    pub mark: u32,
    /// The type of service (IPv4) or the traffic class (IPv6).
    pub tos: u8,
    /// The number of the IP protocol, if it is known.
    pub protocol: Option<u8>,
    /// The source port, if it is known.
    pub source_port: Option<u16>,
    /// The destination port, if it is known.
    pub destination_port: Option<u16>,
    /// The user who sends the packet, if the user is known. A packet that arrives belongs to user 0.
    pub uid: Option<u32>,
}

impl Flow {
    /// Creates a packet that the host sends, of which only the destination is known.
    pub fn to(to: IpAddr) -> Self {
        Self {
            to,
            from: None,
            input: None,
            output: None,
            vrf: None,
            mark: 0,
            tos: 0,
            protocol: None,
            source_port: None,
            destination_port: None,
            uid: None,
        }
    }
}

/// One possible result of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch<'a> {
    /// The assumptions about rules that depend on unknown properties of the packet.
    pub assumed: Vec<Assumption<'a>>,
    /// What happens to the packet.
    pub verdict: Verdict<'a>,
}

/// An assumption about a rule that depends on unknown properties of the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumption<'a> {
    /// The rule.
    pub rule: &'a RoutingRule,
    /// The conditions of the rule that cannot be decided.
    pub unknown: Vec<String>,
    /// Whether the rule is assumed to match the packet.
    pub applies: bool,
}

/// What happens to a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// A rule selects a table that has a route.
    Route {
        /// The rule.
        rule: &'a RoutingRule,
        /// The table.
        table: String,
        /// The routes that the kernel may use. Only IPv6 has several, with the same prefix and metric.
        routes: Vec<&'a Route>,
        /// The usable next hops. Empty for a route that refuses the packet.
        hops: Vec<NextHop<'a>>,
    },
    /// A rule refuses the packet itself.
    Refused {
        /// The rule.
        rule: &'a RoutingRule,
        /// `unreachable`, `prohibit` or `blackhole`.
        kind: &'static str,
    },
    /// No route exists, but the socket is bound to an interface, so the kernel treats the destination as a neighbour
    /// there.
    OnLink {
        /// The interface.
        dev: String,
    },
    /// No rule leads to a route, so the network is unreachable.
    Unreachable,
    /// The kernel does not use these rules and routes for such a packet, for this reason.
    NoLookup(&'static str),
}

/// All possible results of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupResult<'a> {
    /// The results. At least one, unless the lookup was cut before the first result.
    pub branches: Vec<Branch<'a>>,
    /// Whether the lookup stopped early, because there are too many branches.
    pub cut: bool,
}
