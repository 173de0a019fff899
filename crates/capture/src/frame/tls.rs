//! TLS records that are not encrypted (RFC 8446).

use super::{
    FrameProblem, Tls,
    input::{Input, printable},
};

/// The maximum number of records of a segment that are read.
const MAX_RECORDS: usize = 16;

/// The length of a record's header, and the maximum length of what follows it (RFC 5246, section 6.2.3).
const HEADER: usize = 5;
const MAX_LENGTH: usize = (1 << 14) + 2048;

/// The maximum length of a server's name in bytes.
const MAX_NAME: usize = 255;

/// Returns the records at the beginning of a segment that say how a connection goes. Bytes that are not TLS give none.
pub(super) fn records(mut input: Input<'_>) -> (Vec<Tls>, Option<FrameProblem>) {
    let mut records = Vec::new();
    for _ in 0..MAX_RECORDS {
        let Some([kind, 3, ..=4, l0, l1]) = input.array(0) else { break };
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if !(20..=23).contains(&kind) || length == 0 || length > MAX_LENGTH {
            break;
        }
        let body = input.after(HEADER).limit(length);
        match (kind, body.bytes) {
            (21, [level @ 1..=2, description]) if length == 2 => {
                records.push(Tls::Alert(*level, *description))
            }
            (22, _) => match hello(body, length) {
                Some(Ok(hello)) => records.push(hello),
                // The name is beyond what the capture kept.
                Some(Err(())) => {
                    records.push(Tls::ClientHello(None));
                    return (records, body.is_cut().then_some(FrameProblem::Cut("TLS hello")));
                }
                None => {}
            },
            _ => {}
        }
        if body.bytes.len() < length {
            break;
        }
        input = input.after(HEADER + length);
    }
    (records, None)
}

/// Returns the hello in a handshake record. `Err` is a client's hello whose name may be beyond these bytes, and `None`
/// is another handshake message or an encrypted one.
fn hello(record: Input<'_>, length: usize) -> Option<Result<Tls, ()>> {
    // The type, the length in three bytes, and the version that both hellos begin with.
    let [kind, l0, l1, l2, 3, ..=4] = record.array(0)? else { return None };
    let stated = u32::from_be_bytes([0, l0, l1, l2]) as usize;
    let is_plausible = (38..1 << 17).contains(&stated) && (stated + 4 <= length || length >= 1 << 14);
    match kind {
        1 if is_plausible => Some(match server_name(record.limit(stated + 4).after(4)) {
            Some(name) => Ok(Tls::ClientHello(name)),
            None => Err(()),
        }),
        2 if is_plausible => Some(Ok(Tls::ServerHello)),
        _ => None,
    }
}

/// Returns the server's name of a client's hello (RFC 6066, section 3), `Some(None)` if it has none, and `None` if the
/// bytes end before the end of its extensions.
fn server_name(hello: Input<'_>) -> Option<Option<String>> {
    let session = hello.after(2 + 32);
    let suites = session.after(1 + usize::from(session.u8(0)?));
    let compression = suites.after(2 + usize::from(suites.u16(0)?));
    let after = compression.after(1 + usize::from(compression.u8(0)?));
    let Some(length) = after.u16(0) else {
        // A hello of TLS 1.2 can end without extensions.
        return (after.length() == 0).then_some(None);
    };
    let mut extensions = after.after(2).limit(usize::from(length));
    while extensions.length() > 0 {
        let (kind, length) = (extensions.u16(0)?, usize::from(extensions.u16(2)?));
        let extension = extensions.after(4).limit(length);
        if kind == 0 {
            // A list of names, of which only the type 0 exists.
            let length = usize::from(extension.u16(3)?);
            let name = extension.bytes.get(5..5 + length)?;
            return Some(Some(printable(name.get(..MAX_NAME).unwrap_or(name))));
        }
        extensions = extensions.after(4 + length);
    }
    Some(None)
}
