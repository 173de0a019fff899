//! Tests the address and port filters of nftables and iptables with random rules, which are read from the output of the
//! real programs.
//!
//! The test knows the addresses and ports of each rule without its text: a rule is a list of sets, and each set is a
//! list of pairs of addresses and ports.

use crate::{cases, in_namespace, random::Random};
use host_net::{
    address_filter::AddressFilter,
    iptables,
    nft::{self, NftObject},
};
use std::{collections::BTreeMap, net::IpAddr};

/// A range of addresses and a range of ports.
type Pair = (Option<(IpAddr, IpAddr)>, Option<(u16, u16)>);

/// The sets of pairs in a rule.
type Truth = Vec<Vec<Pair>>;

/// Returns true if one pair contains the address and the port, or pairs of two sets do.
fn concerns(truth: &Truth, wanted: AddressFilter) -> bool {
    let has_address = |pair: &Pair| match (wanted.address, pair.0) {
        (Some(wanted), Some((from, to))) => {
            from.is_ipv4() == wanted.is_ipv4() && from <= wanted && wanted <= to
        }
        _ => false,
    };
    let has_port = |pair: &Pair| match (wanted.port, pair.1) {
        (Some(wanted), Some((from, to))) => from <= wanted && wanted <= to,
        _ => false,
    };
    let all = || truth.iter().enumerate().flat_map(|(set, pairs)| pairs.iter().map(move |pair| (set, pair)));
    match (wanted.address.is_some(), wanted.port.is_some()) {
        (true, false) => all().any(|(_, pair)| has_address(pair)),
        (false, true) => all().any(|(_, pair)| has_port(pair)),
        (true, true) => all().any(|(set, pair)| {
            has_address(pair) && (has_port(pair) || all().any(|(other, pair)| other != set && has_port(pair)))
        }),
        (false, false) => true,
    }
}

fn address(v6: bool, last: u64) -> IpAddr {
    if v6 {
        IpAddr::from([0xfd00, 0x80, 0x443, 0, 0, 0, 0, last as u16])
    } else {
        IpAddr::from([10, 80, 0, last as u8])
    }
}

/// Returns the text of an address, a range or a network, and its addresses.
fn addresses(random: &mut Random, v6: bool) -> (String, Pair) {
    let first = 1 + random.below(12) as u64;
    match random.below(4) {
        0 => {
            let last = first + 1 + random.below(5) as u64;
            let (from, to) = (address(v6, first), address(v6, last));
            (format!("{from}-{to}"), (Some((from, to)), None))
        }
        1 => {
            let first = first / 4 * 4;
            let length = if v6 { 126 } else { 30 };
            (
                format!("{}/{length}", address(v6, first)),
                (Some((address(v6, first), address(v6, first + 3))), None),
            )
        }
        _ => one_address(random, v6),
    }
}

fn one_address(random: &mut Random, v6: bool) -> (String, Pair) {
    let one = address(v6, 1 + random.below(12) as u64);
    (one.to_string(), (Some((one, one)), None))
}

const PORTS: [u16; 8] = [10, 58, 80, 443, 1024, 5353, 8080, 30080];

/// Returns the text of a port or a range of ports, and its ports. `sign` separates the ends of a range.
fn ports(random: &mut Random, sign: &str) -> (String, Pair) {
    let first = random.one(&PORTS);
    if random.chance(30) {
        let last = first + 1 + random.below(400) as u16;
        return (format!("{first}{sign}{last}"), (None, Some((first, last))));
    }
    (first.to_string(), (None, Some((first, first))))
}

fn joined((address, _): Pair, (_, port): Pair) -> Pair {
    (address, port)
}

/// A named set with its declaration and elements.
struct Set {
    name: &'static str,
    declared: &'static str,
    elements: Vec<(String, Pair)>,
}

fn sets(random: &mut Random) -> Vec<Set> {
    let mut of = |name, declared, element: &dyn Fn(&mut Random, u64) -> (String, Pair)| Set {
        name,
        declared,
        elements: (0..3).map(|nth| element(random, nth)).collect(),
    };
    // Elements of a concatenation must not overlap.
    let pair = |random: &mut Random, nth: u64| {
        let (p, of_p) = ports(random, "-");
        let last = 1 + 4 * nth + random.below(4) as u64;
        (format!("{} . {p}", address(false, last)), joined(just(last), of_p))
    };
    let verdict = |random: &mut Random, nth: u64| {
        let (key, of) = pair(random, nth);
        (format!("{key} : accept"), of)
    };
    vec![
        of("a4", "set a4 { type ipv4_addr; flags interval; auto-merge;", &|random, _| {
            addresses(random, false)
        }),
        of("a6", "set a6 { type ipv6_addr; flags interval; auto-merge;", &|random, _| {
            addresses(random, true)
        }),
        of("p", "set p { type inet_service; flags interval; auto-merge;", &|random, _| ports(random, "-")),
        of("ap", "set ap { type ipv4_addr . inet_service; flags interval;", &pair),
        of("tap", "set tap { typeof ip daddr . tcp dport; flags interval;", &pair),
        of("vm", "map vm { type ipv4_addr . inet_service : verdict; flags interval;", &verdict),
    ]
}

