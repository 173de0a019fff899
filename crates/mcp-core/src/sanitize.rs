//! What comes from a cluster is not trusted, and what is secret stays there.
//!
//! Names, annotations, logs and packets can carry text that is meant for the model rather than for the
//! engineer. It is passed on as text, without what a person could not see: control characters, bidirectional
//! overrides, zero-width and tag characters. Keys and tokens are replaced, wherever they came from.

use regex::{Captures, Regex, RegexSet};
use std::{borrow::Cow, sync::LazyLock};

/// A text that is safe to show: invisible characters are made visible, secrets are gone.
pub(crate) fn clean(text: &str) -> String {
    redact(&visible(text)).into_owned()
}

fn visible(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let (keep, code) = if is_invisible(c) { (None, Some(c)) } else { (Some(c), None) };
            keep.into_iter().chain(code.into_iter().flat_map(|c| c.escape_unicode()))
        })
        .collect()
}

/// Characters that a person does not see, or that change how others are seen.
fn is_invisible(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        c if c.is_control() => true,
        // Unicode: zero width, directional marks, embeddings, overrides and isolates, word joiner and the
        // invisible operators, variation selectors, the byte order mark, tags.
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e01ef}' => true,
        _ => false,
    }
}

/// What marks a secret: what stands before it, and what it is.
static SECRETS: LazyLock<[Regex; 12]> = LazyLock::new(|| {
    [
        // PEM (RFC 7468).
        r"(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----)(.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z))",
        // The same in base64, as kubeconfigs have it: `-----BEGIN ` and RSA, EC, DSA, OPENSSH, ENCRYPTED, PRIVATE.
        r"()\b(LS0tLS1CRUdJTi(?:BSU0E|BFQyBQ|BEU0Eg|BPUEVOU1NI|BFTkNSWVBU|BQUklW)[A-Za-z0-9+/=]*)",
        // JSON Web Tokens (RFC 7519): two base64url objects and a signature.
        r"()\b(eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+)",
        // OAuth access tokens of OpenShift.
        r"()\b(sha256~[A-Za-z0-9_-]{20,})",
        // HTTP authorization (RFC 9110 section 11.6.2).
        r"(?i)(authorization:\s*(?:bearer|basic)\s+)([^\s,]+)",
        // A password in a URL (RFC 3986 section 3.2.1).
        r"(://[^/\s:@]+:)([^@\s/]+)@",
        // Credentials of an image registry (containers-auth.json(5)).
        r#"("auth"\s*:\s*)("[^"]*")"#,
        // ip-xfrm(8): algorithm and key of a security association.
        r"(\b(?:aead|auth-trunc|auth|enc|comp)\s+\S+\s+)(0x[0-9a-fA-F]+|\*{4,})",
        // ipsec.secrets(5).
        r#"(:\s*(?:PSK|XAUTH|RSA)\s+)("[^"]*"|0x[0-9a-fA-F]+)"#,
        // FRR's and other routers' configuration: `neighbor … password …`, `enable password 8 …`, where a line begins, or
        // one that somebody quotes.
        r"(?m)((?:^|: |\()\s*(?:(?:enable|isis|area|neighbor .{1,60}?|username \S+) )?password (?:(?:\d|clear|md5) )?)([^\s)]+)",
        r"(\b(?:key-string|message-digest-key\s+\d+\s+md5|neighbor\s+\S+\s+password)\s+)(\S+)",
        // Keys of maps: ovs-vswitchd.conf.db(5) `options:psk`, ovn-nb(5) `ipsec_psk`, and the like.
        r#"(?i)(\b[a-z0-9_.-]*(?:psk|passw(?:or)?d|passphrase|secret|(?:private|auth|api|access)[_-]?key|key-data|token)"?[ \t]*[=:][ \t]*)("[^"]*"|[^\s,}\]"]+)"#,
    ]
    .map(|pattern| Regex::new(pattern).expect("a literal"))
});

/// All of them at once.
static ANY: LazyLock<RegexSet> =
    LazyLock::new(|| RegexSet::new(SECRETS.iter().map(Regex::as_str)).expect("each is one"));

