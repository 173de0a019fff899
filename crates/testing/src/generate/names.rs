//! The names, addresses and keys of the recorded node, and those of the generated nodes that replace them.

use aho_corasick::{AhoCorasick, MatchKind};
use ovsdb::Uuid;
use sha1::{Digest, Sha1};
use std::{net::Ipv4Addr, ops::Range};

/// The facts of the node whose zone is multiplied, in the order of [`Names::of_node`].
const WORKER: [&str; 17] = [
    "ovn-worker",
    "df523cc5-4e30-4f51-a0e2-eb3087c74473",
    "ovn-df523c-0",
    "172.18.0.3",
    "d2:84:7a:80:c7:57",
    "fe80::d084:7aff:fe80:c757",
    "100.88.0.2",
    "0a:58:64:58:00:02",
    "100.64.0.2",
    "0a:58:64:40:00:02",
    "ovnkube-node-vwrjk",
    "ovs-node-7n2gl",
    "7e:45:aa:20:dd:be",
    "0e:3a:e2:19:33:22",
    "10.244.1.",
    "0a:58:0a:f4:01:",
    "fe80::858:aff:fef4:1",
];
/// The facts of the node that stands for all peers in the zone of the other node, in the same order.
const PEER: [&str; 15] = [
    "ovn-worker2",
    "31564884-d9e5-4f23-9872-33bcdd5bea75",
    "ovn-315648-0",
    "172.18.0.4",
    "c2:5c:06:53:ca:5c",
    "fe80::c05c:6ff:fe53:ca5c",
    "100.88.0.4",
    "0a:58:64:58:00:04",
    "100.64.0.4",
    "0a:58:64:40:00:04",
    "ovnkube-node-pqrlf",
    "ovs-node-l9blx",
    "",
    "",
    "10.244.2.",
];
/// The texts that name something that exists once or on other nodes only: the control plane, the user-defined networks,
/// the egress addresses, and the pods of the other nodes. Anything that names one of them is left out.
const LEFT_OUT: [&str; 57] = [
    "ovn-control-plane",
    "ac4d40a4-48c2-46ec-9907-f99d742a968a",
    "ovn-ac4d40-0",
    "172.18.0.2",
    "3a:29:2d:13:44:d2",
    "100.88.0.3",
    "0a:58:64:58:00:03",
    "100.64.0.3",
    "10.244.0.0/24",
    "10.244.0.2",
    "10.244.0.3",
    "10.244.0.4",
    "10.244.0.5",
    "10.244.0.6",
    "10.244.0.7",
    "10.244.0.8",
    "10.244.2.1",
    "10.244.2.2",
    "10.244.2.3",
    "10.244.2.4",
    "10.244.2.5",
    "10.244.2.6",
    "10.244.2.7",
    "10.244.2.8",
    "10.244.2.9",
    "10.244.2.10",
    "10.244.2.11",
    "0a:58:0a:f4:00:",
    "0a:58:0a:f4:02:",
    "172.18.0.100",
    "172.18.0.101",
    "172.18.64.0/20",
    "169.254.0.17",
    "blue",
    "clients-egress",
    "ovn-k8s-mp4",
    "4742216693f95b6",
    "4742216693f95_3",
    "4742216693f95_4",
    "10.200.0.",
    "10.201.",
    "10.210.",
    "0a:58:0a:c8:",
    "0a:58:0a:c9:",
    "0a:58:0a:d2:",
    "10.244.1.7",
    "0a:58:0a:f4:01:07",
    "fe80::858:aff:fef4:107",
    "ovnkube-node-mk45n",
    "ovs-node-8rng9",
    "web-7ddbb54ff6-h8c4s",
    "web-7ddbb54ff6-rj62d",
    "client-rfm87",
    "client-zg4wk",
    "crashy-67b46f8869-p2vbt",
    "bad-image",
    "unschedulable",
];
/// The namespace that is multiplied.
pub(super) const NAMESPACE: &str = "shop";
/// The addresses of its services.
const SERVICES: [&str; 4] = ["10.96.150.255", "10.96.199.181", "10.96.216.182", "10.96.48.82"];
/// The node port of its services.
const NODE_PORT: &str = "30080";
/// The number of pods that a tenant has on a node.
pub(super) const PODS: usize = 2;
/// The last number in the addresses of the first tenant's first pod.
const FIRST: usize = 10;
/// The facts of the pods of a tenant, and then of a pod that every node has once, in the order of [`Names::of_pod`]:
/// name, address, MAC address, UID, interface on the host, its MAC address, its network namespace, and the link-local
/// addresses of both ends.
const POD: [[&str; 9]; PODS + 1] = [
    [
        "web-7ddbb54ff6-l6vb8",
        "10.244.1.3",
        "0a:58:0a:f4:01:03",
        "8ac69d35-bdc6-4147-9edd-71cbb40d80ee",
        "3ea5e92732a97a8",
        "7a:03:02:b3:bf:5d",
        "cni-4ecd931f-e7a0-b8d7-b931-442f0584c08e",
        "fe80::858:aff:fef4:103",
        "fe80::7803:2ff:feb3:bf5d",
    ],
    [
        "db-d9f74476-j7v76",
        "10.244.1.4",
        "0a:58:0a:f4:01:04",
        "358bd75d-0e28-4b1d-9a66-8656422df6f4",
        "8c1cddcdbdcc57a",
        "36:5a:cd:49:d1:6e",
        "cni-7e2c837a-1f33-800c-77e7-6b877b821bcc",
        "fe80::858:aff:fef4:104",
        "fe80::345a:cdff:fe49:d16e",
    ],
    [
        "client-v58hz",
        "10.244.1.5",
        "0a:58:0a:f4:01:05",
        "08da7b46-7a5b-4c23-82dd-57e8cf2f5d33",
        "88c9a803e75045f",
        "ca:94:74:c5:9e:08",
        "cni-95d7a088-138b-89d8-6d1b-d5bf24136c54",
        "fe80::858:aff:fef4:105",
        "fe80::c894:74ff:fec5:9e08",
    ],
];

