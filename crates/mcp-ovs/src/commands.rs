//! The commands that this layer may run. mcp-core reads the rows of databases.

use mcp_core::{
    Argv, argv,
    argv::{
        AllowedPrograms, BridgeName, CaptureFilter, CtNext, FlowMatch, Program, Verb,
        WordPart::{self, Operand, Text},
    },
};

const fn verb(words: &'static [&'static str], reads_only: &'static str) -> Verb {
    Verb { words, options: &[], operands: &[], reads_only }
}

const fn of_bridge(words: &'static [&'static str], reads_only: &'static str) -> Verb {
    Verb { words, options: &[], operands: &[&[Operand("bridge")]], reads_only }
}

/// The table of allowed commands.
pub(crate) const ALLOW: AllowedPrograms = AllowedPrograms(&[OFCTL, APPCTL, RETIS]);

const OFCTL: Program = Program {
    name: "ovs-ofctl",
    // Without a time limit, ovs-ofctl waits forever for a switch that hangs. If `-O` lists several versions,
    // ovs-ofctl and the switch use the highest that both support.
    globals: &[
        "--timeout=10",
        "-O",
        "OpenFlow10,OpenFlow13,OpenFlow15",
        "OpenFlow13",
        "OpenFlow14",
        "OpenFlow15",
    ],
    verbs: &[
        of_bridge(&["dump-flows"], "ovs-ofctl(8): prints all flow entries"),
        Verb {
            words: &["dump-flows"],
            options: &[],
            operands: &[&[Operand("bridge")], &[Text("table="), Operand("number")]],
            reads_only: "ovs-ofctl(8): prints the flow entries of a table",
        },
        of_bridge(&["show"], "ovs-ofctl(8): prints information on the switch and its ports"),
        of_bridge(&["dump-ports-desc"], "ovs-ofctl(8): prints detailed information about ports"),
        of_bridge(&["dump-ports"], "ovs-ofctl(8): prints statistics of ports"),
        of_bridge(&["dump-groups"], "ovs-ofctl(8): prints group entries"),
        of_bridge(&["dump-group-stats"], "ovs-ofctl(8): prints statistics of groups"),
        of_bridge(&["dump-tlv-map"], "ovs-ofctl(8): prints the mappings of Geneve options to fields"),
        of_bridge(&["dump-meters"], "ovs-ofctl(8): prints the configuration of meters"),
        of_bridge(&["meter-stats"], "ovs-ofctl(8): prints statistics of meters"),
    ],
};

/// Why retis only reads. It attaches programs to three tracepoints, which the kernel removes when retis ends, and
/// writes events to its standard output, for which it has no other option than a path. The options that change the
/// system (`--allow-system-changes`), run a command (`--cmd`), attach to ovs-vswitchd or ask it (`--ovs-track`,
/// `--ovs-enrich-flows`), or add probes cannot be expressed.
const RECORDS: &str = "retis: `collect` records calls of three tracepoints; /dev/stdout is its own standard output; the filter is \
                       parsed before";

const RETIS: Program = Program {
    name: "retis",
    globals: &[],
    verbs: &[Verb {
        words: &[
            "collect",
            "--out=/dev/stdout",
            "--probe=tp:skb:kfree_skb",
            "--probe=tp:net:netif_receive_skb",
            "--probe=tp:net:net_dev_start_xmit",
        ],
        options: &[],
        operands: &[&[Text("--filter-packet="), Operand("capture-filter")]],
        reads_only: RECORDS,
    }],
};

/// Records packets in the kernel, as one JSON object for each event.
pub(crate) fn retis(filter: &CaptureFilter) -> Argv {
    argv!(ALLOW: "retis", "collect", "--out=/dev/stdout", "--probe=tp:skb:kfree_skb",
        "--probe=tp:net:netif_receive_skb", "--probe=tp:net:net_dev_start_xmit",
        {"--filter-packet=", filter: CaptureFilter})
}

