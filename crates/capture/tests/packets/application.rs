//! Random DNS messages and TLS records.

use fastrand::Rng;

use crate::build::{bytes, pick};

fn label(rng: &mut Rng) -> String {
    (0..rng.usize(1..12))
        .map(|_| *pick(rng, &['a', 'b', 'k', 'y', '0', '-']))
        .collect::<String>()
        .replace("--", "ab")
}

/// Returns a question, or an answer whose records point to the name of the question.
pub(crate) fn dns(rng: &mut Rng) -> Vec<u8> {
    let (is_answer, code) = (rng.bool(), *pick(rng, &[0, 0, 2, 3, 5]));
    let answers = if is_answer && code == 0 { rng.u8(0..4) } else { 0 };
    let mut message = bytes(rng, 2);
    message.extend(if is_answer { [0x81, 0x80 | code] } else { [1, 0] });
    message.extend([0, 1, 0, answers, 0, 0, 0, 0]);
    for _ in 0..rng.usize(1..6) {
        let label = label(rng);
        message.push(u8::try_from(label.len()).expect("a short label"));
        message.extend(label.bytes());
    }
    message.push(0);
    message.extend([0, *pick(rng, &[1, 28, 12, 33, 65]), 0, 1]);
    for _ in 0..answers {
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4]);
        message.extend(bytes(rng, 4));
    }
    message
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a short record").to_be_bytes();
    [&[kind, 3, 3], &length[..], body].concat()
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a short message").to_be_bytes();
    record(22, &[&[kind], &length[1..], body].concat())
}

fn extension(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).expect("a short extension").to_be_bytes();
    [&kind.to_be_bytes(), &length[..], value].concat()
}

/// Returns a hello of a client or of a server, or an alert.
pub(crate) fn tls(rng: &mut Rng) -> Vec<u8> {
    let is_client = match rng.u8(0..4) {
        0 => return record(21, &[rng.u8(1..3), *pick(rng, &[0, 40, 48, 70, 112])]),
        1 => false,
        _ => true,
    };
    let mut hello = vec![3, 3];
    hello.extend(bytes(rng, 32));
    hello.push(32);
    hello.extend(bytes(rng, 32));
    hello.extend(if is_client { vec![0, 4, 0x13, 1, 0x13, 2, 1, 0] } else { vec![0x13, 1, 0] });
    let mut extensions = Vec::new();
    if is_client && rng.bool() {
        extensions.extend(extension(16, &[0, 3, 2, b'h', b'2']));
    }
    if is_client && rng.u8(0..4) > 0 {
        let name = format!("{}.{}.svc", label(rng), label(rng));
        let length = u16::try_from(name.len()).expect("a short name");
        let list = [&(length + 3).to_be_bytes(), &[0][..], &length.to_be_bytes(), name.as_bytes()].concat();
        extensions.extend(extension(0, &list));
    }
    extensions.extend(if is_client { extension(43, &[2, 3, 4]) } else { extension(43, &[3, 4]) });
    hello.extend(u16::try_from(extensions.len()).expect("few extensions").to_be_bytes());
    hello.extend(extensions);
    handshake(if is_client { 1 } else { 2 }, &hello)
}
