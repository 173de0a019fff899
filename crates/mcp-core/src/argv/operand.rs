//! The operands of command lines: everything except literals.
//!
//! All operands of all layers are in this module, so that one owner reviews them.

use super::{
    BridgeName, CallMark, CaptureFilter, FlowMatch, InterfaceName, NftFamily, NftName, OvnExpression, PodUid,
    PwruFunctions, SystemdUnit,
};
use crate::{Db, NodeName};
use ovsdb::{Select, Uuid};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{fmt, net::IpAddr};

/// One word of a command line, or a part of one, that cannot be mistaken for anything else.
///
/// A word is not empty. It does not begin with `-`, so it is not an option and not the `--` after which the OVS
/// clients expect another command. It contains no control character, because vtysh takes a newline for the beginning
/// of another command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Word(String);

/// The error of a text that is not a valid [`Word`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWord {
    /// The text is empty.
    #[error("the text is empty")]
    Empty,
    /// The text could be mistaken for an option.
    #[error("the text begins with `-`")]
    Option,
    /// The text contains a newline, a NUL or another control character.
    #[error("the text contains a control character")]
    Control,
    /// The text is too long. Linux passes at most 128 KiB in one argument (execve(2), `MAX_ARG_STRLEN`).
    #[error("the text is longer than {} bytes", Word::MAX)]
    Long,
}

impl Word {
    /// The maximum length of a word in bytes.
    pub const MAX: usize = 120 * 1024;

    /// Parses a text.
    pub fn parse(text: impl Into<String>) -> Result<Self, BadWord> {
        let text = text.into();
        match text.as_str() {
            "" => Err(BadWord::Empty),
            t if t.starts_with('-') => Err(BadWord::Option),
            t if t.contains(char::is_control) => Err(BadWord::Control),
            t if t.len() > Self::MAX => Err(BadWord::Long),
            _ => Ok(Self(text)),
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

mod sealed {
    /// The trait that only this crate can implement.
    pub trait Sealed {}
}

/// A value that may appear on a command line. The trait is sealed: `String` does not implement it, and no other crate
/// can implement it.
pub trait Operand: sealed::Sealed {
    /// The name of the kind in tables and documents.
    const KIND: &'static str;

    /// Returns the value as a word. The conversion cannot fail, because the value was validated when it was parsed.
    fn word(&self) -> Word;
}

macro_rules! operands {
    ($($type:ty, $kind:literal, |$value:ident| $word:expr;)*) => {$(
        impl sealed::Sealed for $type {}
        impl Operand for $type {
            const KIND: &'static str = $kind;
            fn word(&self) -> Word {
                let $value = self;
                $word
            }
        }
    )*};
}

operands! {
    u8, "number", |n| Word(n.to_string());
    u16, "number", |n| Word(n.to_string());
    u32, "number", |n| Word(n.to_string());
    IpAddr, "address", |ip| Word(ip.to_string());
    NodeName, "node", |name| Word(name.to_string());
    OvsdbQuery, "ovsdb-query", |query| query.0.clone();
    Uuid, "uuid", |uuid| Word(uuid.to_string());
    OvnExpression, "ovn-expression", |expression| expression.word();
    TraceForm, "trace-form", |form| Word(form.as_str().into());
    InterfaceName, "interface", |name| Word(name.to_string());
    NftName, "nft-name", |name| Word(name.to_string());
    NftFamily, "nft-family", |family| Word(family.as_str().into());
    CallMark, "call-mark", |mark| mark.word();
    PodUid, "pod-uid", |uid| uid.word();
    SystemdUnit, "systemd-unit", |unit| Word(unit.as_str().into());
    CtState, "ct-state", |state| Word(state.as_str().into());
    CtNext, "ct-next", |next| Word(next.as_str().into());
    BridgeName, "bridge", |name| name.word();
    FlowMatch, "flow-match", |flow| flow.word();
    CaptureFilter, "capture-filter", |filter| filter.word();
    PwruFunctions, "pwru-functions", |functions| Word(functions.as_str().into());
}

/// The text of an OVSDB transaction (RFC 7047 section 4.1.3) that contains only `select` operations. `ovsdb-client
/// query` takes it as its argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OvsdbQuery(Word);

impl OvsdbQuery {
    /// Formats the transaction.
    ///
    /// # Errors
    ///
    /// Returns [`BadWord::Long`] if its conditions do not fit on a command line.
    pub fn new(db: Db, selects: &[Select]) -> Result<Self, BadWord> {
        let json = ovsdb::wire::query_json(db.name(), selects);
        // JSON (RFC 8259) allows DEL and the C1 controls in strings, but a word must not contain them.
        let escape = |text: String, c: char| match c.is_control() {
            true => text + &format!("\\u{:04x}", u32::from(c)),
            false => text + c.encode_utf8(&mut [0; 4]),
        };
        Word::parse(json.chars().fold(String::new(), escape)).map(Self)
    }
}

/// The output format of ovn-trace(8). It is also a parameter of tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
// The description is empty, because the schema shows the documentation of the parameter.
#[schemars(description = "")]
pub enum TraceForm {
    /// Shows each flow with its stage and actions.
    #[default]
    Detailed,
    /// Shows the actions.
    Summary,
    /// Shows only the effects that are visible from outside.
    Minimal,
}

impl TraceForm {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Detailed => "detailed",
            Self::Summary => "summary",
            Self::Minimal => "minimal",
        }
    }
}

/// The conntrack state of a traced packet (ovn-trace(8), `--ct`). It is also a parameter of tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
// The description is empty, because the schema shows the documentation of the parameter.
#[schemars(description = "")]
pub enum CtState {
    /// The packet is the first one of a connection.
    #[default]
    New,
    /// The packet is a later one of a connection.
    #[serde(rename = "est")]
    Established,
    /// The packet goes in the reply direction.
    Reply,
}

impl CtState {
    /// Returns the state as ovn-trace takes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Established => "est",
            Self::Reply => "est,rpl",
        }
    }
}