/// A trace of a flow through a bridge, with the conntrack state at each step. The table has neither `-generate` nor a
/// packet, because these would learn addresses and commit connections.
const fn traced(operands: &'static [&'static [WordPart]]) -> Verb {
    Verb {
        words: &["ofproto/trace"],
        options: &["--names", "--ct-next"],
        operands,
        reads_only: "ovs-vswitchd(8): without -generate and without a packet it has no side effects; tests/lab.rs proves it",
    }
}

const BRIDGE: &[WordPart] = &[Operand("bridge")];
const FLOW: &[WordPart] = &[Operand("flow-match")];
const NEXT: &[WordPart] = &[Operand("ct-next")];

const APPCTL: Program = Program {
    name: "ovs-appctl",
    globals: &["--timeout=10"],
    verbs: &[
        traced(&[BRIDGE, FLOW]),
        traced(&[BRIDGE, FLOW, NEXT]),
        traced(&[BRIDGE, FLOW, NEXT, NEXT]),
        traced(&[BRIDGE, FLOW, NEXT, NEXT, NEXT]),
        traced(&[BRIDGE, FLOW, NEXT, NEXT, NEXT, NEXT]),
        Verb {
            words: &["dpctl/dump-flows"],
            options: &["-m", "--names", "system@ovs-system", "netdev@ovs-netdev"],
            operands: &[],
            reads_only: "ovs-dpctl(8): prints the flow entries of a datapath",
        },
        Verb {
            words: &["dpctl/dump-conntrack"],
            options: &["-m", "system@ovs-system", "netdev@ovs-netdev"],
            operands: &[],
            reads_only: "ovs-dpctl(8): prints the connections that are tracked",
        },
        Verb {
            words: &["dpctl/dump-conntrack"],
            options: &["-m"],
            operands: &[&[Text("zone="), Operand("number")]],
            reads_only: "ovs-dpctl(8): prints the connections that are tracked in a zone",
        },
        of_bridge(
            &["bridge/dump-flows", "--offload-stats"],
            "ovs-vswitchd(8): lists all flows, including hidden flows",
        ),
        of_bridge(&["bridge/dump-flows"], "ovs-vswitchd(8): lists all flows, including hidden flows"),
        of_bridge(&["fdb/show"], "ovs-vswitchd(8): lists the learnt MAC addresses"),
        of_bridge(&["fdb/stats-show"], "ovs-vswitchd(8): shows statistics of the MAC learning table"),
        of_bridge(&["mdb/show"], "ovs-vswitchd(8): lists the learnt multicast groups"),
        verb(&["coverage/show"], "ovs-appctl(8): displays the counts of events"),
        verb(&["upcall/show"], "ovs-vswitchd(8): prints the state of upcalls and revalidators"),
        verb(&["memory/show"], "ovs-vswitchd(8): displays the memory use in terms of objects"),
        verb(&["dpif/show"], "ovs-vswitchd(8): lists datapaths, bridges and ports"),
        verb(
            &["dpctl/show", "-s"],
            "ovs-dpctl(8): prints a summary of datapaths and statistics of their ports",
        ),
        verb(&["dpctl/show", "-s", "system@ovs-system"], "the same for one datapath"),
        verb(&["dpctl/show", "-s", "netdev@ovs-netdev"], "the same for one datapath"),
        verb(&["dpctl/ct-stats-show", "-m"], "ovs-dpctl(8): displays the number of connections by protocol"),
        verb(&["dpctl/ct-stats-show", "-m", "system@ovs-system"], "the same for one datapath"),
        verb(&["dpctl/ct-stats-show", "-m", "netdev@ovs-netdev"], "the same for one datapath"),
        verb(
            &["dpif-netdev/pmd-stats-show"],
            "ovs-vswitchd(8): shows statistics of the threads of a datapath",
        ),
        verb(&["dpif-netdev/pmd-rxq-show"], "ovs-vswitchd(8): shows which thread polls which queue"),
        verb(&["ofproto/list-tunnels"], "ovs-vswitchd(8): lists the tunnels of all bridges"),
        verb(&["tnl/ports/show", "-v"], "ovs-vswitchd(8): lists the ports on which tunnels listen"),
        verb(&["ovs/route/show"], "ovs-vswitchd(8): prints all routes that Open vSwitch knows"),
        verb(&["tnl/neigh/show"], "ovs-vswitchd(8): displays the neighbours of tunnels"),
        verb(&["tnl/arp/show"], "the older name of tnl/neigh/show"),
        verb(&["bond/show"], "ovs-vswitchd(8): lists bonds with their members"),
        verb(&["lacp/show"], "ovs-vswitchd(8): lists the negotiated LACP state"),
        verb(&["bfd/show"], "ovs-vswitchd(8): displays the state of BFD sessions"),
        verb(&["cfm/show"], "ovs-vswitchd(8): displays the state of connectivity fault management"),
    ],
};

