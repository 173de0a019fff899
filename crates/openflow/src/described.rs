//! Ports, groups and meters with their statistics, as ovs-ofctl(8) `dump-ports-desc`, `dump-groups` and `dump-meters`
//! print them: each begins with one line, and more lines follow.

/// A port, group or meter with its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described<'a> {
    /// The number, or `LOCAL`.
    pub id: &'a str,
    /// The lines of the description without the number.
    pub lines: Vec<&'a str>,
}

/// Parses ports: ` 1(eth0): addr:02:42:ac:12:00:02` and the lines below. The names are cut to 15 characters.
pub fn ports(text: &str) -> Vec<Described<'_>> {
    blocks(text, |line| port(line).map(|(number, _, rest)| (number, rest)))
}

/// Returns the numbers and names of ports. The names are cut to 15 characters.
pub fn port_names(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(port).map(|(number, name, _)| (number, name))
}

fn port(line: &str) -> Option<(&str, &str, &str)> {
    let (number, rest) = line.split_once('(')?;
    let number = number.trim();
    let (name, rest) = rest.split_once("): ")?;
    let is_port = number == "LOCAL" || (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    (is_port && rest.starts_with("addr:")).then_some((number, name, rest))
}

/// Parses groups or their statistics: ` group_id=2,type=select,…`.
pub fn groups(text: &str) -> Vec<Described<'_>> {
    blocks(text, |line| line.trim().strip_prefix("group_id=")?.split_once(','))
}

/// Parses meters: `meter=1 pktps stats bands=` and one line per band.
pub fn meters(text: &str) -> Vec<Described<'_>> {
    blocks(text, |line| line.trim().strip_prefix("meter=")?.split_once(' '))
}

/// Parses statistics of meters: `meter:1 flow_count:0 …`.
pub fn meter_statistics(text: &str) -> Vec<Described<'_>> {
    blocks(text, |line| line.trim().strip_prefix("meter:")?.split_once(' '))
}

/// Splits a text into blocks. Lines before the first block, after an empty line or after the header of another
/// message belong to no block.
fn blocks<'a>(text: &'a str, begins: impl Fn(&'a str) -> Option<(&'a str, &'a str)>) -> Vec<Described<'a>> {
    let mut all: Vec<Described<'a>> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        match begins(line) {
            Some((id, first)) => {
                all.push(Described { id, lines: vec![first.trim()] });
                open = true;
            }
            None if line.trim().is_empty() || line.contains("_REPLY (") || line.contains(" reply (") => {
                open = false
            }
            None => all.last_mut().filter(|_| open).into_iter().for_each(|last| last.lines.push(line.trim())),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind() {
        let text = "OFPT_FEATURES_REPLY (OF1.5) (xid=0x2): dpid:0000d2847a80c757\nactions: output enqueue\n 1(eth0): addr:d2:84\n     config:     0\n     state:      LIVE\n LOCAL(br-ex): addr:d2:85\n     config:     0\nOFPT_GET_CONFIG_REPLY (OF1.5) (xid=0x5): frags=normal\n";
        let seen: Vec<_> = ports(text).into_iter().map(|port| (port.id, port.lines.join("; "))).collect();
        assert_eq!(
            seen,
            [
                ("1", "addr:d2:84; config:     0; state:      LIVE".to_owned()),
                ("LOCAL", "addr:d2:85; config:     0".to_owned())
            ]
        );
        let text = "OFPST_GROUP_DESC reply (OF1.5) (xid=0x2):\n group_id=5,type=select,bucket=bucket_id:0,actions=drop\n";
        assert_eq!(
            groups(text),
            [Described { id: "5", lines: vec!["type=select,bucket=bucket_id:0,actions=drop"] }]
        );
        let text = "OFPST_METER_CONFIG reply (OF1.5) (xid=0x2):\nmeter=1 pktps stats bands=\ntype=drop rate=25\n\nmeter=4 pktps stats bands=\ntype=drop rate=9\n";
        assert_eq!(
            meters(text).last(),
            Some(&Described { id: "4", lines: vec!["pktps stats bands=", "type=drop rate=9"] })
        );
        let text = "OFPST_METER reply (OF1.5) (xid=0x2):\nmeter:1 flow_count:0 bands:\n0: packet_count:0 byte_count:0\n";
        assert_eq!(
            meter_statistics(text),
            [Described { id: "1", lines: vec!["flow_count:0 bands:", "0: packet_count:0 byte_count:0"] }]
        );
    }
}
