//! What is asked of rules and routes, and what they answer.

use crate::{
    route::{Hop, Route},
    rule::Rule,
};
use std::net::IpAddr;

/// A packet that looks for its way, as far as it is known.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Where it goes.
    pub to: IpAddr,
    /// Where it comes from. None: the host has not chosen a source yet.
    pub from: Option<IpAddr>,
    /// The interface through which it arrives. None: the host itself sends it.
    pub input: Option<String>,
    /// The interface to which its socket is bound.
    pub output: Option<String>,
    /// The VRF that it belongs to.
    pub vrf: Option<String>,
    /// Its mark.
    pub mark: u32,
    /// The type of service, or the traffic class.
    pub tos: u8,
    /// The number of its protocol, if it is known.
    pub protocol: Option<u8>,
    /// Its source port, if it is known.
    pub source_port: Option<u16>,
    /// Its destination port, if it is known.
    pub destination_port: Option<u16>,
    /// The user who sends it, if that is known. What arrives counts as the superuser's.
    pub uid: Option<u32>,
}

impl Flow {
    /// A packet that the host sends, of which nothing but its destination is known.
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

/// One way that is possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch<'a> {
    /// What this way assumes of rules of which nobody knows whether they select the packet.
    pub assumed: Vec<Assumed<'a>>,
    /// What becomes of the packet.
    pub verdict: Verdict<'a>,
}

/// A rule that asks for something unknown, and what is assumed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumed<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// What it asks for.
    pub unknown: Vec<String>,
    /// Whether it selects the packet.
    pub applies: bool,
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// A rule leads to a table that has a route.
    Route {
        /// The rule.
        rule: &'a Rule,
        /// The table.
        table: String,
        /// The routes that the kernel may take: several only of IPv6 with one prefix and one metric.
        routes: Vec<&'a Route>,
        /// The next hops that are alive, and fit the interface that is asked for. None of a route that refuses the packet.
        hops: Vec<Hop<'a>>,
    },
    /// A rule refuses the packet itself.
    Refused {
        /// The rule.
        rule: &'a Rule,
        /// `unreachable`, `prohibit` or `blackhole`.
        kind: &'static str,
    },
    /// No route, but the socket is bound to an interface: the destination counts as a neighbour there.
    OnLink {
        /// The interface.
        dev: String,
    },
    /// No rule leads to a route: the network is unreachable.
    Nothing,
    /// These rules and routes are not asked for such a packet.
    NotAsked(&'static str),
}

/// All ways that are possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ways<'a> {
    /// The ways: at least one, unless it was cut before the first one was found.
    pub branches: Vec<Branch<'a>>,
    /// There are more than were looked for.
    pub cut: bool,
}
