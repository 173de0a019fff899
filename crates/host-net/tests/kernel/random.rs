//! Random rules, tables and packets.

use host_net::fib::Flow;
use std::fmt::Write;

/// A random number generator. The same seed repeats a run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }

    /// Returns true with this probability in percent.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Returns one of several values.
    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of.get(self.below(of.len())).copied().expect("at least one value")
    }
}

/// Returns a script that creates four pairs of interfaces. `v0` and `v1` work, `v2` has no carrier, and `v3` goes down
/// after the routes are added.
pub(crate) fn interfaces() -> String {
    let mut script = String::from("set -u\nip link set lo up\n");
    for n in 0..4 {
        script += &format!(
            "ip link add v{n} type veth peer name p{n}\nip link set v{n} up\nip addr add 10.0.{n}.1/24 dev v{n}\n\
             ip addr add fd00:{n}::1/64 dev v{n} nodad\n"
        );
    }
    script += "ip link set p0 up\nip link set p1 up\nip link set p3 up\nip link set v1 group 7\n\
               for path in /proc/sys/net/ipv4/conf/*; do echo 0 >$path/rp_filter; echo 1 >$path/accept_local; echo 1 >$path/forwarding; done\n\
               echo 1 >/proc/sys/net/ipv6/conf/all/forwarding\nsleep 1\n";
    script
}

const TABLES: [&str; 5] = ["50", "51", "52", "53", "main"];
const SERVICES: [&str; 2] = ["0x10", "0x08"];

/// The networks and addresses of one family.
struct FamilyAddresses {
    networks: &'static [&'static str],
    destinations: &'static [&'static str],
    own: &'static [&'static str],
    others: &'static [&'static str],
}

const V4: FamilyAddresses = FamilyAddresses {
    networks: &[
        "20.0.0.0/8",
        "20.1.0.0/16",
        "20.1.1.0/24",
        "20.1.1.1",
        "30.0.0.0/8",
        "10.0.1.0/24",
        "16.0.0.0/4",
        "224.0.0.0/4",
    ],
    destinations: &[
        "20.1.1.1",
        "20.1.1.1",
        "20.1.1.9",
        "20.1.9.9",
        "20.9.9.9",
        "30.1.1.1",
        "40.1.1.1",
        "10.0.1.7",
        "10.0.0.1",
        "10.0.0.255",
        "225.1.1.1",
    ],
    own: &["10.0.0.1", "10.0.1.1"],
    others: &["10.0.0.9", "20.1.7.7", "40.4.4.4"],
};
const V6: FamilyAddresses = FamilyAddresses {
    networks: &[
        "2001::/16",
        "2001:1::/32",
        "2001:1:1::/48",
        "2001:1:1::1",
        "3001::/16",
        "fd00:1::/64",
        "2000::/3",
    ],
    destinations: &[
        "2001:1:1::1",
        "2001:1:1::1",
        "2001:1:1::9",
        "2001:1:9::9",
        "2001:9::9",
        "3001::1",
        "4001::1",
        "fd00:1::7",
        "fd00:0::1",
    ],
    own: &["fd00:0::1", "fd00:1::1"],
    others: &["fd00:0::9", "2001:1:7::7", "4001::4"],
};

fn family_addresses(v6: bool) -> &'static FamilyAddresses {
    if v6 { &V6 } else { &V4 }
}

/// Rules and routes of one family.
pub(crate) struct Scene {
    commands: String,
    v6: bool,
}

impl Scene {
    pub(crate) fn new(random: &mut Random, v6: bool) -> Self {
        let mut commands = String::new();
        for _ in 0..4 + random.below(9) {
            commands += &rule(random, v6);
        }
        for _ in 0..10 + random.below(30) {
            commands += &route(random, v6);
        }
        Self { commands, v6 }
    }

    /// Returns a script that adds the rules and routes. The kernel rejects some of them (a duplicate route, an
    /// unreachable gateway), and these are left out.
    pub(crate) fn script(&self) -> String {
        let f = if self.v6 { "-6" } else { "-4" };
        let mut script = format!(
            "ip link set v3 up\nip -6 addr add fd00:3::1/64 dev v3 nodad 2>/dev/null\nip {f} rule flush\nip {f} rule add pref 32766 lookup main\n\
             for table in 50 51 52 53; do ip {f} route flush table $table 2>/dev/null; done\n\
             ip {f} route flush table main proto static\nip -force {f} -batch - 2>/dev/null <<END\n{}END\nip link set v3 down\n",
            self.commands
        );
        for (name, command) in
            [("rules", "rule list"), ("routes", "route show table all"), ("links", "-d address")]
        {
            script += &format!("echo '### {name}'\nip {} {command}\n", if name == "links" { "" } else { f });
        }
        script
    }
}

