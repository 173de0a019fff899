//! Messages of JSON-RPC, as they arrive, and what is answered to bytes that are none.

use rmcp::{
    ErrorData, RoleServer,
    model::{ErrorCode, RequestId},
    service::RxJsonRpcMessage,
};
use serde_json::Value;

/// The most bytes of a message: a call has a few hundred.
pub(crate) const MOST: usize = 1 << 20;

/// Bytes that are no message, and what their sender is told.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Of the request that they seem to be.
    pub(crate) id: Option<RequestId>,
    /// Why they are none.
    pub(crate) error: ErrorData,
}

impl Refused {
    /// They cannot be read as JSON.
    fn no_json(why: impl std::fmt::Display) -> Self {
        let error = ErrorData::new(ErrorCode::PARSE_ERROR, format!("the message is not JSON: {why}"), None);
        Self { id: None, error }
    }

    /// They are JSON, but no request, answer or notification.
    fn no_message(id: Option<RequestId>, why: &'static str) -> Self {
        Self { id, error: ErrorData::invalid_request(why, None) }
    }

    /// They are too many to be read.
    pub(crate) fn too_long() -> Self {
        Self::no_message(None, "a message has at most 1 MiB")
    }
}

/// Reads one message. None: there is nothing to answer, because it is blank or a notification that nobody knows.
///
/// # Errors
/// [`Refused`], which has to be answered.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<RxJsonRpcMessage<RoleServer>>, Refused> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes).trim_ascii();
    if bytes.is_empty() {
        return Ok(None);
    }
    let value: Value = serde_json::from_slice(bytes).map_err(Refused::no_json)?;
    if value.is_array() {
        return Err(Refused::no_message(None, "messages come one by one: batches are not part of MCP"));
    }
    match serde_json::from_slice(bytes) {
        Ok(message) => Ok(Some(message)),
        Err(_) if value.get("id").is_none() && value.get("method").is_some_and(Value::is_string) => Ok(None),
        Err(_) => {
            let id = value.get("id").and_then(|id| serde_json::from_value(id.clone()).ok());
            Err(Refused::no_message(id, "it is no request, answer or notification of JSON-RPC 2.0"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(text: &str) -> i32 {
        parse(text.as_bytes()).unwrap_err().error.code.0
    }

    #[test]
    fn what_is_no_json_is_told_apart_from_what_is_no_message() {
        let deep = "[".repeat(100_000);
        let number = r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":1e999}}"#;
        for text in ["{", "x", "\"\\ud800\"", "1e999", number, deep.as_str(), "{} {}", "\u{0}"] {
            assert_eq!(code(text), -32700, "{text:.40}");
        }
        assert_eq!(parse(b"\"\xff\"").unwrap_err().error.code.0, -32700);
        for text in [
            "[]",
            "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
            "1",
            "null",
            "\"ping\"",
            "{}",
            "{\"id\":1}",
        ] {
            assert_eq!(code(text), -32600, "{text}");
        }
        let refused = parse(br#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#).unwrap_err();
        assert_eq!((refused.error.code.0, refused.id), (-32600, Some(RequestId::String("a".into()))));
    }

    #[test]
    fn messages_and_what_needs_no_answer() {
        assert!(parse(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).unwrap().is_some());
        assert!(
            parse(b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r\n").unwrap().is_some()
        );
        assert!(parse(b"\r\n").unwrap().is_none());
        assert!(
            parse(br#"{"jsonrpc":"2.0","method":"notifications/progress","params":7}"#).unwrap().is_none()
        );
    }

    proptest! {
        /// Whatever a client sends, it is a message, nothing, or refused with one of two errors.
        #[test]
        fn any_bytes_are_answered(bytes in any::<Vec<u8>>(), text in "[\\[\\]{}\":,a-c0-9 \\\\]{0,100}", id in any::<i32>()) {
            let request = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\",\"params\":{text}}}");
            for bytes in [bytes.as_slice(), text.as_bytes(), request.as_bytes()] {
                if let Err(refused) = parse(bytes) {
                    prop_assert!([-32700, -32600].contains(&refused.error.code.0));
                }
            }
        }
    }
}
