//! The prose of a file: its comments, its string literals and the paragraphs of markdown.

use std::path::Path;

use super::{SourceFile, Tree};

/// The kind of a passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first paragraph of a doc comment.
    DocComment,
    /// A later paragraph of a doc comment, or another comment.
    Comment,
    /// A string literal of a program.
    Literal,
    /// A paragraph, list item, heading or table row of a markdown file.
    Markdown,
}

/// One paragraph of prose.
#[derive(Debug)]
pub(super) struct Passage {
    /// The line of the file on which the text begins, from 1.
    pub(super) line: usize,
    pub(super) kind: Kind,
    /// The text without comment markers. Its line breaks are those of the file; code in backticks is blanked.
    pub(super) text: String,
}

/// One line of text, with its number.
type Line<'a> = (usize, &'a str);

/// Returns the files that people write: no recordings, snapshots or generated references.
pub(super) fn written_files(tree: &Tree) -> impl Iterator<Item = &SourceFile> {
    tree.files.iter().filter(|file| {
        let recorded = file.path.starts_with("testdata/") && !file.path.ends_with("/README.md");
        !recorded && !file.path.starts_with("docs/reference/")
    })
}

/// Returns whether the path has this extension.
pub(super) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// Returns the passages of a Rust or markdown file, and the comments of scripts, manifests and settings.
pub(super) fn passages(file: &SourceFile) -> Vec<Passage> {
    if has_extension(&file.path, "rs") {
        let mut passages = rust(&file.text);
        // Tests hold the output of real programs in their literals.
        let tests = if file.path.contains("/src/") { first_line_of_tests(&file.text) } else { 0 };
        passages.retain(|passage| passage.kind != Kind::Literal || passage.line < tests);
        passages
    } else if has_extension(&file.path, "md") {
        let lines: Vec<Line> = file.text.lines().enumerate().map(|(at, line)| (at + 1, line)).collect();
        paragraphs(&lines, |_| Kind::Markdown)
    } else if has_hash_comments(&file.path) {
        hash_comments(&file.text)
    } else {
        Vec::new()
    }
}

/// Returns whether comments of the file begin with `#`: scripts, manifests and settings.
pub(super) fn has_hash_comments(path: &str) -> bool {
    ["sh", "toml", "yaml", "yml"].iter().any(|extension| has_extension(path, extension))
}

fn hash_comments(text: &str) -> Vec<Passage> {
    let lines: Vec<Line> = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim_start())).collect();
    let blocks = lines.chunk_by(|(_, a), (_, b)| a.starts_with('#') == b.starts_with('#'));
    let comments = blocks.filter(|block| block.first().is_some_and(|(_, line)| line.starts_with('#')));
    comments
        .flat_map(|block| {
            let block: Vec<Line> =
                block.iter().map(|(number, line)| (*number, line.trim_start_matches('#'))).collect();
            paragraphs(&block, |_| Kind::Comment)
        })
        .collect()
}

/// Returns the number of the line on which the unit tests of a Rust file begin, or a number beyond its end.
pub(super) fn first_line_of_tests(text: &str) -> usize {
    text.lines().position(|line| line.trim() == "#[cfg(test)]").map_or(usize::MAX, |at| at + 1)
}

/// A comment line of Rust, as the scanner finds it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct CommentLine {
    line: usize,
    doc: bool,
    /// Whether only blanks come before the comment.
    alone: bool,
}

fn rust(text: &str) -> Vec<Passage> {
    let mut passages = Vec::new();
    let mut comments: Vec<(CommentLine, &str)> = Vec::new();
    let mut line = 1;
    let mut line_start = 0;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = if rest.starts_with("//") {
            let comment = rest.lines().next().unwrap_or_default();
            let doc =
                comment.starts_with("//!") || (comment.starts_with("///") && !comment.starts_with("////"));
            let alone = text.get(line_start..at).is_some_and(|before| before.trim().is_empty());
            let body = comment.get(if doc { 3 } else { 2 }..).unwrap_or_default();
            comments.push((CommentLine { line, doc, alone }, body));
            comment.len()
        } else if let Some(literal) = string_literal(text, at) {
            passages.push(Passage { line, kind: Kind::Literal, text: literal.body.to_owned() });
            literal.length
        } else if rest.starts_with('\'') {
            char_literal(rest)
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        for (offset, _) in rest.get(..length).unwrap_or_default().match_indices('\n') {
            line += 1;
            line_start = at + offset + 1;
        }
        at += length;
    }
    let joined = |a: &(CommentLine, &str), b: &(CommentLine, &str)| {
        a.0.alone && b.0.alone && a.0.doc == b.0.doc && a.0.line + 1 == b.0.line
    };
    for block in comments.chunk_by(joined) {
        let lines: Vec<Line> = block.iter().map(|(comment, body)| (comment.line, *body)).collect();
        let doc = block.first().is_some_and(|(comment, _)| comment.doc);
        let kind = |first: bool| if doc && first { Kind::DocComment } else { Kind::Comment };
        passages.extend(paragraphs(&lines, kind));
    }
    passages.sort_by_key(|passage| passage.line);
    passages
}

/// A string literal of Rust.
struct StringLiteral<'a> {
    /// The text between the quotes, as it is in the source.
    body: &'a str,
    /// The length of the whole literal in bytes.
    length: usize,
}

