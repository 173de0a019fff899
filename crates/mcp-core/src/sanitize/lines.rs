//! Lines, one after the other: what a secret of several lines leaves out, and text that comes in pieces.

use super::{
    Found, REDACTED,
    forms::{self, decode},
    pairs::{self, indent, without_prefix},
};
use memchr::memmem;
use regex::{Captures, Regex};
use std::{borrow::Cow, ops::Range, sync::LazyLock};

/// What a line leaves open for those after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Open {
    #[default]
    Nothing,
    /// A private key, and how many bytes were left out since that do not look like one.
    Key { odd: usize },
    /// A key or a certificate in base64, on several lines.
    Base64,
    /// All lines that are indented further, and items of a list that are indented as far.
    Block { indent: usize, list: bool },
    /// Lines that are indented further, and have no name of their own.
    Plain { indent: usize },
    /// The value is on the next line; if that is an item of a list, on those after it too.
    Next { indent: usize, list: bool },
    /// The value of this variable is on a line with the name `value`.
    Named,
    /// All until this quote.
    Quoted { quote: char, triple: bool },
}

/// How many bytes that do not look like a key are left out after a key began that does not end.
const ODD: usize = 8 << 10;
/// In bytes: a line that is longer is not waited for.
const LINE: usize = 64 << 10;

/// A private key begins (RFC 7468, and OpenPGP's and SSH's armour).
static BEGIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"-{4,5} ?BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)? ?-{4,5}").expect("a literal")
});
static END: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"-{4,5} ?END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)? ?-{4,5}").expect("a literal"));

/// What base64 makes of `-----BEGIN `, and of `PRIVATE KEY` at each of three places.
pub(super) const ENCODED: [&str; 4] =
    ["LS0tLS1CRUdJTi", "UFJJVkFURSBLRV", "BSSVZBVEUgS0VZ", "QUklWQVRFIEtFW"];

static ENCODED_ANY: LazyLock<Regex> = LazyLock::new(|| Regex::new(&ENCODED.join("|")).expect("literals"));

/// A program begins to say something: no quote of the line before goes on here.
static FRESH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^(?:[IWEF]\d{4} |\d{4}[-/]\d\d|\w{3} [ \d]\d \d\d:|\{"|(?:time|level|ts)=|\[\d)"#)
        .expect("a literal")
});

/// A name of YAML and what follows it.
static MAPPING: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^\s*(?:- )?["']?[\w./-]+["']?\s*:(?:\s|$)"#).expect("a literal"));

/// The value of a variable whose name was on the line before.
static VALUE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"^(.*?\\*["']?\b[Vv]alue\\*["']?\s*[:=]\s*)(\S.*)$"#).expect("a literal"));

/// An object of the kind Secret, in YAML, in JSON at any depth of quotes, or as Go prints it.
static KIND: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\b[kK]ind\\*["']?\s*[:=]\s*\\*["']?(?:Secret|SecretList)\b"#).expect("a literal")
});
/// An object of whatever kind.
static ANY_KIND: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"^\s*["']?kind["']?:"#).expect("a literal"));

/// The fields of a Secret that hold its values.
static DATA: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\b(?:data|stringData|binaryData|Data|StringData)\\*["']?\s*:\s*(?:map)?(?<open>[\[{]?)"#)
        .expect("a literal")
});

