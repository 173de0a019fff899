//! Read-only command lines.
//!
//! A server runs only commands that [`argv!`] creates. A command is a sequence of literals and typed operands, which
//! the compiler checks against the table of the crate that contains the command:
//!
//! ```
//! use mcp_core::argv::{AllowedPrograms, Argv, WordPart::{Operand, Text}, Program, Verb};
//! use mcp_core::argv;
//!
//! const ALLOW: AllowedPrograms = AllowedPrograms(&[Program {
//!     name: "ip",
//!     globals: &["-j"],
//!     verbs: &[Verb {
//!         words: &["route", "show"],
//!         options: &[],
//!         operands: &[&[Text("table")], &[Operand("number")]],
//!         reads_only: "ip-route(8): `show` lists",
//!     }],
//! }]);
//!
//! let table = 254u32;
//! let routes: Argv = argv!(ALLOW: "ip", "-j", "route", "show", "table", {table: u32});
//! assert_eq!(routes.to_string(), "ip -j route show table 254");
//! ```
//!
//! A command that the table does not list does not compile. This applies to an unlisted verb:
//!
//! ```compile_fail
//! # use mcp_core::argv::{AllowedPrograms, Program, Verb};
//! # const ALLOW: AllowedPrograms = AllowedPrograms(&[Program { name: "ip", globals: &["-j"], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[], reads_only: "" }] }]);
//! mcp_core::argv!(ALLOW: "ip", "-j", "route", "flush");
//! ```
//!
//! to an unlisted program:
//!
//! ```compile_fail
//! # use mcp_core::argv::{AllowedPrograms, Program, Verb};
//! # const ALLOW: AllowedPrograms = AllowedPrograms(&[Program { name: "ip", globals: &["-j"], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[], reads_only: "" }] }]);
//! mcp_core::argv!(ALLOW: "sh", "-c", "true");
//! ```
//!
//! to an unlisted global option, a second command after `--`, and an operand where none is allowed:
//!
//! ```compile_fail
//! # use mcp_core::argv::{AllowedPrograms, Program, Verb};
//! # const ALLOW: AllowedPrograms = AllowedPrograms(&[Program { name: "ip", globals: &["-j"], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[], reads_only: "" }] }]);
//! mcp_core::argv!(ALLOW: "ip", "-batch", "route", "show");
//! ```
//!
//! ```compile_fail
//! # use mcp_core::argv::{AllowedPrograms, Program, Verb};
//! # const ALLOW: AllowedPrograms = AllowedPrograms(&[Program { name: "ip", globals: &["-j"], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[], reads_only: "" }] }]);
//! mcp_core::argv!(ALLOW: "ip", "route", "show", "--", "route", "flush");
//! ```
//!
//! ```compile_fail
//! # use mcp_core::argv::{AllowedPrograms, Program, Verb};
//! # const ALLOW: AllowedPrograms = AllowedPrograms(&[Program { name: "ip", globals: &["-j"], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[], reads_only: "" }] }]);
//! let number = 1u32;
//! mcp_core::argv!(ALLOW: "ip", "route", "show", {number: u32});
//! ```
//!
//! to an operand in the wrong place, and an operand of the wrong kind:
//!
//! ```compile_fail
//! # use mcp_core::argv::{AllowedPrograms, WordPart::*, Program, Verb};
//! # const ALLOW: AllowedPrograms = AllowedPrograms(&[Program { name: "ip", globals: &[], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[&[Operand("number")]], reads_only: "" }] }]);
//! let number = 1u32;
//! mcp_core::argv!(ALLOW: "ip", {number: u32}, "route", "show");
//! ```
//!
//! ```compile_fail
//! # use mcp_core::argv::{AllowedPrograms, WordPart::*, Program, Verb};
//! # const ALLOW: AllowedPrograms = AllowedPrograms(&[Program { name: "ip", globals: &[], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[&[Operand("number")]], reads_only: "" }] }]);
//! let address: std::net::IpAddr = "10.0.0.1".parse().unwrap();
//! mcp_core::argv!(ALLOW: "ip", "route", "show", {address: std::net::IpAddr});
//! ```
//!
//! to a command without its operands, and a command without a verb:
//!
//! ```compile_fail
//! # use mcp_core::argv::{AllowedPrograms, WordPart::*, Program, Verb};
//! # const ALLOW: AllowedPrograms = AllowedPrograms(&[Program { name: "ip", globals: &[], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[&[Operand("number")]], reads_only: "" }] }]);
//! mcp_core::argv!(ALLOW: "ip", "route", "show");
//! ```
//!
//! ```compile_fail
//! # use mcp_core::argv::{AllowedPrograms, Program, Verb};
//! # const ALLOW: AllowedPrograms = AllowedPrograms(&[Program { name: "ip", globals: &["-j"], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[], reads_only: "" }] }]);
//! mcp_core::argv!(ALLOW: "ip", "-j");
//! ```
//!
//! to text from outside, whatever its value, and to a word that is not a literal:
//!
//! ```compile_fail
//! # use mcp_core::argv::{AllowedPrograms, WordPart::*, Program, Verb};
//! # const ALLOW: AllowedPrograms = AllowedPrograms(&[Program { name: "ip", globals: &[], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[&[Operand("text")]], reads_only: "" }] }]);
//! let outside = String::from("-batch");
//! mcp_core::argv!(ALLOW: "ip", "route", "show", {outside: String});
//! ```
//!
//! ```compile_fail
//! # use mcp_core::argv::{AllowedPrograms, Program, Verb};
//! # const ALLOW: AllowedPrograms = AllowedPrograms(&[Program { name: "ip", globals: &[], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[], reads_only: "" }] }]);
//! let program = "ip";
//! mcp_core::argv!(ALLOW: program, "route", "show");
//! ```
//!
//! An operand never becomes an option, because it cannot be the first part of a joined word. Other crates cannot
//! define operands, because [`Operand`] is sealed:
//!
//! ```compile_fail
//! struct Mine;
//! impl mcp_core::argv::Operand for Mine {
//!     const KIND: &'static str = "mine";
//!     fn word(&self) -> mcp_core::argv::Word { unreachable!() }
//! }
//! ```
mod allow;
mod allowed;
mod capture;
mod expression;
mod host;
mod openflow;
mod operand;
mod probes;
mod process;

