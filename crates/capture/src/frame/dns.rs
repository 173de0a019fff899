//! DNS messages (RFC 1035, section 4).

use super::{
    Dns, FrameProblem, UdpContent,
    input::{Input, printable},
};

/// The length of the header in bytes.
const HEADER: usize = 12;

/// The maximum length of a name in bytes (RFC 1035, section 2.3.4).
const MAX_NAME: usize = 255;

/// Dissects the header and the first question of a message.
pub(super) fn dissect(input: Input<'_>) -> (UdpContent, Option<FrameProblem>) {
    let Some([i0, i1, f0, f1, q0, q1, a0, a1, ..]) = input.array::<HEADER>(0) else {
        return (UdpContent::Other, Some(input.lacks("DNS")));
    };
    let mut problem = None;
    let question = match u16::from_be_bytes([q0, q1]) {
        0 => None,
        _ => {
            let question = question(input);
            if question.is_none() {
                problem = Some(input.lacks("DNS"));
            }
            question
        }
    };
    let dns = Dns {
        id: u16::from_be_bytes([i0, i1]),
        answer: f0 & 0x80 != 0,
        code: f1 & 15,
        question,
        answers: u16::from_be_bytes([a0, a1]),
    };
    (UdpContent::Dns(Box::new(dns)), problem)
}

fn question(message: Input<'_>) -> Option<(String, u16)> {
    let (name, end) = name(message, HEADER)?;
    let kind = message.u16(end)?;
    // The class follows.
    message.u16(end + 2)?;
    Some((name, kind))
}

/// Returns the name at this place, and the place after it. A pointer must point to an earlier place than its own name,
/// so the reading ends.
fn name(message: Input<'_>, start: usize) -> Option<(String, usize)> {
    let (mut at, mut begin, mut end, mut length) = (start, start, None, 0);
    let mut text = String::new();
    loop {
        match message.u8(at)? {
            0 => break,
            label @ 1..=63 => {
                let label = usize::from(label);
                length += 1 + label;
                if length >= MAX_NAME {
                    return None;
                }
                let bytes = message.bytes.get(at + 1..at + 1 + label)?;
                if !text.is_empty() {
                    text.push('.');
                }
                // A point inside a label is not the point between labels.
                text.push_str(&printable(bytes).replace('.', "\\."));
                at += 1 + label;
            }
            0xc0.. => {
                let target = usize::from(message.u16(at)? & 0x3fff);
                if target >= begin {
                    return None;
                }
                end = end.or(Some(at + 2));
                (at, begin) = (target, target);
            }
            // The other kinds of labels are not used (RFC 6891, section 5).
            _ => return None,
        }
    }
    let end = end.unwrap_or(at + 1);
    Some((if text.is_empty() { ".".to_owned() } else { text }, end))
}
