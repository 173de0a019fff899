//! What may stand on a command line beside literals.
//!
//! All operands of all layers are here, in one file that one owner reviews.

use super::{
    BridgeName, CallMark, EthernetAddress, FlowMatch, InterfaceName, Meter, Network, NftFamily, NftName,
    OvnExpression, PodUid, PortName, PrivatePath, SystemdUnit, TlvMapping,
};
use crate::{Db, NodeName};
use ovsdb::{Select, Uuid};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{fmt, net::IpAddr};

/// One word of a command line, or a part of one, that cannot be taken for anything else.
///
/// It is not empty, does not begin with `-` (so it is no option, and not the `--` after which OVS's
/// clients expect another command), and holds no control character (vtysh takes a newline for the
/// beginning of another command).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Word(String);

/// The text cannot be a [`Word`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWord {
    /// Nothing is there.
    #[error("it is empty")]
    Empty,
    /// It could be taken for an option.
    #[error("it begins with `-`")]
    Option,
    /// It holds a newline, a NUL or another control character.
    #[error("it holds a control character")]
    Control,
    /// Linux passes at most 128 KiB in one argument (execve(2), `MAX_ARG_STRLEN`).
    #[error("it is longer than {} bytes", Word::MAX)]
    Long,
}

impl Word {
    /// The longest word, in bytes.
    pub const MAX: usize = 120 * 1024;

    /// Checks a text.
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

    /// The text.
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
    pub trait Sealed {}
}

/// A value that may stand on a command line. Sealed: `String` is none, and no other crate can make one.
pub trait Operand: sealed::Sealed {
    /// The name of the kind in tables and documents.
    const KIND: &'static str;

    /// The word. It never fails: what could fail, failed when the value was parsed.
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
    PrivatePath, "private-path", |path| path.word();
    PortName, "port", |name| name.word();
    EthernetAddress, "ethernet-address", |address| Word(address.to_string());
    Network, "network", |network| Word(network.0.to_string());
    TlvMapping, "tlv-mapping", |mapping| Word(mapping.to_string());
    Meter, "meter", |meter| Word(meter.to_string());
    CtNext, "ct-next", |next| Word(next.as_str().into());
    BridgeName, "bridge", |name| name.word();
    FlowMatch, "flow-match", |flow| flow.word();
}

/// The text of an OVSDB transaction (RFC 7047 section 4.1.3) that holds `select` operations and nothing else:
/// what `ovsdb-client query` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OvsdbQuery(Word);

impl OvsdbQuery {
    /// Writes the transaction.
    ///
    /// # Errors
    /// [`BadWord::Long`] if it has more conditions than fit on a command line.
    pub fn new(db: Db, selects: &[Select]) -> Result<Self, BadWord> {
        let json = ovsdb::wire::query_json(db.name(), selects);
        // JSON (RFC 8259) lets DEL and the C1 controls stand in a string as they are.
        let escape = |text: String, c: char| match c.is_control() {
            true => text + &format!("\\u{:04x}", u32::from(c)),
            false => text + c.encode_utf8(&mut [0; 4]),
        };
        Word::parse(json.chars().fold(String::new(), escape)).map(Self)
    }
}

/// How much ovn-trace(8) tells: its three output formats. A parameter of tools too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
// What stands in a schema is what the parameter says of itself.
#[schemars(description = "")]
pub enum TraceForm {
    /// Each flow with its stage and actions.
    #[default]
    Detailed,
    /// The actions.
    Summary,
    /// What can be seen from outside.
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

/// What conntrack says of a packet that is traced (ovn-trace(8), `--ct`). A parameter of tools too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
// What stands in a schema is what the parameter says of itself.
#[schemars(description = "")]
pub enum CtState {
    /// The first packet of a connection.
    #[default]
    New,
    /// A later one.
    #[serde(rename = "est")]
    Established,
    /// One in the other direction.
    Reply,
}

impl CtState {
    /// As ovn-trace takes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Established => "est",
            Self::Reply => "est,rpl",
        }
    }
}

/// The same, as ovs-vswitchd(8) takes it for `ofproto/trace --ct-next`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CtNext(pub CtState);

impl CtNext {
    /// The flags of `ct_state`.
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

    /// Whatever was typed: is this word harmless on a command line?
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
    fn what_is_refused() {
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
