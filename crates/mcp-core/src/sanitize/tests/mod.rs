//! Tests of every promised class in many forms, and of healthy data that must not change.

mod classes;
mod damage;
mod healthy;

use super::{Redactor, clean};
use crate::Deadline;
use base64::{Engine, prelude::BASE64_STANDARD};
use classes::{CLASSES, SECRET, plant, tells};
use std::time::Duration;

#[test]
fn no_form_of_any_class_is_shown() {
    let mut told = Vec::new();
    for class in CLASSES {
        assert!(class.forms.len() >= 20, "{}: {} forms", class.name, class.forms.len());
        for form in class.forms {
            for value in class.values {
                let text = plant(form, value);
                let shown = clean(&text);
                if tells(&shown) || !shown.contains("[redacted") && text != shown {
                    told.push(format!("{}: {text:?} gives {shown:?}", class.name));
                }
                let again = clean(&shown);
                if again != shown {
                    told.push(format!("{}: {shown:?} gives {again:?} when cleaned again", class.name));
                }
                // The text is also tested as a log that arrives in pieces.
                let shown = in_pieces(text.as_bytes(), 7);
                if tells(&shown) && !text.contains("data") {
                    told.push(format!("{}: {text:?} in pieces gives {shown:?}", class.name));
                }
            }
        }
    }
    assert!(told.is_empty(), "{} of them:\n{}", told.len(), told.join("\n"));
}

fn in_pieces(text: &[u8], size: usize) -> String {
    let mut redactor = Redactor::default();
    let mut shown: Vec<u8> = text.chunks(size).flat_map(|piece| redactor.push(piece)).collect();
    shown.extend(redactor.finish());
    String::from_utf8_lossy(&shown).into_owned()
}

/// Encodes a text in base64 with a line break after every `width` characters.
fn encoded(text: &str, width: usize) -> String {
    let text = BASE64_STANDARD.encode(text);
    let lines: Vec<&str> =
        text.as_bytes().chunks(width).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    lines.join("\n")
}

#[test]
fn keys_in_base64_are_not_shown() {
    let certificate =
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", "MIIBszCCAVmg".repeat(20));
    let key = "-----BEGIN RSA PRIVATE KEY-----\nhunter2hunter2\n-----END RSA PRIVATE KEY-----\n";
    for text in [
        key.to_owned(),
        certificate.clone() + key,
        format!("a: |\n{key}"),
        format!("x{key}"),
        format!("xy{key}"),
    ] {
        for width in [64, 76, 1 << 20] {
            let planted = format!("  tls: {}\nafter it", encoded(&text, width));
            let shown = clean(&planted);
            let first = encoded(&text, 1 << 20).split_at(40).0.to_owned();
            let shows =
                |shown: &str| planted.lines().filter(|line| line.len() > 40).any(|line| shown.contains(line));
            assert!(
                shown.contains("[redacted]") && !shown.contains(&first) && !shows(&shown),
                "{planted}\n{shown}"
            );
            assert!(shown.ends_with("after it"), "{shown}");
        }
    }
    let shown = clean(&format!("ca: {}", encoded(&certificate, 1 << 20)));
    assert!(!shown.contains("[redacted]"), "a certificate is not secret: {shown}");
}

#[test]
fn a_key_may_have_any_length_and_a_key_without_an_end_does_not_hide_the_log() {
    let key = format!(
        "-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----\nafter it\n",
        "hunter2hunter2\n".repeat(10_000)
    );
    for size in [1_000, 70_000, 1 << 20] {
        assert_eq!(
            in_pieces(key.as_bytes(), size),
            "-----BEGIN PRIVATE KEY-----[redacted]\n-----END PRIVATE KEY-----\nafter it\n"
        );
    }
    let one_line = key.replace('\n', "\\n");
    for size in [1_000, 70_000] {
        assert!(!tells(&in_pieces(one_line.as_bytes(), size)));
    }
    let log = format!("-----BEGIN PRIVATE KEY-----\n{}", "I1122 a line of a log\n".repeat(5_000));
    assert!(in_pieces(log.as_bytes(), 1_000).len() > log.len() - 10_000);
}

