//! Secrets that are recognizable by their form, or by the words of a format that precede them.
//!
//! Each class is promised in docs/security.md. The other two ways to recognize a secret are a name with its value
//! ([`super::pairs`]) and a secret of several lines ([`super::lines`]).

use super::REDACTED;
use base64::Engine;
use regex::{Captures, Regex};
use std::{borrow::Cow, sync::LazyLock};

/// The form of a secret on one line.
pub(super) struct Form {
    /// The words of the form. A line without any of them, in any case, cannot have this form.
    pub(super) words: &'static [&'static str],
    /// The text before the secret in group 1, the secret in group 2, and the text after it in group 3.
    pattern: &'static str,
    /// Whether group 2 is a secret after all.
    is_secret: fn(&str) -> bool,
}

const fn form(words: &'static [&'static str], pattern: &'static str) -> Form {
    Form { words, pattern, is_secret: |_| true }
}

pub(super) static FORMS: &[Form] = &[
    // JSON Web Tokens (RFC 7519) are two base64url objects and a signature; encrypted ones have three more parts.
    form(
        &["eyj"],
        r"()\b(eyJ[A-Za-z0-9_-]{8,}\.(?:eyJ[A-Za-z0-9_-]{8,}|[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+)(?:\.[A-Za-z0-9_-]*)*)()",
    ),
    // These tokens have a prefix by their issuer: OpenShift's OAuth server, GitHub, GitLab, Slack, age.
    form(
        &[
            "sha256~",
            "ghp_",
            "gho_",
            "ghs_",
            "ghu_",
            "ghr_",
            "github_pat_",
            "glpat-",
            "xoxb-",
            "xoxp-",
            "age-secret-key",
        ],
        r"()\b(sha256~[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[bp]-[\w-]{16,}|AGE-SECRET-KEY-1[A-Z0-9]{16,})()",
    ),
    // This is HTTP authentication without the name of its header (RFC 6750, RFC 7617).
    Form {
        words: &["bearer"],
        pattern: r#"(?i)(\bbearer\\*["']?[ :=]\s*\\*["']?)([A-Za-z0-9._~+/-]{8,}=*)()"#,
        is_secret: is_random,
    },
    Form {
        words: &["basic "],
        pattern: r"(?i)(\bbasic )([A-Za-z0-9+/]{8,}={0,2})()",
        is_secret: is_user_and_password,
    },
    // This is a password in a URL (RFC 3986 section 3.2.1). The second form has a password with characters that should
    // have been escaped.
    Form { words: &["://"], pattern: r#"(://[^/\s:@"'?\[]*:)([^\s/?"'<>\\]+)(@)"#, is_secret: |_| true },
    Form {
        words: &["://"],
        pattern: r#"(://[^/\s:@"'?\[]*:)([^\s"'<>\\@]*[^\s"'<>\\@\d:/.\]][^\s"'<>\\@:]*)(@[\w.-]+(?:[:/\s"']|$))"#,
        is_secret: |it| !it.contains("//") && !it.starts_with(|c: char| c.is_ascii_digit()),
    },
    // This is the same in a data source name of Go's MySQL driver.
    form(&["@tcp(", "@unix("], r"(\b[\w.-]+:)([^\s/]+)(@(?:tcp|unix)\()"),
    // These are the user and password options of curl and other programs.
    Form {
        words: &["-u ", "-u\"", "-u'", "-u=", "-u,", "-user"],
        pattern: r#"((?:^|[\s"'\[])(?:-u|--(?:proxy-)?user)[\s=,"']+[^\s:"'=]+:)([^\s"']+)()"#,
        is_secret: |it| !it.bytes().all(|b| b.is_ascii_digit()),
    },
    // These are credentials of an image registry (containers-auth.json(5)), at any depth of quotes.
    Form {
        words: &["\"auth"],
        pattern: r#"(\\*"auth\\*"\s*:\s*\\*")([A-Za-z0-9+/=_-]{8,})()"#,
        is_secret: |_| true,
    },
    form(&["_auth"], r#"((?:^|[\s:/])_auth\s*=\s*"?)([^\s"]+)()"#),
    // These are the algorithm and key of a security association (ip-xfrm(8)).
    form(
        &["aead", "auth", "enc ", "comp "],
        r"(\b(?:aead|auth-trunc|auth|enc|comp)\s+\S+\s+)(0x[0-9a-fA-F]+|\*{4,})()",
    ),
    // These are TCP-MD5 keys by address (ss(8)).
    form(&["md5keys"], r"(\bmd5keys:)(\S+)()"),
    // These are secrets of ipsec.secrets(5): in quotes, without quotes, in hexadecimal, in base64 (`0s`) and as text
    // (`0t`).
    form(
        &["psk", "xauth", ": eap", ":eap", ": pin", ":pin", ": ntlm", ":ntlm", ": ppk", ":ppk"],
        r#"((?:^|\s):\s*(?:PSK|XAUTH|EAP|PIN|NTLM|PPK)\s+)("[^"]*"?|'[^']*'?|\S+)()"#,
    ),
    form(&[": rsa", ":rsa"], r"((?:^|\s):\s*RSA\s+(?:\S+\s+)?)(0[xst]\S+|\x22[^\x22]*\x22)()"),
    form(
        &["exponent", "prime1", "prime2", "coefficient"],
        r"((?i:privateexponent|prime[12]|exponent[12]|coefficient)\s*:\s*)(0[xs][0-9A-Za-z+/=]+|[0-9a-fA-F:]{8,})()",
    ),
    // These are commands of FRR and other routers that end with a password, at the beginning of a line or quoted.
    form(
        &["password ", "secret "],
        r"((?:^|: |[(\x22'])\s*(?:\d+\s+)?(?:no )?(?:(?:enable |isis |area \S+ |neighbor \S+ |username \S+ (?:privilege \d+ )?|domain-|area-|peer \S+ )?password|enable secret|username \S+ secret) (?:(?:\d|clear|md5|sha\d*|encrypted|cleartext) )*)([^\s)\x22'].*)()",
    ),
    form(&["neighbor"], r"(\bneighbor\s+\S+\s+(?:password|tcp-md5)\s+(?:\d )?)(\S.*)()"),
    form(
        &["key-string", "authentication-key", "message-digest-key"],
        r"(\b(?:key-string|authentication-key(?:\s+\d+\s+md5)?|message-digest-key\s+\d+\s+(?:md5|hmac\S*|sha\S*))\s+(?:\d )?)(\S.*)()",
    ),
    form(
        &["authentication"],
        r"(\b(?:ip|ipv6)\s+(?:rip|nhrp|vrrp|eigrp|ospf)\s+authentication(?:-key)?\s+(?:(?:string|text|md5|mode|cleartext)\s+)*)([^\s-].*)()",
    ),
    Form {
        words: &["authentication"],
        pattern: r"(\bauthentication\s+(?:string|text|cleartext|md5 key|simple)\s+(?:\d )?)(\S.*)()",
        is_secret: |_| true,
    },
    form(
        &["snmp", "community"],
        r"(\bsnmp(?:-server)?\s+community\s+|\brocommunity6?\s+|\brwcommunity6?\s+)(\S+)()",
    ),
    // These are HTTP cookies (RFC 6265): the value after the name of each cookie is secret.
    form(
        &["cookie:", "cookie\"", "cookie'", "cookie\\"],
        r#"((?:\b[Cc]ookie|\bCOOKIE)\\*["']?:\s*\[?\\*["']?)([^\s=;"']+=[^"'\]\\]*)()"#,
    ),
    // This is the password clause of SQL.
    form(&["identified by"], r"(?i)(\bidentified by\s+\\*['\x22])([^'\x22\\]+)()"),
];

static PATTERNS: LazyLock<Vec<Regex>> =
    LazyLock::new(|| FORMS.iter().map(|form| Regex::new(form.pattern).expect("a literal")).collect());

/// Returns the line without secrets of the given forms.
pub(super) fn redact(line: &str, found: Forms) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(line);
    for (_, (form, pattern)) in FORMS.iter().zip(&*PATTERNS).enumerate().filter(|(at, _)| found.has(*at)) {
        let replace = |found: &Captures<'_>| {
            let part = |n| found.get(n).map_or("", |part| part.as_str());
            match super::is_open(part(2)) || !(form.is_secret)(part(2)) {
                true => part(0).to_owned(),
                false => [part(1), REDACTED, part(3)].concat(),
            }
        };
        if let Cow::Owned(without) = pattern.replace_all(&shown, replace) {
            shown = Cow::Owned(without);
        }
    }
    shown
}

