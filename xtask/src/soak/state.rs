//! The current state of everything in the lab that a tool could change.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use xshell::{Cmd, Shell, cmd};

use super::counters::{COUNTED, Counters};
use super::planted::is_planted;
use crate::workspace::Result;

/// The nodes of the lab.
pub(super) const NODES: &[&str] = &["ovn-worker", "ovn-worker2"];

/// The databases of a node: socket and name.
const DATABASES: &[(&str, &str)] = &[
    ("/run/ovn/ovnnb_db.sock", "OVN_Northbound"),
    ("/run/ovn/ovnsb_db.sock", "OVN_Southbound"),
    ("/run/openvswitch/db.sock", "Open_vSwitch"),
];

/// Columns that daemons write all the time: counters, times, the state of connections.
const VOLATILE: &[(&str, &str)] = &[
    ("NB_Global", "nb_cfg_timestamp"),
    ("NB_Global", "sb_cfg_timestamp"),
    ("NB_Global", "hv_cfg_timestamp"),
    ("Chassis_Private", "nb_cfg_timestamp"),
    ("MAC_Binding", "timestamp"),
    ("FDB", "timestamp"),
    ("Connection", "is_connected"),
    ("Connection", "status"),
    ("Open_vSwitch", "statistics"),
    ("Interface", "statistics"),
    ("Interface", "link_resets"),
    ("Port", "statistics"),
    ("Port", "rstp_statistics"),
    ("Bridge", "rstp_status"),
    ("Manager", "is_connected"),
    ("Manager", "status"),
    ("Controller", "is_connected"),
    ("Controller", "status"),
];

/// The output of the kernel and of programs on a node: a name, and the words of the command.
const PRINTED: &[(&str, &str)] = &[
    ("nft", "nft list ruleset"),
    ("iptables-save", "iptables-save"),
    ("ip6tables-save", "ip6tables-save"),
    ("ip address", "ip -o address"),
    ("ip link", "ip -o link"),
    ("ip route", "ip route show table all"),
    ("ip -6 route", "ip -6 route show table all"),
    ("ip rule", "ip rule"),
    ("ip neigh", "ip neigh"),
    ("conntrack", "conntrack -L"),
    ("dpctl/dump-conntrack", "ovs-appctl dpctl/dump-conntrack"),
    ("OpenFlow br-int", "ovs-ofctl --no-stats --no-names dump-flows br-int"),
    ("OpenFlow br-ex", "ovs-ofctl --no-stats --no-names dump-flows br-ex"),
    ("OpenFlow groups", "ovs-ofctl dump-groups br-int"),
    ("fdb of br-int", "ovs-appctl fdb/show br-int"),
    ("fdb of br-ex", "ovs-appctl fdb/show br-ex"),
    ("tnl/neigh", "ovs-appctl tnl/neigh/show"),
    ("ip xfrm policy", "ip xfrm policy"),
    ("FRR", "vtysh --histfile=/dev/null -c show~running-config"),
    ("vlog", "ovs-appctl vlog/list"),
    ("vlog of ovn-controller", "ovn-appctl -t ovn-controller vlog/list"),
];

/// The tables that iptables-legacy has registered: a query for a table registers it. A kernel without legacy iptables
/// has no such file.
const LEGACY_TABLES: &[(&str, &str)] = &[
    ("tables of iptables-legacy", "cat /proc/net/ip_tables_names"),
    ("tables of ip6tables-legacy", "cat /proc/net/ip6_tables_names"),
];

/// The network namespaces of pods, which tools also read.
const PODS: &[&str] = &["default/client", "default/web-1", "default/client-2", "default/web-2", "default/db"];

/// The outputs of a node that a pod has as well.
const OF_PODS: &[&str] = &[
    "nft",
    "iptables-save",
    "ip6tables-save",
    "ip address",
    "ip link",
    "ip route",
    "ip rule",
    "ip neigh",
    "conntrack",
];

/// Folders of a node whose files are compared.
const FOLDERS: &[&str] =
    &["etc/openvswitch", "etc/ovn", "run/openvswitch", "run/ovn", "etc/frr", "etc/ipsec.d"];

/// Returns a command in a node or pod of the lab. In its words `~` stands for a space.
pub(super) fn inside<'a>(sh: &'a Shell, lab: &Path, place: &str, words: &str) -> Cmd<'a> {
    let enter = concat!(env!("CARGO_MANIFEST_DIR"), "/lab/enter.sh");
    let words = words.split(' ').map(|word| word.replace('~', " "));
    cmd!(sh, "bash {enter} {place} {words...}").env("LAB_DIR", lab).quiet().ignore_stderr()
}

