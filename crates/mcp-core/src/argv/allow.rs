//! The tables of allowed commands, and the check against them.

/// The programs that one crate may run. The table is the whole attack surface and short enough to review at once.
#[derive(Clone, Copy, Debug)]
pub struct AllowedPrograms(pub &'static [Program]);

/// A program and the allowed ways to call it.
#[derive(Debug)]
pub struct Program {
    /// The name of the program, which is looked up on the fixed path of the place where the program runs.
    pub name: &'static str,
    /// The options that may precede the verb, as whole words.
    pub globals: &'static [&'static str],
    /// The verbs that are allowed.
    pub verbs: &'static [Verb],
}

/// One allowed use of a program.
#[derive(Debug)]
pub struct Verb {
    /// The words of the verb. The list is empty for a program without verbs, such as `iptables-save`.
    pub words: &'static [&'static str],
    /// The options that may come between or after the operands, as whole words. Each verb lists its own options,
    /// because an option that is harmless for one verb may not be harmless for another.
    pub options: &'static [&'static str],
    /// The operands by position. All of them are required.
    pub operands: &'static [&'static [WordPart]],
    /// The reason why the verb only reads: the manual page and what it says, or the test that shows it.
    pub reads_only: &'static str,
}

/// A part of a word on a command line.
#[derive(Clone, Copy, Debug)]
pub enum WordPart {
    /// Literal text.
    Text(&'static str),
    /// An operand of this kind ([`super::Operand::KIND`]).
    Operand(&'static str),
}

/// A command line that a table allows, with places for its operands. Only [`Allow::check`] creates one.
#[derive(Clone, Copy, Debug)]
pub struct Phrase(&'static [&'static [WordPart]]);

impl Phrase {
    pub(super) fn words(&self) -> &'static [&'static [WordPart]] {
        self.0
    }
}

impl AllowedPrograms {
    /// Returns the phrase if this table allows it.
    ///
    /// # Panics
    ///
    /// Panics if the table does not allow the phrase. [`argv!`](crate::argv!) calls it in a `const`, so that the panic
    /// is a compile error.
    pub const fn check(self, words: &'static [&'static [WordPart]]) -> Phrase {
        let (name, mut rest) = match words.split_first() {
            Some((name, rest)) => (name, rest),
            None => panic!("a command must start with a program"),
        };
        let program = self.program(name);
        while let Some((word, after)) = rest.split_first() {
            if !listed(program.globals, word) {
                break;
            }
            rest = after;
        }
        let mut verbs = program.verbs;
        while let Some((verb, others)) = verbs.split_first() {
            if verb.matches(rest) {
                return Phrase(words);
            }
            verbs = others;
        }
        panic!("this crate's table lists this program, but not with these arguments")
    }

    const fn program(self, name: &[WordPart]) -> &'static Program {
        let mut programs = self.0;
        while let Some((program, others)) = programs.split_first() {
            if is_text(name, program.name) {
                return program;
            }
            programs = others;
        }
        panic!("this crate's table does not list this program")
    }
}

impl Verb {
    /// Whether these words are this verb, its options and exactly its operands.
    const fn matches(&self, mut phrase: &[&[WordPart]]) -> bool {
        let mut words = self.words;
        while let Some((word, others)) = words.split_first() {
            match phrase.split_first() {
                Some((first, rest)) if is_text(first, word) => phrase = rest,
                _ => return false,
            }
            words = others;
        }
        let mut operands = self.operands;
        while let Some((first, rest)) = phrase.split_first() {
            match operands.split_first() {
                Some((operand, others)) if same_parts(first, operand) => operands = others,
                _ if listed(self.options, first) => {}
                _ => return false,
            }
            phrase = rest;
        }
        operands.is_empty()
    }
}

const fn listed(list: &[&str], word: &[WordPart]) -> bool {
    let mut list = list;
    while let Some((first, others)) = list.split_first() {
        if is_text(word, first) {
            return true;
        }
        list = others;
    }
    false
}

const fn is_text(word: &[WordPart], text: &str) -> bool {
    matches!(word, [WordPart::Text(it)] if same(it, text))
}

const fn same_parts(mut a: &[WordPart], mut b: &[WordPart]) -> bool {
    loop {
        match (a.split_first(), b.split_first()) {
            (None, None) => return true,
            (Some((x, xs)), Some((y, ys))) => {
                let alike = match (x, y) {
                    (WordPart::Text(x), WordPart::Text(y)) => same(x, y),
                    (WordPart::Operand(x), WordPart::Operand(y)) => same(x, y),
                    _ => false,
                };
                if !alike {
                    return false;
                }
                (a, b) = (xs, ys);
            }
            _ => return false,
        }
    }
}

/// Whether `a == b`. The string comparison of the standard library is not `const`.
const fn same(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        match (a.split_first(), b.split_first()) {
            (None, None) => return true,
            (Some((x, xs)), Some((y, ys))) if *x == *y => (a, b) = (xs, ys),
            _ => return false,
        }
    }
}
