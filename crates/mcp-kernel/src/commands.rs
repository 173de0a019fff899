//! The table of commands that this layer may run, and functions that build each command.

use mcp_core::{
    Argv, argv,
    argv::{
        AllowedPrograms, InterfaceName, NftFamily, NftName, Program, Verb,
        WordPart::{self, Operand, Text},
    },
};
use std::net::IpAddr;

const fn verb(words: &'static [&'static str], reads_only: &'static str) -> Verb {
    Verb { words, options: &[], operands: &[], reads_only }
}

const fn of(
    words: &'static [&'static str],
    operands: &'static [&'static [WordPart]],
    reads_only: &'static str,
) -> Verb {
    Verb { words, options: &[], operands, reads_only }
}

/// The table of allowed commands. It contains no abbreviated option, and no option that takes a file.
pub(crate) const ALLOW: AllowedPrograms = AllowedPrograms(&[
    IP, NFT, IPTABLES, IP6TABLES, CONNTRACK, SS, NSTAT, ETHTOOL, SYSCTL, CAT, IPSEC, VTYSH,
]);

const SHOWS: &str = "ip(8): `show` and `list` print the objects";
const GETS: &str = "ip-route(8): `get` resolves a route as the kernel would, and sends nothing";

const IP: Program = Program {
    name: "ip",
    globals: &["-s", "-d", "-4", "-6"],
    verbs: &[
        verb(&["link"], "ip-link(8): without a command it shows all devices"),
        verb(&["address"], "ip-address(8): without a command it shows all addresses"),
        verb(&["route", "show", "table", "all"], SHOWS),
        of(&["route", "get"], &[&[Operand("address")]], GETS),
        of(&["route", "get"], &[&[Operand("address")], &[Text("mark")], &[Operand("number")]], GETS),
        of(&["route", "get"], &[&[Operand("address")], &[Text("vrf")], &[Operand("interface")]], GETS),
        verb(&["rule", "list"], SHOWS),
        verb(&["neigh", "show"], SHOWS),
        verb(&["xfrm", "policy"], "ip-xfrm(8): without a command it lists the policies"),
        // Without `nokeys`, the command would print the keys.
        verb(&["xfrm", "state", "list", "nokeys"], "ip-xfrm(8): lists the associations without their keys"),
    ],
};

/// Why `nft list` only reads. nft(8) joins its arguments and parses the text as commands. An [`NftName`] contains no
/// character that ends a command.
const LISTS: &str = "nft(8): `list` prints; the operands are names, which cannot begin another command";

const NFT: Program = Program {
    name: "nft",
    globals: &["-a"],
    verbs: &[
        verb(&["list", "ruleset"], LISTS),
        of(&["list", "table"], &[&[Operand("nft-family")], &[Operand("nft-name")]], LISTS),
        of(
            &["list", "chain"],
            &[&[Operand("nft-family")], &[Operand("nft-name")], &[Operand("nft-name")]],
            LISTS,
        ),
        of(
            &["list", "set"],
            &[&[Operand("nft-family")], &[Operand("nft-name")], &[Operand("nft-name")]],
            LISTS,
        ),
        of(
            &["list", "map"],
            &[&[Operand("nft-family")], &[Operand("nft-name")], &[Operand("nft-name")]],
            LISTS,
        ),
    ],
};

/// Why `iptables-save` only reads. Other options are not allowed: `-t` makes the legacy program register the table,
/// `-M` names a program to run, and `-f` names a file to write.
const SAVES: &str = "iptables-save(8): dumps the existing tables; `-c` adds their counters";

const IPTABLES: Program = Program { name: "iptables-save", globals: &[], verbs: &[verb(&["-c"], SAVES)] };
const IP6TABLES: Program = Program { name: "ip6tables-save", globals: &[], verbs: &[verb(&["-c"], SAVES)] };

/// The commands of conntrack. `-z` is not allowed, because it resets every counter that it lists.
const CONNTRACK: Program = Program {
    name: "conntrack",
    globals: &[],
    verbs: &[
        verb(&["-L", "-o", "extended"], "conntrack(8): lists the table"),
        verb(&["-L", "-f", "ipv6", "-o", "extended"], "conntrack(8): lists the table"),
        verb(&["-S"], "conntrack(8): shows the statistics"),
        verb(&["-E", "-o", "extended,timestamp"], "conntrack(8): displays events until it is stopped"),
    ],
};

/// The commands of ss. `-K` is not allowed because it ends connections, and `-D` because it writes a file.
const SS: Program = Program {
    name: "ss",
    globals: &[],
    verbs: &[verb(
        &["-tuwanpi"],
        "ss(8): TCP, UDP and raw sockets, all, numeric, with processes and details",
    )],
};

const NSTAT: Program = Program {
    name: "nstat",
    globals: &[],
    verbs: &[verb(
        &["-zas"],
        "nstat(8): prints absolute values, also zeros; with `-s` it does not write the history file",
    )],
};