/// One line for each thing that exists (equal lines are numbered), and the counters.
#[derive(Debug, Default)]
pub(super) struct State(BTreeSet<String>, Counters);

/// The differences between two states.
pub(super) type Changes = BTreeSet<String>;

impl State {
    /// Reads the state of the lab in a folder.
    pub(super) fn of(sh: &Shell, lab: &Path) -> Result<Self> {
        let mut lines = Vec::new();
        let mut counters = Counters::default();
        let command = |place: &str, words: &str| inside(sh, lab, place, words);
        for place in NODES.iter().chain(PODS) {
            let of_node = NODES.contains(place);
            for (name, words) in PRINTED.iter().filter(|(name, _)| of_node || OF_PODS.contains(name)) {
                let text = command(place, words).read()?;
                lines.extend(
                    text.lines()
                        .filter_map(steady)
                        .map(|line| format!("{place} {name}: {}", aged(name, line))),
                );
            }
            for (name, words) in LEGACY_TABLES {
                let text = command(place, words).ignore_status().read()?;
                lines.extend(text.lines().map(|line| format!("{place} {name}: {line}")));
            }
        }
        for node in NODES {
            let run = |words: &str| command(node, words).read();
            for (socket, name) in DATABASES {
                let dump = run(&format!("ovsdb-client -f json dump unix:{socket} {name}"))?;
                rows(&dump, &mut |line| lines.push(format!("{node} {name} {line}")))?;
            }
            for (name, words, read) in COUNTED {
                counters.add(node, name, *read, &run(words)?);
            }
            for folder in FOLDERS {
                let path = lab.join(node).join(folder);
                for file in fs::read_dir(&path)?.flatten() {
                    lines.push(format!("{node} /{folder}: {}", described(&file.path())?));
                }
            }
            lines.extend(
                processes(lab, node)?.into_iter().map(|process| format!("{node} process: {process}")),
            );
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut state = BTreeSet::new();
        for line in &lines {
            let count = counts.entry(line).or_default();
            *count += 1;
            state.insert(if *count == 1 { line.clone() } else { format!("{line} (#{count})") });
        }
        Ok(Self(state, counters))
    }

    /// Returns how many things are compared.
    pub(super) fn len(&self) -> usize {
        self.0.len() + self.1.len()
    }

    /// Returns the new lines of a later state, the missing lines, and the counters that were reset. Connections,
    /// neighbours and addresses that a bridge learnt may disappear, because they age, and so do the rows that OVN
    /// learnt, with their flows. The addresses of the lab's hosts may also appear.
    pub(super) fn changes(&self, later: &Self) -> Changes {
        let learnt = |state: &Self| state.0.iter().filter_map(|line| learnt(line)).collect::<BTreeSet<u32>>();
        let (before, after) = (learnt(self), learnt(later));
        let aged: BTreeSet<u32> = before.difference(&after).copied().collect();
        let of_hosts: BTreeSet<u32> =
            later.0.iter().filter(|line| is_of_host(line)).filter_map(|line| self::learnt(line)).collect();
        let is_among = |line: &str, rows: &BTreeSet<u32>| {
            self::learnt(line).or_else(|| cookie(line)).is_some_and(|uuid| rows.contains(&uuid))
        };
        let is_neighbour = |line: &str| {
            [" ip neigh: ", " fdb of br-", " tnl/neigh: "].iter().any(|kind| line.contains(kind))
        };
        let ages = |line: &str| {
            let is_connection = line.contains(" conntrack: ") || line.contains(" dpctl/dump-conntrack: ");
            !is_planted(line) && (is_connection || is_neighbour(line) || is_among(line, &aged))
        };
        let comes = |line: &str| (is_neighbour(line) && is_of_host(line)) || is_among(line, &of_hosts);
        let gone = self.0.difference(&later.0).filter(|line| !ages(line)).map(|line| format!("- {line}"));
        let new = later.0.difference(&self.0).filter(|line| !comes(line)).map(|line| format!("+ {line}"));
        gone.chain(new).chain(self.1.lower(&later.1)).collect()
    }
}

/// Tables for neighbours and multicast listeners that OVN learns, and for the flows that OVN derives from them. A
/// deletion of any other logical flow is found, because ovn-northd makes the flow again with another UUID.
const LEARNT: &[&str] = &["MAC_Binding", "IGMP_Group", "Multicast_Group", "Logical_Flow"];

/// The first bytes of the MAC addresses of the lab's hosts. The hosts talk to each other at any time (BGP, tunnels that
/// resolve each other), so bridges, tunnels and gateway routers learn and forget these addresses.
const HOSTS: &str = "02:42:ac:12:00:";

fn is_of_host(line: &str) -> bool {
    line.contains(HOSTS)
}

/// Returns the beginning of the UUID of a row in these tables, which is the cookie of the row's flows.
fn learnt(line: &str) -> Option<u32> {
    let (_, row) = line.split_once(" OVN_Southbound ")?;
    let (table, uuid) = row.split_once(r#" ["uuid",""#)?;
    u32::from_str_radix(uuid.get(..8).filter(|_| LEARNT.contains(&table))?, 16).ok()
}

/// Returns the cookie of a flow.
fn cookie(line: &str) -> Option<u32> {
    let (_, cookie) = line.split_once(" cookie=0x")?;
    u32::from_str_radix(cookie.split(',').next()?, 16).ok()
}

/// Returns a learnt entry without its age, which is its last word.
fn aged(name: &str, line: String) -> String {
    match line.rsplit_once(' ') {
        Some((learnt, _)) if name.starts_with("fdb of ") => learnt.to_owned(),
        _ => line,
    }
}

/// Returns a line without counters and clocks, or `None` if the line is a comment.
fn steady(line: &str) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let counts = |word: &&str| {
        ["timeout=", "use=", "packets=", "bytes=", "n_packets=", "n_bytes=", "duration=", "used:"]
            .iter()
            .any(|counter| word.starts_with(counter))
    };
    let state = |word: &&str| {
        ["REACHABLE", "STALE", "DELAY", "PROBE", "NOARP", "PERMANENT", "FAILED", "INCOMPLETE"].contains(word)
    };
    let mut words: Vec<&str> = line.split_whitespace().filter(|word| !counts(word) && !state(word)).collect();
    // nft: `packets 7 bytes 420`. Another check compares the counters.
    let mut is_count = false;
    words.retain(|word| {
        let counted = is_count && word.parse::<u64>().is_ok();
        is_count = ["packets", "bytes"].contains(word);
        !counted
    });
    // conntrack: the protocol, its number, and the remaining seconds.
    if words.get(1).is_some_and(|word| word.parse::<u8>().is_ok())
        && words.get(2).is_some_and(|word| word.parse::<u32>().is_ok())
    {
        words.remove(2);
        words.retain(|word| {
            ![
                "SYN_SENT",
                "SYN_RECV",
                "ESTABLISHED",
                "FIN_WAIT",
                "CLOSE_WAIT",
                "LAST_ACK",
                "TIME_WAIT",
                "CLOSE",
            ]
            .contains(word)
        });
    }
    let line = words.join(" ");
    Some(line.split(",protoinfo=").next().unwrap_or_default().to_owned())
}

/// Reads the values of a database, each with its table, row and column, without volatile columns.
fn rows(dump: &str, say: &mut dyn FnMut(String)) -> Result {
    for table in serde_json::Deserializer::from_str(dump).into_iter::<Value>() {
        let table = table?;
        let caption = table.get("caption").and_then(Value::as_str).unwrap_or_default();
        let name = caption.strip_suffix(" table").ok_or("a dump without tables")?;
        let list = |key: &str| table.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let headings = list("headings");
        for row in list("data") {
            let cells = row.as_array().cloned().unwrap_or_default();
            let uuid = cells.first().cloned().unwrap_or_default();
            for (heading, cell) in headings.iter().zip(cells).skip(1) {
                let column = heading.as_str().unwrap_or_default();
                if !VOLATILE.contains(&(name, column)) {
                    say(format!("{name} {uuid} {column}={cell}"));
                }
            }
        }
    }
    Ok(())
}

/// Tables to which OVN writes what it learns. Their rows are compared one by one.
const OF_LEARNT: &str = "ovnsb_db.db";

/// Describes a file by its name and its content. Sockets and links are described by their existence only.
fn described(path: &Path) -> Result<String> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if name == OF_LEARNT || !fs::symlink_metadata(path)?.is_file() {
        return Ok(name);
    }
    let mut hasher = DefaultHasher::new();
    fs::read(path)?.hash(&mut hasher);
    Ok(format!("{name} {:016x}", hasher.finish()))
}

