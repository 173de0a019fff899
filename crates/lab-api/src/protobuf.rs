//! Decodes objects that kubectl sends. Built-in kinds arrive as protocol buffers, which client-go prefers.
//!
//! Fields that are not in the tables are skipped. The numbers are those of `generated.proto` in k8s.io/api/core/v1,
//! k8s.io/api/authorization/v1 and k8s.io/apimachinery/pkg/apis/meta/v1.

use serde_json::{Map, Value};

use super::status::Status;

/// The first bytes of every object.
const MAGIC: &[u8] = b"k8s\0";

/// A message: the numbers, names and types of its fields.
pub(super) type Message = &'static [(u64, &'static str, Field)];

#[derive(Clone, Copy)]
pub(super) enum Field {
    Text,
    Texts,
    Number,
    Flag,
    One(Message),
    Many(Message),
    /// A map from text to text.
    Pairs,
    /// A message whose fields are merged into the surrounding object.
    Inline(Message),
}

use Field::{Flag, Inline, Many, Number, One, Pairs, Text, Texts};

/// The message `Pod`.
pub(super) const POD: Message = &[(1, "metadata", One(METADATA)), (2, "spec", One(SPEC))];

const METADATA: Message = &[
    (1, "name", Text),
    (2, "generateName", Text),
    (3, "namespace", Text),
    (11, "labels", Pairs),
    (12, "annotations", Pairs),
];

const SPEC: Message = &[
    (1, "volumes", Many(VOLUME)),
    (2, "containers", Many(CONTAINER)),
    (3, "restartPolicy", Text),
    (4, "terminationGracePeriodSeconds", Number),
    (5, "activeDeadlineSeconds", Number),
    (10, "nodeName", Text),
    (11, "hostNetwork", Flag),
    (12, "hostPID", Flag),
    (13, "hostIPC", Flag),
    (22, "tolerations", Many(TOLERATION)),
];

const VOLUME: Message = &[(1, "name", Text), (2, "volumeSource", Inline(VOLUME_SOURCE))];
const VOLUME_SOURCE: Message = &[(1, "hostPath", One(HOST_PATH))];
const HOST_PATH: Message = &[(1, "path", Text), (2, "type", Text)];
const MOUNT: Message = &[(1, "name", Text), (2, "readOnly", Flag), (3, "mountPath", Text)];
const TOLERATION: Message =
    &[(1, "key", Text), (2, "operator", Text), (3, "value", Text), (4, "effect", Text)];

/// The message `SelfSubjectAccessReview`.
pub(super) const REVIEW: Message = &[(2, "spec", One(&[(1, "resourceAttributes", One(ATTRIBUTES))]))];
const ATTRIBUTES: Message = &[
    (1, "namespace", Text),
    (2, "verb", Text),
    (3, "group", Text),
    (5, "resource", Text),
    (6, "subresource", Text),
    (7, "name", Text),
];

const PAIR: Message = &[(1, "key", Text), (2, "value", Text)];

const CONTAINER: Message = &[
    (1, "name", Text),
    (2, "image", Text),
    (3, "command", Texts),
    (4, "args", Texts),
    (9, "volumeMounts", Many(MOUNT)),
    (14, "imagePullPolicy", Text),
    (16, "stdin", Flag),
    (17, "stdinOnce", Flag),
    (18, "tty", Flag),
];

/// Decodes the object in a body, from protocol buffers or JSON.
pub(super) fn object(body: &[u8], message: Message) -> Result<Value, Status> {
    let unreadable = |why: &str| Status::bad_request(format!("the object provided is unrecognized: {why}"));
    match body.strip_prefix(MAGIC) {
        Some(envelope) => open(envelope, message).ok_or_else(|| unreadable("it is truncated")),
        None => serde_json::from_slice(body).map_err(|error| unreadable(&error.to_string())),
    }
}

fn open(mut envelope: &[u8], message: Message) -> Option<Value> {
    while !envelope.is_empty() {
        if let (2, WireValue::Bytes(raw)) = take_field(&mut envelope)? {
            return Some(Value::Object(read(raw, message)?));
        }
    }
    None
}

/// The value of a field, by its wire type.
enum WireValue<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Other,
}

fn read(mut bytes: &[u8], message: Message) -> Option<Map<String, Value>> {
    let mut object = Map::new();
    while !bytes.is_empty() {
        let (number, value) = take_field(&mut bytes)?;
        let Some((_, name, field)) = message.iter().find(|(known, ..)| *known == number) else { continue };
        let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes).into_owned());
        match (field, value) {
            // Clients send empty strings for unset fields.
            (Text, WireValue::Bytes([])) => {}
            (Text, WireValue::Bytes(bytes)) => _ = object.insert((*name).into(), text(bytes)),
            (Number, WireValue::Number(number)) => _ = object.insert((*name).into(), number.into()),
            (Flag, WireValue::Number(number)) => _ = object.insert((*name).into(), (number != 0).into()),
            (One(inner), WireValue::Bytes(bytes)) => {
                _ = object.insert((*name).into(), read(bytes, inner)?.into())
            }
            (Inline(inner), WireValue::Bytes(bytes)) => object.extend(read(bytes, inner)?),
            (Texts, WireValue::Bytes(bytes)) => push(&mut object, name, text(bytes)),
            (Many(inner), WireValue::Bytes(bytes)) => push(&mut object, name, read(bytes, inner)?.into()),
            (Pairs, WireValue::Bytes(bytes)) => {
                let mut pair = read(bytes, PAIR)?;
                let key = pair.remove("key")?.as_str()?.to_owned();
                let pairs = object.entry(*name).or_insert_with(|| Map::new().into()).as_object_mut()?;
                pairs.insert(key, pair.remove("value").unwrap_or_else(|| "".into()));
            }
            _ => return None,
        }
    }
    Some(object)
}

fn push(object: &mut Map<String, Value>, name: &str, value: Value) {
    if let Some(values) = object.entry(name).or_insert_with(|| Vec::<Value>::new().into()).as_array_mut() {
        values.push(value);
    }
}

fn take_field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, WireValue<'a>)> {
    let tag = take_number(bytes)?;
    let value = match tag & 7 {
        0 => WireValue::Number(take_number(bytes)?),
        1 => take(bytes, 8).map(|_| WireValue::Other)?,
        2 => {
            let size = usize::try_from(take_number(bytes)?).ok()?;
            WireValue::Bytes(take(bytes, size)?)
        }
        5 => take(bytes, 4).map(|_| WireValue::Other)?,
        _ => return None,
    };
    Some((tag >> 3, value))
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *take(bytes, 1)?.first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], size: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(size)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    #[test]
    fn a_pod_is_decoded_and_truncated_input_is_rejected() {
        let label = field(11, &[field(1, b"app"), field(2, b"web")].concat());
        let metadata = field(1, &[field(1, b"a"), label].concat());
        let container = field(2, &[field(1, b"c"), field(3, b"sleep"), field(3, b"9")].concat());
        let spec = field(2, &[container, vec![11 << 3, 1]].concat());
        let whole = [MAGIC, &field(1, b"v1"), &field(2, &[metadata, spec].concat())].concat();
        let expected = json!({
            "metadata": { "name": "a", "labels": { "app": "web" } },
            "spec": { "containers": [{ "name": "c", "command": ["sleep", "9"] }], "hostNetwork": true },
        });
        assert_eq!(object(&whole, POD).unwrap(), expected);
        assert_eq!(object(expected.to_string().as_bytes(), POD).unwrap(), expected);
        for size in 0..whole.len() {
            assert!(object(whole.get(..size).unwrap(), POD).is_err(), "{size}");
        }
    }
}
