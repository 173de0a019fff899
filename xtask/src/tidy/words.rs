//! Words and forms that make a reader stumble, and what to write instead.

use super::prose::{Kind, Passage, has_extension, passages, written_files};
use super::{SourceFile, Tree};

/// This file holds every banned form, so it is not checked.
const THIS_FILE: &str = "xtask/src/tidy/words.rs";

/// A form that must not come back.
struct Banned {
    /// Words and punctuation, which may be spread over several lines.
    form: &'static str,
    /// Words before the form that make it plain English.
    unless_after: &'static [&'static str],
    /// Words after the form that make it plain English.
    unless_before: &'static [&'static str],
    advice: &'static str,
}

const fn banned(form: &'static str, advice: &'static str) -> Banned {
    Banned { form, unless_after: &[], unless_before: &[], advice }
}

/// Forms that are banned everywhere, in any case.
const FORMS: &[Banned] = &[
    banned("that which", "name the thing"),
    banned("those which", "name the things"),
    Banned {
        unless_after: &["there", "if"],
        unless_before: &["of"],
        ..banned("is none", "say what it is, or `there is no …`")
    },
    Banned {
        unless_after: &["there", "if"],
        unless_before: &["of"],
        ..banned("are none", "say what they are, or `there are no …`")
    },
    banned("there are,", "write `Did you mean:` or `Available:`"),
    banned("most alike", "write `Did you mean:` or `the nearest names`"),
    banned("is to come", "write `is planned`"),
    banned("are to come", "write `are planned`"),
    Banned { unless_before: &["that"], ..banned("so many", "name the number") },
    banned("stranger", "say who: an unauthenticated client, an attacker, a new contributor"),
    banned("strangers", "say who: unauthenticated clients, attackers, new contributors"),
    banned("patience", "name the time limit"),
    banned("welcome", "say what is accepted"),
    banned("whoever", "write `anyone who` or name the client"),
    banned("whom", "name the person or the client"),
    banned("anew", "write `again`"),
    banned("as it stands", "write `unchanged`"),
    banned("as they stand", "write `unchanged`"),
    banned("of that sort", "name the data"),
    banned("has no present", "say that a live source is needed"),
    banned("no trust between", "write `cannot verify the TLS certificate of …`"),
    banned("begins so", "say with what it begins"),
    banned("begin so", "say with what they begin"),
    banned("from there on", "say where it begins"),
    banned("fit together", "say what is invalid"),
    banned("is how it should be", "write `is expected`"),
    banned("makes little of", "write `reduces`"),
    banned("of today", "write `today's` or name the version"),
    banned("for who wants", "write `if you need`"),
    banned("so it is when", "repeat the verb"),
    banned("has not.", "write `lacks` or `does not have`"),
    banned("has not,", "write `lacks` or `does not have`"),
    banned("has not:", "write `lacks` or `does not have`"),
    banned("has not;", "write `lacks` or `does not have`"),
    banned("have not.", "write `lack` or `do not have`"),
    banned("have not,", "write `lack` or `do not have`"),
    banned("other's or none", "say what is compared"),
    banned("no other's", "say whose it is"),
    banned("(not given)", "leave the part out"),
    banned("one zone a node", "write `one zone per node`"),
    banned("line a node", "write `line per node`"),
    banned("once a node", "write `once per node`"),
    banned("pod a node", "write `pod per node`"),
    banned("file a tool", "write `file per tool`"),
    banned("file a check", "write `file per check`"),
    banned("prompt a complaint", "write `prompt per complaint`"),
    banned("topic a file", "write `topic per file`"),
    banned("lab a machine", "write `lab per machine`"),
    banned("what stands", "say what the text contains"),
    banned("but for", "write `except`"),
    banned("is asked of", "say who asks"),
    banned("are asked of", "say who asks"),
    banned("was asked of", "say who asks"),
    banned("tells of", "write `describes` or `names`"),
    banned("tell of", "write `describe` or `name`"),
    banned("what there is of", "name the data"),
    banned("what becomes of", "say what happens to it, or name the outcome"),
    banned("what became of", "say what happened to it, or name the outcome"),
    banned("nobody's", "say that there is no owner"),
    banned("nowhere in what", "write `was not found in …`"),
    banned("can still be asked", "say what still works"),
    banned("someone who may", "write `ask an administrator`"),
    banned("takes you for", "say who is logged in"),
    banned("1 others", "write `1 more`"),
    banned("the own", "write `its own` or `a node's own`"),
    banned("in the last seconds", "write `in the last few seconds`"),
    banned("at the latest", "write `no later than`"),
];