/// The conntrack state as ovs-vswitchd(8) takes it for `ofproto/trace --ct-next`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CtNext(pub CtState);

impl CtNext {
    /// Returns the flags of `ct_state`.
    pub const fn as_str(self) -> &'static str {
        match self.0 {
            CtState::New => "trk,new",
            CtState::Established => "trk,est",
            CtState::Reply => "trk,est,rpl",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ovsdb::Condition;
    use proptest::prelude::*;

    /// Whether a word that comes from arbitrary input is harmless on a command line.
    fn harmless(word: &Word) -> bool {
        let text = word.as_str();
        !text.is_empty() && !text.starts_with('-') && !text.contains(char::is_control)
    }

    proptest! {
        #[test]
        fn a_word_is_no_option_and_no_second_command(text in ".*|-.*|--.*|.*[\n\r\0].*") {
            if let Ok(word) = Word::parse(text.clone()) {
                prop_assert!(harmless(&word));
                prop_assert_eq!(word.as_str(), text);
            }
        }

        #[test]
        fn a_node_is_a_harmless_word(text in ".*|[-a-z0-9.]{1,300}") {
            if let Ok(node) = text.parse::<NodeName>() {
                prop_assert!(harmless(&node.word()));
                prop_assert!(!node.word().as_str().contains([';', ' ', '/', '=', '\'', '"', '$']));
            }
        }

        #[test]
        fn a_query_holds_selects_only(
            table in ".*", column in ".*", value in ".*|\\]\\},\\{\"op\":\"delete\"|[\n\0]",
        ) {
            let select = Select::from(table.as_str()).filter(Condition::is(column, value.as_str()));
            let query = OvsdbQuery::new(Db::Nb, &[select.clone(), select]).unwrap();
            prop_assert!(harmless(&query.word()));
            let json: serde_json::Value = serde_json::from_str(query.word().as_str()).unwrap();
            let items = json.as_array().unwrap();
            prop_assert_eq!(items.len(), 3);
            prop_assert_eq!(&items[0], "OVN_Northbound");
            for op in &items[1..] {
                prop_assert_eq!(&op["op"], "select");
            }
        }
    }

    #[test]
    fn invalid_words_are_rejected() {
        for (text, why) in [
            ("", BadWord::Empty),
            ("-", BadWord::Option),
            ("--", BadWord::Option),
            ("--db=tcp:192.0.2.1:6641", BadWord::Option),
            ("-batch", BadWord::Option),
            ("br-int\nconf t", BadWord::Control),
            ("a\0b", BadWord::Control),
            ("a\u{9b}b", BadWord::Control),
        ] {
            assert_eq!(Word::parse(text), Err(why), "{text:?}");
        }
        assert_eq!(Word::parse("x".repeat(Word::MAX + 1)), Err(BadWord::Long));
    }
}