/// What a text of the recording belongs to, in ascending order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Every node has it once, with its own facts.
    Own,
    /// Every node has it once for each tenant.
    Tenant,
    /// Every node has it once for each of its peers.
    Peer,
    /// The generated cluster does not have it.
    LeftOut,
}

/// The generated node, and the peer or tenant, for which a text of the recording is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Repeat {
    pub(super) node: usize,
    pub(super) peer: Option<usize>,
    pub(super) tenant: Option<usize>,
}

impl Repeat {
    pub(super) const fn of(node: usize) -> Self {
        Self { node, peer: None, tenant: None }
    }

    pub(super) const fn with_tenant(self, tenant: usize) -> Self {
        Self { tenant: Some(tenant), ..self }
    }
}

/// A recorded text that is replaced.
#[derive(Clone, Debug)]
enum Fact {
    Node(usize),
    Peer(usize),
    Pod(usize, usize),
    Namespace,
    Service(usize),
    NodePort,
    /// The hashed name of a port group or of an address set.
    Group(String),
    LeftOut,
}

impl Fact {
    const fn class(&self) -> Class {
        match self {
            Self::Node(_) | Self::Pod(PODS, _) => Class::Own,
            Self::Peer(_) => Class::Peer,
            Self::LeftOut => Class::LeftOut,
            _ => Class::Tenant,
        }
    }
}

/// The names of a generated cluster.
pub(super) struct Names {
    seed: u64,
    pub(super) nodes: usize,
    pub(super) tenants: usize,
    facts: Vec<(String, Fact)>,
    finder: AhoCorasick,
}

impl Names {
    /// Creates the names of a cluster. `groups` are the hashed names of the groups that belong to a tenant.
    pub(super) fn new(
        seed: u64,
        nodes: usize,
        tenants: usize,
        groups: Vec<String>,
    ) -> Result<Self, super::Failed> {
        let mut facts: Vec<(String, Fact)> = Vec::new();
        let mut add = |text: &str, fact: Fact| facts.push((text.to_owned(), fact));
        WORKER.iter().enumerate().for_each(|(at, text)| add(text, Fact::Node(at)));
        PEER.iter()
            .enumerate()
            .filter(|(_, text)| !text.is_empty())
            .for_each(|(at, text)| add(text, Fact::Peer(at)));
        for (pod, texts) in POD.iter().enumerate() {
            texts.iter().enumerate().for_each(|(at, text)| add(text, Fact::Pod(pod, at)));
        }
        add(NAMESPACE, Fact::Namespace);
        SERVICES.iter().enumerate().for_each(|(at, text)| add(text, Fact::Service(at)));
        add(NODE_PORT, Fact::NodePort);
        LEFT_OUT.iter().for_each(|text| add(text, Fact::LeftOut));
        facts.extend(groups.into_iter().map(|name| (name.clone(), Fact::Group(name))));
        let texts = facts.iter().map(|(text, _)| text);
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(texts)?;
        Ok(Self { seed, nodes, tenants, facts, finder })
    }