/// Sentences that begin without their subject, in any prose. The case counts.
const SENTENCE_OPENINGS: &[Banned] = &[
    Banned {
        unless_before: &["course"],
        ..banned("Of", "begin with the subject: `Compares the nodes …`, not `Of several nodes, …`")
    },
    banned("What of", "begin with the subject or the verb"),
    banned("Whose", "begin with the subject: `The node that owns …`"),
    banned("Those that", "name the things: `Counters that are zero`"),
    banned("That it", "begin with the subject"),
    banned("There are,", "write `Did you mean:` or `Available:`"),
];

/// Doc comments that stand in a list and begin with a word that joins them to another sentence. The case counts.
const DOC_OPENINGS: &[Banned] = &[
    banned("And", "begin with the subject or the verb"),
    banned("Or", "begin with the subject or the verb"),
    banned("But", "begin with the subject or the verb"),
    banned("That", "begin with the subject or the verb"),
    banned("Those", "name the things"),
    banned("So", "begin with the subject or the verb"),
];

/// The problem of a doc comment that asks instead of saying what the item returns.
const QUESTION: Banned = banned("?", "a doc comment is not a question: write `Returns whether …`");

/// Names of types that do not say what the type is.
const TYPE_NAMES: &[&str] = &[
    "Asked", "Found", "Wanted", "One", "Picked", "Kept", "Seen", "Guest", "Stranger", "Told", "Said",
    "Place", "Recorded", "Read", "Cluster", "Local", "Over", "Held", "Moved", "Unread", "Where", "Allow",
];

/// A reader at three in the morning does not solve riddles.
pub(super) fn plain_english(tree: &Tree) -> Vec<String> {
    let files = written_files(tree).filter(|file| file.path != THIS_FILE);
    files
        .flat_map(|file| passages(file).iter().flat_map(|it| stumbles(file, it)).collect::<Vec<_>>())
        .collect()
}

/// A type says what it is without its path.
pub(super) fn type_names(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for file in tree.files.iter().filter(|file| has_extension(&file.path, "rs") && file.path != THIS_FILE) {
        for (number, line) in file.text.lines().enumerate() {
            let words: Vec<&str> = line
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .filter(|word| !word.is_empty())
                .collect();
            let is_code = !line.trim_start().starts_with("//");
            let declared = words.windows(2).find_map(|pair| match pair {
                ["struct" | "enum" | "trait" | "type" | "union", name] if is_code => Some(*name),
                _ => None,
            });
            if let Some(name) = declared.filter(|name| TYPE_NAMES.contains(name)) {
                let place = format!("{}:{}", file.path, number + 1);
                problems.push(format!("{place}: `{name}` does not say what the type is: name the thing"));
            }
        }
    }
    problems
}

/// Returns the banned forms of a passage.
fn stumbles(file: &SourceFile, passage: &Passage) -> Vec<String> {
    let tokens = tokens(&passage.text);
    let words: Vec<&str> = tokens.iter().map(|(_, word)| *word).collect();
    let mut problems = Vec::new();
    let mut report = |at: usize, banned: &Banned| {
        let offset = tokens.get(at).map_or(0, |(offset, _)| *offset);
        let before = passage.text.get(..offset).unwrap_or_default();
        let line = passage.line + before.matches('\n').count();
        problems.push(format!("{}:{line}: `{}`: {}", file.path, banned.form, banned.advice));
    };
    for at in 0..words.len() {
        let (before, rest) = words.split_at(at);
        for banned in FORMS.iter().filter(|banned| begins(rest, banned, str::eq_ignore_ascii_case)) {
            let after = before.last().is_some_and(|word| {
                banned.unless_after.iter().any(|allowed| allowed.eq_ignore_ascii_case(word))
            });
            if !after {
                report(at, banned);
            }
        }
        if before.last().is_none_or(|word| matches!(*word, "." | "!" | "?" | "|" | "#")) {
            let exact = |a: &str, b: &str| a == b;
            SENTENCE_OPENINGS
                .iter()
                .filter(|banned| begins(rest, banned, exact))
                .for_each(|it| report(at, it));
            if at == 0 && passage.kind == Kind::DocComment {
                let end = words.iter().position(|word| matches!(*word, "." | "?" | "!"));
                end.filter(|end| words.get(*end) == Some(&"?"))
                    .into_iter()
                    .for_each(|end| report(end, &QUESTION));
                DOC_OPENINGS
                    .iter()
                    .filter(|banned| begins(rest, banned, exact))
                    .for_each(|it| report(at, it));
            }
        }
    }
    problems
}

