//! Names and their values in a line: `password=x`, `"password": "x"`, `--password x`, `<password>x</password>`.
//!
//! The notation determines the end of the value. A quoted value includes all escapes at any depth of nesting. In YAML
//! or an INI file the value is the rest of the line, and in a Go map it ends before the next name. Otherwise it ends
//! with a blank, or with a character after which something new begins.

use super::{
    REDACTED,
    forms::is_random,
    is_open,
    lines::OpenState,
    names::{SecretKind, sort},
};
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::Regex;
use std::{borrow::Cow, ops::Range, sync::LazyLock};

/// The words that occur in every name of a secret, in any case.
pub(super) const TRIGGERS: &[&str] =
    &["pass", "pwd", "pw", "psk", "secret", "token", "cred", "auth", "key", "jwt", "dockerc"];

static STEMS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let words =
        AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(TRIGGERS);
    words.expect("literals")
});

/// Returns the first word after a position that may be the name of a secret.
fn name(line: &str, from: usize) -> Option<Range<usize>> {
    let is_part = |c: char| c.is_alphanumeric() || "_.-".contains(c);
    let stem = STEMS.find(line.get(from..)?)?;
    let (stem_start, stem_end) = (from + stem.start(), from + stem.end());
    let before = line.get(from..stem_start)?;
    let start = from + before.trim_end_matches(is_part).len();
    let after = line.get(stem_end..)?;
    Some(start..line.len() - after.trim_start_matches(is_part).len())
}

/// Matches the colours of a terminal, raw or in visible form.
const COLOUR: &str = r"(?:\x1b\[[\d;]*m|\\u\{1b\}\[[\d;]*m|\\(?:x1b|033|u001[bB])\[[\d;]*m)*";

/// Matches the text between a name and its value.
static BETWEEN: LazyLock<Regex> = LazyLock::new(|| {
    // The parts are: the quote that ends the name and the bracket of an index, the sign, a tag or an anchor of YAML,
    // or a Go type.
    let go = r"\([\w*\[\].]+\)\s?(?:\(len=\d+[^)]*\)\s?)?";
    Regex::new(&format!(
        r#"^(?<quote>\\*["'`])?\]?{COLOUR}[ \t]*(?<sign>:=|=>|==?|\+=|::?|%3[dD]|(?:,)(?:\s*\\*["'`])){COLOUR}(?<blank>[ \t]*){COLOUR}(?:(?:![\w!./-]*|&\w+)[ \t]+|{go})*(?:(?:\[\]byte|[A-Za-z]+)\((?:\\*["'`]))?"#
    ))
    .expect("a literal")
});

/// Matches the text between the name of a variable and its value in the middle of a line: `{name: DB_PASSWORD, value:
/// x}`.
static NAMED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^\\*["']?[,;\s]+\\*["']?[Vv]alue\\*["']?\s*[:=]\s*"#).expect("a literal"));