/// Returns the string literal, raw or not, that begins at this place.
fn string_literal(text: &str, at: usize) -> Option<StringLiteral<'_>> {
    let rest = text.get(at..)?;
    if rest.starts_with('"') {
        let mut escaped = false;
        for (offset, character) in rest.char_indices().skip(1) {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return Some(StringLiteral { body: rest.get(1..offset)?, length: offset + 1 }),
                _ => {}
            }
        }
        return None;
    }
    let mut before = text.get(..at)?.chars().rev().skip_while(|c| matches!(c, 'b' | 'c'));
    if before.next().is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let hashes = rest.strip_prefix('r')?.chars().take_while(|c| *c == '#').count();
    let body = rest.get(1 + hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end)?;
    Some(StringLiteral { body: body.get(..length)?, length: 2 + hashes + length + end.len() })
}

/// Returns the length of the character literal at the start of the text, or 1 if a lifetime begins there.
fn char_literal(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => rest.get(3..).and_then(|rest| rest.find('\'')).map_or(1, |end| end + 4),
        Some(_) => match characters.next() {
            Some((offset, '\'')) => offset + 1,
            _ => 1,
        },
        None => 1,
    }
}

/// Splits lines into paragraphs, list items, headings and table rows, and leaves out blocks of code.
fn paragraphs(lines: &[Line], kind: impl Fn(bool) -> Kind) -> Vec<Passage> {
    let mut passages: Vec<Passage> = Vec::new();
    let mut fenced = false;
    let mut open = false;
    for (number, line) in lines {
        let trimmed = line.trim();
        if trimmed.starts_with("```") {
            fenced = !fenced;
            open = false;
            continue;
        }
        if fenced || trimmed.is_empty() {
            open = false;
            continue;
        }
        let single = trimmed.starts_with('|') || trimmed.starts_with('#');
        let item = list_item(trimmed);
        match passages.last_mut().filter(|_| open && !single && item.is_none()) {
            Some(passage) => {
                passage.text.push('\n');
                passage.text.push_str(trimmed);
            }
            None => passages.push(Passage {
                line: *number,
                kind: kind(passages.is_empty()),
                text: item.unwrap_or(trimmed).to_owned(),
            }),
        }
        open = !single;
    }
    for passage in &mut passages {
        passage.text = without_code(&passage.text);
    }
    passages
}

/// Returns the text of a list item without its bullet or number.
fn list_item(line: &str) -> Option<&str> {
    let bullet = line.strip_prefix("- ").or_else(|| line.strip_prefix("* "));
    bullet.or_else(|| {
        let (number, text) = line.split_once(". ")?;
        (number.len() < 3 && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then_some(text)
    })
}

/// Blanks text in backticks, so that names of programs and fields are not words.
fn without_code(text: &str) -> String {
    let mut code = false;
    let blank = |character: char| match character {
        '`' => {
            code = !code;
            '`'
        }
        '\n' => '\n',
        _ if code => '`',
        _ => character,
    };
    text.chars().map(blank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, text: &str) -> Vec<(usize, Kind, String)> {
        let file = SourceFile { path: path.into(), text: text.into() };
        passages(&file).into_iter().map(|passage| (passage.line, passage.kind, passage.text)).collect()
    }

    #[test]
    fn rust_has_comments_and_literals() {
        let text = "/// Reads\n/// it.\n///\n/// ```\n/// code();\n/// ```\n/// More.\nfn a<'a>() -> char {\n    // Why.\n    \
                    f(\"a \\\" // text\", r#\"raw \"text\"\"#, 'x', '\\'', '\"') // aside\n}\n";
        let expected = [
            (1, Kind::DocComment, "Reads\nit."),
            (7, Kind::Comment, "More."),
            (9, Kind::Comment, "Why."),
            (10, Kind::Literal, "a \\\" // text"),
            (10, Kind::Literal, "raw \"text\""),
            (10, Kind::Comment, "aside"),
        ];
        let expected = expected.map(|(line, kind, text)| (line, kind, text.to_owned()));
        assert_eq!(of("crates/a/src/lib.rs", text), expected);
    }

    #[test]
    fn scripts_and_manifests_have_comments() {
        let text = "#!/bin/sh\n# Builds\n# it.\necho '# no'\n  # More.\n";
        let expected = [(1, "!/bin/sh\nBuilds\nit."), (5, "More.")];
        let expected = expected.map(|(line, text)| (line, Kind::Comment, text.to_owned()));
        assert_eq!(of("xtask/lab/a.sh", text), expected);
    }

    #[test]
    fn literals_of_tests_are_left_out() {
        let text = "const A: &str = \"a\";\n#[cfg(test)]\nmod tests {\n    const B: &str = \"b\";\n}\n";
        assert_eq!(of("crates/a/src/lib.rs", text), [(1, Kind::Literal, "a".to_owned())]);
        assert_eq!(of("crates/a/tests/a.rs", text), []);
    }

    #[test]
    fn markdown_has_paragraphs_items_and_rows() {
        let text =
            "# Title\nOne `of` line\nand two.\n\n- item\n  goes on\n1. first\n\n```\ncode\n```\n| a | b |\n";
        let expected = [
            (1, "# Title"),
            (2, "One ```` line\nand two."),
            (5, "item\ngoes on"),
            (7, "first"),
            (12, "| a | b |"),
        ];
        let expected = expected.map(|(line, text)| (line, Kind::Markdown, text.to_owned()));
        assert_eq!(of("docs/a.md", text), expected);
    }
}