    /// Returns what a text belongs to.
    pub(super) fn class(&self, text: &str) -> Class {
        self.facts_in(text).map(|(_, fact)| fact.class()).max().unwrap_or(Class::Own)
    }

    /// Returns true if a text names the recorded node or one of its pods.
    pub(super) fn is_of_worker(&self, text: &str) -> bool {
        self.facts_in(text).any(|(_, fact)| matches!(fact, Fact::Node(_) | Fact::Pod(..)))
    }

    /// Returns true if a text names one of the pods of the recorded node.
    pub(super) fn is_of_pod(&self, text: &str) -> bool {
        self.facts_in(text).any(|(_, fact)| matches!(fact, Fact::Pod(..)))
    }

    /// Returns the text with the facts of the recording replaced by those of a generated node.
    pub(super) fn rename(&self, text: &str, repeat: Repeat) -> String {
        let (mut renamed, mut end) = (String::with_capacity(text.len()), 0);
        for (range, fact) in self.facts_in(text) {
            renamed.push_str(text.get(end..range.start).unwrap_or_default());
            let tenant = repeat.tenant.unwrap_or(0);
            renamed.push_str(&match fact {
                Fact::Node(at) => self.of_node(repeat.node, *at),
                Fact::Peer(at) => self.of_node(repeat.peer.unwrap_or(repeat.node), *at),
                Fact::Pod(pod, at) => self.of_pod(repeat.node, tenant, *pod, *at),
                Fact::Namespace => format!("{NAMESPACE}-{tenant:03}"),
                Fact::Service(at) => format!("10.96.{}.{}", tenant + 1, at + 10),
                Fact::NodePort => (30_080 + tenant).to_string(),
                Fact::Group(name) => format!("a{}", self.number(&[name, &tenant.to_string()])),
                Fact::LeftOut => text.get(range.clone()).unwrap_or_default().to_owned(),
            });
            end = range.end;
        }
        renamed + text.get(end..).unwrap_or_default()
    }

    /// Returns the copies of something of this class: one, or one for each peer or tenant that is not decided yet.
    pub(super) fn repeats(&self, class: Class, of: Repeat) -> Vec<Repeat> {
        let all = |chosen: Option<usize>, range: Range<usize>| match chosen {
            Some(one) => one..one + 1,
            None => range,
        };
        match class {
            Class::LeftOut => Vec::new(),
            Class::Own => vec![Repeat::of(of.node)],
            Class::Tenant => all(of.tenant, 0..self.tenants)
                .map(|tenant| Repeat::of(of.node).with_tenant(tenant))
                .collect(),
            Class::Peer => all(of.peer, 1..self.nodes + 1)
                .filter(|peer| *peer != of.node)
                .map(|peer| Repeat { peer: Some(peer), ..Repeat::of(of.node) })
                .collect(),
        }
    }

    /// Returns the UUID of a copy.
    pub(super) fn uuid(&self, original: Uuid, repeat: Repeat) -> Uuid {
        let bytes = self.hash(&[&original.to_string(), &format!("{repeat:?}")]);
        Uuid::from_bytes(std::array::from_fn(|at| bytes.get(at).copied().unwrap_or(0)))
    }

    /// Returns the number of a node: its tunnel key in the transit switch, and the end of its addresses.
    pub(super) const fn id(node: usize) -> usize {
        node + 1
    }

    /// Returns the name of a node.
    pub(super) fn node(node: usize) -> String {
        format!("worker-{node:03}")
    }

    /// Returns the facts in a text: whole words, or beginnings of addresses.
    fn facts_in<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (Range<usize>, &'a Fact)> {
        let bytes = text.as_bytes();
        let is_word = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
        self.finder.find_iter(text).filter_map(move |found| {
            let (fact_text, fact) = self.facts.get(found.pattern().as_usize())?;
            let is_beginning =
                fact_text.ends_with(['.', ':']) || matches!(fact, Fact::Node(16)) || fact_text == "blue";
            let before = found.start().checked_sub(1).is_some_and(|at| is_word(at) && fact_text != "blue");
            let after = is_word(found.end()) && !is_beginning;
            (!before && !after).then_some((found.range(), fact))
        })
    }