/// `ovs-vsctl show`, which is only read from reports. A live database has more data.
pub(crate) const RECORDED_SHOW: &str = "ovs-vsctl show";

/// The flows of the kernel's datapath, which some reports contain.
pub(crate) const RECORDED_DATAPATH_FLOWS: &str = "ovs-dpctl dump-flows --name -m type=ovs";

/// The tables for which reports contain the output of `ovs-vsctl list`.
pub(crate) const LISTED: [&str; 5] = ["Bridge", "Datapath", "Interface", "Manager", "Open_vSwitch"];

/// Returns the `ovs-vsctl list` command of a table, which is only read from reports. Reports omit the other tables.
pub(crate) fn recorded_list(table: &str) -> Option<&'static str> {
    Some(match table {
        "Interface" => "ovs-vsctl list interface",
        "Bridge" => "ovs-vsctl list bridge",
        "Open_vSwitch" => "ovs-vsctl list Open_vSwitch",
        "Datapath" => "ovs-vsctl list datapath",
        "Manager" => "ovs-vsctl list manager",
        _ => return None,
    })
}

/// Returns the command for the flows of a bridge or of one of its tables, and then the forms that reports contain,
/// which list all flows.
pub(crate) fn dump_flows(bridge: &BridgeName, table: Option<u8>) -> Vec<Argv> {
    let first = match table {
        Some(table) => {
            argv!(ALLOW: "ovs-ofctl", "--timeout=10", "-O", "OpenFlow10,OpenFlow13,OpenFlow15",
                "dump-flows", {bridge: BridgeName}, {"table=", table: u8})
        }
        None => {
            argv!(ALLOW: "ovs-ofctl", "--timeout=10", "-O", "OpenFlow10,OpenFlow13,OpenFlow15",
                "dump-flows", {bridge: BridgeName})
        }
    };
    vec![
        first,
        argv!(ALLOW: "ovs-ofctl", "-O", "OpenFlow15", "dump-flows", {bridge: BridgeName}),
        argv!(ALLOW: "ovs-ofctl", "-O", "OpenFlow14", "dump-flows", {bridge: BridgeName}),
        argv!(ALLOW: "ovs-ofctl", "-O", "OpenFlow13", "dump-flows", {bridge: BridgeName}),
        argv!(ALLOW: "ovs-ofctl", "dump-flows", {bridge: BridgeName}),
        argv!(ALLOW: "ovs-appctl", "bridge/dump-flows", "--offload-stats", {bridge: BridgeName}),
        argv!(ALLOW: "ovs-appctl", "bridge/dump-flows", {bridge: BridgeName}),
    ]
}

/// The data of a bridge that ovs-ofctl prints, besides the flows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BridgeDump {
    Ports,
    PortStatistics,
    Groups,
    GroupStatistics,
    Meters,
    MeterStatistics,
    TlvMap,
}

