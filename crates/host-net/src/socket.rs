//! Sockets, from the output of ss(8).

use crate::{
    address_filter::AddressFilter,
    lines::{Parsed, Text},
};

/// A socket of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Socket {
    /// The kind of socket: `tcp`, `udp`, `raw` and other network protocols. Netlink, Unix and packet sockets are
    /// skipped.
    pub kind: String,
    /// The state: `LISTEN`, `ESTAB`, `UNCONN`.
    pub state: String,
    /// The receive queue and the send queue: bytes that are not read and bytes that are not acknowledged. For a
    /// listening socket, the number of waiting connections and the backlog limit.
    pub queues: (String, String),
    /// The local address and port: `172.18.0.2:6443`, `[::1]:443`, `0.0.0.0:*`.
    pub local: String,
    /// The peer's address and port.
    pub peer: String,
    /// The processes that use the socket: `users:(("sshd",pid=7,fd=3))`.
    pub process: Vec<String>,
    /// The words after the processes and in the next line: `cubic wscale:7,7 rto:204 rtt:0.1/0.05 …`.
    pub details: Vec<String>,
}

impl Socket {
    /// Returns the address of `[::1]:443` or `172.18.0.2%br-ex:53`.
    fn host(end: &str) -> &str {
        let host = end.rsplit_once(':').map_or(end, |(host, _)| host);
        host.split('%').next().unwrap_or(host).trim_matches(['[', ']'])
    }

    /// Returns true if the local or the peer end matches the filter.
    pub fn matches(&self, wanted: AddressFilter) -> bool {
        let ends = [&self.local, &self.peer];
        let address = ends.iter().any(|end| {
            let host = Self::host(end);
            wanted.matches_address(host)
                || host.strip_prefix("::ffff:").is_some_and(|mapped| wanted.matches_address(mapped))
                || wanted.address.is_some_and(|address| self.accepts(host, address))
        });
        let port =
            ends.iter().any(|end| end.rsplit_once(':').is_some_and(|(_, port)| wanted.matches_port(port)));
        wanted.is_satisfied(address, port)
    }

    /// Returns true if the socket listens on all addresses of this address's family. `*` stands for both families,
    /// `0.0.0.0` and `[::]` for one.
    fn accepts(&self, host: &str, address: std::net::IpAddr) -> bool {
        let every = match host {
            "*" => true,
            "0.0.0.0" => address.is_ipv4(),
            // Older versions print `:::80` for both families.
            "::" => address.is_ipv6() || self.local.starts_with(":::"),
            _ => false,
        };
        every && self.is_listening() && Self::host(&self.local) == host
    }

    /// Returns true if the socket listens. UDP has no such state, so a UDP socket without a peer counts as listening.
    pub fn is_listening(&self) -> bool {
        self.state == "LISTEN" || (self.state == "UNCONN" && self.peer.ends_with(":*"))
    }

    /// Returns the local port, or `None` for `*`.
    pub fn local_port(&self) -> Option<u16> {
        self.local.rsplit_once(':')?.1.parse().ok()
    }

    /// Returns the names of the socket's processes.
    pub fn processes(&self) -> Vec<&str> {
        let users = self.process.iter().filter(|word| word.starts_with("users:"));
        let mut names: Vec<&str> = users.flat_map(|word| word.split('"').skip(1).step_by(2)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Prints the socket in one line, and with `details` its details in a second line.
    pub fn text(&self, details: bool) -> String {
        let Self { kind, state, queues: (received, sent), local, peer, process, .. } = self;
        let queues = if received == "0" && (sent == "0" || self.is_listening()) {
            String::new()
        } else {
            format!(" recv-q {received} send-q {sent}")
        };
        let process: String =
            process.iter().filter(|word| word.starts_with("users:")).map(|word| format!(" {word}")).collect();
        let details = if details && !self.details.is_empty() {
            format!("\n    {}", self.details.join(" "))
        } else {
            String::new()
        };
        format!("{kind} {state} {local} {peer}{queues}{process}{details}")
    }
}

/// Parses `ss -tuwanpi`, or `ss -peaonmi` without its sockets of other kinds.
///
/// ss aligns its columns, so it prints a table only when it is complete. But it prints TCP-MD5 keys immediately, so
/// they are before the table or between two parts of it (`print_md5sig` in iproute2's misc/ss.c). Therefore this
/// parser skips everything before the headings.
pub fn parse<'a>(text: impl Into<Text<'a>>) -> Parsed<Socket> {
    let all = text.into();
    let text = all.as_str();
    let text = text.find("Netid").and_then(|headings| text.get(headings..)).unwrap_or(text);
    let mut parsed = Parsed::<Socket>::default();
    let mut skipping = false;
    for line in all.with(text).lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<String> = line.split_whitespace().map(without_key).collect();
        if line.starts_with(char::is_whitespace) {
            match parsed.rows.last_mut().filter(|_| !skipping) {
                Some(last) => last.details.extend(words),
                None if skipping => {}
                None => parsed.other.push(line.to_owned()),
            }
            continue;
        }
        match words.as_slice() {
            [kind, ..] if kind == "Netid" => {}
            [kind, state, received, sent, local, peer, rest @ ..]
                if matches!(
                    kind.as_str(),
                    "tcp" | "udp" | "raw" | "dccp" | "sctp" | "mptcp" | "icmp6" | "???"
                ) =>
            {
                skipping = false;
                // Some details are on the same line as the socket.
                let (process, details) =
                    rest.iter().cloned().partition(|word: &String| word.starts_with("users:"));
                parsed.rows.push(Socket {
                    kind: kind.clone(),
                    state: state.clone(),
                    queues: (received.clone(), sent.clone()),
                    local: local.clone(),
                    peer: peer.clone(),
                    process,
                    details,
                });
            }
            [kind, _, received, ..]
                if matches!(
                    kind.as_str(),
                    "nl" | "u_str"
                        | "u_dgr"
                        | "u_seq"
                        | "p_raw"
                        | "p_dgr"
                        | "v_str"
                        | "v_dgr"
                        | "ti_rd"
                        | "xdp"
                        | "vsock"
                ) && received.bytes().all(|b| b.is_ascii_digit()) =>
            {
                skipping = true;
            }
            _ => parsed.other.push(line.to_owned()),
        }
    }
    parsed
}

