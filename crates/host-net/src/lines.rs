//! What all parsers share: a parser never fails, it gives rows and the lines that it did not understand.

/// What was read of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed<T> {
    /// The rows, in their order.
    pub rows: Vec<T>,
    /// Lines of another form.
    pub other: Vec<String>,
}

impl<T> Default for Parsed<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), other: Vec::new() }
    }
}

impl<T> Parsed<T> {
    /// A row a line; empty lines are none.
    pub fn of_lines(text: &str, parse: impl Fn(&str) -> Option<T>) -> Self {
        let mut parsed = Self::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match parse(line) {
                Some(row) => parsed.rows.push(row),
                None => parsed.other.push(line.to_owned()),
            }
        }
        parsed
    }

    /// Notes of what was not understood: the first lines, and how many more there are.
    pub fn notes(&self) -> Vec<String> {
        not_understood(&self.other)
    }
}

/// Notes of lines that no parser understood, each once.
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
            1 => format!("not understood: {line}"),
            _ => format!("not understood, {count} times: {line}"),
        })
        .collect();
    if let Some(more) = lines.len().checked_sub(told).filter(|more| *more > 0) {
        notes.push(format!("not understood: {more} more lines"));
    }
    notes
}

/// Words, of which those in double quotes may hold spaces; the quotes stay.
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

/// A number as programs print marks: `0x1745ec`, `1008`.
pub fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The number of a protocol of IP, by its name in `/etc/protocols` or as a number.
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
    fn what_is_not_understood_is_told_once() {
        let mut lines: Vec<String> = (0..12).map(|n| format!("odd {n}")).collect();
        lines.insert(0, " odd 0".into());
        let notes = not_understood(&lines);
        assert_eq!((notes.len(), notes[0].as_str()), (11, "not understood, 2 times: odd 0"));
        assert_eq!(notes[10], "not understood: 2 more lines");
    }

    #[test]
    fn quotes_hold_words_together() {
        assert_eq!(words("  a \"b c\"  d\t\"e \\\" f\""), ["a", "\"b c\"", "d", "\"e \\\" f\""]);
        assert_eq!(words("a \"b c"), ["a", "\"b c"]);
    }
}