/// Takes the secrets out of lines that it is given in their order.
#[derive(Debug, Default)]
pub(super) struct Lines {
    open: Open,
    /// The lines are of an object of the kind Secret.
    of_secret: bool,
    /// So many kinds that are Secret are still to come: the values of an object stand before its kind.
    to_come: usize,
}

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let to_come = if text.contains("Secret") { KIND.find_iter(text).count() } else { 0 };
        Self { of_secret: to_come > 0, to_come, ..Self::default() }
    }

    /// Whether lines that hold nothing pass as they are.
    fn is_idle(&self) -> bool {
        self.open == Open::Nothing && !self.of_secret
    }

    /// What is shown of a line; nothing of a line that is all secret.
    pub(super) fn line<'a>(&mut self, line: &'a str) -> Option<Cow<'a, str>> {
        match self.go_on(line) {
            Go::Hidden => None,
            Go::Shown(text) => Some(Cow::Owned(text)),
            Go::From(prefix, rest) => {
                let shown = self.redact(rest);
                Some(if prefix.is_empty() { shown } else { Cow::Owned(prefix + &shown) })
            }
            // What follows on the line may be another quoted text, or its middle: only signs are shown of it. And it may
            // leave something open.
            Go::After(prefix, rest, quote) => {
                self.redact(rest);
                let (_, after) = rest.split_once(&quote)?;
                let is_end = after.chars().all(|c| c.is_whitespace() || ",;)]}>".contains(c));
                Some(Cow::Owned(prefix + &quote + if is_end { after } else { "" }))
            }
        }
    }

    /// What becomes of a line after the one before.
    fn go_on<'a>(&mut self, line: &'a str) -> Go<'a> {
        let all = Go::From(String::new(), line);
        let open = std::mem::take(&mut self.open);
        let text = without_prefix(line);
        let trimmed = text.trim();
        let prefix = || line.get(..line.len() - text.len()).unwrap_or_default().to_owned();
        let hide = |lines: &mut Self, open| {
            lines.open = open;
            Go::Hidden
        };
        match open {
            Open::Nothing => all,
            Open::Key { odd } => match END.find(line) {
                Some(end) => Go::From(prefix() + end.as_str(), line.get(end.end()..).unwrap_or_default()),
                None if is_body(text) => hide(self, open),
                None if odd + line.len() <= ODD => hide(self, Open::Key { odd: odd + line.len() }),
                None => all,
            },
            Open::Base64 if is_base64(trimmed) && !trimmed.is_empty() => hide(self, open),
            Open::Base64 => all,
            Open::Block { indent: of, list } => match trimmed.is_empty()
                || indent(line) > of
                || list && indent(line) == of && trimmed.starts_with("- ")
            {
                true => hide(self, open),
                false => all,
            },
            Open::Plain { indent: of } if indent(line) > of && !MAPPING.is_match(text) => hide(self, open),
            Open::Plain { .. } => all,
            Open::Next { indent: of, list } => self.next(line, text, of, list),
            Open::Named => match VALUE.captures(line) {
                Some(found) if is_hidden(&found) => {
                    let (name, value) = (found.get(1), found.get(2).map_or("", |value| value.as_str()));
                    if value.starts_with(['|', '>']) {
                        self.open = Open::Block { indent: indent(line), list: false };
                    } else if !value.starts_with(['"', '{']) {
                        self.open = Open::Plain { indent: indent(line) };
                    }
                    let comma = if value.trim_end().ends_with("\",") { "," } else { "" };
                    let quote = if value.starts_with('"') { "\"" } else { "" };
                    let name = name.map_or("", |name| name.as_str());
                    Go::Shown([name, quote, REDACTED, quote, comma].concat())
                }
                _ => all,
            },
            Open::Quoted { quote, triple } => {
                let end: String = std::iter::repeat_n(quote, if triple { 3 } else { 1 }).collect();
                match text.find(&end) {
                    _ if FRESH.is_match(text) => all,
                    Some(_) => Go::After(prefix(), text, end),
                    None => hide(self, open),
                }
            }
        }
    }

    /// The line after a name that has no value on its own.
    fn next<'a>(&mut self, line: &'a str, text: &'a str, of: usize, list: bool) -> Go<'a> {
        let trimmed = text.trim();
        let item = trimmed.strip_prefix("- ").unwrap_or(trimmed);
        let deeper = indent(line) > of;
        if trimmed.is_empty() {
            self.open = Open::Next { indent: of, list };
            return Go::From(String::new(), line);
        }
        let quoted = item.starts_with(['"', '\'']);
        let is_value = match deeper {
            true => !MAPPING.is_match(text) && !item.starts_with(['{', '[', '}', ']']),
            // A single word.
            false => {
                !item.contains(char::is_whitespace)
                    && !item.ends_with(':')
                    && indent(line) == of
                    && !item.contains(['=', '{', '[', '}', ']'])
            }
        };
        let is_list = trimmed.starts_with("- ");
        let is_item = is_list && !MAPPING.is_match(text) && indent(line) >= of;
        if !(is_value || is_item) || super::is_open(item) {
            return Go::From(String::new(), line);
        }
        if deeper && (list || !is_list) {
            self.open = Open::Plain { indent: of };
        } else if is_list && list {
            self.open = Open::Next { indent: of, list };
        }
        let marks = line.get(..line.len() - text.trim_start().len()).unwrap_or_default();
        let list = if is_list { "- " } else { "" };
        let (quote, end) = match quoted {
            true => ("\"", if item.ends_with(',') { "\"," } else { "\"" }),
            false => ("", ""),
        };
        Go::Shown([marks, list, quote, REDACTED, end].concat())
    }

    /// The line without what begins in it.
    fn redact<'a>(&mut self, line: &'a str) -> Cow<'a, str> {
        if self.of_secret {
            let kinds = KIND.find_iter(line).count();
            self.to_come = self.to_come.saturating_sub(kinds);
            if ANY_KIND.is_match(line) {
                self.of_secret = kinds > 0 || self.to_come > 0;
            }
        }
        let found = Found::of(line);
        if !self.of_secret && found.is_none() {
            return Cow::Borrowed(line);
        }
        let mut shown = Cow::Borrowed(line);
        if found.keys {
            self.keys(&mut shown);
            self.encoded(&mut shown);
        }
        // A kind that is a name of secrets has one of the words of names.
        self.of_secret |= found.names && shown.contains("Secret") && KIND.is_match(&shown);
        if self.of_secret {
            self.data(&mut shown);
        }
        if let Cow::Owned(text) = forms::redact(&shown, found.forms) {
            shown = Cow::Owned(text);
        }
        if !found.names {
            return shown;
        }
        let (text, open) = pairs::redact(&shown);
        if self.open == Open::Nothing {
            self.open = open;
        }
        if let Cow::Owned(text) = text {
            shown = Cow::Owned(text);
        }
        shown
    }

    /// Private keys that begin in the line.
    fn keys(&mut self, shown: &mut Cow<'_, str>) {
        let mut cut = Cut::of(shown);
        let mut from = 0;
        while let Some(begin) = shown.get(from..).and_then(|rest| BEGIN.find(rest)) {
            let begin = from + begin.end();
            let rest = shown.get(begin..).unwrap_or_default();
            from = begin;
            if rest.trim_start().starts_with("[redacted") {
                continue;
            }
            let end = END.find(rest).map(|end| begin + end.end());
            if end.is_none() {
                self.open = Open::Key { odd: 0 };
            }
            from = end.unwrap_or(shown.len());
            cut.out(begin..from, REDACTED);
        }
        if let Some(left) = cut.done() {
            *shown = Cow::Owned(left);
        }
    }

    /// Private keys in base64, as a kubeconfig has them: a certificate may stand before the key.
    fn encoded(&mut self, shown: &mut Cow<'_, str>) {
        let is_part = |c: u8| c.is_ascii_alphanumeric() || b"+/=_-".contains(&c);
        let mut cut = Cut::of(shown);
        let mut from = 0;
        let bytes = shown.as_bytes();
        while let Some(at) =
            ENCODED_ANY.find(shown.get(from..).unwrap_or_default()).map(|it| from + it.start())
        {
            let before = bytes.get(from..at).unwrap_or_default();
            let start =
                before.iter().rposition(|c| !is_part(*c) || *c == b'=').map_or(from, |it| from + it + 1);
            let end = bytes.iter().skip(at).position(|c| !is_part(*c)).map_or(bytes.len(), |len| at + len);
            let run = shown.get(start..end).unwrap_or_default();
            let decoded = decode(run);
            let goes_on = end == bytes.len() && run.len() >= 60 && !decoded.ends_with(b"-----\n");
            if goes_on || memmem::find(&decoded, b"PRIVATE KEY").is_some() || !run.starts_with(ENCODED[0]) {
                if goes_on {
                    self.open = Open::Base64;
                }
                cut.out(start..end, REDACTED);
            }
            from = end;
        }
        if let Some(left) = cut.done() {
            *shown = Cow::Owned(left);
        }
    }

    /// The values of a Secret.
    fn data(&mut self, shown: &mut Cow<'_, str>) {
        let mut cut = Cut::of(shown);
        let mut from = 0;
        while let Some(found) = DATA.captures_at(shown, from) {
            let start = found.get(0).map_or(shown.len(), |found| found.end());
            let bracket = found.name("open").is_some_and(|open| !open.is_empty());
            let rest = shown.get(start..).unwrap_or_default();
            from = start;
            if rest.trim_start().is_empty() {
                if self.open == Open::Nothing {
                    self.open = Open::Block { indent: indent(shown), list: true };
                    let end = shown.trim_end().len();
                    cut.out(end..shown.len(), if bracket { REDACTED } else { " [redacted]" });
                }
                break;
            }
            if rest.trim_start_matches(['"', '\\', '\'']).starts_with("[redacted") {
                continue;
            }
            from = match bracket {
                true => start + closing(rest),
                false => shown.len(),
            };
            cut.out(start..from, REDACTED);
        }
        if let Some(left) = cut.done() {
            *shown = Cow::Owned(left);
        }
    }
}

