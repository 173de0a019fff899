//! What the replay may run: on the private copy, and to read what was recorded.

use mcp_core::{
    argv::{
        Allow, BridgeName, CtNext, EthernetAddress, FlowMatch, Meter, Network,
        Part::{self, Operand, Text},
        PortName, PrivateAllow, PrivateArgv, PrivatePath, Program, TlvMapping, Verb,
    },
    private_argv,
};
use std::net::IpAddr;

const PRIVATE_SWITCH: &str = "it changes the private switch, whose devices are dummies: nothing leaves it";

/// What runs on a private copy of what was collected.
pub(crate) const PRIVATE: PrivateAllow = PrivateAllow(Allow(&[TOOL, SERVER, SWITCH, OFCTL, APPCTL]));

/// Daemons log to where nobody would look; what keeps them from running, they say on standard error all the same.
const QUIET: &[&str] = &["-vconsole:off", "-vsyslog:off", "-vfile:off"];

const TOOL: Program = Program {
    name: "ovsdb-tool",
    globals: &[],
    verbs: &[Verb {
        words: &["create"],
        options: &[],
        operands: &[&[Operand("private-path")], &[Text("/usr/share/openvswitch/vswitch.ovsschema")]],
        reads_only: "ovsdb-tool(1): makes a new file, here a private one",
    }],
};

const SERVER: Program = Program {
    name: "ovsdb-server",
    globals: QUIET,
    verbs: &[Verb {
        words: &[],
        options: &[],
        operands: &[
            &[Operand("private-path")],
            &[Text("--remote=punix:"), Operand("private-path")],
            &[Text("--unixctl="), Operand("private-path")],
        ],
        reads_only: "it serves a private file, on a private socket",
    }],
};

const SWITCH: Program = Program {
    name: "ovs-vswitchd",
    globals: QUIET,
    verbs: &[Verb {
        words: &["--enable-dummy", "--disable-system", "--disable-system-route"],
        options: &[],
        operands: &[
            &[Text("unix:"), Operand("private-path")],
            &[Text("--unixctl="), Operand("private-path")],
        ],
        reads_only: "its database has dummies, patch ports and tunnels only, and it may use neither the kernel's datapath nor \
                     its routes (ovs-vswitchd(8), `--disable-system`, `--disable-system-route`)",
    }],
};

const OFCTL: Program = Program {
    name: "ovs-ofctl",
    globals: &["--timeout=20", "-O", "OpenFlow15"],
    verbs: &[
        Verb {
            words: &["--version"],
            options: &[],
            operands: &[],
            reads_only: "ovs-ofctl(8): prints its version",
        },
        filled(&["add-tlv-map"], &[BRIDGE_SOCKET, &[Operand("tlv-mapping")]]),
        filled(&["add-meter"], &[BRIDGE_SOCKET, &[Operand("meter")]]),
        filled(&["add-groups"], &[BRIDGE_SOCKET, FILE]),
        filled(&["--bundle", "replace-flows"], &[BRIDGE_SOCKET, FILE]),
    ],
};

/// Something that ovs-ofctl gives a bridge of the private switch.
const fn filled(words: &'static [&'static str], operands: &'static [&'static [Part]]) -> Verb {
    Verb { words, options: &[], operands, reads_only: PRIVATE_SWITCH }
}

const APPCTL: Program = Program {
    name: "ovs-appctl",
    globals: &["--timeout=20"],
    verbs: &[
        told(&["fdb/add"], &[CONTROL, BRIDGE, &[Operand("port")], &[Operand("number")], MAC]),
        told(&["netdev-dummy/ip4addr", "netdev-dummy/ip6addr"], &[CONTROL, BRIDGE, NETWORK]),
        told(&["ovs/route/add"], &[CONTROL, NETWORK, BRIDGE]),
        told(&["ovs/route/add"], &[CONTROL, NETWORK, BRIDGE, ADDRESS]),
        told(&["tnl/neigh/set"], &[CONTROL, BRIDGE, ADDRESS, MAC]),
        traced(&[CONTROL, BRIDGE, FLOW]),
        traced(&[CONTROL, BRIDGE, FLOW, NEXT]),
        traced(&[CONTROL, BRIDGE, FLOW, NEXT, NEXT]),
        traced(&[CONTROL, BRIDGE, FLOW, NEXT, NEXT, NEXT]),
        traced(&[CONTROL, BRIDGE, FLOW, NEXT, NEXT, NEXT, NEXT]),
    ],
};

/// Something that the private switch is told. Its command comes after the switch that is meant: as an option.
const fn told(options: &'static [&'static str], operands: &'static [&'static [Part]]) -> Verb {
    Verb { words: &[], options, operands, reads_only: PRIVATE_SWITCH }
}

const fn traced(operands: &'static [&'static [Part]]) -> Verb {
    Verb {
        words: &[],
        options: &["ofproto/trace", "--names", "--ct-next"],
        operands,
        reads_only: "it asks the private switch, as the live tool asks the real one",
    }
}

const BRIDGE_SOCKET: &[Part] = &[Text("unix:"), Operand("private-path")];
const FILE: &[Part] = &[Operand("private-path")];
const CONTROL: &[Part] = &[Text("--target="), Operand("private-path")];
const BRIDGE: &[Part] = &[Operand("bridge")];
const FLOW: &[Part] = &[Operand("flow-match")];
const NEXT: &[Part] = &[Operand("ct-next")];
const NETWORK: &[Part] = &[Operand("network")];
const ADDRESS: &[Part] = &[Operand("address")];
const MAC: &[Part] = &[Operand("ethernet-address")];

