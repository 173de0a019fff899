//! What this layer may run.

use mcp_core::{
    Argv, argv,
    argv::{
        Allow, InterfaceName, NftFamily, NftName,
        Part::{self, Operand, Text},
        Program, Verb,
    },
};
use std::net::IpAddr;

const fn verb(words: &'static [&'static str], reads_only: &'static str) -> Verb {
    Verb { words, options: &[], operands: &[], reads_only }
}

const fn of(
    words: &'static [&'static str],
    operands: &'static [&'static [Part]],
    reads_only: &'static str,
) -> Verb {
    Verb { words, options: &[], operands, reads_only }
}

/// The table. No option of any program is abbreviated, and none takes a file.
pub(crate) const ALLOW: Allow =
    Allow(&[IP, NFT, IPTABLES, IP6TABLES, CONNTRACK, SS, NSTAT, ETHTOOL, SYSCTL, CAT, IPSEC, VTYSH]);

const SHOWS: &str = "ip(8): `show` and `list` print what there is";
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
        // Without `nokeys` it would print the keys.
        verb(&["xfrm", "state", "list", "nokeys"], "ip-xfrm(8): lists the associations without their keys"),
    ],
};

/// nft(8) joins its arguments and reads commands from the text; a name that is an [`NftName`] ends none.
const LISTS: &str = "nft(8): `list` prints; the operands are names, which begin no other command";

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

/// `-t` would make the legacy program register the table, `-M` names a program that it runs, `-f` a file that it writes.
const SAVES: &str = "iptables-save(8): dumps the tables that there are; `-c` with their counters";

const IPTABLES: Program = Program { name: "iptables-save", globals: &[], verbs: &[verb(&["-c"], SAVES)] };
const IP6TABLES: Program = Program { name: "ip6tables-save", globals: &[], verbs: &[verb(&["-c"], SAVES)] };

/// `-z` would set every counter that is listed to zero.
const CONNTRACK: Program = Program {
    name: "conntrack",
    globals: &[],
    verbs: &[
        verb(&["-L", "-o", "extended"], "conntrack(8): lists the table"),
        verb(&["-L", "-f", "ipv6", "-o", "extended"], "conntrack(8): lists the table"),
        verb(&["-S"], "conntrack(8): shows the statistics"),
        verb(&["-E", "-o", "extended,timestamp"], "conntrack(8): displays events until it is ended"),
    ],
};

/// `-K` would end connections, `-D` writes a file.
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
    verbs: &[verb(&["-zas"], "nstat(8): absolute values, zeros too; `-s`: the history file is not written")],
};

const ETHTOOL: Program = Program {
    name: "ethtool",
    globals: &[],
    verbs: &[
        of(&["-S"], &[&[Operand("interface")]], "ethtool(8): `-S` prints statistics"),
        of(&["-k"], &[&[Operand("interface")]], "ethtool(8): `-k` prints features; `-K` would set them"),
    ],
};

