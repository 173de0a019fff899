//! Dumps of a switch with one value per line.

/// Parses the lines of a dump. Returns the values, and the lines that are neither values nor headers.
pub(crate) fn parse<T>(
    text: &str,
    is_header: impl Fn(&str) -> bool,
    value: impl Fn(&str) -> Option<T>,
) -> (Vec<T>, Vec<String>) {
    let (mut values, mut other) = (Vec::new(), Vec::new());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !is_header(line)) {
        match value(line) {
            Some(value) => values.push(value),
            None => other.push(line.to_owned()),
        }
    }
    other.extend(cut(text));
    (values, other)
}

/// Returns a note if the text does not end with a whole line, as the text of a program does: the end of the dump is
/// missing.
pub(crate) fn cut(text: &str) -> Option<String> {
    let is_cut = !text.is_empty() && !text.ends_with('\n');
    is_cut.then(|| format!("the dump ends within a line: {}", text.lines().last().unwrap_or_default().trim()))
}