/// Returns whether the words begin with the banned form, and no exception follows it.
fn begins(words: &[&str], banned: &Banned, same: impl Fn(&str, &str) -> bool) -> bool {
    let form = tokens(banned.form);
    let next = words.get(form.len());
    let excepted = next.is_some_and(|next| banned.unless_before.contains(next));
    words.len() >= form.len() && form.iter().zip(words).all(|((_, form), word)| same(form, word)) && !excepted
}

/// Splits a text into words and single characters of punctuation, each with its offset.
fn tokens(text: &str) -> Vec<(usize, &str)> {
    let in_word = |character: char| character.is_alphanumeric() || matches!(character, '\'' | '_' | '-');
    let mut tokens: Vec<(usize, &str)> = Vec::new();
    let mut word_start = None;
    for (offset, character) in text.char_indices().chain([(text.len(), ' ')]) {
        if in_word(character) {
            word_start.get_or_insert(offset);
            continue;
        }
        if let Some(start) = word_start.take() {
            tokens.push((start, text.get(start..offset).unwrap_or_default()));
        }
        if !character.is_whitespace() && character != '\\' {
            tokens.push((offset, text.get(offset..offset + character.len_utf8()).unwrap_or_default()));
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::{super::example::problems, *};

    #[test]
    fn every_banned_form_is_found_in_each_kind_of_prose() {
        for banned in FORMS.iter().chain(SENTENCE_OPENINGS) {
            let form = banned.form;
            for (path, text) in [
                ("docs/a.md", format!("Plain text.\n{form} and more\n")),
                ("crates/a/src/lib.rs", format!("// Plain text. {form} and more\n")),
                ("crates/a/src/lib.rs", format!("const A: &str = \"{form} and more\";\n")),
                ("crates/a/tests/a.rs", format!("/// Plain text.\n/// {form} and more\n")),
            ] {
                assert_ne!(problems(plain_english, path, &text), Vec::<String>::new(), "{text}");
            }
        }
        for banned in DOC_OPENINGS {
            let text = format!("/// {} the rest.\nfn a() {{}}\n", banned.form);
            assert_eq!(problems(plain_english, "crates/a/src/lib.rs", &text).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_question_in_a_doc_comment_is_found() {
        for (text, expected) in [
            ("/// Is the row\n/// local? Yes.\nfn a() {}\n", 1),
            ("/// Returns whether the row is local. Why?\nfn a() {}\n", 0),
            ("// Is the row local?\nfn a() {}\n", 0),
        ] {
            assert_eq!(problems(plain_english, "crates/a/src/lib.rs", text).len(), expected, "{text}");
        }
    }

    #[test]
    fn a_form_over_two_lines_is_found_on_its_first() {
        let text = "/// Reads the rows.\n/// It takes that\n/// which is left.\nfn a() {}\n";
        let expected = "crates/a/src/lib.rs:2: `that which`: name the thing";
        assert_eq!(problems(plain_english, "crates/a/src/lib.rs", text), [expected]);
    }

    #[test]
    fn plain_english_passes() {
        for text in [
            "Compares the nodes and shows only the differences.",
            "Returns the port if there is one; there is none on a remote chassis.",
            "The address is none of the node's own.",
            "The first of several nodes. Of course it is read-only.",
            "There are so many that the list is cut.",
            "`Of several nodes, what differs` is quoted code.",
            "The zone has not been read.",
        ] {
            for (path, text) in [
                ("docs/a.md", format!("{text}\n")),
                ("crates/a/src/lib.rs", format!("/// {text}\nfn a() {{}}\n")),
            ] {
                assert_eq!(problems(plain_english, path, &text), Vec::<String>::new(), "{text}");
            }
        }
    }

    #[test]
    fn generated_and_recorded_texts_are_left_out() {
        for path in
            ["docs/reference/ovn-tools.md", "testdata/lab/answer.md", "crates/a/tests/snapshots/a.snap"]
        {
            assert_eq!(problems(plain_english, path, "Of several nodes\n"), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn a_type_that_does_not_say_what_it_is_is_found() {
        for name in TYPE_NAMES {
            let text = format!("pub(crate) struct {name}<'a>(&'a str);\n");
            assert_eq!(problems(type_names, "crates/a/src/lib.rs", &text).len(), 1, "{name}");
            let text = format!("// A struct {name} is not declared here.\nstruct {name}Row;\n");
            assert_eq!(problems(type_names, "crates/a/src/lib.rs", &text), Vec::<String>::new(), "{name}");
        }
    }
}
