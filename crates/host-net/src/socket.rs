//! Sockets, as ss(8) prints them.

use crate::{lines::Parsed, wanted::Wanted};

/// A socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Socket {
    /// `tcp`, `udp`, `raw`; of other kinds nothing is shown.
    pub kind: String,
    /// `LISTEN`, `ESTAB`, `UNCONN`.
    pub state: String,
    /// Bytes received and not read, sent and not acknowledged; of a listening socket, connections waiting and allowed.
    pub queues: (String, String),
    /// The host's end: `172.18.0.2:6443`, `[::1]:443`, `0.0.0.0:*`.
    pub local: String,
    /// The other end.
    pub peer: String,
    /// `users:(("sshd",pid=7,fd=3))`, and what else stands in the line.
    pub process: Vec<String>,
    /// The line below: `cubic wscale:7,7 rto:204 rtt:0.1/0.05 …`.
    pub details: Vec<String>,
}

impl Socket {
    /// The host part of `[::1]:443`, `172.18.0.2%br-ex:53`.
    fn host(end: &str) -> &str {
        let host = end.rsplit_once(':').map_or(end, |(host, _)| host);
        host.split('%').next().unwrap_or(host).trim_matches(['[', ']'])
    }

    /// Does it have an address or port that is looked for, at either end?
    pub fn concerns(&self, wanted: Wanted) -> bool {
        let ends = [&self.local, &self.peer];
        let address = ends.iter().any(|end| {
            let host = Self::host(end);
            wanted.is_address(host)
                || host.strip_prefix("::ffff:").is_some_and(|mapped| wanted.is_address(mapped))
                || wanted.address.is_some_and(|address| self.accepts(host, address))
        });
        let port = ends.iter().any(|end| end.rsplit_once(':').is_some_and(|(_, port)| wanted.is_port(port)));
        wanted.are(address, port)
    }

    /// Does it wait at every address, this one among them? `*` is both families, `0.0.0.0` and `[::]` are one each.
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

    /// Does it wait for others?
    pub fn is_listening(&self) -> bool {
        self.state == "LISTEN" || (self.state == "UNCONN" && self.peer.ends_with(":*"))
    }

    /// The port at which it does.
    pub fn local_port(&self) -> Option<u16> {
        self.local.rsplit_once(':')?.1.parse().ok()
    }

    /// The names of its processes.
    pub fn processes(&self) -> Vec<&str> {
        let users = self.process.iter().filter(|word| word.starts_with("users:"));
        let mut names: Vec<&str> = users.flat_map(|word| word.split('"').skip(1).step_by(2)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// In one line, with its details if they are wanted.
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

/// Reads `ss -tuwanpi`, or `ss -peaonmi` of which sockets of other kinds are left out.
///
/// ss aligns its columns, so it prints a table when it has all of it; but keys of TCP-MD5 it prints at once, which puts
/// them before the table or between two parts of it (`print_md5sig` in iproute2's misc/ss.c). So what stands before the
/// headings is not read.
pub fn parse(text: &str) -> Parsed<Socket> {
    let text = text.find("Netid").and_then(|headings| text.get(headings..)).unwrap_or(text);
    let mut parsed = Parsed::<Socket>::default();
    let mut skipping = false;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
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
                // Details stand in the same line, too.
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

/// A word of the details; of keys of TCP-MD5 only that there are some.
fn without_key(word: &str) -> String {
    if word.starts_with("md5keys:") { "md5keys:[redacted]".to_owned() } else { word.to_owned() }
}

/// A note of lines of another form. It does not quote them, since they may hold keys.
pub fn not_understood(lines: &[String]) -> Option<String> {
    let lines = match lines.len() {
        0 => return None,
        1 => "1 line of ss was not understood".to_owned(),
        n => format!("{n} lines of ss were not understood"),
    };
    Some(format!("{lines}; such a line is not shown, because ss may print a key of TCP-MD5 in it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As ss of iproute2 6.1 prints a BGP session with a password: the key comes first.
    #[test]
    fn keys_are_neither_read_nor_quoted() {
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
    fn a_socket_has_two_ends_a_process_and_details() {
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
        let wanted = Wanted { address: "172.18.0.1".parse().ok(), port: Some(6443) };
        assert!(established.concerns(wanted));
        // It waits at every address of IPv4, and this one may be the host's.
        assert!(listening.concerns(wanted));
        assert!(!listening.concerns(Wanted { address: "fd00::1".parse().ok(), port: None }));
        assert!(!listening.concerns(Wanted { port: Some(80), ..wanted }));
        assert!(
            established.text(true).ends_with(
                "recv-q 3 send-q 0 users:((\"ovnkube\",pid=9,fd=8))\n    cubic rto:204 retrans:0/3"
            )
        );
    }
}