    /// Returns a fact of a node, in the order of [`WORKER`].
    fn of_node(&self, node: usize, at: usize) -> String {
        let (id, name) = (Self::id(node), Self::node(node));
        let chassis = || self.uuid(Uuid::default(), Repeat::of(node)).to_string();
        match at {
            0 => name,
            1 => chassis(),
            2 => format!("ovn-{}-0", chassis().get(..6).unwrap_or_default()),
            3 => format!("172.18.0.{id}"),
            4 => self.mac(&[&name, "uplink"]),
            5 => link_local(&self.mac(&[&name, "uplink"])),
            6 => format!("100.88.0.{id}"),
            7 => format!("0a:58:64:58:00:{id:02x}"),
            8 => format!("100.64.0.{id}"),
            9 => format!("0a:58:64:40:00:{id:02x}"),
            10 => format!("ovnkube-node-{}", self.letters(&[&name, "ovnkube"])),
            11 => format!("ovs-node-{}", self.letters(&[&name, "ovs"])),
            12 => self.mac(&[&name, "br-int"]),
            13 => self.mac(&[&name, "ovs-netdev"]),
            14 => format!("10.244.{node}."),
            15 => format!("0a:58:0a:f4:{node:02x}:"),
            _ => format!("fe80::858:aff:fef4:{node:x}"),
        }
    }

    /// Returns a fact of a pod, in the order of [`POD`].
    fn of_pod(&self, node: usize, tenant: usize, pod: usize, at: usize) -> String {
        let parts = [node, tenant, pod].map(|part| part.to_string());
        let key = |what| [what, parts[0].as_str(), parts[1].as_str(), parts[2].as_str()];
        let last = if pod == PODS { FIRST - 5 } else { FIRST + PODS * tenant + pod };
        match at {
            0 => {
                let recorded = POD.get(pod).map_or("", |texts| texts[0]);
                let set = recorded.rsplit_once('-').map_or(recorded, |(set, _)| set);
                format!("{set}-{}", self.letters(&key("pod")))
            }
            1 => Ipv4Addr::from([10, 244, byte(node), byte(last)]).to_string(),
            2 => format!("0a:58:0a:f4:{node:02x}:{last:02x}"),
            3 => self.digits(&key("uid"), 36),
            4 => self.digits(&key("sandbox"), 15),
            5 => self.mac(&key("host end")),
            6 => format!("cni-{}", self.digits(&key("netns"), 36)),
            7 => format!("fe80::858:aff:fef4:{node:x}{last:02x}"),
            _ => link_local(&self.mac(&key("host end"))),
        }
    }

    fn hash(&self, parts: &[&str]) -> [u8; 20] {
        let mut sha = Sha1::new();
        sha.update(self.seed.to_be_bytes());
        parts.iter().for_each(|part| sha.update(format!("{}:{part}", part.len())));
        sha.finalize().into()
    }

    fn number(&self, parts: &[&str]) -> u64 {
        self.hash(parts).iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// Returns hexadecimal digits: all, or a UUID.
    fn digits(&self, parts: &[&str], length: usize) -> String {
        let bytes = self.hash(parts);
        let uuid =
            Uuid::from_bytes(std::array::from_fn(|at| bytes.get(at).copied().unwrap_or(0))).to_string();
        if length == uuid.len() { uuid } else { uuid.replace('-', "").chars().take(length).collect() }
    }

    /// Returns five letters and digits, as Kubernetes appends them to the names of pods.
    fn letters(&self, parts: &[&str]) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let letter =
            |byte: &u8| LETTERS.get(usize::from(*byte) % LETTERS.len()).map_or('b', |it| char::from(*it));
        self.hash(parts).iter().take(5).map(letter).collect()
    }

    /// Returns a MAC address that is not global.
    fn mac(&self, parts: &[&str]) -> String {
        let [a, b, c, d, e, f, ..] = self.hash(parts);
        format!("{:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}", a & 0xfc | 2)
    }
}

fn byte(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

/// Returns the link-local address of a MAC address (RFC 4291, appendix A).
fn link_local(mac: &str) -> String {
    let bytes: Vec<u8> = mac.split(':').filter_map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    let at = |at: usize| u16::from(bytes.get(at).copied().unwrap_or(0));
    let groups = [(at(0) ^ 2) << 8 | at(1), at(2) << 8 | 0xff, 0xfe00 | at(3), at(4) << 8 | at(5)];
    std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, groups[0], groups[1], groups[2], groups[3]).to_string()
}