/// An empty database of the schema that is installed.
pub(super) fn create(file: &PrivatePath) -> PrivateArgv {
    private_argv!(PRIVATE: "ovsdb-tool", "create", {file: PrivatePath}, "/usr/share/openvswitch/vswitch.ovsschema")
}

/// A server of a private database.
pub(super) fn serve(file: &PrivatePath, socket: &PrivatePath, control: &PrivatePath) -> PrivateArgv {
    private_argv!(PRIVATE: "ovsdb-server", "-vconsole:off", "-vsyslog:off", "-vfile:off", {file: PrivatePath},
        {"--remote=punix:", socket: PrivatePath}, {"--unixctl=", control: PrivatePath})
}

/// A switch that makes itself as a private database says.
pub(super) fn switch(database: &PrivatePath, control: &PrivatePath) -> PrivateArgv {
    private_argv!(PRIVATE: "ovs-vswitchd", "-vconsole:off", "-vsyslog:off", "-vfile:off", "--enable-dummy",
        "--disable-system", "--disable-system-route", {"unix:", database: PrivatePath},
        {"--unixctl=", control: PrivatePath})
}

/// Which version of Open vSwitch is installed here?
pub(super) fn version() -> PrivateArgv {
    private_argv!(PRIVATE: "ovs-ofctl", "--version")
}

pub(super) fn add_tlv_map(bridge: &PrivatePath, mapping: TlvMapping) -> PrivateArgv {
    private_argv!(PRIVATE: "ovs-ofctl", "--timeout=20", "-O", "OpenFlow15", "add-tlv-map",
        {"unix:", bridge: PrivatePath}, {mapping: TlvMapping})
}

pub(super) fn add_meter(bridge: &PrivatePath, meter: Meter) -> PrivateArgv {
    private_argv!(PRIVATE: "ovs-ofctl", "--timeout=20", "-O", "OpenFlow15", "add-meter",
        {"unix:", bridge: PrivatePath}, {meter: Meter})
}

pub(super) fn add_groups(bridge: &PrivatePath, file: &PrivatePath) -> PrivateArgv {
    private_argv!(PRIVATE: "ovs-ofctl", "--timeout=20", "-O", "OpenFlow15", "add-groups",
        {"unix:", bridge: PrivatePath}, {file: PrivatePath})
}

/// All flows in one transaction: one that is not understood keeps out the others, which would tell another story.
pub(super) fn replace_flows(bridge: &PrivatePath, file: &PrivatePath) -> PrivateArgv {
    private_argv!(PRIVATE: "ovs-ofctl", "--timeout=20", "-O", "OpenFlow15", "--bundle", "replace-flows",
        {"unix:", bridge: PrivatePath}, {file: PrivatePath})
}

pub(super) fn fdb_add(
    control: &PrivatePath,
    bridge: &BridgeName,
    port: &PortName,
    vlan: u16,
    mac: EthernetAddress,
) -> PrivateArgv {
    private_argv!(PRIVATE: "ovs-appctl", "--timeout=20", {"--target=", control: PrivatePath}, "fdb/add",
        {bridge: BridgeName}, {port: PortName}, {vlan: u16}, {mac: EthernetAddress})
}

/// Gives a bridge an address, by which tunnels know that they can send from it.
pub(super) fn address(control: &PrivatePath, bridge: &BridgeName, network: Network) -> PrivateArgv {
    match network.0.addr() {
        IpAddr::V4(_) => {
            private_argv!(PRIVATE: "ovs-appctl", "--timeout=20", {"--target=", control: PrivatePath},
                "netdev-dummy/ip4addr", {bridge: BridgeName}, {network: Network})
        }
        IpAddr::V6(_) => {
            private_argv!(PRIVATE: "ovs-appctl", "--timeout=20", {"--target=", control: PrivatePath},
                "netdev-dummy/ip6addr", {bridge: BridgeName}, {network: Network})
        }
    }
}

pub(super) fn route(
    control: &PrivatePath,
    network: Network,
    bridge: &BridgeName,
    gateway: Option<IpAddr>,
) -> PrivateArgv {
    match gateway {
        Some(gateway) => {
            private_argv!(PRIVATE: "ovs-appctl", "--timeout=20", {"--target=", control: PrivatePath},
                "ovs/route/add", {network: Network}, {bridge: BridgeName}, {gateway: IpAddr})
        }
        None => {
            private_argv!(PRIVATE: "ovs-appctl", "--timeout=20", {"--target=", control: PrivatePath},
                "ovs/route/add", {network: Network}, {bridge: BridgeName})
        }
    }
}

pub(super) fn neighbour(
    control: &PrivatePath,
    bridge: &BridgeName,
    address: IpAddr,
    mac: EthernetAddress,
) -> PrivateArgv {
    private_argv!(PRIVATE: "ovs-appctl", "--timeout=20", {"--target=", control: PrivatePath}, "tnl/neigh/set",
        {bridge: BridgeName}, {address: IpAddr}, {mac: EthernetAddress})
}

/// The way of a flow through a bridge, asked as the live tool asks.
pub(super) fn trace(
    control: &PrivatePath,
    bridge: &BridgeName,
    flow: &FlowMatch,
    ct: &[CtNext],
) -> Option<PrivateArgv> {
    macro_rules! traced {
        ($($next:tt),*) => {
            private_argv!(PRIVATE: "ovs-appctl", "--timeout=20", {"--target=", control: PrivatePath}, "ofproto/trace",
                {bridge: BridgeName}, {flow: FlowMatch}, "--names" $(, "--ct-next", $next)*)
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