fn rule(random: &mut Random, v6: bool) -> String {
    let of = family_addresses(v6);
    let priority = 1 + random.below(40);
    let mut text = format!("rule add pref {priority}");
    let mut selectors = 0;
    let mut add = |text: &mut String, selector: String| {
        selectors += 1;
        *text += &format!(" {selector}");
    };
    if random.chance(10) {
        text += " not";
    }
    if random.chance(25) {
        let from = [of.own, of.networks].concat();
        add(&mut text, format!("from {}", random.one(&from)));
    }
    if random.chance(25) {
        add(&mut text, format!("to {}", random.one(of.networks)));
    }
    if random.chance(15) {
        add(&mut text, format!("tos {}", random.one(&SERVICES)));
    }
    if random.chance(20) {
        add(&mut text, format!("fwmark {}", random.one(&["0x1", "0x2", "0x1/0xff", "0x0/0x1", "0x10/0xf0"])));
    }
    if random.chance(15) {
        add(&mut text, format!("iif {}", random.one(&["lo", "v0", "v1", "gone"])));
    }
    if random.chance(10) {
        add(&mut text, format!("oif {}", random.one(&["v0", "v1", "gone"])));
    }
    if random.chance(10) {
        add(&mut text, format!("uidrange {}", random.one(&["0-0", "0-1000", "7-7"])));
    }
    if random.chance(12) {
        add(&mut text, format!("ipproto {}", random.one(&["tcp", "udp"])));
    }
    if random.chance(12) {
        add(&mut text, format!("sport {}", random.one(&["7", "1-100", "1000-2000"])));
    }
    if random.chance(12) {
        add(&mut text, format!("dport {}", random.one(&["53", "1-100", "1000-2000"])));
    }
    let action = random.below(100);
    match action {
        0..70 => {
            _ = write!(text, " lookup {}", random.one(&TABLES));
            if random.chance(20) {
                _ = write!(text, " suppress_prefixlength {}", random.one(&["0", "8", "16", "32"]));
            }
            if random.chance(10) {
                text += " suppress_ifgroup 7";
            }
        }
        70..82 => _ = write!(text, " goto {}", priority + 1 + random.below(12)),
        82..86 => text += " nop",
        _ if selectors > 0 => _ = write!(text, " {}", random.one(&["unreachable", "prohibit", "blackhole"])),
        _ => _ = write!(text, " lookup {}", random.one(&TABLES)),
    }
    text + "\n"
}

fn route(random: &mut Random, v6: bool) -> String {
    let of = family_addresses(v6);
    let table = random.one(&TABLES);
    let prefix = if random.chance(12) { "default" } else { random.one(of.networks) };
    let mut text = format!("route add {prefix} table {table} proto static");
    if !v6 && prefix != "default" && random.chance(15) {
        text = text.replace(" table", &format!(" tos {} table", random.one(&SERVICES)));
    }
    if v6 && random.chance(15) {
        text = text.replace(
            " table",
            &format!(" from {} table", random.one(&["fd00:0::/64", "fd00::/16", "2001:1::/32"])),
        );
    }
    if random.chance(40) {
        _ = write!(text, " metric {}", random.one(&["5", "10", "20"]));
    }
    let gateway = |random: &mut Random| {
        let n = random.below(4);
        if v6 { format!("via fd00:{n}::7 dev v{n}") } else { format!("via 10.0.{n}.7 dev v{n}") }
    };
    match random.below(100) {
        0..12 => text = text.replace("add ", "add throw "),
        12..18 => text = text.replace("add ", "add unreachable "),
        18..24 => text = text.replace("add ", "add blackhole "),
        24..30 => text = text.replace("add ", "add prohibit "),
        30..50 => {
            for _ in 0..2 + random.below(2) {
                _ = write!(text, " nexthop {}", gateway(random));
            }
        }
        50..65 => _ = write!(text, " dev v{}", random.below(4)),
        _ => _ = write!(text, " {}", gateway(random)),
    }
    text + "\n"
}

/// Returns a packet, and the commands that ask the kernel for its matching route and its next hop.
pub(crate) fn question(random: &mut Random, v6: bool) -> (Flow, String) {
    let of = family_addresses(v6);
    let to = random.one(of.destinations);
    let mut flow = Flow::to(to.parse().expect("an address"));
    let mut text = to.to_owned();
    let multicast = flow.to.is_multicast();
    if random.chance(35) && !multicast {
        let (from, input) = (random.one(of.others), random.one(&["v0", "v1"]));
        text += &format!(" from {from} iif {input}");
        (flow.from, flow.input) = (from.parse().ok(), Some(input.into()));
        // For IPv6, `ip route get` looks up a packet without a user, which does not exist in real traffic.
        flow.uid = v6.then_some(u32::MAX);
    } else {
        if random.chance(40) && !multicast {
            let from = random.one(of.own);
            text += &format!(" from {from}");
            flow.from = from.parse().ok();
        }
        if random.chance(15) {
            let output = random.one(&["v0", "v1"]);
            text += &format!(" oif {output}");
            flow.output = Some(output.into());
        }
        let uid = random.one(&["0", "7", "2000"]);
        text += &format!(" uid {uid}");
        flow.uid = uid.parse().ok();
    }
    if random.chance(40) {
        let mark = random.one(&["0x1", "0x2", "0x11", "0x101"]);
        text += &format!(" mark {mark}");
        flow.mark = u32::from_str_radix(&mark[2..], 16).expect("a mark");
    }
    if random.chance(30) {
        let tos = random.one(&["0x10", "0x08", "0x18"]);
        text += &format!(" tos {tos}");
        flow.tos = u8::from_str_radix(&tos[2..], 16).expect("a type of service");
    }
    let (protocol, number) = if random.chance(50) { ("tcp", 6) } else { ("udp", 17) };
    let (source, destination) =
        (random.one(&["7", "50", "1500", "9999"]), random.one(&["53", "80", "1500", "9999"]));
    text += &format!(" ipproto {protocol} sport {source} dport {destination}");
    flow.protocol = Some(number);
    (flow.source_port, flow.destination_port) = (source.parse().ok(), destination.parse().ok());
    let f = if v6 { "-6" } else { "-4" };
    let commands = format!(
        "echo '### match'\nip {f} route get fibmatch {text} 2>&1\necho '### get'\nip {f} route get {text} 2>&1\n"
    );
    (flow, commands + "true\n")
}