#[test]
fn secrets_in_wide_characters_are_found() {
    for class in CLASSES.iter().take(4) {
        for form in class.forms {
            let text = plant(form, class.values[0]);
            for wide in [u16::to_le_bytes, u16::to_be_bytes] {
                let bytes: Vec<u8> =
                    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(wide).collect();
                let shown = in_pieces(&bytes, 5);
                assert!(!tells(&shown.replace('\0', "")), "{text:?}: {shown:?}");
                let shown = String::from_utf8_lossy(&Redactor::of(bytes).unwrap()).replace('\0', "");
                assert!(!tells(&shown), "{text:?}: {shown:?}");
            }
        }
    }
}

#[test]
fn invisible_characters_are_made_visible() {
    assert_eq!(clean("a\u{202e}b\u{200b}c\u{1b}[31m"), r"a\u{202e}b\u{200b}c\u{1b}[31m");
    assert_eq!(clean("x\u{e0049}\u{e0067}y"), r"x\u{e0049}\u{e0067}y");
    assert_eq!(clean("naïve → 日本\n\tok"), "naïve → 日本\n\tok");
}

#[test]
fn text_next_to_a_secret_stays() {
    for (text, shown) in [
        ("{psk=hunter2, csum=\"true\"}", "{psk=[redacted], csum=\"true\"}"),
        (r#"options: {ipsec_psk="a b"}"#, r#"options: {ipsec_psk="[redacted]"}"#),
        ("Authorization: Bearer abc.def1, next", "Authorization: Bearer [redacted], next"),
        ("https://me:hunter2@example.org/x", "https://me:[redacted]@example.org/x"),
        ("a\npassword: |\n  x\n  y\nuser: me\n", "a\npassword: [redacted]\nuser: me\n"),
        (
            "{PrivKey: Cert: CACert:} Token: TokenFile: Mode:shared",
            "{PrivKey: Cert: CACert:} Token: TokenFile: Mode:shared",
        ),
        ("map[password:two words user:me]", "map[password:[redacted] user:me]"),
        ("user=a password=hunter2 err=\"x\"", "user=a password=[redacted] err=\"x\""),
        (r#"{"token":123456789,"user":"me"}"#, r#"{"token":"[redacted]","user":"me"}"#),
        (r#"{"password":"a\"b\\","user":"me"}"#, r#"{"password":"[redacted]","user":"me"}"#),
        (
            r#""{\"password\":\"a\\\"b\",\"user\":\"me\"}""#,
            r#""{\"password\":\"[redacted]\",\"user\":\"me\"}""#,
        ),
        (" neighbor 172.18.0.3 password hunter2", " neighbor 172.18.0.3 password [redacted]"),
        ("?token=abc1&user=me", "?token=[redacted]&user=me"),
        ("DB_PASSWORD=hunter2\0PATH=/bin", "DB_PASSWORD=[redacted]\\u{0}PATH=/bin"),
        ("secret:\n  secretName: a", "secret:\n  secretName: a"),
        // An unterminated quote ends at the next quote, because the text after that may be inside another one.
        ("a token=\"x\npassword:\n  \"b c\"\nuser: me", "a token=\"[redacted]\n\"\nuser: me"),
        ("a token=\"x\ny\",\nuser: me", "a token=\"[redacted]\n\",\nuser: me"),
    ] {
        assert_eq!(clean(text), shown);
    }
}

/// The values of a Secret precede its kind, and another object precedes both.
#[test]
fn a_secret_after_another_object_is_hidden() {
    let text = "apiVersion: v1\ndata:\n  a: b\nkind: ConfigMap\n---\napiVersion: v1\ndata:\n  a: hunter2\nkind: Secret\n---\ndata:\n  a: shown\nkind: ConfigMap\n";
    let shown = clean(text);
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn the_search_of_an_output_stops_with_its_call() {
    let output = format!("password={SECRET}\n").repeat(10_000).into_bytes();
    let over = Deadline::within(Duration::ZERO).during(|| Redactor::of(output.clone()));
    assert!(over.is_err());
    let shown = Redactor::of(output).unwrap();
    assert_eq!(shown, "password=[redacted]\n".repeat(10_000).into_bytes());
}