/// Matches the text before the name of a variable: `"name":"`, `Name:`.
static NAMES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?i)\b(?:name|key)\\*["']?\s*[:=]\s*\\*["']?$"#).expect("a literal"));

/// Matches the beginning of another name: `, user=`, ` time:`.
static NEXT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^[,;&]?\s*\\*["']?[A-Za-z_][\w.-]*\\*["']?\s?[:=]"#).expect("a literal"));

/// Matches the beginning of another name after a blank, in the middle of a text.
static ANOTHER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[,;]?\s+[A-Za-z_][\w./-]*[:=]").expect("a literal"));

/// Matches the beginning of a field of a Go struct: `Cert: `.
static FIELD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[A-Z][A-Za-z0-9]*:(?:[\s\[{}]|$)").expect("a literal"));

/// Matches what may precede a name at the beginning of a line: the time of a log, list or diff markers, `export`.
static BEGINS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^[\u{feff}\u{fffd}]*(?:\d{4}-\d\d-\d\dT\S+ (?:(?:stdout|stderr) [FP] )?)?[ \t]*(?:[-+>#;|*] ?[ \t]*)*(?:export |set |setenv |ENV |ARG |declare -x )?\\*["'`]?$"#)
        .expect("a literal")
});

/// A scheme of HTTP authentication and the blank after it.
static SCHEME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[A-Za-z][A-Za-z0-9-]{2,24}\s+").expect("a literal"));

/// The number of bytes before a name, and after a sign, that are examined. A line can have a million names, so the
/// work for each name must be bounded.
const NEAR: usize = 256;

/// Whether the text after `token: ` is prose, which means words of letters.
fn is_prose(rest: &str) -> bool {
    static PROSE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\[?(?:[A-Za-z]+(?:[\s,;.]|$)|\S+:(?:\s|$))").expect("a literal"));
    let near = head(rest, NEAR);
    // A word that continues with another character is not a word of a language.
    PROSE.find(near).is_some_and(|prose| prose.end() < near.len() || near.len() == rest.len())
}

/// Returns the first bytes of a text, without splitting a character.
fn head(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default()
}

/// Returns the last bytes of a text, without splitting a character.
fn tail(text: &str, most: usize) -> &str {
    let from = text.len().saturating_sub(most);
    let start = (from..=text.len()).find(|start| text.is_char_boundary(*start)).unwrap_or_default();
    text.get(start..).unwrap_or_default()
}

/// A value that was found in a line.
struct FoundValue {
    /// The position of the value, without its quotes.
    at: Range<usize>,
    /// What the value leaves open for the following lines.
    open: OpenState,
}

/// Returns the line without the values of secret names, and what these values leave open for the following lines.
pub(super) fn redact(line: &str) -> (Cow<'_, str>, OpenState) {
    let (mut shown, mut copied, mut from) = (String::new(), 0, 0);
    let mut open = OpenState::Nothing;
    while let Some(name) = name(line, from) {
        from = name.end;
        let Some(value) = find(line, name) else { continue };
        let text = line.get(value.at.clone()).unwrap_or_default();
        open = value.open;
        if is_open(text)
            && !matches!(open, OpenState::Block { .. } | OpenState::Next { .. } | OpenState::Named)
        {
            open = OpenState::Nothing;
            continue;
        }
        from = value.at.end.max(from);
        if text.is_empty() && !matches!(open, OpenState::Block { .. }) {
            continue;
        }
        shown += line.get(copied..value.at.start).unwrap_or_default();
        shown += &marker(line, &value.at);
        copied = value.at.end;
    }
    if copied == 0 {
        return (Cow::Borrowed(line), open);
    }
    shown += line.get(copied..).unwrap_or_default();
    (Cow::Owned(shown), open)
}

/// Returns the text that replaces a value. An unquoted value with a quoted name is a JSON number, so the replacement
/// is quoted to keep the text valid JSON.
fn marker(line: &str, at: &Range<usize>) -> String {
    let before = line.get(..at.start).unwrap_or_default().trim_end();
    let quote = before.strip_suffix(':').map_or("", str::trim_end);
    let quote = quote.get(quote.trim_end_matches(['"', '\\']).len()..).unwrap_or_default();
    [quote, REDACTED, quote].concat()
}

/// Returns the value of a word that may be the name of a secret.
fn find(line: &str, name: Range<usize>) -> Option<FoundValue> {
    let all_before = line.get(..name.start)?;
    let before = tail(all_before, NEAR);
    let in_line = tail(all_before, IN_MAP);
    let text = line.get(name.clone())?.trim_end_matches(['.', '-']);
    let after = line.get(name.start + text.len()..)?;
    // In `private key: x`, the word before belongs to the name.
    let word = before.trim_end().rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let is_two = text.eq_ignore_ascii_case("key") && before.ends_with(' ') && !word.is_empty();
    let sort = match is_two {
        true => sort(&format!("{word} {text}"))?,
        false => sort(text)?,
    };
    let at = name.start + text.len();
    let begins = before.len() == all_before.len()
        && BEGINS.is_match(if is_two { before.trim_end().trim_end_matches(word) } else { before });
    let is_option = text.starts_with('-');
    // These are XML tags, raw and quoted.
    let tags = [("<", ">"), ("&lt;", "&gt;"), ("\\u003c", "\\u003e")];
    if let Some((opens, closes)) = tags.into_iter().find(|(opens, _)| before.ends_with(opens)) {
        let start = at + head(after, NEAR).find(closes)? + closes.len();
        let rest = line.get(start..)?;
        return Some(FoundValue {
            at: start..start + rest.find(opens).unwrap_or(rest.len()),
            open: OpenState::Nothing,
        });
    }
    if let Some(named) = NAMED.find(after).filter(|_| NAMES.is_match(before)) {
        return value(
            line,
            at + named.end(),
            ValueContext { sort, begins: false, blank: false, colon: true, before: in_line },
        );
    }
    if after.len() < NEAR && after.trim_matches(['"', '\'', '\\', ' ', ',']).is_empty() {
        let open = match () {
            () if NAMES.is_match(before) => OpenState::Named,
            () if is_option && begins => OpenState::Next { indent: indent(line), list: false },
            () => return None,
        };
        return Some(FoundValue { at: line.len()..line.len(), open });
    }
    if let Some(between) = BETWEEN.captures(after) {
        let sign = between.name("sign").map_or("", |sign| sign.as_str());
        let is_list = sign.starts_with(',');
        let is_pair = before.trim_end_matches(['"', '\\', '\'', '`']).ends_with('[');
        if !is_list || is_option || is_pair {
            let mut start = at + between.get(0)?.end();
            // The quote is part of the value here.
            let quote = line.get(..start)?.trim_end_matches(['"', '\'', '`']);
            if is_list || line.get(..start)?.len() > quote.len() && line.get(..start)?.contains('(') {
                start = quote.trim_end_matches('\\').len();
            }
            let blank = between.name("blank").is_some_and(|blank| !blank.is_empty());
            return value(
                line,
                start,
                ValueContext { sort, begins, blank, colon: sign == ":", before: in_line },
            );
        }
    }
    // This is an option such as `--password x`.
    let start = at + after.len() - after.trim_start_matches(['"', '\'']).trim_start().len();
    let rest = line.get(start..)?;
    let is_word = is_option && after.starts_with([' ', '\t']) && !rest.starts_with('-');
    is_word.then(|| {
        value(line, start, ValueContext { sort, begins: false, blank: false, colon: false, before: in_line })
    })?
}

/// The surroundings of a value.
#[derive(Clone, Copy)]
struct ValueContext<'a> {
    sort: SecretKind,
    /// Whether only markers precede the name.
    begins: bool,
    /// Whether a blank precedes the value.
    blank: bool,
    colon: bool,
    before: &'a str,
}

/// The number of bytes in which the end of an unquoted value in a map is searched. If the end is not found, the rest
/// of the line is hidden.
const IN_MAP: usize = 4 << 10;

/// Returns the value that begins at a position.
fn value(line: &str, start: usize, place: ValueContext<'_>) -> Option<FoundValue> {
    let rest = line.get(start..)?;
    let to = |end: usize, open| Some(FoundValue { at: start..start + end, open });
    if rest.trim_start_matches(['"', '\'', '\\']).starts_with("[redacted") {
        return None;
    }
    if rest.trim_start().is_empty() {
        let open = if place.begins {
            OpenState::Next { indent: indent(line), list: true }
        } else {
            OpenState::Nothing
        };
        return to(0, open);
    }
    if place.begins && is_block(rest) {
        return to(rest.len(), OpenState::Block { indent: indent(line), list: false });
    }
    // These are the prefixes of bytes and raw strings in Python and Rust.
    let prefix = rest.len() - rest.trim_start_matches(['b', 'r', 'u', 'f']).len();
    if (1..3).contains(&prefix) && rest.get(prefix..).is_some_and(|rest| rest.starts_with(['"', '\''])) {
        return value(line, start + prefix, place);
    }
    let slashes = rest.len() - rest.trim_start_matches('\\').len();
    if let Some(quote) = rest.get(slashes..)?.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) {
        return quoted(line, start, slashes, quote, place);
    }
    if rest.starts_with('[') {
        if place.sort == SecretKind::Token && is_prose(rest) {
            return None;
        }
        return match closing(rest) {
            // A JSON array stays an array.
            Some(end) => scheme(line, start + 1..start + end, place),
            None if rest.trim_end() == "[" => {
                let at = start + 1..line.len();
                Some(FoundValue { at, open: OpenState::Block { indent: indent(line), list: false } })
            }
            None => to(rest.len(), OpenState::Nothing),
        };
    }
    if rest.starts_with('{') || rest.starts_with("map[") {
        return None;
    }
    let is_json = place.before.ends_with(['"', '\\']);
    let in_map = place.colon
        && !place.blank
        && !is_json
        && (place.before.contains("map[") || place.before.contains('{'));
    let is_yaml = place.begins && place.colon && place.blank;
    let is_prose = place.sort != SecretKind::Password && place.colon && place.blank && is_prose(rest);
    if place.sort == SecretKind::Authorization {
        return authorization(line, start, place);
    }
    // In Go's `%+v` output `{PrivKey: Cert: CACert:}`, the value is empty and the next field follows.
    if place.colon && place.blank && !place.begins && FIELD.is_match(head(rest, NEAR)) {
        return None;
    }
    if is_prose && !(is_yaml && rest.split_whitespace().nth(1).is_none()) {
        return None;
    }
    let (end, open) = match () {
        () if is_yaml => (rest.trim_end().len(), OpenState::Plain { indent: indent(line) }),
        () if place.begins && !place.colon => {
            // The kernel separates the variables of an environment by zero bytes.
            let end = rest.find('\0').unwrap_or(rest.trim_end().len());
            (ANOTHER.find(rest).map_or(end, |next| next.start().min(end)), OpenState::Nothing)
        }
        () if in_map => {
            let near = head(rest, IN_MAP);
            let next = ANOTHER.find(near).map(|next| next.start());
            let end = next.into_iter().chain(bracket(near)).min();
            (end.unwrap_or(rest.len()), OpenState::Nothing)
        }
        () => (word(rest), OpenState::Nothing),
    };
    // In `pass: 12, fail: 0`, the numbers count things.
    let number = rest.get(..end)?;
    if place.sort == SecretKind::Token && number.len() <= 4 && number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    to(end, open)
}

/// Returns the text in quotes that follow `slashes` backslashes. At nesting depth d, a quote has 2^d - 1 backslashes.
/// A quote that belongs to the text has more, and each depth doubles the backslashes of the text.
fn quoted(
    line: &str,
    start: usize,
    slashes: usize,
    quote: char,
    place: ValueContext<'_>,
) -> Option<FoundValue> {
    let rest = line.get(start..)?;
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    let len = if rest.get(slashes..)?.starts_with(&triple) { 3 } else { 1 };
    let begin = slashes + len;
    let inside = rest.get(begin..)?;
    if len == 3 {
        let found = inside.find(&triple);
        let open =
            if found.is_some() { OpenState::Nothing } else { OpenState::Quoted { quote, triple: true } };
        return Some(FoundValue { at: start + begin..start + begin + found.unwrap_or(inside.len()), open });
    }
    let (mut run, mut skip) = (0, false);
    for (at, c) in inside.char_indices() {
        match c {
            '\\' => run += 1,
            _ if c == quote
                && !skip
                && (quote == '\'' && slashes == 0 || run % (2 * (slashes + 1)) == slashes) =>
            {
                let next = inside.get(at + 1..).unwrap_or_default();
                // YAML and SQL write a quote inside single quotes twice.
                if quote == '\'' && next.starts_with('\'') {
                    (run, skip) = (0, true);
                    continue;
                }
                let end = at - if slashes > 0 { slashes } else { 0 };
                // A shell continues the word after the quote.
                let glued =
                    next.find(|c: char| c.is_whitespace() || ",;:)]}>&|\\".contains(c)).unwrap_or(next.len());
                let end = if glued > 0 && slashes == 0 && !place.colon { at + 1 + glued } else { end };
                let at = start + begin..start + begin + end;
                return match place.sort {
                    SecretKind::Authorization => scheme(line, at, place),
                    _ => Some(FoundValue { at, open: OpenState::Nothing }),
                };
            }
            _ => (run, skip) = (0, false),
        }
    }
    Some(FoundValue {
        at: start + begin..line.len(),
        open: if slashes == 0 { OpenState::Quoted { quote, triple: false } } else { OpenState::Nothing },
    })
}

/// Returns the value without the scheme of HTTP authentication, which is not secret.
fn scheme(line: &str, at: Range<usize>, place: ValueContext<'_>) -> Option<FoundValue> {
    let text = line.get(at.clone())?;
    let inner = text.len() - text.trim_start_matches(['"', '\\']).len();
    let shown = (place.sort == SecretKind::Authorization)
        .then(|| SCHEME.find(text.get(inner..)?).map(|scheme| inner + scheme.end()))
        .flatten();
    let last = text.trim_end_matches(['"', '\\']).len();
    let (start, end) = match place.sort {
        SecretKind::Authorization => (shown.unwrap_or(inner), last.max(shown.unwrap_or(inner))),
        _ if inner > 0 && last >= inner => (inner, last),
        _ => (0, text.len()),
    };
    Some(FoundValue { at: at.start + start..at.start + end, open: OpenState::Nothing })
}

/// Returns the value after `Authorization:` without quotes.
fn authorization(line: &str, start: usize, place: ValueContext<'_>) -> Option<FoundValue> {
    let rest = line.get(start..)?;
    let scheme = SCHEME.find(rest).map_or("", |scheme| scheme.as_str());
    let proof = rest.get(scheme.len()..)?;
    let many = ["digest", "aws4", "oauth", "hawk", "signature", "mac"];
    let many = many.iter().any(|it| scheme.to_ascii_lowercase().starts_with(it));
    let end = if many { proof.len() } else { word(proof) };
    let known = ["bearer", "basic", "token", "negotiate", "apikey", "ntlm", "key"];
    let known = known.iter().any(|it| scheme.trim_end().eq_ignore_ascii_case(it));
    let is_last = proof.get(end..)?.trim_start().is_empty() && (place.begins || !scheme.is_empty());
    let is_proof = known || many || is_random(proof.get(..end)?) || (is_last && place.colon);
    let at = start + scheme.len();
    (is_proof && end > 0).then_some(FoundValue { at: at..at + end, open: OpenState::Nothing })
}

/// Whether the text introduces a block of YAML lines: `|`, `>-`, `|2`.
fn is_block(rest: &str) -> bool {
    static BLOCK: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^[|>][-+\d]{0,2}\s*(?:#.*)?$").expect("a literal"));
    BLOCK.is_match(rest)
}

/// Returns the end of an unquoted word: a blank, or a character after which something new begins.
fn word(rest: &str) -> usize {
    for (at, c) in rest.char_indices() {
        let after = rest.get(at + c.len_utf8()..).unwrap_or_default();
        let next = after.chars().next();
        let ends = match c {
            c if c.is_whitespace() || c.is_control() => true,
            '"' | '\'' | '`' => next.is_none_or(|next| next.is_whitespace() || ",;:)]}>".contains(next)),
            '\\' => head(after, NEAR).trim_start_matches('\\').starts_with(['"', 'n', 't', 'r', 'u']),
            ',' | ';' | '&' => {
                next.is_none_or(|next| next.is_whitespace() || "\"'\\".contains(next))
                    || NEXT.is_match(rest.get(at..).unwrap_or_default())
            }
            '}' | ')' | ']' | '>' => {
                next.is_none_or(|next| next.is_whitespace() || ",;:.}])>\"'\\".contains(next))
            }
            '<' => after.starts_with('/'),
            _ => false,
        };
        if ends && at > 0 || c.is_whitespace() {
            return at;
        }
    }
    rest.len()
}

/// Returns the end of the map that contains a value.
fn bracket(rest: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in rest.char_indices() {
        let next = rest.get(at + 1..).and_then(|rest| rest.chars().next());
        match c {
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' if depth > 0 => depth -= 1,
            ']' | '}' if next.is_none_or(|next| next.is_whitespace() || "]})\"',:;".contains(next)) => {
                return Some(at);
            }
            _ => {}
        }
    }
    None
}

/// Returns the position of the bracket that closes the first one.
fn closing(rest: &str) -> Option<usize> {
    let (mut depth, mut quoted) = (0_usize, false);
    rest.char_indices().find_map(|(at, c)| {
        match c {
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        (c == ']' && depth == 0).then_some(at)
    })
}

/// Returns the indentation of a line after the prefix of a log. List markers count as indentation.
pub(super) fn indent(line: &str) -> usize {
    let line = without_prefix(line);
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

/// Returns a line without the time and the stream that a container runtime adds.
pub(super) fn without_prefix(line: &str) -> &str {
    static PREFIX: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+(?:Z|[-+]\d\d:\d\d) (?:(?:stdout|stderr) [FP] )?")
            .expect("a literal")
    });
    PREFIX.find(line).map_or(line, |prefix| line.get(prefix.end()..).unwrap_or_default())
}
