//! The form of comments and documents: the first sentence of a doc comment, and the length of lines.

use super::prose::{first_line_of_tests, has_extension, has_hash_comments, written_files};
use super::{SourceFile, Tree};

/// The maximum number of columns of a line of prose.
const COLUMNS: usize = 120;

/// The minimum number of words in the first sentence of a doc comment.
const WORDS: usize = 3;

/// The keywords that begin an item, after `pub`.
const ITEMS: &[&str] = &[
    "async", "const", "enum", "extern", "fn", "mod", "static", "struct", "trait", "type", "union", "unsafe",
];

/// Abbreviations that end with a period and do not end a sentence.
const ABBREVIATIONS: &[&str] = &["e.g.", "i.e.", "vs.", "cf."];

/// A list of items shows the first sentence of each, so every public item begins with a sentence.
pub(super) fn first_sentences(tree: &Tree) -> Vec<String> {
    let sources = tree.below("crates").filter(|(below, _)| {
        has_extension(below, "rs") && below.split('/').nth(1).is_some_and(|folder| folder == "src")
    });
    sources.flat_map(|(_, file)| public_items(file)).collect()
}

/// Returns what is wrong with the doc comments of the public items of a file.
fn public_items(file: &SourceFile) -> Vec<String> {
    let mut problems = Vec::new();
    let mut report = |line: usize, problem: &str| problems.push(format!("{}:{line}: {problem}", file.path));
    let module: Vec<&str> = file.text.lines().map_while(|line| line.strip_prefix("//!")).collect();
    if let Some(problem) = wrong_sentence(&module).filter(|_| !module.is_empty()) {
        report(1, problem);
    }
    let mut docs: Vec<&str> = Vec::new();
    let mut included = false;
    // This is the depth of brackets in an attribute that spans several lines.
    let mut depth: i64 = 0;
    for (at, line) in
        file.text.lines().enumerate().take_while(|(at, _)| at + 1 < first_line_of_tests(&file.text))
    {
        let trimmed = line.trim();
        if depth > 0 || trimmed.starts_with("#[") || trimmed.starts_with("$(#[") {
            // A macro passes the doc comment of its caller on: `$(#[$doc])*`.
            included |= trimmed.starts_with("#[doc") || trimmed.starts_with('$');
            depth += trimmed.chars().map(|c| i64::from(c == '[') - i64::from(c == ']')).sum::<i64>();
            continue;
        }
        if let Some(doc) = trimmed.strip_prefix("///") {
            docs.push(doc);
            continue;
        }
        if trimmed.starts_with("//") {
            continue;
        }
        let item = trimmed.strip_prefix("pub ").and_then(|rest| rest.split_whitespace().next());
        if item.is_some_and(|item| ITEMS.contains(&item)) && !included {
            // The file of a module may have the comment.
            let elsewhere = docs.is_empty() && item == Some("mod");
            if let Some(problem) = wrong_sentence(&docs).filter(|_| !elsewhere) {
                report(at + 1, problem);
            }
        }
        docs.clear();
        included = false;
    }
    problems
}

/// Returns what is wrong with the first sentence of a doc comment.
fn wrong_sentence(docs: &[&str]) -> Option<&'static str> {
    if docs.is_empty() {
        return Some("a public item has no doc comment: write one sentence");
    }
    let paragraph: Vec<&str> = docs
        .iter()
        .map(|line| line.trim())
        .take_while(|line| !line.is_empty() && !line.starts_with("```"))
        .flat_map(str::split_whitespace)
        .collect();
    let ends = |word: &&str| {
        let word = word.trim_end_matches([')', '*', '_', '"']);
        word.ends_with('.') && !ABBREVIATIONS.iter().any(|short| word.ends_with(short))
    };
    let example = docs.iter().any(|line| line.trim().starts_with("```"));
    if example && paragraph.len() >= WORDS && paragraph.last().is_some_and(|word| word.ends_with(':')) {
        return None;
    }
    match paragraph.iter().position(ends) {
        None => Some("the first sentence of the doc comment does not end with a period"),
        Some(last) if last + 1 < WORDS => Some(
            "the first sentence of the doc comment has fewer than three words: say what the item is or does",
        ),
        Some(_) => None,
    }
}