/// Returns the chain of an nftables rule (`f` filters, `n` and `o` do NAT), its text, and its pairs.
fn nft_rule(random: &mut Random, sets: &[Set]) -> (&'static str, String, Truth) {
    let named = |name: &str| -> Vec<Pair> {
        sets.iter()
            .filter(|set| set.name == name)
            .flat_map(|set| set.elements.iter().map(|it| it.1))
            .collect()
    };
    let v6 = random.chance(40);
    let ip = if v6 { "ip6" } else { "ip" };
    let ((a, of_a), (b, of_b)) = (addresses(random, v6), one_address(random, v6));
    let ((p, of_p), (q, of_q)) = (ports(random, "-"), ports(random, "-"));
    // No other word of the rule contains this address.
    let c = address(v6, 20);
    let of_c = (Some((c, c)), None);
    let side = random.one(&["saddr", "daddr"]);
    let target = if v6 { format!("[{b}]") } else { b.clone() };
    let plain = |text: String, truth: Truth| ("f", text, truth);
    match random.below(20) {
        0 => plain(format!("{ip} {side} {a} tcp dport {p} counter packets 80 bytes 443 drop"), vec![vec![of_a], vec![of_p]]),
        1 => plain(format!("udp sport {{ {p}, 60000 }} accept"), vec![vec![of_p, (None, Some((60000, 60000)))]]),
        2 => plain(
            format!("{ip} daddr . tcp dport {{ {b} . {p}, {c} . {q} }} counter"),
            vec![vec![joined(of_b, of_p), joined(of_c, of_q)]],
        ),
        3 => plain(format!("{ip} {side} != {a} udp dport != {p}"), vec![vec![of_a], vec![of_p]]),
        4 => plain("ether saddr 00:80:11:22:10:58 ip ttl 80 meta mark 0x50 limit rate 80/second burst 443 packets counter packets 8080 bytes 80".into(), vec![]),
        5 => plain(format!("tcp dport {p} ct mark set 0x1bb comment \"port 443 of 10.80.0.1\""), vec![vec![of_p]]),
        6 => plain(format!("meta l4proto tcp ct original proto-dst {p} {ip} {side} {a}"), vec![vec![of_p], vec![of_a]]),
        7 => {
            let from = random.one(&PORTS);
            let (text, range) = match random.below(2) {
                0 => (">=", (from, u16::MAX)),
                _ => ("<", (0, from - 1)),
            };
            plain(format!("tcp dport {text} {from} drop"), vec![vec![(None, Some(range))]])
        }
        8 => plain("ip daddr @a4 tcp dport @p counter accept".into(), vec![named("a4"), named("p")]),
        9 => plain("ip6 saddr @a6 counter accept".into(), vec![named("a6")]),
        10 => plain("ip daddr . tcp dport @ap drop".into(), vec![named("ap")]),
        11 => plain("ip daddr . tcp dport @tap drop".into(), vec![named("tap")]),
        12 => plain("ip daddr . tcp dport vmap @vm".into(), vec![named("vm")]),
        13 => ("n", format!("tcp dport {p} dnat {ip} to {target}:{}", one(of_q)), vec![vec![of_p], vec![of_b], vec![first(of_q)]]),
        14 => ("n", format!("tcp dport {p} redirect to :{}", one(of_q)), vec![vec![of_p], vec![first(of_q)]]),
        15 => ("o", format!("meta l4proto tcp masquerade to :{q}"), vec![vec![of_q]]),
        16 => ("o", format!("meta l4proto tcp {ip} saddr {a} snat {ip} to {target}:{q}"), vec![vec![of_a], vec![of_b], vec![of_q]]),
        17 => (
            "n",
            format!("dnat ip to ip daddr . tcp dport map {{ 10.80.0.1 . {} : 10.80.0.2 . {} }}", one(of_p), one(of_q)),
            // The address of one side and the port of the other side also match, because they are in one element.
            vec![vec![joined(just(1), first(of_p))], vec![joined(just(2), first(of_q))]],
        ),
        18 => ("n", format!("meta l4proto tcp redirect to :tcp dport map {{ {} : {} }}", one(of_p), one(of_q)), vec![vec![first(of_p), first(of_q)]]),
        _ => plain(format!("{ip} {side} {{ {a}, {c} }} th dport {p} return"), vec![vec![of_a, of_c], vec![of_p]]),
    }
}