/// Returns the command for this data, and then the forms that reports contain.
pub(crate) fn ofctl(dump: BridgeDump, bridge: &BridgeName) -> Vec<Argv> {
    macro_rules! forms {
        ($verb:literal) => {
            vec![
                argv!(ALLOW: "ovs-ofctl", "--timeout=10", "-O", "OpenFlow10,OpenFlow13,OpenFlow15",
                    $verb, {bridge: BridgeName}),
                argv!(ALLOW: "ovs-ofctl", "-O", "OpenFlow15", $verb, {bridge: BridgeName}),
                argv!(ALLOW: "ovs-ofctl", "-O", "OpenFlow14", $verb, {bridge: BridgeName}),
                argv!(ALLOW: "ovs-ofctl", "-O", "OpenFlow13", $verb, {bridge: BridgeName}),
                argv!(ALLOW: "ovs-ofctl", $verb, {bridge: BridgeName}),
            ]
        };
    }
    match dump {
        BridgeDump::Ports => {
            let mut forms = forms!("dump-ports-desc");
            forms.push(argv!(ALLOW: "ovs-ofctl", "show", {bridge: BridgeName}));
            forms
        }
        BridgeDump::PortStatistics => forms!("dump-ports"),
        BridgeDump::Groups => forms!("dump-groups"),
        BridgeDump::GroupStatistics => forms!("dump-group-stats"),
        BridgeDump::Meters => forms!("dump-meters"),
        BridgeDump::MeterStatistics => forms!("meter-stats"),
        BridgeDump::TlvMap => forms!("dump-tlv-map"),
    }
}

/// Returns the commands for the flows of the datapath.
pub(crate) fn datapath_flows() -> Vec<Argv> {
    vec![
        argv!(ALLOW: "ovs-appctl", "--timeout=10", "dpctl/dump-flows", "-m", "--names"),
        argv!(ALLOW: "ovs-appctl", "dpctl/dump-flows", "-m", "system@ovs-system"),
        argv!(ALLOW: "ovs-appctl", "dpctl/dump-flows", "-m", "netdev@ovs-netdev"),
        argv!(ALLOW: "ovs-appctl", "dpctl/dump-flows"),
    ]
}

/// Returns the command for the connections of the datapath or of one zone, and then the forms that reports contain,
/// which list all connections.
pub(crate) fn connections(zone: Option<u16>) -> Vec<Argv> {
    vec![
        match zone {
            Some(zone) => {
                argv!(ALLOW: "ovs-appctl", "--timeout=10", "dpctl/dump-conntrack", "-m", {"zone=", zone: u16})
            }
            None => argv!(ALLOW: "ovs-appctl", "--timeout=10", "dpctl/dump-conntrack", "-m"),
        },
        argv!(ALLOW: "ovs-appctl", "dpctl/dump-conntrack", "-m", "system@ovs-system"),
        argv!(ALLOW: "ovs-appctl", "dpctl/dump-conntrack", "-m", "netdev@ovs-netdev"),
        argv!(ALLOW: "ovs-appctl", "dpctl/dump-conntrack"),
    ]
}

/// Returns the command that traces a flow through a bridge, or `None` if there are more conntrack steps than the
/// table allows.
pub(crate) fn trace(bridge: &BridgeName, flow: &FlowMatch, ct: &[CtNext]) -> Option<Argv> {
    macro_rules! traced {
        ($($next:tt),*) => {
            argv!(ALLOW: "ovs-appctl", "--timeout=10", "ofproto/trace", {bridge: BridgeName}, {flow: FlowMatch}, "--names"
                $(, "--ct-next", $next)*)
        };
    }
    Some(match ct {
        [] => traced!(),
        [a] => traced!({a: CtNext}),
        [a, b] => traced!({a: CtNext}, {b: CtNext}),
        [a, b, c] => traced!({a: CtNext}, {b: CtNext}, {c: CtNext}),
        [a, b, c, d] => traced!({a: CtNext}, {b: CtNext}, {c: CtNext}, {d: CtNext}),
        _ => return None,
    })
}