/// Returns a word of the details, with TCP-MD5 keys redacted.
fn without_key(word: &str) -> String {
    if word.starts_with("md5keys:") { "md5keys:[redacted]".to_owned() } else { word.to_owned() }
}

/// Returns a note about lines that the parser does not understand. It does not quote them, because they may contain
/// keys.
pub fn not_understood(lines: &[String]) -> Option<String> {
    let lines = match lines.len() {
        0 => return None,
        1 => "1 line of ss was not understood".to_owned(),
        n => format!("{n} lines of ss were not understood"),
    };
    Some(format!("{lines}; they are not shown, because ss may print a TCP-MD5 key in such a line"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ss of iproute2 6.1 prints a BGP session with a password like this: the key comes first.
    #[test]
    fn keys_are_neither_parsed_nor_quoted() {
        for text in [
            "S3cretKeyNetid State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n\
             tcp ESTAB 0 0 172.18.0.4:179 172.18.0.1:33420 users:((\"bgpd\",pid=9,fd=8))\n\t cubic rto:204 md5keys:172.18.0.1/32=\n",
            "S3cret\\x20Key S3cretKey\nNetid State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n\
             tcp ESTAB 0 0 172.18.0.4:179 172.18.0.1:33420\n\t cubic md5keys:172.18.0.1/32=S3cretKey,172.18.0.2/32=S3cretKey\n\
             S3cretKeytcp ESTAB 0 0 172.18.0.4:179 172.18.0.2:33421\n",
            "S3cretKey\n",
        ] {
            let parsed = parse(text);
            let shown: String = parsed.rows.iter().map(|socket| socket.text(true)).collect();
            let note = not_understood(&parsed.other).unwrap_or_default();
            assert!(!shown.contains("S3cret") && !note.contains("S3cret"), "{shown}{note}");
            let is_told = note.starts_with("1 line of ss was not understood");
            assert!(is_told || parsed.rows.len() == 1, "{text}");
            assert_eq!(shown.contains("md5keys:[redacted]"), text.contains("md5keys"), "{shown}");
        }
    }

    #[test]
    fn a_socket_has_two_addresses_a_process_and_details() {
        let text = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n\
                    nl    UNCONN 0      0      0:-19     0:0   sk=0 cb=0\n\t skmem:(r0)\n\
                    tcp   LISTEN 0 128 0.0.0.0:6443 0.0.0.0:* users:((\"kube-api\",pid=7,fd=3)) ino:5\n\
                    tcp   ESTAB  3 0 [::ffff:172.18.0.4]:40696 [::ffff:172.18.0.1]:6443 users:((\"ovnkube\",pid=9,fd=8))\n\t cubic rto:204 retrans:0/3\n\
                    Failed to find cgroup2 mount\n";
        let parsed = parse(text);
        assert_eq!(
            (parsed.rows.len(), parsed.other.as_slice()),
            (2, &["Failed to find cgroup2 mount".to_owned()][..])
        );
        let [listening, established] = parsed.rows.as_slice() else { panic!() };
        assert_eq!(
            (listening.is_listening(), listening.local_port(), listening.processes()),
            (true, Some(6443), vec!["kube-api"])
        );
        let wanted = AddressFilter { address: "172.18.0.1".parse().ok(), port: Some(6443) };
        assert!(established.matches(wanted));
        // It listens on all IPv4 addresses, and this one may belong to the host.
        assert!(listening.matches(wanted));
        assert!(!listening.matches(AddressFilter { address: "fd00::1".parse().ok(), port: None }));
        assert!(!listening.matches(AddressFilter { port: Some(80), ..wanted }));
        assert!(
            established.text(true).ends_with(
                "recv-q 3 send-q 0 users:((\"ovnkube\",pid=9,fd=8))\n    cubic rto:204 retrans:0/3"
            )
        );
    }
}