fn one((_, port): Pair) -> u16 {
    port.map_or(0, |(from, _)| from)
}

fn first((_, port): Pair) -> Pair {
    (None, port.map(|(from, _)| (from, from)))
}

fn just(last: u64) -> Pair {
    (Some((address(false, last), address(false, last))), None)
}

/// Returns a random filter.
fn wanted(random: &mut Random) -> AddressFilter {
    loop {
        let v6 = random.chance(40);
        let address = random.chance(60).then(|| address(v6, 1 + random.below(20) as u64));
        let port = random.chance(60).then(|| {
            let port = random.one(&[&PORTS[..], &[60000]].concat());
            if random.chance(30) { port + random.below(300) as u16 } else { port }
        });
        let wanted = AddressFilter { address, port };
        if wanted.is_set() {
            return wanted;
        }
    }
}

/// The number of filters for each rule.
const QUESTIONS: usize = 40;

#[test]
fn filters_find_the_nftables_rules_with_an_address_or_a_port() {
    let (cases, seed) = cases();
    let mut random = Random::new(seed);
    let sets = sets(&mut random);
    let mut script = String::from("nft -f - <<END || exit 1\ntable inet t {\n");
    for Set { declared, elements, .. } in &sets {
        let elements: Vec<&str> = elements.iter().map(|it| it.0.as_str()).collect();
        script += &format!("{declared} elements = {{ {} }} }}\n", elements.join(", "));
    }
    script += "chain f { type filter hook input priority filter; }\nchain n { type nat hook prerouting priority dstnat; }\n\
               chain o { type nat hook postrouting priority srcnat; }\n}\nEND\n";
    let mut rules = Vec::new();
    for nth in 0..cases {
        let (chain, text, truth) = nft_rule(&mut random, &sets);
        script += &format!("echo '### taken'\nnft 'add rule inet t {chain} {text}' 2>&1 && echo {nth}\n");
        rules.push((chain, text, truth));
    }
    script += "echo '### ruleset'\nnft -a list ruleset\n";
    let sections = in_namespace(&script);
    let (ruleset, taken) = sections.split_last().expect("a ruleset");
    let refused: Vec<&str> =
        taken.iter().map(|it| it.1.trim()).filter(|said| said.parse::<u64>().is_err()).collect();
    assert_eq!(refused, Vec::<&str>::new(), "seed {seed}");
    let parsed = nft::parse(&ruleset.1);
    assert_eq!(parsed.other, Vec::<String>::new());
    let by_key = nft::sets(&parsed.rows);
    let chains: BTreeMap<&str, &NftObject> =
        parsed.rows.iter().map(|object| (object.name.as_str(), object)).collect();
    let mut next: BTreeMap<&str, usize> = BTreeMap::new();
    let mut concerned = 0;
    for (chain, text, truth) in &rules {
        let at = next.entry(chain).or_default();
        let rule = &chains[chain].rules[*at];
        *at += 1;
        for _ in 0..QUESTIONS {
            let wanted = wanted(&mut random);
            let (ours, expected) = (rule.matches(wanted, &by_key, chains[chain]), concerns(truth, wanted));
            assert_eq!(ours, expected, "seed {seed}: {wanted:?}\nadded:   {text}\nprinted: {}", rule.text);
            concerned += u64::from(expected);
        }
    }
    // The filters also match elements of sets.
    for set in &sets {
        let object = chains[set.name];
        for wanted in (0..QUESTIONS).map(|_| wanted(&mut random)) {
            let ours = object.elements.iter().any(|element| object.element_matches(element, wanted));
            let expected = set.elements.iter().any(|(_, pair)| concerns(&vec![vec![*pair]], wanted));
            assert_eq!(ours, expected, "seed {seed}: {wanted:?} in {object:?}");
        }
    }
    assert!(concerned > cases, "{concerned}");
}

