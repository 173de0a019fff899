//! Read-only command lines.
//!
//! A server runs what [`argv!`] makes and nothing else. A command is a phrase of literals and typed
//! operands, checked while compiling against the table of the crate that writes it:
//!
//! ```
//! use mcp_core::argv::{Allow, Argv, Part::{Operand, Text}, Program, Verb};
//! use mcp_core::argv;
//!
//! const ALLOW: Allow = Allow(&[Program {
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
//! What the table does not list does not compile. A verb:
//!
//! ```compile_fail
//! # use mcp_core::argv::{Allow, Program, Verb};
//! # const ALLOW: Allow = Allow(&[Program { name: "ip", globals: &["-j"], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[], reads_only: "" }] }]);
//! mcp_core::argv!(ALLOW: "ip", "-j", "route", "flush");
//! ```
//!
//! a program:
//!
//! ```compile_fail
//! # use mcp_core::argv::{Allow, Program, Verb};
//! # const ALLOW: Allow = Allow(&[Program { name: "ip", globals: &["-j"], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[], reads_only: "" }] }]);
//! mcp_core::argv!(ALLOW: "sh", "-c", "true");
//! ```
//!
//! a global option, a second command after `--`, and an operand where none is allowed:
//!
//! ```compile_fail
//! # use mcp_core::argv::{Allow, Program, Verb};
//! # const ALLOW: Allow = Allow(&[Program { name: "ip", globals: &["-j"], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[], reads_only: "" }] }]);
//! mcp_core::argv!(ALLOW: "ip", "-batch", "route", "show");
//! ```
//!
//! ```compile_fail
//! # use mcp_core::argv::{Allow, Program, Verb};
//! # const ALLOW: Allow = Allow(&[Program { name: "ip", globals: &["-j"], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[], reads_only: "" }] }]);
//! mcp_core::argv!(ALLOW: "ip", "route", "show", "--", "route", "flush");
//! ```
//!
//! ```compile_fail
//! # use mcp_core::argv::{Allow, Program, Verb};
//! # const ALLOW: Allow = Allow(&[Program { name: "ip", globals: &["-j"], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[], reads_only: "" }] }]);
//! let number = 1u32;
//! mcp_core::argv!(ALLOW: "ip", "route", "show", {number: u32});
//! ```
//!
//! an operand in another place, and one of another kind:
//!
//! ```compile_fail
//! # use mcp_core::argv::{Allow, Part::*, Program, Verb};
//! # const ALLOW: Allow = Allow(&[Program { name: "ip", globals: &[], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[&[Operand("number")]], reads_only: "" }] }]);
//! let number = 1u32;
//! mcp_core::argv!(ALLOW: "ip", {number: u32}, "route", "show");
//! ```
//!
//! ```compile_fail
//! # use mcp_core::argv::{Allow, Part::*, Program, Verb};
//! # const ALLOW: Allow = Allow(&[Program { name: "ip", globals: &[], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[&[Operand("number")]], reads_only: "" }] }]);
//! let address: std::net::IpAddr = "10.0.0.1".parse().unwrap();
//! mcp_core::argv!(ALLOW: "ip", "route", "show", {address: std::net::IpAddr});
//! ```
//!
//! a phrase that stops before its operands, and one that has no verb:
//!
//! ```compile_fail
//! # use mcp_core::argv::{Allow, Part::*, Program, Verb};
//! # const ALLOW: Allow = Allow(&[Program { name: "ip", globals: &[], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[&[Operand("number")]], reads_only: "" }] }]);
//! mcp_core::argv!(ALLOW: "ip", "route", "show");
//! ```
//!
//! ```compile_fail
//! # use mcp_core::argv::{Allow, Program, Verb};
//! # const ALLOW: Allow = Allow(&[Program { name: "ip", globals: &["-j"], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[], reads_only: "" }] }]);
//! mcp_core::argv!(ALLOW: "ip", "-j");
//! ```
//!
//! text from outside, whatever its value, and a word that is not a literal:
//!
//! ```compile_fail
//! # use mcp_core::argv::{Allow, Part::*, Program, Verb};
//! # const ALLOW: Allow = Allow(&[Program { name: "ip", globals: &[], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[&[Operand("text")]], reads_only: "" }] }]);
//! let outside = String::from("-batch");
//! mcp_core::argv!(ALLOW: "ip", "route", "show", {outside: String});
//! ```
//!
//! ```compile_fail
//! # use mcp_core::argv::{Allow, Program, Verb};
//! # const ALLOW: Allow = Allow(&[Program { name: "ip", globals: &[], verbs: &[
//! #     Verb { words: &["route", "show"], options: &[], operands: &[], reads_only: "" }] }]);
//! let program = "ip";
//! mcp_core::argv!(ALLOW: program, "route", "show");
//! ```
//!
//! The first word of a joined word cannot be an operand's, so an operand never becomes an option, and
//! a type of another crate cannot be an operand, because [`Operand`] is sealed:
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
mod expression;
mod host;
mod openflow;
mod operand;
mod private;
mod process;
mod switch;