pub use allow::{AllowedPrograms, Phrase, Program, Verb, WordPart};
pub use allowed::is_allowed;
pub use capture::{BadFilter, CaptureFilter, FilterProtocol};
pub use expression::{BadExpression, OvnExpression};
pub use host::{InterfaceName, NftFamily, NftName};
pub use openflow::{BadBridge, BadMatch, BridgeName, FlowMatch};
pub use operand::{BadWord, CtNext, CtState, Operand, OvsdbQuery, TraceForm, Word};
pub use probes::PwruFunctions;
pub use process::{CallMark, PodUid, SystemdUnit};

use std::fmt;

/// A complete read-only command line, created by [`argv!`](crate::argv!).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Argv {
    words: Vec<String>,
    /// The network interface that the command names, if any.
    interface: Option<String>,
}

impl Argv {
    /// Fills the operands of a phrase, in their order. The literals come from the phrase, so every word on the command
    /// line was checked.
    #[doc(hidden)]
    pub fn fill(phrase: &Phrase, operands: &[Word]) -> Self {
        let mut operands = operands.iter();
        let mut interface = None;
        let word = |parts: &[WordPart]| {
            parts.iter().fold(String::new(), |word, part| match part {
                WordPart::Text(text) => word + text,
                WordPart::Operand(kind) => {
                    let operand = operands.next().map_or("", Word::as_str);
                    if *kind == InterfaceName::KIND {
                        interface = Some(operand.to_owned());
                    }
                    word + operand
                }
            })
        };
        let words = phrase.words().iter().copied().map(word).collect();
        Self { words, interface }
    }

    /// Returns the network interface that the command names, if any.
    pub(crate) fn interface(&self) -> Option<&str> {
        self.interface.as_deref()
    }

    /// Returns the words, starting with the program.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Returns the name of the program.
    pub fn program(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }
}

/// Formats the command as an engineer would type it. The text is for reading only: it is not quoted for a shell, and
/// no shell runs it.
impl fmt::Display for Argv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" "))
    }
}

/// Creates an [`Argv`](crate::argv::Argv) from literals and `{operand: Type}`, checked at compile time against a
/// table. `{"--columns=", columns: Columns}` joins its parts to one word. See [`crate::argv`].
#[macro_export]
macro_rules! argv {
    ($allow:ident : $($word:tt),+ $(,)?) => {{
        // This is an item, because `cargo check` does not evaluate inline `const` blocks.
        const PHRASE: $crate::argv::Phrase = $allow.check(&[$($crate::argv!(@pattern $word)),+]);
        let operands: &[&[$crate::argv::Word]] = &[$($crate::argv!(@operands $word)),+];
        $crate::argv::Argv::fill(&PHRASE, &operands.concat())
    }};
    (@pattern { $text:literal $(, $name:ident : $type:ty)+ }) => {
        &[$crate::argv::WordPart::Text($text)
          $(, $crate::argv::WordPart::Operand(<$type as $crate::argv::Operand>::KIND))+]
    };
    (@pattern { $name:ident : $type:ty }) => {
        &[$crate::argv::WordPart::Operand(<$type as $crate::argv::Operand>::KIND)]
    };
    (@pattern $word:literal) => { &[$crate::argv::WordPart::Text($word)] };
    (@operands { $($text:literal,)? $($name:ident : $type:ty),+ }) => {
        &[$(<$type as $crate::argv::Operand>::word(::std::borrow::Borrow::borrow(&$name))),+]
    };
    (@operands $word:literal) => { &[] };
}