/// Returns the table of an iptables rule, its text without the table, and its pairs.
fn iptables_rule(random: &mut Random, v6: bool) -> (&'static str, String, Truth) {
    let ((a, of_a), (b, of_b)) = (one_address(random, v6), one_address(random, v6));
    let ((p, of_p), (q, of_q)) = (ports(random, ":"), ports(random, ":"));
    let to = |port: &str| if v6 { format!("[{b}]:{port}") } else { format!("{b}:{port}") };
    let range = q.replace(':', "-");
    let not = random.one(&["", "! "]);
    let filter = |text: String, truth: Truth| ("filter", format!("INPUT {text}"), truth);
    match random.below(13) {
        0 => filter(format!("-s {a} -p tcp -m tcp {not}--dport {p} -j DROP"), vec![vec![of_a], vec![of_p]]),
        1 => filter(format!("{not}-d {a} -p udp --sport {p} -j ACCEPT"), vec![vec![of_a], vec![of_p]]),
        2 => filter(format!("-p tcp -m multiport {not}--dports {p},{q} -j DROP"), vec![vec![of_p, of_q]]),
        3 => filter(format!("-p udp -m multiport {not}--sports {p} -j DROP"), vec![vec![of_p]]),
        4 => filter(format!("-p tcp -m multiport --ports {p},{q}"), vec![vec![of_p, of_q]]),
        5 => filter(
            format!("-p tcp -m conntrack --ctorigdst {a} --ctorigdstport {p}"),
            vec![vec![of_a], vec![of_p]],
        ),
        6 => filter(
            format!(
                "-p tcp -m mac --mac-source 00:80:11:22:10:58 -m mark --mark 80 --dport {p} -m comment --comment \"port 443 of {b}\""
            ),
            vec![vec![of_p]],
        ),
        7 => (
            "nat",
            format!("PREROUTING -p tcp --dport {p} -j DNAT --to-destination {}", to(&range)),
            vec![vec![of_p], vec![of_b], vec![of_q]],
        ),
        8 => (
            "nat",
            format!("PREROUTING -d {a} -p tcp -j REDIRECT --to-ports {range}"),
            vec![vec![of_a], vec![of_q]],
        ),
        9 => ("nat", format!("POSTROUTING -p udp -j MASQUERADE --to-ports {range}"), vec![vec![of_q]]),
        10 => (
            "nat",
            format!("POSTROUTING -s {a} -p tcp -j SNAT --to-source {}", to(&range)),
            vec![vec![of_a], vec![of_b], vec![of_q]],
        ),
        11 => {
            let (from, until) = (address(v6, 2), address(v6, 6));
            filter(
                format!("-m iprange --src-range {from}-{until} -j DROP"),
                vec![vec![(Some((from, until)), None)]],
            )
        }
        _ => filter(
            "-m ttl --ttl-eq 80 -m limit --limit 80/sec --limit-burst 443"
                .replace("ttl --ttl-eq", if v6 { "hl --hl-eq" } else { "ttl --ttl-eq" }),
            vec![],
        ),
    }
}

#[test]
fn filters_find_the_iptables_rules_with_an_address_or_a_port() {
    let (cases, seed) = cases();
    let mut random = Random::new(seed);
    let mut concerned = 0;
    for (v6, program) in [(false, "iptables-nft"), (true, "ip6tables-nft")] {
        let mut restore: BTreeMap<&str, String> = BTreeMap::new();
        let mut rules: BTreeMap<&str, Vec<(String, Truth)>> = BTreeMap::new();
        for _ in 0..cases / 2 {
            let (table, text, truth) = iptables_rule(&mut random, v6);
            *restore.entry(table).or_default() += &format!("-A {text}\n");
            rules.entry(table).or_default().push((text, truth));
        }
        let tables: String =
            restore.iter().map(|(table, rules)| format!("*{table}\n{rules}COMMIT\n")).collect();
        let mut script =
            format!("{program}-restore <<'END' || exit 1\n{tables}END\necho '### save'\n{program}-save -c\n");
        for table in rules.keys() {
            script += &format!("echo '### {table}'\n{program} -t {table} -nvL\n");
        }
        let sections = in_namespace(&script);
        let (saved, lists) = sections.split_first().expect("a dump");
        let saved = iptables::parse_save(&saved.1);
        assert_eq!(saved.other, Vec::<String>::new());
        for (table, listed) in lists {
            let listed = iptables::parse_list(listed, table);
            assert_eq!(listed.other, Vec::<String>::new());
            for form in [&saved, &listed] {
                for chain in ["INPUT", "PREROUTING", "POSTROUTING"] {
                    let is_its = |rule: &&iptables::IptablesRule| {
                        rule.table == *table && rule.chain == chain && rule.text.is_some()
                    };
                    let printed: Vec<&iptables::IptablesRule> = form.rows.iter().filter(is_its).collect();
                    let added: Vec<_> =
                        rules[table.as_str()].iter().filter(|(text, _)| text.starts_with(chain)).collect();
                    assert_eq!(printed.len(), added.len());
                    for (printed, (text, truth)) in printed.iter().zip(added) {
                        for wanted in (0..QUESTIONS).map(|_| wanted(&mut random)) {
                            let (ours, expected) = (printed.matches(wanted), concerns(truth, wanted));
                            assert_eq!(
                                ours, expected,
                                "seed {seed}: {wanted:?}\nadded:   {text}\nprinted: {printed:?}"
                            );
                            concerned += u64::from(expected);
                        }
                    }
                }
            }
        }
    }
    assert!(concerned > cases, "{concerned}");
}
