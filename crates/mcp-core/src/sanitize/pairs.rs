//! Names and their values in a line: `password=x`, `"password": "x"`, `--password x`, `<password>x</password>`.
//!
//! The value is what the notation says it is: what is between quotes, with all escapes at whatever depth they are nested;
//! of a line of YAML or of an INI file the rest of the line; of a Go map what stands before the next name. Else it ends with
//! a blank, or with a sign after which something new begins.

use super::{
    REDACTED,
    forms::is_random,
    is_open,
    lines::Open,
    names::{Sort, sort},
};
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::Regex;
use std::{borrow::Cow, ops::Range, sync::LazyLock};

/// No name of a secret is without one of these, in small or capital letters.
pub(super) const TRIGGERS: &[&str] =
    &["pass", "pwd", "pw", "psk", "secret", "token", "cred", "auth", "key", "jwt", "dockerc"];

static STEMS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let words =
        AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(TRIGGERS);
    words.expect("literals")
});

/// The first word from there on that may be the name of a secret.
fn name(line: &str, from: usize) -> Option<Range<usize>> {
    let is_part = |c: char| c.is_alphanumeric() || "_.-".contains(c);
    let stem = STEMS.find(line.get(from..)?)?;
    let (stem_start, stem_end) = (from + stem.start(), from + stem.end());
    let before = line.get(from..stem_start)?;
    let start = from + before.trim_end_matches(is_part).len();
    let after = line.get(stem_end..)?;
    Some(start..line.len() - after.trim_start_matches(is_part).len())
}

/// Colours of a terminal, as they are and as they are shown.
const COLOUR: &str = r"(?:\x1b\[[\d;]*m|\\u\{1b\}\[[\d;]*m|\\(?:x1b|033|u001[bB])\[[\d;]*m)*";

/// What stands between a name and its value.
static BETWEEN: LazyLock<Regex> = LazyLock::new(|| {
    // The quote that ends the name and what it is an index of; the sign; a tag or an anchor of YAML, or a type of Go.
    let go = r"\([\w*\[\].]+\)\s?(?:\(len=\d+[^)]*\)\s?)?";
    Regex::new(&format!(
        r#"^(?<quote>\\*["'`])?\]?{COLOUR}[ \t]*(?<sign>:=|=>|==?|\+=|::?|%3[dD]|(?:,)(?:\s*\\*["'`])){COLOUR}(?<blank>[ \t]*){COLOUR}(?:(?:![\w!./-]*|&\w+)[ \t]+|{go})*(?:(?:\[\]byte|[A-Za-z]+)\((?:\\*["'`]))?"#
    ))
    .expect("a literal")
});

/// `{name: DB_PASSWORD, value: x}` in the middle of a line: what stands between the name of a variable and its value.
static NAMED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^\\*["']?[,;\s]+\\*["']?[Vv]alue\\*["']?\s*[:=]\s*"#).expect("a literal"));