pub use allow::{Allow, Part, Phrase, Program, Verb};
pub use allowed::is_allowed;
pub use expression::{BadExpression, OvnExpression};
pub use host::{InterfaceName, NftFamily, NftName};
pub use openflow::{BadBridge, BadMatch, BridgeName, FlowMatch};
pub use operand::{BadWord, CtNext, CtState, Operand, OvsdbQuery, TraceForm, Word};
pub use private::{BadPrivatePath, PrivateAllow, PrivateArgv, PrivatePath};
pub use process::{CallMark, PodUid, SystemdUnit};
pub use switch::{BadEthernetAddress, BadPort, EthernetAddress, Meter, Network, PortName, TlvMapping};

use std::fmt;

/// A complete read-only command line. Made by [`argv!`](crate::argv!).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Argv {
    words: Vec<String>,
    /// The network interface that it asks about.
    interface: Option<String>,
}

impl Argv {
    /// Fills the operands of a phrase, in their order. The literals come from the phrase, so nothing that
    /// was not checked can stand on the command line.
    #[doc(hidden)]
    pub fn fill(phrase: &Phrase, operands: &[Word]) -> Self {
        let mut operands = operands.iter();
        let mut interface = None;
        let word = |parts: &[Part]| {
            parts.iter().fold(String::new(), |word, part| match part {
                Part::Text(text) => word + text,
                Part::Operand(kind) => {
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

    /// The network interface that it asks about.
    pub(crate) fn interface(&self) -> Option<&str> {
        self.interface.as_deref()
    }

    /// The words, program first.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The program.
    pub fn program(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }
}

/// As an engineer would type it. For reading: it is not quoted for a shell, and no shell ever sees it.
impl fmt::Display for Argv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" "))
    }
}

/// Makes an [`Argv`](crate::argv::Argv) of literals and `{operand: Type}`s, checked at compile time
/// against a table. `{"--columns=", columns: Columns}` joins parts to one word. See [`crate::argv`].
#[macro_export]
macro_rules! argv {
    ($allow:ident : $($word:tt),+ $(,)?) => {{
        // An item: an inline `const` block is evaluated by `cargo build` only, not by `cargo check`.
        const PHRASE: $crate::argv::Phrase = $allow.check(&[$($crate::argv!(@pattern $word)),+]);
        let operands: &[&[$crate::argv::Word]] = &[$($crate::argv!(@operands $word)),+];
        $crate::argv::Argv::fill(&PHRASE, &operands.concat())
    }};
    (@pattern { $text:literal $(, $name:ident : $type:ty)+ }) => {
        &[$crate::argv::Part::Text($text)
          $(, $crate::argv::Part::Operand(<$type as $crate::argv::Operand>::KIND))+]
    };
    (@pattern { $name:ident : $type:ty }) => {
        &[$crate::argv::Part::Operand(<$type as $crate::argv::Operand>::KIND)]
    };
    (@pattern $word:literal) => { &[$crate::argv::Part::Text($word)] };
    (@operands { $($text:literal,)? $($name:ident : $type:ty),+ }) => {
        &[$(<$type as $crate::argv::Operand>::word(::std::borrow::Borrow::borrow(&$name))),+]
    };
    (@operands $word:literal) => { &[] };
}
