//! Commands that this layer's table does not allow: every known way to change something with a listed program.

use std::panic;

fn is_allowed(command: &str) -> bool {
    mcp_core::argv::is_allowed(mcp_kernel::layer().allow, command)
}

/// The words of a command are separated by `|`, and `{address}` stands for an operand.
#[test]
fn no_command_that_changes_anything_is_allowed() {
    // The check panics for each refused command, as it does in the compiler. The hook suppresses these messages.
    panic::set_hook(Box::new(|_| {}));
    let refused = [
        // ip(8): other commands, abbreviations, command files, other namespaces.
        "ip|link|set|br-ex|mtu|1400",
        "ip|l",
        "ip|addr|flush|dev|br-ex",
        "ip|address|add|10.0.0.1/8|dev|lo",
        "ip|route|flush|table|all",
        "ip|route|save",
        "ip|route|add|blackhole|10.0.0.0/8",
        "ip|rule|add|from|all|lookup|7",
        "ip|neigh|flush|all",
        "ip|route|get|{address}|-batch|/tmp/x",
        "ip|route|get|{address}|;|flush",
        "ip|route|get|{interface}",
        "ip|-batch|/tmp/x",
        "ip|-batch=/tmp/x",
        "ip|-force|-batch|-",
        "ip|-b|/tmp/x",
        "ip|-n|ns|link",
        "ip|-s|-s|neigh|show|-batch|/tmp/x",
        "ip|netns|exec|x|sh",
        "ip|vrf|exec|x|sh",
        "ip|monitor",
        "ip|xfrm|state",
        "ip|xfrm|state|list",
        "ip|xfrm|state|flush",
        "ip|xfrm|policy|flush",
        "ip|xfrm|state|list|nokeys|flush",
        // nft(8) joins its arguments.
        "nft|list|ruleset|;|add|table|inet|evil",
        "nft|list|ruleset|;add table inet evil",
        "nft|list|ruleset;add table inet evil",
        "nft|list|table|inet|x;flush ruleset",
        "nft|-a|list|chain|inet|x|y\nflush ruleset",
        "nft|-a|list|table|{nft-family}|{nft-name}|;|flush|ruleset",
        "nft|-a|list|table|{nft-family}|{nft-name};flush ruleset",
        "nft|-a|list|chain|{nft-family}|{nft-name}|{nft-name}|{nft-name}",
        "nft|-a|delete|table|{nft-family}|{nft-name}",
        "nft|-f|/tmp/x",
        "nft|-i",
        "nft|-D|a=b",
        "nft|-I|/tmp",
        "nft|-c|flush|ruleset",
        "nft|flush|ruleset",
        "nft|monitor",
        "nft|reset|counters",
        "nft|delete|table|inet|ovn-kubernetes",
        // iptables-save(8): options that register a table, run a program or write a file.
        "iptables-save|-t|nat",
        "iptables-save|-c|-t|nat",
        "iptables-save|-M|/tmp/x",
        "iptables-save|-c|-M|/tmp/x",
        "iptables-save|--modprobe=/tmp/x",
        "iptables-save|-c|--modp=/tmp/x",
        "iptables-save|-f|/tmp/x",
        "iptables-save|--file|/tmp/x",
        "iptables-legacy-save|-c",
        "iptables-legacy-save|-t|nat",
        "iptables-legacy|-t|nat|-L",
        "ip6tables-legacy-save|-t|nat",
        "iptables|-t|nat|-nvL",
        "iptables|-t|nat|-nvL|-Z",
        "iptables-restore",
        "ip6tables-save|-c|-M|/tmp/x",
        // conntrack(8): options that reset counters, and create or delete entries.
        "conntrack|-L|-z",
        "conntrack|-L|-o|extended|-z",
        "conntrack|-L|--zero",
        "conntrack|-L|--zer",
        "conntrack|-D",
        "conntrack|-F",
        "conntrack|-U|-m|1",
        "conntrack|-I",
        "conntrack|-R|/tmp/x",
        "conntrack|-E|-o|extended,timestamp|-F",
        "conntrack|-A",
        // ss(8), nstat(8), ethtool(8), sysctl(8)
        "ss|-K",
        "ss|-tuwanpi|-K",
        "ss|--kill",
        "ss|--kil",
        "ss|-tuwanpiK",
        "ss|-tuwanpi|-N|ns",
        "ss|--diag=/tmp/x",
        "ss|-D|/tmp/x",
        "ss|-F|/tmp/x",
        "nstat|-r",
        "nstat|-n",
        "nstat|-za",
        "nstat|-d|1",
        "ethtool|-K|eth0|tx|off",
        "ethtool|-s|eth0|speed|10",
        "ethtool|-r|eth0",
        "ethtool|-t|eth0",
        "ethtool|-S|eth0|-K",
        "ethtool|-S|{interface}|-K",
        "ethtool|-K|{interface}|tx|off",
        "sysctl|net.ipv4.ip_forward=0",
        "sysctl|-a|net.ipv4.ip_forward=0",
        "sysctl|-w|net.ipv4.ip_forward=0",
        "sysctl|-p|/tmp/x",
        "sysctl|--system",
        "sysctl|--write|a=b",
        "sysctl|--load=/tmp/x",
        // Files that the table does not list.
        "cat|/etc/shadow",
        "cat|/etc/ipsec.secrets",
        "cat|/proc/net/softnet_stat|/etc/shadow",
        "cat|/etc/ipsec.d/../shadow",
        // vtysh(1): another mode, another command, a second command.
        // Without the option, vtysh appends each command to ~/.history_frr.
        "vtysh|-u|-c|show version",
        "vtysh|--histfile=/etc/x|-u|-c|show version",
        "vtysh|--histfile=/dev/null|-c|conf t",
        "vtysh|--histfile=/dev/null|-c|show running-config|-c|conf t",
        "vtysh|--histfile=/dev/null|-c|show version\nconf t",
        "vtysh|--histfile=/dev/null|-c|show running-config\nconf t",
        "vtysh|--histfile=/dev/null|-c|clear bgp *",
        "vtysh|--histfile=/dev/null|-c|copy running-config startup-config",
        "vtysh|--histfile=/dev/null|-f|/tmp/x",
        "vtysh|--histfile=/dev/null|-b",
        "vtysh|--histfile=/dev/null|-w",
        "vtysh|--histfile=/dev/null|-u|-c|show version|-c|enable",
        "vtysh|--histfile=/dev/null|-u|-c|show version\nenable",
        "vtysh|--histfile=/dev/null|-c|show bfd peers\nconf t",
        "vtysh|--histfile=/dev/null|-c|show bfd peers|-c|write memory",
        "vtysh|--histfile=/dev/null|-c|output file /tmp/x",
        // ipsec(8)
        "ipsec|whack|--shutdown",
        "ipsec|auto|--add|x",
        "ipsec|restart",
        "ipsec|whack|--status",
        "ipsec|auto|--up|x",
        "ipsec|trafficstatus|--config|/tmp/x",
        "ipsec|status|--ctlsocket|/tmp/x",
        "ipsec|showhostkey|--dump",
        // Programs that are not listed.
        "sh|-c|true",
        "nsenter|-t|1|-n|--|true",
        "tc|qdisc|del|dev|br-ex|root",
        "modprobe|x",
    ];
    for command in refused {
        assert!(!is_allowed(command), "{command}");
    }
    let allowed = [
        "ip|-s|-d|link",
        "ip|route|get|{address}|mark|{number}",
        "nft|-a|list|table|{nft-family}|{nft-name}",
        "ethtool|-S|{interface}",
        "ip|xfrm|state|list|nokeys",
        "nft|-a|list|ruleset",
        "iptables-save|-c",
        "conntrack|-L|-o|extended",
        "sysctl|-a",
        "vtysh|--histfile=/dev/null|-u|-c|show bgp vrf all summary",
    ];
    for command in allowed {
        assert!(is_allowed(command), "{command}");
    }
}