/// What is before the name of a variable: `"name":"`, `Name:`.
static NAMES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?i)\b(?:name|key)\\*["']?\s*[:=]\s*\\*["']?$"#).expect("a literal"));

/// A name of something else begins: `, user=`, ` time:`.
static NEXT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^[,;&]?\s*\\*["']?[A-Za-z_][\w.-]*\\*["']?\s?[:=]"#).expect("a literal"));

/// The same after a blank, in the middle of a text.
static ANOTHER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[,;]?\s+[A-Za-z_][\w./-]*[:=]").expect("a literal"));

/// A field of a Go struct begins: `Cert: `.
static FIELD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[A-Z][A-Za-z0-9]*:(?:[\s\[{}]|$)").expect("a literal"));

/// What may stand before a name that begins a line: the time of a log, marks of a list or of a difference, `export`.
static BEGINS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^[\u{feff}\u{fffd}]*(?:\d{4}-\d\d-\d\dT\S+ (?:(?:stdout|stderr) [FP] )?)?[ \t]*(?:[-+>#;|*] ?[ \t]*)*(?:export |set |setenv |ENV |ARG |declare -x )?\\*["'`]?$"#)
        .expect("a literal")
});

/// A scheme of HTTP authentication and the blank after it.
static SCHEME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[A-Za-z][A-Za-z0-9-]{2,24}\s+").expect("a literal"));

/// So many bytes before a name tell what it is the name of, and so many after a sign tell what follows. A line can have
/// a million names: what is looked at for each of them is bounded.
const NEAR: usize = 256;

/// Whether what follows `token: ` is prose: words of letters.
fn is_prose(rest: &str) -> bool {
    static PROSE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\[?(?:[A-Za-z]+(?:[\s,;.]|$)|\S+:(?:\s|$))").expect("a literal"));
    let near = head(rest, NEAR);
    // A word that goes on after it is no word of a language.
    PROSE.find(near).is_some_and(|prose| prose.end() < near.len() || near.len() == rest.len())
}

/// The first bytes of a text, in whole characters.
fn head(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default()
}

/// The last ones.
fn tail(text: &str, most: usize) -> &str {
    let from = text.len().saturating_sub(most);
    let start = (from..=text.len()).find(|start| text.is_char_boundary(*start)).unwrap_or_default();
    text.get(start..).unwrap_or_default()
}

/// A value that was found.
struct Value {
    /// Where it is, without its quotes.
    at: Range<usize>,
    /// What it leaves open.
    open: Open,
}

/// The line without the values of secret names, and what of them goes on in the lines after it.
pub(super) fn redact(line: &str) -> (Cow<'_, str>, Open) {
    let (mut shown, mut copied, mut from) = (String::new(), 0, 0);
    let mut open = Open::Nothing;
    while let Some(name) = name(line, from) {
        from = name.end;
        let Some(value) = find(line, name) else { continue };
        let text = line.get(value.at.clone()).unwrap_or_default();
        open = value.open;
        if is_open(text) && !matches!(open, Open::Block { .. } | Open::Next { .. } | Open::Named) {
            open = Open::Nothing;
            continue;
        }
        from = value.at.end.max(from);
        if text.is_empty() && !matches!(open, Open::Block { .. }) {
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

/// What stands for a value. A value without quotes whose name has some is a number of JSON: a text stays JSON.
fn marker(line: &str, at: &Range<usize>) -> String {
    let before = line.get(..at.start).unwrap_or_default().trim_end();
    let quote = before.strip_suffix(':').map_or("", str::trim_end);
    let quote = quote.get(quote.trim_end_matches(['"', '\\']).len()..).unwrap_or_default();
    [quote, REDACTED, quote].concat()
}

/// The value of what may be the name of a secret.
fn find(line: &str, name: Range<usize>) -> Option<Value> {
    let all_before = line.get(..name.start)?;
    let before = tail(all_before, NEAR);
    let in_line = tail(all_before, IN_MAP);
    let text = line.get(name.clone())?.trim_end_matches(['.', '-']);
    let after = line.get(name.start + text.len()..)?;
    // `private key: x`: the word before belongs to it.
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
    // XML, as it is and as it is quoted.
    let tags = [("<", ">"), ("&lt;", "&gt;"), ("\\u003c", "\\u003e")];
    if let Some((opens, closes)) = tags.into_iter().find(|(opens, _)| before.ends_with(opens)) {
        let start = at + head(after, NEAR).find(closes)? + closes.len();
        let rest = line.get(start..)?;
        return Some(Value {
            at: start..start + rest.find(opens).unwrap_or(rest.len()),
            open: Open::Nothing,
        });
    }
    if let Some(named) = NAMED.find(after).filter(|_| NAMES.is_match(before)) {
        return value(
            line,
            at + named.end(),
            Place { sort, begins: false, blank: false, colon: true, before: in_line },
        );
    }
    if after.len() < NEAR && after.trim_matches(['"', '\'', '\\', ' ', ',']).is_empty() {
        let open = match () {
            () if NAMES.is_match(before) => Open::Named,
            () if is_option && begins => Open::Next { indent: indent(line), list: false },
            () => return None,
        };
        return Some(Value { at: line.len()..line.len(), open });
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
            return value(line, start, Place { sort, begins, blank, colon: sign == ":", before: in_line });
        }
    }
    // `--password x`.
    let start = at + after.len() - after.trim_start_matches(['"', '\'']).trim_start().len();
    let rest = line.get(start..)?;
    let is_word = is_option && after.starts_with([' ', '\t']) && !rest.starts_with('-');
    is_word.then(|| {
        value(line, start, Place { sort, begins: false, blank: false, colon: false, before: in_line })
    })?
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    sort: Sort,
    /// Nothing but marks stands before its name.
    begins: bool,
    /// There is a blank before it.
    blank: bool,
    colon: bool,
    before: &'a str,
}

/// Where a value ends that has no quotes and stands in a map is looked for in so many bytes; else nothing of the rest of
/// the line is shown.
const IN_MAP: usize = 4 << 10;

/// The value that begins here.
fn value(line: &str, start: usize, place: Place<'_>) -> Option<Value> {
    let rest = line.get(start..)?;
    let to = |end: usize, open| Some(Value { at: start..start + end, open });
    if rest.trim_start_matches(['"', '\'', '\\']).starts_with("[redacted") {
        return None;
    }
    if rest.trim_start().is_empty() {
        let open = if place.begins { Open::Next { indent: indent(line), list: true } } else { Open::Nothing };
        return to(0, open);
    }
    if place.begins && is_block(rest) {
        return to(rest.len(), Open::Block { indent: indent(line), list: false });
    }
    // Bytes and raw text of Python and Rust.
    let prefix = rest.len() - rest.trim_start_matches(['b', 'r', 'u', 'f']).len();
    if (1..3).contains(&prefix) && rest.get(prefix..).is_some_and(|rest| rest.starts_with(['"', '\''])) {
        return value(line, start + prefix, place);
    }
    let slashes = rest.len() - rest.trim_start_matches('\\').len();
    if let Some(quote) = rest.get(slashes..)?.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) {
        return quoted(line, start, slashes, quote, place);
    }
    if rest.starts_with('[') {
        if place.sort == Sort::Token && is_prose(rest) {
            return None;
        }
        return match closing(rest) {
            // An array of JSON stays one.
            Some(end) => scheme(line, start + 1..start + end, place),
            None if rest.trim_end() == "[" => {
                let at = start + 1..line.len();
                Some(Value { at, open: Open::Block { indent: indent(line), list: false } })
            }
            None => to(rest.len(), Open::Nothing),
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
    let is_prose = place.sort != Sort::Password && place.colon && place.blank && is_prose(rest);
    if place.sort == Sort::Authorization {
        return authorization(line, start, place);
    }
    // `{PrivKey: Cert: CACert:}` of Go's `%+v`: the value is empty, and the next field begins.
    if place.colon && place.blank && !place.begins && FIELD.is_match(head(rest, NEAR)) {
        return None;
    }
    if is_prose && !(is_yaml && rest.split_whitespace().nth(1).is_none()) {
        return None;
    }
    let (end, open) = match () {
        () if is_yaml => (rest.trim_end().len(), Open::Plain { indent: indent(line) }),
        () if place.begins && !place.colon => {
            // A list of variables, as the kernel has it, is separated by zeros.
            let end = rest.find('\0').unwrap_or(rest.trim_end().len());
            (ANOTHER.find(rest).map_or(end, |next| next.start().min(end)), Open::Nothing)
        }
        () if in_map => {
            let near = head(rest, IN_MAP);
            let next = ANOTHER.find(near).map(|next| next.start());
            let end = next.into_iter().chain(bracket(near)).min();
            (end.unwrap_or(rest.len()), Open::Nothing)
        }
        () => (word(rest), Open::Nothing),
    };
    // `pass: 12, fail: 0` are numbers of things.
    let number = rest.get(..end)?;
    if place.sort == Sort::Token && number.len() <= 4 && number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    to(end, open)
}

/// The text in quotes after so many backslashes. At depth d of nesting a quote has 2^d - 1 of them; one that belongs to the
/// text has more, and a backslash of the text itself is doubled at each depth.
fn quoted(line: &str, start: usize, slashes: usize, quote: char, place: Place<'_>) -> Option<Value> {
    let rest = line.get(start..)?;
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    let len = if rest.get(slashes..)?.starts_with(&triple) { 3 } else { 1 };
    let begin = slashes + len;
    let inside = rest.get(begin..)?;
    if len == 3 {
        let found = inside.find(&triple);
        let open = if found.is_some() { Open::Nothing } else { Open::Quoted { quote, triple: true } };
        return Some(Value { at: start + begin..start + begin + found.unwrap_or(inside.len()), open });
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
                // A quote of YAML or SQL in single quotes is two.
                if quote == '\'' && next.starts_with('\'') {
                    (run, skip) = (0, true);
                    continue;
                }
                let end = at - if slashes > 0 { slashes } else { 0 };
                // A shell goes on with the word.
                let glued =
                    next.find(|c: char| c.is_whitespace() || ",;:)]}>&|\\".contains(c)).unwrap_or(next.len());
                let end = if glued > 0 && slashes == 0 && !place.colon { at + 1 + glued } else { end };
                let at = start + begin..start + begin + end;
                return match place.sort {
                    Sort::Authorization => scheme(line, at, place),
                    _ => Some(Value { at, open: Open::Nothing }),
                };
            }
            _ => (run, skip) = (0, false),
        }
    }
    Some(Value {
        at: start + begin..line.len(),
        open: if slashes == 0 { Open::Quoted { quote, triple: false } } else { Open::Nothing },
    })
}

/// The value without the scheme of HTTP authentication, which is no secret.
fn scheme(line: &str, at: Range<usize>, place: Place<'_>) -> Option<Value> {
    let text = line.get(at.clone())?;
    let inner = text.len() - text.trim_start_matches(['"', '\\']).len();
    let shown = (place.sort == Sort::Authorization)
        .then(|| SCHEME.find(text.get(inner..)?).map(|scheme| inner + scheme.end()))
        .flatten();
    let last = text.trim_end_matches(['"', '\\']).len();
    let (start, end) = match place.sort {
        Sort::Authorization => (shown.unwrap_or(inner), last.max(shown.unwrap_or(inner))),
        _ if inner > 0 && last >= inner => (inner, last),
        _ => (0, text.len()),
    };
    Some(Value { at: at.start + start..at.start + end, open: Open::Nothing })
}

/// What follows `Authorization:` without quotes.
fn authorization(line: &str, start: usize, place: Place<'_>) -> Option<Value> {
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
    (is_proof && end > 0).then_some(Value { at: at..at + end, open: Open::Nothing })
}

/// `|`, `>-`, `|2`: lines of YAML follow.
fn is_block(rest: &str) -> bool {
    static BLOCK: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^[|>][-+\d]{0,2}\s*(?:#.*)?$").expect("a literal"));
    BLOCK.is_match(rest)
}

/// Where a word ends that has no quotes: at a blank, or at a sign after which something else begins.
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

/// Where the map ends in which a value stands.
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

/// The bracket that closes the first one.
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

/// How far a line is indented, after what a log puts before it; marks of a list count.
pub(super) fn indent(line: &str) -> usize {
    let line = without_prefix(line);
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

/// A line without the time and the stream that a runtime puts before it.
pub(super) fn without_prefix(line: &str) -> &str {
    static PREFIX: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+(?:Z|[-+]\d\d:\d\d) (?:(?:stdout|stderr) [FP] )?")
            .expect("a literal")
    });
    PREFIX.find(line).map_or(line, |prefix| line.get(prefix.end()..).unwrap_or_default())
}
