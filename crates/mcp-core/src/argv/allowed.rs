//! A check of a layer's table for tests.

use super::{AllowedPrograms, WordPart};

/// Whether a layer's table allows a command whose words are separated by `|`. `{bridge}` stands for an operand of this
/// kind, and `table={number}` for an operand after literal text.
pub fn is_allowed(allow: AllowedPrograms, command: &str) -> bool {
    fn leaked(text: &str) -> &'static str {
        Box::leak(text.to_owned().into_boxed_str())
    }
    let word = |word: &str| -> &'static [WordPart] {
        let parts = match word.split_once('{').and_then(|(text, kind)| Some((text, kind.strip_suffix('}')?)))
        {
            Some(("", kind)) => vec![WordPart::Operand(leaked(kind))],
            Some((text, kind)) => vec![WordPart::Text(leaked(text)), WordPart::Operand(leaked(kind))],
            None => vec![WordPart::Text(leaked(word))],
        };
        Box::leak(parts.into_boxed_slice())
    };
    let words: Vec<&'static [WordPart]> = command.split('|').map(word).collect();
    let words: &'static [&'static [WordPart]] = Box::leak(words.into_boxed_slice());
    // The check panics, as it does in the compiler.
    std::panic::catch_unwind(move || allow.check(words)).is_ok()
}