const ETHTOOL: Program = Program {
    name: "ethtool",
    globals: &[],
    verbs: &[
        of(&["-S"], &[&[Operand("interface")]], "ethtool(8): `-S` prints statistics"),
        of(&["-k"], &[&[Operand("interface")]], "ethtool(8): `-k` prints features (`-K` would set them)"),
    ],
};

const SYSCTL: Program = Program {
    name: "sysctl",
    globals: &[],
    verbs: &[verb(&["-a"], "sysctl(8): displays all values; only an argument `name=value` would write one")],
};

const CATS: &str = "cat(1): prints a file; the path is a literal of this table";

const CAT: Program = Program {
    name: "cat",
    globals: &[],
    verbs: &[
        verb(&["/proc/net/softnet_stat"], CATS),
        verb(&["/proc/net/xfrm_stat"], CATS),
        verb(&["/etc/frr/frr.conf"], CATS),
        verb(&["/etc/ipsec.conf"], CATS),
        verb(&["/etc/ipsec.d/openvswitch.conf"], CATS),
    ],
};

const IPSEC: Program = Program {
    name: "ipsec",
    globals: &[],
    verbs: &[
        verb(&["status"], "ipsec-status(8): asks pluto and prints"),
        verb(&["trafficstatus"], "ipsec-trafficstatus(8): asks pluto and prints"),
        verb(&["briefstatus"], "ipsec-briefstatus(8): asks pluto and prints"),
        verb(&["showstates"], "ipsec-showstates(8): asks pluto and prints"),
    ],
};

/// Why vtysh commands only read. vtysh(1) treats a newline as the start of another command, so every command is a
/// literal. Without `--histfile` it appends every command to ~/.history_frr, also with `-c`.
const VIEWS: &str =
    "vtysh(1): `-u` restricts the session to what the user view shows; the history goes to /dev/null";
/// Why vtysh commands only read that the user view cannot run.
const SHOWN: &str =
    "vtysh(1): a `show` command prints; the command is this literal; the history goes to /dev/null";

const VTYSH: Program = Program {
    name: "vtysh",
    globals: &[],
    verbs: &[
        verb(&["--histfile=/dev/null", "-u", "-c", "show bgp vrf all summary"], VIEWS),
        verb(&["--histfile=/dev/null", "-u", "-c", "show bgp ipv4 unicast"], VIEWS),
        verb(&["--histfile=/dev/null", "-u", "-c", "show bgp ipv6 unicast"], VIEWS),
        verb(&["--histfile=/dev/null", "-u", "-c", "show bgp neighbors"], VIEWS),
        verb(&["--histfile=/dev/null", "-u", "-c", "show bgp l2vpn evpn summary"], VIEWS),
        verb(&["--histfile=/dev/null", "-u", "-c", "show ip route vrf all"], VIEWS),
        verb(&["--histfile=/dev/null", "-u", "-c", "show ipv6 route vrf all"], VIEWS),
        verb(&["--histfile=/dev/null", "-u", "-c", "show evpn vni"], VIEWS),
        verb(&["--histfile=/dev/null", "-u", "-c", "show version"], VIEWS),
        // The user view can show neither BFD nor the running configuration.
        verb(&["--histfile=/dev/null", "-c", "show bfd peers"], SHOWN),
        verb(&["--histfile=/dev/null", "-c", "show running-config"], SHOWN),
    ],
};

/// Lists interfaces with their counters and details, with the options that sos uses.
pub(crate) fn links() -> Argv {
    argv!(ALLOW: "ip", "-s", "-d", "link")
}

/// Lists interfaces with their addresses, with the options that sos uses.
pub(crate) fn addresses() -> Argv {
    argv!(ALLOW: "ip", "-d", "address")
}

/// Lists the routes of all tables and both families.
pub(crate) fn routes() -> Argv {
    argv!(ALLOW: "ip", "route", "show", "table", "all")
}

/// Asks the kernel for the route to an address.
pub(crate) fn route_get(to: IpAddr, mark: Option<u32>, vrf: Option<&InterfaceName>) -> Argv {
    match (mark, vrf) {
        (_, Some(vrf)) => argv!(ALLOW: "ip", "route", "get", {to: IpAddr}, "vrf", {vrf: InterfaceName}),
        (Some(mark), None) => argv!(ALLOW: "ip", "route", "get", {to: IpAddr}, "mark", {mark: u32}),
        (None, None) => argv!(ALLOW: "ip", "route", "get", {to: IpAddr}),
    }
}

/// Lists the IPv4 rules that select a routing table.
pub(crate) fn rules() -> Argv {
    argv!(ALLOW: "ip", "-4", "rule", "list")
}

/// Lists the IPv6 rules that select a routing table.
pub(crate) fn rules_v6() -> Argv {
    argv!(ALLOW: "ip", "-6", "rule", "list")
}