const SYSCTL: Program = Program {
    name: "sysctl",
    globals: &[],
    verbs: &[verb(&["-a"], "sysctl(8): displays all values; only `name=value` would write one")],
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

/// vtysh(1) takes a newline for the beginning of another command: what it is asked is a literal.
const VIEWS: &str = "vtysh(1): `-u` restricts the session to what the user view shows";

const VTYSH: Program = Program {
    name: "vtysh",
    globals: &["-u", "-c"],
    verbs: &[
        verb(&["show bgp vrf all summary"], VIEWS),
        verb(&["show bgp ipv4 unicast"], VIEWS),
        verb(&["show bgp ipv6 unicast"], VIEWS),
        verb(&["show bgp neighbors"], VIEWS),
        verb(&["show bgp l2vpn evpn summary"], VIEWS),
        verb(&["show ip route vrf all"], VIEWS),
        verb(&["show ipv6 route vrf all"], VIEWS),
        verb(&["show bfd peers"], VIEWS),
        verb(&["show evpn vni"], VIEWS),
        verb(&["show version"], VIEWS),
        // The user view has no running configuration.
        verb(&["show running-config"], "vtysh(1): prints the configuration; the command is this literal"),
    ],
};

/// Interfaces with their counters and what kind they are: as sos records it.
pub(crate) fn links() -> Argv {
    argv!(ALLOW: "ip", "-s", "-d", "link")
}

/// Interfaces with their addresses: as sos records it.
pub(crate) fn addresses() -> Argv {
    argv!(ALLOW: "ip", "-d", "address")
}

/// The routes of all tables, of both families.
pub(crate) fn routes() -> Argv {
    argv!(ALLOW: "ip", "route", "show", "table", "all")
}

/// The route to an address, as the kernel finds it.
pub(crate) fn route_get(to: IpAddr, mark: Option<u32>, vrf: Option<&InterfaceName>) -> Argv {
    match (mark, vrf) {
        (_, Some(vrf)) => argv!(ALLOW: "ip", "route", "get", {to: IpAddr}, "vrf", {vrf: InterfaceName}),
        (Some(mark), None) => argv!(ALLOW: "ip", "route", "get", {to: IpAddr}, "mark", {mark: u32}),
        (None, None) => argv!(ALLOW: "ip", "route", "get", {to: IpAddr}),
    }
}

/// The rules that choose a routing table.
pub(crate) fn rules() -> Argv {
    argv!(ALLOW: "ip", "-4", "rule", "list")
}

/// The same for IPv6.
pub(crate) fn rules_v6() -> Argv {
    argv!(ALLOW: "ip", "-6", "rule", "list")
}

/// Neighbours with their statistics: as sos records it.
pub(crate) fn neighbours() -> Argv {
    argv!(ALLOW: "ip", "-s", "-s", "neigh", "show")
}

/// What is to be encrypted.
pub(crate) fn xfrm_policies() -> Argv {
    argv!(ALLOW: "ip", "xfrm", "policy")
}

/// Security associations, without keys.
pub(crate) fn xfrm_states() -> Argv {
    argv!(ALLOW: "ip", "xfrm", "state", "list", "nokeys")
}

/// All of nftables, with handles.
pub(crate) fn nft_ruleset() -> Argv {
    argv!(ALLOW: "nft", "-a", "list", "ruleset")
}

/// One table of nftables.
pub(crate) fn nft_table(family: NftFamily, table: &NftName) -> Argv {
    argv!(ALLOW: "nft", "-a", "list", "table", {family: NftFamily}, {table: NftName})
}

/// One chain.
pub(crate) fn nft_chain(family: NftFamily, table: &NftName, chain: &NftName) -> Argv {
    argv!(ALLOW: "nft", "-a", "list", "chain", {family: NftFamily}, {table: NftName}, {chain: NftName})
}

/// One set.
pub(crate) fn nft_set(family: NftFamily, table: &NftName, set: &NftName) -> Argv {
    argv!(ALLOW: "nft", "-a", "list", "set", {family: NftFamily}, {table: NftName}, {set: NftName})
}

/// One map.
pub(crate) fn nft_map(family: NftFamily, table: &NftName, map: &NftName) -> Argv {
    argv!(ALLOW: "nft", "-a", "list", "map", {family: NftFamily}, {table: NftName}, {map: NftName})
}

/// The rules of iptables, whichever variant this host uses.
pub(crate) fn iptables() -> Argv {
    argv!(ALLOW: "iptables-save", "-c")
}

/// The rules of ip6tables.
pub(crate) fn ip6tables() -> Argv {
    argv!(ALLOW: "ip6tables-save", "-c")
}

/// The connections of IPv4, of all zones.
pub(crate) fn connections() -> Argv {
    argv!(ALLOW: "conntrack", "-L", "-o", "extended")
}

/// Those of IPv6.
pub(crate) fn connections_v6() -> Argv {
    argv!(ALLOW: "conntrack", "-L", "-f", "ipv6", "-o", "extended")
}

/// What becomes of connections, as it happens.
pub(crate) fn connection_events() -> Argv {
    argv!(ALLOW: "conntrack", "-E", "-o", "extended,timestamp")
}

/// conntrack's counters, a line a processor.
pub(crate) fn connection_statistics() -> Argv {
    argv!(ALLOW: "conntrack", "-S")
}

/// Sockets.
pub(crate) fn sockets() -> Argv {
    argv!(ALLOW: "ss", "-tuwanpi")
}

/// The counters of IP, TCP, UDP, ICMP.
pub(crate) fn protocol_counters() -> Argv {
    argv!(ALLOW: "nstat", "-zas")
}

/// The counters of a driver.
pub(crate) fn driver_counters(interface: &InterfaceName) -> Argv {
    argv!(ALLOW: "ethtool", "-S", {interface: InterfaceName})
}

/// What a driver offloads.
pub(crate) fn driver_features(interface: &InterfaceName) -> Argv {
    argv!(ALLOW: "ethtool", "-k", {interface: InterfaceName})
}

/// The kernel's settings.
pub(crate) fn settings() -> Argv {
    argv!(ALLOW: "sysctl", "-a")
}

/// What each processor received, dropped, had no time for.
pub(crate) fn softnet() -> Argv {
    argv!(ALLOW: "cat", "/proc/net/softnet_stat")
}

/// What became of packets that were to be encrypted or decrypted.
pub(crate) fn xfrm_counters() -> Argv {
    argv!(ALLOW: "cat", "/proc/net/xfrm_stat")
}

/// FRR's configuration as it will be read at the next start.
pub(crate) fn frr_file() -> Argv {
    argv!(ALLOW: "cat", "/etc/frr/frr.conf")
}

/// libreswan's configuration: connections that Open vSwitch wrote, and the rest. Its secrets are in another file.
pub(crate) fn ipsec_files() -> [Argv; 2] {
    [argv!(ALLOW: "cat", "/etc/ipsec.d/openvswitch.conf"), argv!(ALLOW: "cat", "/etc/ipsec.conf")]
}
