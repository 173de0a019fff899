//! The result type and helpers of all parsers. A parser never fails: it returns rows, and the lines that it did not
//! understand.

/// The result of a parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed<T> {
    /// The rows, in the order of the text.
    pub rows: Vec<T>,
    /// The lines that the parser did not understand.
    pub other: Vec<String>,
}

/// A text that a parser reads line by line, until the text ends or the parser must stop.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    text: &'a str,
    must_stop: fn() -> bool,
}

impl<'a> Text<'a> {
    /// Returns a text with a check that parsers call between lines. When it returns true, the text seems to end, and
    /// the caller must not use the result.
    pub fn until(text: &'a str, must_stop: fn() -> bool) -> Self {
        Self { text, must_stop }
    }

    /// Returns another text with the same check.
    pub(crate) fn with<'b>(self, text: &'b str) -> Text<'b> {
        Text { text, must_stop: self.must_stop }
    }

    pub(crate) fn as_str(self) -> &'a str {
        self.text
    }

    /// Whether the parser must stop.
    pub(crate) fn must_stop(self) -> bool {
        (self.must_stop)()
    }

    /// Returns the lines up to the end, or up to the line before which the parser must stop.
    pub(crate) fn lines(self) -> impl Iterator<Item = &'a str> {
        /// The number of lines without a check.
        const UNCHECKED: usize = 16;
        let may_go_on = move |(at, _): &(usize, &str)| at % UNCHECKED != 0 || !self.must_stop();
        self.text.lines().enumerate().take_while(may_go_on).map(|(_, line)| line)
    }
}

impl<'a, T: AsRef<str> + ?Sized> From<&'a T> for Text<'a> {
    /// Returns a text that parsers read completely.
    fn from(text: &'a T) -> Self {
        Self { text: text.as_ref(), must_stop: || false }
    }
}

impl<T> Default for Parsed<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), other: Vec::new() }
    }
}

impl<T> Parsed<T> {
    /// Parses each line as one row, and skips empty lines.
    pub fn of_lines<'a>(text: impl Into<Text<'a>>, parse: impl Fn(&str) -> Option<T>) -> Self {
        let mut parsed = Self::default();
        for line in text.into().lines().filter(|line| !line.trim().is_empty()) {
            match parse(line) {
                Some(row) => parsed.rows.push(row),
                None => parsed.other.push(line.to_owned()),
            }
        }
        parsed
    }

    /// Returns notes about the lines that the parser did not understand: the first lines, and the number of the others.
    pub fn notes(&self) -> Vec<String> {
        not_understood(&self.other)
    }
}

/// Returns notes about lines that no parser understood. Each distinct line appears once.
pub fn not_understood(lines: &[String]) -> Vec<String> {
    const SHOWN: usize = 10;
    let mut times: Vec<(&str, usize)> = Vec::new();
    for line in lines.iter().map(|line| line.trim()) {
        if let Some((_, count)) = times.iter_mut().find(|(have, _)| *have == line) {
            *count += 1;
        } else if times.len() < SHOWN {
            times.push((line, 1));
        }
    }
    let told: usize = times.iter().map(|(_, count)| count).sum();
    let mut notes: Vec<String> = times
        .into_iter()
        .map(|(line, count)| match count {
            1 => format!("line not understood: {line}"),
            _ => format!("line not understood, {count} times: {line}"),
        })
        .collect();
    if let Some(more) = lines.len().checked_sub(told).filter(|more| *more > 0) {
        notes.push(format!("{more} more lines were not understood"));
    }
    notes
}

/// Splits a line into words. A word in double quotes may contain spaces, and keeps its quotes.
pub fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (mut quoted, mut escaped) = (false, false);
        let end = rest.find(|c: char| {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                c if c.is_whitespace() && !quoted => return true,
                _ => {}
            }
            false
        });
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        words.push(word);
        rest = after.trim_start();
    }
    words
}

/// Parses a number in the forms in which programs print marks: `0x1745ec`, `1008`.
pub fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Returns the number of an IP protocol, from its name in `/etc/protocols` or its number.
pub fn protocol_number(text: &str) -> Option<u8> {
    Some(match text.to_ascii_lowercase().as_str() {
        "icmp" => 1,
        "igmp" => 2,
        "tcp" => 6,
        "udp" => 17,
        "dccp" => 33,
        "gre" => 47,
        "esp" => 50,
        "ah" => 51,
        "icmpv6" | "ipv6-icmp" => 58,
        "sctp" => 132,
        "udplite" => 136,
        other => other.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_not_understood_is_reported_once() {
        let mut lines: Vec<String> = (0..12).map(|n| format!("odd {n}")).collect();
        lines.insert(0, " odd 0".into());
        let notes = not_understood(&lines);
        assert_eq!((notes.len(), notes[0].as_str()), (11, "line not understood, 2 times: odd 0"));
        assert_eq!(notes[10], "2 more lines were not understood");
    }

    #[test]
    fn a_parser_stops_when_it_must() {
        use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
        static CHECKS: AtomicUsize = AtomicUsize::new(0);
        let text = "a\n".repeat(1000);
        let read = |text: Text<'_>| Parsed::of_lines(text, |line| Some(line.to_owned())).rows.len();
        let some = read(Text::until(&text, || CHECKS.fetch_add(1, Relaxed) == 3));
        assert_eq!((some, CHECKS.load(Relaxed)), (48, 4));
        assert_eq!(read(Text::until(&text, || true)), 0);
        assert_eq!(read(text.as_str().into()), 1000);
    }

    #[test]
    fn a_quoted_word_may_contain_spaces() {
        assert_eq!(words("  a \"b c\"  d\t\"e \\\" f\""), ["a", "\"b c\"", "d", "\"e \\\" f\""]);
        assert_eq!(words("a \"b c"), ["a", "\"b c"]);
    }
}
