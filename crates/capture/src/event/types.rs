//! The shape of an event.

use std::net::IpAddr;

/// How retis recorded events: its first event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The version of retis.
    pub version: String,
    /// The command line of retis.
    pub command: Option<String>,
    /// The release of the kernel.
    pub kernel: Option<String>,
    /// What to add to a time of the monotonic clock to get the time since 1970, in nanoseconds.
    pub offset: Option<u64>,
}

/// A packet reached a function of the kernel, or of ovs-vswitchd.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KernelEvent {
    /// The time in nanoseconds of the kernel's monotonic clock, or with `pwru --timestamp relative` since the event
    /// before of the same buffer. `None` if the program did not record it.
    pub nanos: Option<u64>,
    /// The local time of `pwru --timestamp absolute`.
    pub clock: Option<String>,
    /// The packet. The identity is local to one node and one recording.
    pub packet: Option<PacketId>,
    /// The processor, from 0. pwru leaves out 0, so `None` of pwru is 0.
    pub cpu: Option<u32>,
    /// The process that ran on the processor, which need not have to do with the packet: its name, `:` and its number.
    pub task: Option<String>,
    /// The function, the tracepoint (`net:netif_receive_skb`) or the symbol of ovs-vswitchd.
    pub function: String,
    /// What `function` is.
    pub hook: Hook,
    /// The function that called `function` (pwru).
    pub caller: Option<String>,
    /// The network namespace, by the number of its inode.
    pub netns: Option<u32>,
    /// The name of the network namespace, if it has one (pwru).
    pub netns_name: Option<String>,
    /// The device of the packet at this time.
    pub interface: Option<Interface>,
    /// The EtherType.
    pub ether_type: Option<u16>,
    /// The length in bytes, which is without the Ethernet header where the kernel has removed it.
    pub length: Option<u32>,
    /// The ends of the packet.
    pub tuple: Option<Tuple>,
    /// The ends of the packet in the tunnel (pwru).
    pub inner: Option<Tuple>,
    /// The mark of the packet. pwru leaves out 0.
    pub mark: Option<u32>,
    /// Why the packet is dropped, as the kernel names it without `SKB_DROP_REASON_`. `None` if this is no drop.
    pub drop_reason: Option<String>,
    /// What Open vSwitch does.
    pub ovs: Option<OvsStep>,
    /// The connection of the packet.
    pub conntrack: Option<Conntrack>,
    /// What nftables decides.
    pub nft: Option<NftVerdict>,
    /// The functions on the stack, the innermost first, without offsets. At most 16 are kept.
    pub stack: Vec<String>,
}

/// The identity of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PacketId {
    /// The address of the socket buffer (pwru). The kernel uses the buffer again for another packet.
    Buffer(u64),
    /// When retis first saw the packet (in nanoseconds of the monotonic clock), and the address of its data.
    Tracked(u64, u64),
}

/// The place at which an event was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Hook {
    /// The beginning of a function.
    #[default]
    Function,
    /// The end of a function.
    Return,
    /// A tracepoint.
    Tracepoint,
    /// A BPF program for traffic control.
    Tc,
    /// A BPF program for XDP.
    Xdp,
    /// A probe in a process: ovs-vswitchd.
    User,
}

/// A network device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Interface {
    /// The name. `None` if the packet has no device, or if the program does not know its name.
    pub name: Option<String>,
    /// The index in its network namespace. 0 is no device.
    pub index: u32,
}

/// The ends of a packet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// The source address.
    pub source: IpAddr,
    /// The destination address.
    pub destination: IpAddr,
    /// The source and the destination port, if the protocol has ports.
    pub ports: Option<(u16, u16)>,
    /// The number of the protocol in the IP header. `None` if the packet ends before it.
    pub protocol: Option<u8>,
    /// The flags of TCP, joined by `|` (pwru with `--output-tcp-flags`).
    pub flags: Option<String>,
}

/// What Open vSwitch does with a packet (retis with the collector `ovs`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OvsStep {
    /// The datapath looks for a flow, and finds this one or none.
    Lookup(Option<Box<OvsFlow>>),
    /// The datapath has no answer and asks ovs-vswitchd: the port of the datapath, and the command (1 is a miss, 2 an
    /// action).
    Upcall(Option<u32>, Option<u8>),
    /// The packet waits for ovs-vswitchd. The number is the result, which is not 0 if the packet is lost here.
    Enqueue(i64),
    /// The question was asked. The number is the result.
    UpcallReturn(i64),
    /// ovs-vswitchd got the packet.
    Received,
    /// ovs-vswitchd makes a flow (`put`) or executes actions on the packet (`exec`).
    Operation(String),
    /// The datapath executes an action.
    Action {
        /// The name: `output`, `ct`, `recirc`, `drop`, …
        name: String,
        /// The port of the datapath of `output`.
        port: Option<u32>,
        /// The zone of `ct`.
        zone: Option<u16>,
        /// The identifier with which `recirc` continues.
        next: Option<u32>,
        /// The recirculation identifier of the packet.
        recirculation: u32,
        /// The reason of `drop`.
        reason: Option<u32>,
    },
    /// Something that a later version of retis reports, by its name.
    Other(String),
}

/// A flow of the datapath.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OvsFlow {
    /// The unique identifier of the flow in the datapath, as `ovs-appctl dpctl/dump-flows -m` prints it.
    pub ufid: Option<String>,
    /// The flow of the datapath (retis with `--ovs-enrich-flows`).
    pub datapath: Option<String>,
    /// The OpenFlow flows behind it, at most 20.
    pub openflow: Vec<String>,
    /// The cookies of the OpenFlow flows.
    pub cookies: Vec<u64>,
}

/// The connection of a packet (retis with the collector `ct`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conntrack {
    /// The state of the packet: `new`, `established`, `reply`, `related`, `related_reply` or `untracked`.
    pub state: String,
    /// The zone.
    pub zone: Option<u16>,
    /// The state of the protocol, for example `SYN_SENT`.
    pub protocol_state: Option<String>,
    /// The mark of the connection.
    pub mark: Option<u32>,
    /// The ends of the connection in its original direction.
    pub original: Option<Tuple>,
    /// The ends of a reply. They differ from the exchanged `original` if the connection has NAT.
    pub reply: Option<Tuple>,
}

/// What nftables decides (retis with the collector `nft`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NftVerdict {
    /// The name and the handle of the table.
    pub table: (String, Option<i64>),
    /// The name and the handle of the chain.
    pub chain: (String, Option<i64>),
    /// The handle of the rule.
    pub rule: Option<i64>,
    /// The verdict: `accept`, `drop`, `jump`, …
    pub verdict: String,
    /// The chain of a `jump` or a `goto`.
    pub target: Option<String>,
    /// The verdict is the policy of the chain and not that of a rule.
    pub is_policy: bool,
}