/// The text without the secrets that can be known by what they look like or stand beside.
pub(crate) fn redact(text: &str) -> Cow<'_, str> {
    // `automountServiceAccountToken: false` tells nothing, and neither does what is redacted already.
    let open = |value: &str| {
        matches!(
            value,
            "true" | "false" | "null" | "{" | "{}" | "[" | "[]" | "|" | "|-" | ">" | ">-" | "\"\""
        ) || value.trim_start_matches('"').starts_with("[redacted")
    };
    let replace = |found: &Captures<'_>| {
        let part = |n| found.get(n).map_or("", |part| part.as_str());
        match open(part(2)) {
            true => part(0).to_owned(),
            false if part(0).ends_with('@') => format!("{}[redacted]@", part(1)),
            false => format!("{}[redacted]", part(1)),
        }
    };
    // Nearly no text has any: one look for all of them.
    if !ANY.is_match(text) {
        return Cow::Borrowed(text);
    }
    SECRETS.iter().fold(Cow::Borrowed(text), |text, secret| match secret.is_match(&text) {
        true => Cow::Owned(secret.replace_all(&text, replace).into_owned()),
        false => text,
    })
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(clean("a\u{202e}b\u{200b}c\u{1b}[31m"), r"a\u{202e}b\u{200b}c\u{1b}[31m");
        assert_eq!(clean("x\u{e0049}\u{e0067}y"), r"x\u{e0049}\u{e0067}y");
        assert_eq!(clean("naïve → 日本\n\tok"), "naïve → 日本\n\tok");
    }

    #[test]
    fn secrets_stay() {
        for (text, shown) in [
            ("{psk=hunter2, csum=\"true\"}", "{psk=[redacted], csum=\"true\"}"),
            (r#"options: {ipsec_psk="a b"}"#, "options: {ipsec_psk=[redacted]}"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
                "-----BEGIN RSA PRIVATE KEY-----[redacted]",
            ),
            ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
            (
                "aead rfc4106(gcm(aes)) 0x75af74057be0a61c08abe2028beecebf (288 bits) 128",
                "aead rfc4106(gcm(aes)) [redacted] (288 bits) 128",
            ),
            (
                "auth-trunc hmac(sha256) 0x00ff 128 enc cbc(aes) 0x01",
                "auth-trunc hmac(sha256) [redacted] 128 enc cbc(aes) [redacted]",
            ),
            ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.c2ln", "[redacted]"),
            ("client-key-data: LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQo=", "client-key-data: [redacted]"),
            ("@a %any : PSK \"hunter2\"", "@a %any : PSK [redacted]"),
            (" neighbor 172.18.0.3 password hunter2", " neighbor 172.18.0.3 password [redacted]"),
            ("enable password 8 hunter2", "enable password 8 [redacted]"),
            ("  key-string hunter2", "  key-string [redacted]"),
            ("ip ospf message-digest-key 1 md5 hunter2", "ip ospf message-digest-key 1 md5 [redacted]"),
            ("x LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQo= y", "x [redacted] y"),
            ("oauth sha256~0123456789abcdefghijklmnop", "oauth [redacted]"),
            ("https://me:hunter2@example.org/x", "https://me:[redacted]@example.org/x"),
            (
                r#"{"auths":{"quay.io":{"auth":"bWU6aHVudGVyMg=="}}}"#,
                r#"{"auths":{"quay.io":{"auth":[redacted]}}}"#,
            ),
        ] {
            assert_eq!(clean(text), shown);
        }
    }

    #[test]
    fn names_that_only_sound_secret_stay() {
        for text in [
            "secretariat_pod-1",
            "ip4.dst == 10.0.0.1 && tcp",
            "name: token-reviewer",
            "service password-encryption",
            "the password was wrong",
            "automountServiceAccountToken: false",
            "secret:\n  secretName: a",
            "token: [redacted]",
        ] {
            assert_eq!(clean(text), text);
        }
    }
}