/// Lines that do not fit into a window are not read.
pub(super) fn columns(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for file in written_files(tree).filter(|file| !is_text_of_a_program(&file.path)) {
        let markdown = has_extension(&file.path, "md");
        let marker = if has_extension(&file.path, "rs") {
            "//"
        } else if has_hash_comments(&file.path) {
            "#"
        } else {
            ""
        };
        if !markdown && marker.is_empty() {
            continue;
        }
        let mut fenced = false;
        for (number, line) in file.text.lines().enumerate() {
            let text = line.trim_start();
            if markdown && text.starts_with("```") {
                fenced = !fenced;
            }
            let prose = if markdown { !fenced } else { text.starts_with(marker) };
            let table = text.trim_start_matches(['/', '!', ' ']).starts_with('|');
            if prose && !table && length(line) > COLUMNS {
                let place = format!("{}:{}", file.path, number + 1);
                problems.push(format!("{place}: the line has more than {COLUMNS} columns: wrap it"));
            }
        }
    }
    problems
}

/// Returns whether a program prints the file, so that its line breaks are part of an answer.
fn is_text_of_a_program(path: &str) -> bool {
    path.contains("/src/") && has_extension(path, "md")
}

/// Returns the number of columns of a line, without the targets of links, which cannot be wrapped.
fn length(line: &str) -> usize {
    let mut shown = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("](") {
        shown.push_str(before);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    shown.push_str(rest);
    let urls: usize =
        shown.split(' ').filter(|word| word.contains("://")).map(|word| word.chars().count()).sum();
    shown.chars().count() - urls
}

#[cfg(test)]
mod tests {
    use super::{super::example::problems, *};

    #[test]
    fn a_public_item_without_a_sentence_is_found() {
        for text in [
            "pub fn a() {}\n",
            "/// Reads\npub fn a() {}\n",
            "/// Reads rows:\npub struct A;\n",
            "/// Is it read-only?\npub const fn a() {}\n",
            "/// Reads it.\npub async fn a() {}\n",
            "/// One row, e.g. a port\n///\n/// More.\n#[derive(Debug)]\n#[expect(\n    dead_code\n)]\npub struct A;\n",
            "//! Rows.\n",
            "/// The rows of a table.\nstruct A;\n\nimpl A {\n    /// Rows\n    pub fn b() {}\n}\n",
        ] {
            assert_eq!(problems(first_sentences, "crates/a/src/b.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_public_item_with_a_sentence_passes() {
        for text in [
            "//! The rows of a table.\n\n/// Returns the rows of a table. Fails\n/// never\npub fn a() {}\n",
            "/// Returns rows, e.g. ports\n/// (without secrets).\n#[expect(\n    dead_code\n)]\n// Why.\npub struct A;\n",
            "/// Returns one row:\n///\n/// ```text\n/// a\n/// ```\npub fn a() {}\n",
            "macro_rules! a { ($(#[$doc:meta])*) => {\n    $(#[$doc])*\n    pub struct A;\n} }\n",
            "pub mod b;\npub use b::C;\nfn a() {}\npub(crate) struct A;\n",
            "#[doc = include_str!(\"a.md\")]\npub struct A;\n",
            "#[cfg(test)]\nmod tests {\n    pub fn a() {}\n}\n",
        ] {
            assert_eq!(problems(first_sentences, "crates/a/src/b.rs", text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(problems(first_sentences, "crates/a/tests/b.rs", "pub fn a() {}\n"), Vec::<String>::new());
    }

    #[test]
    fn a_long_line_of_prose_is_found() {
        let words = "word ".repeat(30);
        for (path, line) in [
            ("docs/a.md", words.clone()),
            ("docs/a.md", format!("- [a](b) {words}")),
            ("crates/a/src/lib.rs", format!("    // {words}")),
            ("xtask/lab/up.sh", format!("# {words}")),
        ] {
            assert_eq!(problems(columns, path, &line).len(), 1, "{line}");
        }
    }

    #[test]
    fn tables_links_code_and_texts_of_programs_may_be_long() {
        let words = "word ".repeat(30);
        let link = "x".repeat(200);
        for (path, line) in [
            ("docs/a.md", format!("| {words} |")),
            ("docs/a.md", format!("```\n{words}\n```")),
            ("docs/a.md", format!("See [a](https://a.example/{link}).")),
            ("docs/a.md", format!("See https://a.example/{link}")),
            ("crates/a/src/prompts/a.md", words.clone()),
            ("crates/a/src/lib.rs", format!("/// | {words} |\nconst A: &str = \"{words}\";")),
            ("testdata/a/output.md", words.clone()),
        ] {
            assert_eq!(problems(columns, path, &line), Vec::<String>::new(), "{line}");
        }
    }
}