/// A set of forms, by their index in [`FORMS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Forms(u64);

const _: () = assert!(FORMS.len() <= 64, "a set of forms has 64 bits");

impl Forms {
    pub(super) fn add(&mut self, at: usize) {
        self.0 |= 1 << at;
    }

    fn has(self, at: usize) -> bool {
        self.0 & (1 << at) != 0
    }
}

/// Whether a text cannot be a word of a language, because it has a digit or is very long.
pub(super) fn is_random(text: &str) -> bool {
    text.len() >= 24 || text.bytes().any(|b| b.is_ascii_digit())
}

/// Whether a text is `user:password` in base64.
fn is_user_and_password(text: &str) -> bool {
    let decoded = decode(text);
    decoded.contains(&b':') && decoded.iter().all(|b| (b' '..0x7f).contains(b) || *b >= 0x80)
}

/// Decodes base64 of either alphabet. Incomplete bytes at the end are left out.
pub(super) fn decode(text: &str) -> Vec<u8> {
    let sign = |c: u8| match c {
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        c if c.is_ascii_alphanumeric() || b"+/".contains(&c) => Some(c),
        _ => None,
    };
    let mut text: Vec<u8> = text.bytes().filter_map(sign).collect();
    text.truncate(text.len() / 4 * 4 + if text.len() % 4 == 1 { 0 } else { text.len() % 4 });
    let forgiving = base64::engine::GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent);
    base64::engine::GeneralPurpose::new(&base64::alphabet::STANDARD, forgiving)
        .decode(text)
        .unwrap_or_default()
}
