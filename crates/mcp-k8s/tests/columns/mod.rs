//! Parses a printed table, so that tests can compare the tables of kubectl and of this server.

/// The cells of a printed table.
#[derive(Debug, PartialEq)]
pub(crate) struct Columns {
    /// The headings.
    pub(crate) names: Vec<String>,
    /// The rows, a cell for each heading.
    pub(crate) rows: Vec<Vec<String>>,
}

impl Columns {
    /// Parses a table. A cell is the text below a heading; headings are separated by at least two spaces.
    pub(crate) fn parse<'a>(mut lines: impl Iterator<Item = &'a str>) -> Self {
        let heading: Vec<char> = lines.next().unwrap_or_default().chars().collect();
        let is_space = |at: usize| heading.get(at).is_none_or(|c| *c == ' ');
        let begins =
            |at: &usize| !is_space(*at) && (*at == 0 || *at > 1 && is_space(at - 1) && is_space(at - 2));
        let starts: Vec<usize> = (0..heading.len()).filter(begins).collect();
        let cells = |line: &[char]| -> Vec<String> {
            let ends = starts.iter().skip(1).copied().chain([usize::MAX]);
            let cell = |(start, end): (&usize, usize)| {
                let cell = line.get(*start..end.min(line.len())).unwrap_or_default();
                cell.iter().collect::<String>().trim().to_owned()
            };
            starts.iter().zip(ends).map(cell).collect()
        };
        let rows = lines.map(|line| cells(&line.chars().collect::<Vec<_>>())).collect();
        Self { names: cells(&heading), rows }
    }
}

/// Returns a cell with `AGE` in place of ages such as `5m12s`, which grow between two requests.
pub(crate) fn without_ages(cell: &str) -> String {
    let is_age = |word: &str| {
        let word = word.trim_matches(['(', ')', ',']);
        let mut chars = word.chars();
        word.starts_with(|c: char| c.is_ascii_digit())
            && word.ends_with(['s', 'm', 'h', 'd', 'y'])
            && chars.all(|c| c.is_ascii_digit() || "smhdy".contains(c))
    };
    let words = cell.split(' ').map(|word| if is_age(word) { "AGE" } else { word.trim_matches(['(', ')']) });
    words.collect::<Vec<_>>().join(" ")
}
