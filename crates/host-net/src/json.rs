//! Converts the JSON output of ip(8) (`-j`) into its text output, so that one parser reads both.
//!
//! Unknown keys become `key value`, and array elements that are not objects stay JSON.

use crate::lines::Text;
use serde_json::{Map, Value};
use std::borrow::Cow;

type JsonObject = Map<String, Value>;

/// Returns the text form of a JSON output, or the output itself if it is not JSON.
pub(crate) fn plain<'a>(from: Text<'a>, of: fn(&JsonObject) -> String) -> Cow<'a, str> {
    let text = from.as_str();
    if !text.trim_start().starts_with('[') {
        return text.into();
    }
    let Ok(all) = serde_json::from_str::<Vec<Value>>(text) else { return text.into() };
    let one = |it: &Value| it.as_object().map_or_else(|| format!("{it}\n"), of);
    all.iter().take_while(|_| !from.must_stop()).map(one).collect::<String>().into()
}

/// Prints a value as ip does.
fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "on".into(),
        Value::Bool(false) => "off".into(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn words(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().map(word).collect()
}

/// Builds the text of an object: first the requested keys in their order, then all other keys.
struct TextBuilder<'a> {
    of: &'a JsonObject,
    done: Vec<&'a str>,
    text: String,
}

impl<'a> TextBuilder<'a> {
    fn new(of: &'a JsonObject) -> Self {
        Self { of, done: Vec::new(), text: String::new() }
    }

