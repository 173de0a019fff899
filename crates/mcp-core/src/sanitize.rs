//! What comes from a cluster is not trusted, and what is secret stays there.
//!
//! Names, annotations, logs and packets can carry text that is meant for the model rather than for the
//! engineer. It is passed on as text, without what a person could not see: control characters, bidirectional
//! overrides, zero-width and tag characters. Keys and tokens are replaced, wherever they came from.

use regex::Regex;
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

/// What marks a secret, whole or up to its value.
static SECRETS: LazyLock<[Regex; 5]> = LazyLock::new(|| {
    [
        // PEM (RFC 7468).
        r"(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
        // JSON Web Tokens (RFC 7519): two base64url objects and a signature.
        r"()\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+",
        // HTTP authorization (RFC 9110 section 11.6.2).
        r"(?i)(authorization:\s*(?:bearer|basic)\s+)[^\s,]+",
        // ip-xfrm(8): algorithm and key of a security association.
        r"(\b(?:aead|auth-trunc|auth|enc|comp)\s+\S+\s+)(?:0x[0-9a-fA-F]+|\*{4,})",
        // Keys of maps: ovs-vswitchd.conf.db(5) `options:psk`, ovn-nb(5) `ipsec_psk`, and the like.
        r#"(?i)(\b[a-z0-9_.-]*(?:psk|passw(?:or)?d|secret|private[_-]key|auth[_-]?key|token)"?\s*[=:]\s*)(?:"[^"]*"|[^\s,}\]"]+)"#,
    ]
    .map(|pattern| Regex::new(pattern).expect("a literal"))
});

fn redact(text: &str) -> Cow<'_, str> {
    SECRETS.iter().fold(Cow::Borrowed(text), |text, secret| match secret.is_match(&text) {
        true => Cow::Owned(secret.replace_all(&text, "${1}[redacted]").into_owned()),
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
        ] {
            assert_eq!(clean(text), shown);
        }
    }

    #[test]
    fn names_that_only_sound_secret_stay() {
        for text in ["secretariat_pod-1", "ip4.dst == 10.0.0.1 && tcp", "name: token-reviewer"] {
            assert_eq!(clean(text), text);
        }
    }
}
