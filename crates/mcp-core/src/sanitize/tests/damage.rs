//! Random text around a secret must not reveal it.

use super::{
    classes::{CLASSES, plant, tells},
    in_pieces,
};
use crate::sanitize::clean;
use proptest::{prelude::*, sample::select};

/// Generates a line that may leave something open for the next one.
fn line() -> impl Strategy<Value = String> {
    let parts = select(vec![
        "password=\"",
        "password:",
        "token: |",
        "\"secret\": [",
        "- name: DB_PASSWORD",
        "kind: Secret",
        "data:",
        "  value: x",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "psk='",
        "\\\"",
        "Authorization:",
        "https://a:",
        "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQo",
        "2026-11-22T08:30:00.1Z stdout F ",
        "\u{feff}",
        "é",
        "{",
        "map[",
        "<password>",
        ", ",
        " ",
    ]);
    prop_oneof![
        3 => prop::collection::vec(parts, 0..5).prop_map(|parts| parts.concat()),
        1 => "[ -~]{0,40}",
        1 => "\\PC{0,20}",
    ]
}

fn lines() -> impl Strategy<Value = String> {
    prop::collection::vec(line(), 0..5).prop_map(|lines| lines.join("\n"))
}

/// Generates one of the promised forms with a secret in it.
fn planted() -> impl Strategy<Value = String> {
    let all: Vec<String> = CLASSES
        .iter()
        .flat_map(|class| class.forms.iter().map(|form| plant(form, class.values.first().unwrap_or(&""))))
        .collect();
    select(all)
}

proptest! {
    /// The pieces in which a log arrives must not matter.
    #[test]
    fn no_text_panics(text in lines(), size in 1_usize..9) {
        clean(&text);
        prop_assert_eq!(in_pieces(text.as_bytes(), size), in_pieces(text.as_bytes(), 1 << 16));
    }

    #[test]
    fn a_secret_among_anything_is_not_shown(before in lines(), text in planted(), after in lines()) {
        let text = format!("{before}\n{text}\n{after}");
        prop_assert!(!tells(&clean(&text)), "{:?} gives {:?}", text, clean(&text));
    }
}