    /// Returns the value of a key, and marks the key as done.
    fn take(&mut self, key: &'a str) -> Option<&'a Value> {
        self.done.push(key);
        self.of.get(key)
    }

    fn add(&mut self, text: &str) {
        if !text.is_empty() {
            self.text += if self.text.is_empty() || self.text.ends_with([' ', '\n']) { "" } else { " " };
            self.text += text;
        }
    }

    fn pairs(&mut self, keys: &[(&'a str, &str)]) {
        for (key, shown) in keys {
            if let Some(value) = self.take(key) {
                self.add(format!("{shown} {}", word(value)).trim());
            }
        }
    }

    /// Adds a word if the object has the key, whatever its value is.
    fn flag(&mut self, key: &'a str, shown: &str) {
        if self.take(key).is_some() {
            self.add(shown);
        }
    }

    /// Adds a range such as `sport 1-100`, which JSON stores as two values.
    fn range(&mut self, shown: &str, [from, to]: [&'a str; 2]) {
        if let (Some(from), Some(to)) = (self.take(from), self.take(to)) {
            self.add(&format!("{shown} {}-{}", word(from), word(to)));
        }
    }

    /// Adds all keys that are not done.
    fn rest(&mut self) {
        let rest: Vec<_> = self.of.iter().filter(|(key, _)| !self.done.contains(&key.as_str())).collect();
        for (key, value) in rest {
            self.add(format!("{key} {}", word(value)).trim());
        }
    }
}

/// Prints a route: `10.96.0.0/16 via 10.244.0.1 dev ovn-k8s-mp0 table 7`, and one line for each further next hop.
pub(crate) fn route(of: &JsonObject) -> String {
    let mut route = TextBuilder::new(of);
    route.pairs(&[("type", ""), ("dst", ""), ("from", "from"), ("tos", "tos"), ("nhid", "nhid")]);
    gateway_and_device(&mut route);
    route.pairs(&[
        ("table", "table"),
        ("protocol", "proto"),
        ("scope", "scope"),
        ("prefsrc", "src"),
        ("metric", "metric"),
    ]);
    let flags = words(route.take("flags"));
    flags.iter().for_each(|flag| route.add(flag));
    let metrics = route.take("metrics").and_then(Value::as_array).into_iter().flatten();
    for metrics in metrics.filter_map(Value::as_object) {
        metrics.iter().for_each(|(name, value)| route.add(&format!("{name} {}", word(value))));
    }
    let hops = route.take("nexthops").and_then(Value::as_array);
    route.rest();
    let mut text = route.text + "\n";
    for hop in hops.into_iter().flatten().filter_map(Value::as_object) {
        let mut hop = TextBuilder::new(hop);
        hop.add("nexthop");
        gateway_and_device(&mut hop);
        hop.pairs(&[("weight", "weight")]);
        let flags = words(hop.take("flags"));
        flags.iter().for_each(|flag| hop.add(flag));
        hop.rest();
        text += &format!("\t{}\n", hop.text);
    }
    text
}

/// Adds the gateway and the interface: `via 10.244.0.1 dev ovn-k8s-mp0`, `via inet6 fe80::1 dev br-ex`.
fn gateway_and_device(of: &mut TextBuilder<'_>) {
    if let Some(via) = of.take("via") {
        let part = |key: &str| via.get(key).map(word).unwrap_or_default();
        of.add(&format!("via {} {}", part("family"), part("host")));
    }
    of.pairs(&[("gateway", "via"), ("dev", "dev")]);
}

/// Prints a rule: `30: from all fwmark 0x1745ec lookup 7`.
pub(crate) fn rule(of: &JsonObject) -> String {
    let mut rule = TextBuilder::new(of);
    let priority = rule.take("priority").map(word).unwrap_or_default();
    rule.add(&format!("{priority}:"));
    if rule.take("not").is_some() {
        rule.add("not");
    }
    for (key, length, shown) in [("src", "srclen", "from"), ("dst", "dstlen", "to")] {
        let (network, length) = (rule.take(key), rule.take(length));
        if let Some(network) = network {
            let length = length.map(|length| format!("/{length}")).unwrap_or_default();
            rule.add(&format!("{shown} {}{length}", word(network)));
        }
    }
    rule.pairs(&[("tos", "tos"), ("dscp", "dscp")]);
    let (mark, mask) = (rule.take("fwmark"), rule.take("fwmask"));
    if let Some(mark) = mark {
        rule.add(&format!(
            "fwmark {}{}",
            word(mark),
            mask.map(|mask| format!("/{}", word(mask))).unwrap_or_default()
        ));
    }
    for (key, gone) in [("iif", "iif_detached"), ("oif", "oif_detached")] {
        rule.pairs(&[(key, key)]);
        rule.flag(gone, "[detached]");
    }
    rule.flag("l3mdev", "lookup [l3mdev-table]");
    rule.range("uidrange", ["uid_start", "uid_end"]);
    rule.pairs(&[("ipproto", "ipproto")]);
    for (key, ends) in [("sport", ["sport_start", "sport_end"]), ("dport", ["dport_start", "dport_end"])] {
        rule.pairs(&[(key, key)]);
        rule.range(key, ends);
    }
    if let Some(table) = rule.take("table") {
        rule.add(&format!("lookup {}", word(table)));
    }
    rule.pairs(&[
        ("suppress_prefixlen", "suppress_prefixlength"),
        ("suppress_ifgroup", "suppress_ifgroup"),
        ("goto", "goto"),
    ]);
    rule.flag("unresolved", "[unresolved]");
    rule.flag("nop", "nop");
    rule.pairs(&[("action", "")]);
    if let (Some(from), Some(to)) = (rule.take("flow_from"), rule.take("flow_to")) {
        rule.add(&format!("realms {}/{}", word(from), word(to)));
    }
    rule.pairs(&[("protocol", "proto")]);
    rule.rest();
    rule.text + "\n"
}

/// Prints a neighbour: `10.244.0.1 dev ovn-k8s-mp0 lladdr 0a:58:… ref 1 used 1/2/3 probes 0 PERMANENT`.
pub(crate) fn neighbour(of: &JsonObject) -> String {
    let mut it = TextBuilder::new(of);
    it.pairs(&[("dst", ""), ("dev", "dev"), ("lladdr", "lladdr"), ("refcnt", "ref")]);
    let used = ["used", "confirmed", "updated"].map(|key| it.take(key).map(word));
    if let [Some(used), Some(confirmed), Some(updated)] = used {
        it.add(&format!("used {used}/{confirmed}/{updated}"));
    }
    it.pairs(&[("probes", "probes")]);
    let state = words(it.take("state"));
    it.rest();
    it.add(&state.join(" "));
    it.text + "\n"
}

/// Prints an interface as a block of `ip -s -d link` or `ip -d address`.
pub(crate) fn interface(of: &JsonObject) -> String {
    let mut it = TextBuilder::new(of);
    let part = |key: &str| of.get(key).map(word);
    let peer = part("link").or_else(|| part("link_index").map(|index| format!("if{index}")));
    let name = part("ifname").unwrap_or_default();
    it.done.extend(["ifindex", "ifname", "link", "link_index"]);
    let flags = words(it.take("flags")).join(",");
    let peer = peer.map(|peer| format!("@{peer}")).unwrap_or_default();
    it.add(&format!("{}: {name}{peer}: <{flags}>", part("ifindex").unwrap_or_default()));
    it.pairs(&[
        ("mtu", "mtu"),
        ("qdisc", "qdisc"),
        ("master", "master"),
        ("operstate", "state"),
        ("linkmode", "mode"),
        ("group", "group"),
        ("txqlen", "qlen"),
    ]);
    if let Some(kind) = it.take("link_type") {
        it.text += &format!("\n    link/{}", word(kind));
        it.pairs(&[
            ("address", ""),
            ("broadcast", "brd"),
            ("link_netns", "link-netns"),
            ("link_netnsid", "link-netnsid"),
        ]);
    }
    let more = ["linkinfo", "stats64", "addr_info"].map(|key| it.take(key));
    it.rest();
    let [info, counters, addresses] = more;
    let mut text = it.text;
    if let Some(info) = info.and_then(Value::as_object) {
        text += &format!("\n    {}", kind(info));
    }
    for address in addresses.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object) {
        text += &self::address(address);
    }
    for (direction, counters) in counters.and_then(Value::as_object).into_iter().flatten() {
        let counters = counters.as_object().into_iter().flatten();
        let (names, counts): (Vec<_>, Vec<_>) =
            counters.map(|(name, count)| (name.as_str(), count.to_string())).unzip();
        text += &format!("\n    {}: {}\n    {}", direction.to_uppercase(), names.join(" "), counts.join(" "));
    }
    text + "\n"
}

/// Prints the kind of a device: `tun type tap pi off`, `vrf table 1007`.
fn kind(of: &JsonObject) -> String {
    let mut kind = TextBuilder::new(of);
    kind.pairs(&[("info_kind", "")]);
    let data = kind.take("info_data").and_then(Value::as_object);
    for (name, value) in data.into_iter().flatten() {
        kind.add(format!("{name} {}", word(value)).trim());
    }
    kind.rest();
    kind.text
}

/// Prints an address with its lifetimes: `inet 10.244.0.2/24 brd 10.244.0.255 scope global ovn-k8s-mp0`.
fn address(of: &JsonObject) -> String {
    let mut it = TextBuilder::new(of);
    let family = it.take("family").map(word).unwrap_or_default();
    let (local, length) = (it.take("local").map(word), it.take("prefixlen").map(word));
    it.add(&format!("{family} {}/{}", local.unwrap_or_default(), length.unwrap_or_default()));
    it.pairs(&[("address", "peer"), ("broadcast", "brd"), ("scope", "scope")]);
    let lifetime = [("valid_life_time", "valid_lft"), ("preferred_life_time", "preferred_lft")];
    let lasts = lifetime.map(|(key, shown)| {
        let seconds = it.take(key).and_then(Value::as_u64).unwrap_or_default();
        if seconds == u64::from(u32::MAX) {
            format!("{shown} forever")
        } else {
            format!("{shown} {seconds}sec")
        }
    });
    let label = it.take("label").map(word);
    let flags: Vec<&str> =
        of.iter().filter(|(_, value)| **value == Value::Bool(true)).map(|(key, _)| key.as_str()).collect();
    it.done.extend(&flags);
    it.add(&flags.join(" "));
    it.rest();
    it.add(&label.unwrap_or_default());
    format!("\n    {}\n       {}", it.text, lasts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The JSON is what ip(8) of iproute2 6.1 printed for routes such as
    /// `10.244.1.0/24 nhid 20 via 172.18.0.3 dev br-ex proto bgp metric 20`.
    #[test]
    fn routes_that_the_lab_does_not_have() {
        let text = |json: &str, of: fn(&JsonObject) -> String| plain(json.into(), of).into_owned();
        let bgp = r#"[{"dst":"10.244.1.0/24","nhid":20,"gateway":"172.18.0.3","dev":"br-ex","protocol":"bgp","metric":20,"flags":[]}]"#;
        assert_eq!(text(bgp, route), "10.244.1.0/24 nhid 20 via 172.18.0.3 dev br-ex proto bgp metric 20\n");
        let onlink = r#"[{"dst":"10.96.0.0/16","gateway":"169.254.0.4","dev":"br-ex","flags":["onlink"]}]"#;
        assert_eq!(text(onlink, route), "10.96.0.0/16 via 169.254.0.4 dev br-ex onlink\n");
        // Text that is not JSON stays unchanged, and elements that are not objects are passed on.
        for (other, said) in [("default dev br-ex", "default dev br-ex"), ("[{", "[{"), ("[1]", "1\n")] {
            assert_eq!(text(other, route), said);
        }
    }
}