/// A line from which parts are taken, in their order: each byte is copied once, however many they are.
struct Cut<'a> {
    line: &'a str,
    shown: String,
    copied: usize,
}

impl<'a> Cut<'a> {
    fn of(line: &'a str) -> Self {
        Self { line, shown: String::new(), copied: 0 }
    }

    /// Takes a part out and puts something in its place.
    fn out(&mut self, part: Range<usize>, instead: &str) {
        self.shown += self.line.get(self.copied..part.start).unwrap_or_default();
        self.shown += instead;
        self.copied = part.end;
    }

    /// What is left, if anything was taken out.
    fn done(mut self) -> Option<String> {
        (!self.shown.is_empty()).then(|| {
            self.shown += self.line.get(self.copied..).unwrap_or_default();
            self.shown
        })
    }
}

/// Whether the value of a variable is one.
fn is_hidden(found: &Captures<'_>) -> bool {
    let value = found.get(2).map_or("", |value| value.as_str());
    value.starts_with(['|', '>']) || !super::is_open(value.trim_matches(['"', '\'', ',']))
}

/// What becomes of a line.
enum Go<'a> {
    Hidden,
    Shown(String),
    /// This, and what is shown of this part of the line.
    From(String, &'a str),
    /// This, and what is shown of this part of the line after this quote, which ends a secret.
    After(String, &'a str, String),
}

/// Where the bracket is that was opened before, or the end.
fn closing(rest: &str) -> usize {
    let mut depth = 1_usize;
    for (at, c) in rest.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn is_base64(word: &str) -> bool {
    word.bytes().all(|c| c.is_ascii_alphanumeric() || b"+/=_-\\".contains(&c))
}

/// A line of a key: base64 alone or at the end of what a program puts before it, a header, nothing.
fn is_body(text: &str) -> bool {
    let text = text.trim().trim_end_matches(['"', '\'', ',']);
    let last = text.rsplit(char::is_whitespace).next().unwrap_or_default();
    let headers = ["Proc-Type:", "DEK-Info:", "Version:", "Comment:", "Hash:", "Subject:"];
    is_base64(text) || (last.len() >= 16 && is_base64(last)) || headers.iter().any(|it| text.starts_with(it))
}

/// Takes the secrets out of a text that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Redactor {
    /// The beginning of a line.
    rest: Vec<u8>,
    lines: Lines,
}

impl Redactor {
    /// A whole text.
    pub(crate) fn of(text: Vec<u8>) -> Vec<u8> {
        if !is_wide(&text) && !super::any(&text) {
            return text;
        }
        let mut filter = Self { lines: Lines::of(&String::from_utf8_lossy(&text)), ..Self::default() };
        let mut shown = Vec::with_capacity(text.len());
        filter.lines(&text, &mut shown);
        shown
    }

    /// What can be shown after a piece: whole lines, and of very long ones what is there.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.rest);
        text.extend_from_slice(piece);
        let mut whole = memchr::memrchr(b'\n', &text).map_or(0, |at| at + 1);
        if text.len() - whole > LINE {
            // At one of the last blanks, so that no value is cut in two.
            let last = text.len() - LINE / 16;
            whole = text.iter().rposition(|byte| *byte == b' ').filter(|at| *at > last).unwrap_or(text.len());
        }
        self.rest = text.split_off(whole);
        self.text(text)
    }

    /// What was left of the last line.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.rest);
        self.text(rest)
    }

    fn text(&mut self, text: Vec<u8>) -> Vec<u8> {
        if self.lines.is_idle() && !is_wide(&text) && !super::any(&text) {
            return text;
        }
        let mut shown = Vec::with_capacity(text.len());
        self.lines(&text, &mut shown);
        shown
    }

    fn lines(&mut self, text: &[u8], shown: &mut Vec<u8>) {
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let narrow =
                is_wide(line).then(|| line.iter().copied().filter(|byte| *byte != 0).collect::<Vec<u8>>());
            let line = narrow.as_deref().unwrap_or(line);
            if self.lines.is_idle() && !super::any(line) {
                shown.extend_from_slice(line);
                continue;
            }
            let end = line.strip_suffix(b"\n").unwrap_or(line);
            let text = String::from_utf8_lossy(end);
            match self.lines.line(&text) {
                // What was not changed stays as it is, whatever bytes it has.
                Some(Cow::Borrowed(same)) if same.len() == text.len() => shown.extend_from_slice(line),
                Some(text) => {
                    shown.extend_from_slice(text.as_bytes());
                    shown.extend_from_slice(line.get(end.len()..).unwrap_or_default());
                }
                None => {}
            }
        }
    }
}

/// Is it UTF-16? Then a quarter of its bytes and more are zero, as of no other text.
fn is_wide(text: &[u8]) -> bool {
    let head = text.get(..text.len().min(4096)).unwrap_or_default();
    memchr::memchr(0, head).is_some() && head.iter().filter(|byte| **byte == 0).count() * 4 >= head.len()
}
