//! JSON-RPC messages as they arrive, and the errors that answer invalid ones.

use rmcp::{
    ErrorData, RoleServer,
    model::{ErrorCode, RequestId},
    service::RxJsonRpcMessage,
};
use serde_json::Value;

/// The maximum size of a message in bytes. A call has a few hundred bytes.
pub(crate) const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// An invalid message and the error that its sender gets.
#[derive(Debug)]
pub(crate) struct RejectedMessage {
    /// The id of the request that the message seems to be.
    pub(crate) id: Option<RequestId>,
    /// The reason why the message is invalid.
    pub(crate) error: Box<ErrorData>,
}

impl RejectedMessage {
    /// Returns the error for bytes that are not JSON.
    fn not_json(why: impl std::fmt::Display) -> Self {
        let error = ErrorData::new(ErrorCode::PARSE_ERROR, format!("the message is not JSON: {why}"), None);
        Self { id: None, error: Box::new(error) }
    }

    /// Returns the error for JSON that is not a request, a response or a notification.
    fn invalid(id: Option<RequestId>, why: &'static str) -> Self {
        Self { id, error: Box::new(ErrorData::invalid_request(why, None)) }
    }

    /// Returns the error for a message that is too long to be read.
    pub(crate) fn too_long() -> Self {
        Self::invalid(None, "a message may have at most 1 MiB")
    }
}

/// Parses one message. Returns `None` if there is nothing to answer: the line is blank or holds an unknown
/// notification.
///
/// # Errors
///
/// Returns the error that must be sent to the client.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<RxJsonRpcMessage<RoleServer>>, RejectedMessage> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes).trim_ascii();
    if bytes.is_empty() {
        return Ok(None);
    }
    let value: Value = serde_json::from_slice(bytes).map_err(RejectedMessage::not_json)?;
    if value.is_array() {
        return Err(RejectedMessage::invalid(None, "send messages one by one: MCP has no batches"));
    }
    match serde_json::from_slice(bytes) {
        Ok(message) => Ok(Some(message)),
        Err(_) if value.get("id").is_none() && value.get("method").is_some_and(Value::is_string) => Ok(None),
        Err(_) => {
            let id = value.get("id").and_then(|id| serde_json::from_value(id.clone()).ok());
            Err(RejectedMessage::invalid(
                id,
                "the message is not a request, response or notification of JSON-RPC 2.0",
            ))
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
    fn invalid_json_and_invalid_messages_have_different_errors() {
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
    fn valid_messages_are_parsed_and_blank_lines_need_no_answer() {
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
        /// Any bytes are a message, need no answer, or are refused with one of two error codes.
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
