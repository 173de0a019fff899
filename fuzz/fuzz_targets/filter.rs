//! Parses any text as a filter of packets.
//!
//! What the grammar takes is one word without an option and without another character, and its text means itself. An
//! error is short.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mcp_core::fuzzing::capture_filter;

fuzz_target!(|text: &str| {
    match capture_filter(text) {
        Ok(word) => {
            assert!(
                word.len() <= 4096 && word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '('),
                "{word}"
            );
            assert!(
                word.bytes().all(|b| b.is_ascii_alphanumeric() || b" .:/-()[]=!<>&|+*%^".contains(&b)),
                "{word}"
            );
            assert!(!word.split(' ').any(|part| part.len() > 1 && part.starts_with('-')), "{word}");
            assert_eq!(capture_filter(&word).as_ref(), Ok(&word));
        }
        Err(error) => assert!(!error.is_empty() && error.len() < 500, "{error}"),
    }
});