/// Returns the commands that run in a node's network namespace.
fn processes(lab: &Path, node: &str) -> Result<Vec<String>> {
    let holder = fs::read_to_string(lab.join(node).join("pid"))?;
    let network = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let here = network(holder.trim()).ok_or("the node has no network")?;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        if pid.bytes().all(|byte| byte.is_ascii_digit())
            && network(&pid).is_some_and(|network| network == here)
        {
            let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            found.push(String::from_utf8_lossy(&words).replace('\0', " ").trim().to_owned());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_and_counters_are_no_change() {
        let same = [
            (
                "tcp 6 431999 ESTABLISHED src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 [ASSURED] mark=0 use=1",
                "tcp 6 12 TIME_WAIT src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 [ASSURED] mark=0 use=2",
            ),
            ("10.0.0.1 dev eth0 lladdr aa:bb STALE", "10.0.0.1 dev eth0 lladdr aa:bb REACHABLE"),
            (
                "counter packets 12 bytes 1006 jump KUBE-FIREWALL",
                "counter packets 14 bytes 1129 jump KUBE-FIREWALL",
            ),
        ];
        for (a, b) in same {
            assert_eq!(steady(a), steady(b));
        }
        assert_eq!(steady("# Generated by iptables-save on Sun"), None);
        assert_ne!(steady("-A INPUT -j DROP"), steady("-A INPUT -j ACCEPT"));
    }

    #[test]
    fn a_value_that_changed_is_found_and_a_volatile_one_is_not() {
        let dump = |name: &str, statistics: u32| {
            let row = format!(r#"[["uuid","1"],"{name}",{statistics}]"#);
            format!(
                r#"{{"caption":"Interface table","headings":["_uuid","name","statistics"],"data":[{row}]}}"#
            )
        };
        let state = |dump: &str| {
            let mut lines = BTreeSet::new();
            rows(dump, &mut |line| _ = lines.insert(line)).unwrap();
            State(lines, Counters::default())
        };
        let before = state(&dump("a", 1));
        assert_eq!(before.changes(&state(&dump("a", 2))), Changes::new());
        assert_eq!(before.changes(&state(&dump("b", 1))).len(), 2);
        assert!(rows("{}", &mut |_| ()).is_err());
    }

    #[test]
    fn what_was_learnt_ages() {
        let state = |lines: &[&str]| {
            State(lines.iter().map(|line| (*line).to_owned()).collect(), Counters::default())
        };
        let row =
            r#"n OVN_Southbound MAC_Binding ["uuid","0c14ac3a-0000-4000-8000-000000000000"] ip="172.18.0.2""#;
        let flow = "n OpenFlow br-int: cookie=0xc14ac3a, table=66, priority=100 actions=x";
        let other = "n OpenFlow br-int: cookie=0xc14ac3b, table=66, priority=100 actions=x";
        let before = state(&[row, flow, other]);
        assert_eq!(before.changes(&state(&[other])), Changes::new());
        assert_eq!(
            before.changes(&state(&[row, flow])).len(),
            1,
            "the other flow belongs to no row that ages"
        );
        assert_eq!(before.changes(&state(&[row, other])).len(), 1, "its row is still there");
        assert_eq!(state(&[other]).changes(&before).len(), 2, "a new line is a change");
        let of_host = r#"n OVN_Southbound MAC_Binding ["uuid","0c14ac3a-0000-4000-8000-000000000000"] mac="02:42:ac:12:00:03""#;
        let neighbour = "n fdb of br-ex: 1 0 02:42:ac:12:00:03";
        let hosts = state(&[row, of_host, flow, other, neighbour]);
        assert_eq!(state(&[other]).changes(&hosts), Changes::new(), "addresses of hosts may appear");
        let planted = "n conntrack: tcp 6 src=192.0.2.1 dst=192.0.2.2 sport=7 dport=7";
        let aged = "n conntrack: tcp 6 src=10.0.0.1 dst=192.0.2.2 sport=7 dport=7";
        assert_eq!(state(&[planted, aged]).changes(&state(&[])), Changes::from([format!("- {planted}")]));
        let of_pod = "n fdb of br-int: 1 0 0a:58:0a:f4:00:05";
        assert_eq!(
            state(&[other]).changes(&state(&[other, of_pod])).len(),
            1,
            "other addresses may not appear"
        );
    }
}