/// Lists neighbours with their statistics, with the options that sos uses.
pub(crate) fn neighbours() -> Argv {
    argv!(ALLOW: "ip", "-s", "-s", "neigh", "show")
}

/// Lists the IPsec policies.
pub(crate) fn xfrm_policies() -> Argv {
    argv!(ALLOW: "ip", "xfrm", "policy")
}

/// Lists the IPsec states (security associations) without keys.
pub(crate) fn xfrm_states() -> Argv {
    argv!(ALLOW: "ip", "xfrm", "state", "list", "nokeys")
}

/// Lists all of nftables, with handles.
pub(crate) fn nft_ruleset() -> Argv {
    argv!(ALLOW: "nft", "-a", "list", "ruleset")
}

/// Lists one table of nftables.
pub(crate) fn nft_table(family: NftFamily, table: &NftName) -> Argv {
    argv!(ALLOW: "nft", "-a", "list", "table", {family: NftFamily}, {table: NftName})
}

/// Lists one chain of nftables.
pub(crate) fn nft_chain(family: NftFamily, table: &NftName, chain: &NftName) -> Argv {
    argv!(ALLOW: "nft", "-a", "list", "chain", {family: NftFamily}, {table: NftName}, {chain: NftName})
}

/// Lists one set of nftables.
pub(crate) fn nft_set(family: NftFamily, table: &NftName, set: &NftName) -> Argv {
    argv!(ALLOW: "nft", "-a", "list", "set", {family: NftFamily}, {table: NftName}, {set: NftName})
}

/// Lists one map of nftables.
pub(crate) fn nft_map(family: NftFamily, table: &NftName, map: &NftName) -> Argv {
    argv!(ALLOW: "nft", "-a", "list", "map", {family: NftFamily}, {table: NftName}, {map: NftName})
}

/// Dumps the rules of iptables, in the variant (nft or legacy) that the host uses.
pub(crate) fn iptables() -> Argv {
    argv!(ALLOW: "iptables-save", "-c")
}

/// Dumps the rules of ip6tables.
pub(crate) fn ip6tables() -> Argv {
    argv!(ALLOW: "ip6tables-save", "-c")
}

/// Lists the IPv4 connections of all zones. Newer versions of conntrack also list IPv6.
pub(crate) fn connections() -> Argv {
    argv!(ALLOW: "conntrack", "-L", "-o", "extended")
}

/// Lists the IPv6 connections of all zones.
pub(crate) fn connections_v6() -> Argv {
    argv!(ALLOW: "conntrack", "-L", "-f", "ipv6", "-o", "extended")
}

/// Prints connection tracking events until the program is stopped.
pub(crate) fn connection_events() -> Argv {
    argv!(ALLOW: "conntrack", "-E", "-o", "extended,timestamp")
}

/// Prints the counters of connection tracking, one line for each CPU.
pub(crate) fn connection_statistics() -> Argv {
    argv!(ALLOW: "conntrack", "-S")
}

/// Lists sockets.
pub(crate) fn sockets() -> Argv {
    argv!(ALLOW: "ss", "-tuwanpi")
}

/// Prints the counters of IP, TCP, UDP and ICMP.
pub(crate) fn protocol_counters() -> Argv {
    argv!(ALLOW: "nstat", "-zas")
}

/// Prints the counters of an interface's driver.
pub(crate) fn driver_counters(interface: &InterfaceName) -> Argv {
    argv!(ALLOW: "ethtool", "-S", {interface: InterfaceName})
}

/// Prints the offload features of an interface's driver.
pub(crate) fn driver_features(interface: &InterfaceName) -> Argv {
    argv!(ALLOW: "ethtool", "-k", {interface: InterfaceName})
}

/// Prints the kernel's settings.
pub(crate) fn settings() -> Argv {
    argv!(ALLOW: "sysctl", "-a")
}

/// Prints the packets that each CPU processed and dropped, and how often it ran out of time.
pub(crate) fn softnet() -> Argv {
    argv!(ALLOW: "cat", "/proc/net/softnet_stat")
}

/// Prints the counters of IPsec errors.
pub(crate) fn xfrm_counters() -> Argv {
    argv!(ALLOW: "cat", "/proc/net/xfrm_stat")
}

/// Prints the configuration file that FRR reads at its next start.
pub(crate) fn frr_file() -> Argv {
    argv!(ALLOW: "cat", "/etc/frr/frr.conf")
}

/// Prints libreswan's configuration: the connections that Open vSwitch wrote, and the main file. Neither file contains
/// the secrets.
pub(crate) fn ipsec_files() -> [Argv; 2] {
    [argv!(ALLOW: "cat", "/etc/ipsec.d/openvswitch.conf"), argv!(ALLOW: "cat", "/etc/ipsec.conf")]
}
