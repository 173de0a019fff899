//! The cookies in the output of Open vSwitch.

/// A flow that a text shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The line of the flow.
    pub line: String,
    /// The cookie of the flow.
    pub cookie: u64,
    /// The table of the flow.
    pub table: Option<u8>,
    /// The tunnel key of the datapath that the flow matches on.
    pub datapath: Option<u64>,
}

/// Returns the flows that a text shows, in the order of the text. A line without a cookie shows no flow.
///
/// The lines of a flow follow ovs-vswitchd(8) `ofproto/trace` and ovs-ofctl(8) `dump-flows`:
///
/// ```text
///  8. metadata=0x3, priority 50, cookie 0x1ea6f103
///  cookie=0x1ea6f103, duration=1380.8s, table=8, n_packets=0, n_bytes=0, priority=50,metadata=0x3 actions=resubmit(,9)
/// ```
pub fn mentions(text: &str) -> Vec<Mention> {
    text.lines().filter_map(mention).collect()
}

fn mention(line: &str) -> Option<Mention> {
    let (head, _) = line.split_once(" actions=").unwrap_or((line, ""));
    let cookie = hex_after(head, "cookie=").or_else(|| hex_after(head, "cookie "))?;
    let numbered = || line.trim_start().split_once(". ")?.0.parse().ok();
    Some(Mention {
        line: line.trim_end().to_owned(),
        cookie,
        table: word_after(head, "table=").and_then(|word| word.parse().ok()).or_else(numbered),
        datapath: hex_after(head, "metadata="),
    })
}

fn hex_after(text: &str, key: &str) -> Option<u64> {
    u64::from_str_radix(word_after(text, key)?.strip_prefix("0x")?, 16).ok()
}

/// Returns the word after a key that begins a word.
fn word_after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let begins = |at: &usize| {
        text.get(..*at).is_some_and(|before| !before.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let (at, _) = text.match_indices(key).find(|(at, _)| begins(at))?;
    text.get(at + key.len()..)?.split(|c: char| !c.is_ascii_alphanumeric()).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn flows_of_a_trace_and_of_a_dump() {
        // The output of ofproto/trace and dump-flows of Open vSwitch 3.1.
        let text = "Flow: tcp,in_port=4,vlan_tci=0x0000\n\nbridge(\"br-int\")\n----------------\n \
            0. in_port=4, priority 100, cookie 0xc09129c8\n    set_field:0x1->metadata\n    resubmit(,8)\n \
            8. metadata=0x1, priority 50, cookie 0x73ad596\n    \
            73. ip,reg14=0x3,metadata=0x1,dl_src=0a:58:0a:f4:00:04, priority 90, cookie 0xc09129c8\n\
            NXST_FLOW reply (xid=0x4): flags=[more]\n \
            cookie=0xd5060609, duration=1380.583s, table=0, n_packets=331, priority=100,in_port=3 \
            actions=load:0x4->OXM_OF_METADATA[],resubmit(,8)\n";
        let all = mentions(text);
        let seen: Vec<_> = all.iter().map(|m| (m.table, m.cookie, m.datapath)).collect();
        assert_eq!(
            seen,
            [
                (Some(0), 0xc091_29c8, None),
                (Some(8), 0x073a_d596, Some(1)),
                (Some(73), 0xc091_29c8, Some(1)),
                (Some(0), 0xd506_0609, None),
            ]
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(.*|[ 0-9]{0,3}\\. ?.*cookie[ =]0x[0-9a-f]{0,20}.*|table=[0-9]{0,4}|metadata=0x[0-9a-f]*)\n?") {
            prop_assert!(mentions(&text).len() <= text.lines().count());
        }
    }
}
