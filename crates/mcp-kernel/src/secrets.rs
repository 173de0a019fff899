//! Removes passwords from the configuration of daemons.
//!
//! mcp-core removes texts that look like a secret, whatever their source. This module recognizes secrets by the keyword
//! before them.

/// Keywords of FRR's configuration that a secret follows: `password 8 …`, `neighbor 172.18.0.3 password …`, `key-string
/// …`, `message-digest-key 1 md5 …`.
const FRR: [&str; 9] = [
    "password",
    "key-string",
    "md5",
    "authentication-key",
    "secret",
    "community",
    "sha1",
    "sha256",
    "auth-password",
];

/// Replaces the passwords in a line of a daemon's configuration or status.
pub(crate) fn without_passwords(line: &str) -> String {
    let mut shown = Vec::new();
    for word in line.split(' ') {
        shown.push(word);
        // The rest of the line is dropped, because a number may come before a hash.
        if FRR.contains(&word.to_lowercase().as_str()) && is_secret(word, line) {
            shown.push("[redacted]");
            break;
        }
    }
    shown.join(" ")
}

/// Returns true if a secret follows the word. `set community 65000:1` and `bgp community-list` contain no secret, but
/// `snmp-server community public` does.
fn is_secret(word: &str, line: &str) -> bool {
    let has_value = line.split_whitespace().skip_while(|it| *it != word).nth(1).is_some();
    has_value && (word != "community" || line.contains("snmp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_redacted_and_the_rest_is_shown() {
        for (line, shown) in [
            ("password planted-1", "password [redacted]"),
            ("enable password 8 planted-2", "enable password [redacted]"),
            (" neighbor 172.18.0.3 password planted-3 x", " neighbor 172.18.0.3 password [redacted]"),
            ("  key-string planted-4", "  key-string [redacted]"),
            (" ip ospf message-digest-key 1 md5 planted-5", " ip ospf message-digest-key 1 md5 [redacted]"),
            (" isis password clear planted-6", " isis password [redacted]"),
            (" set community 65000:1", " set community 65000:1"),
            (" neighbor 172.18.0.3 remote-as 64512", " neighbor 172.18.0.3 remote-as 64512"),
            ("service password-encryption", "service password-encryption"),
        ] {
            assert_eq!(without_passwords(line), shown);
        }
    }
}
