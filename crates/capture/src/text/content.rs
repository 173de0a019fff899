//! What packets carry: TLS and DNS.

use std::fmt::Write;

use super::add;
use crate::frame::{Dns, Tls};

pub(super) fn show_tls(line: &mut String, record: &Tls) {
    match record {
        Tls::ClientHello(Some(name)) => {
            add!(line, ": TLS client hello for {name}");
        }
        Tls::ClientHello(None) => line.push_str(": TLS client hello"),
        Tls::ServerHello => line.push_str(": TLS server hello"),
        Tls::Alert(level, description) => {
            let level = if *level == 2 { "fatal" } else { "warning" };
            add!(line, ": TLS {level} alert {description}{}", alert(*description));
        }
    }
}

/// Returns the name of an alert (RFC 8446, section 6), with a space before it.
fn alert(description: u8) -> &'static str {
    match description {
        0 => " close_notify",
        10 => " unexpected_message",
        20 => " bad_record_mac",
        40 => " handshake_failure",
        42 => " bad_certificate",
        43 => " unsupported_certificate",
        44 => " certificate_revoked",
        45 => " certificate_expired",
        46 => " certificate_unknown",
        47 => " illegal_parameter",
        48 => " unknown_ca",
        49 => " access_denied",
        50 => " decode_error",
        51 => " decrypt_error",
        70 => " protocol_version",
        71 => " insufficient_security",
        80 => " internal_error",
        86 => " inappropriate_fallback",
        90 => " user_canceled",
        109 => " missing_extension",
        112 => " unrecognized_name",
        116 => " certificate_required",
        120 => " no_application_protocol",
        _ => "",
    }
}

pub(super) fn show_dns(line: &mut String, dns: &Dns, payload: u32) {
    add!(line, "{}", dns.id);
    if dns.answer {
        match dns.code {
            0 => {}
            1 => line.push_str(" FormErr"),
            2 => line.push_str(" ServFail"),
            3 => line.push_str(" NXDomain"),
            4 => line.push_str(" NotImp"),
            5 => line.push_str(" Refused"),
            code => {
                add!(line, " code {code}");
            }
        }
        add!(line, " {} answer{}", dns.answers, if dns.answers == 1 { "" } else { "s" });
    }
    if let Some((name, kind)) = &dns.question {
        let end = if name.ends_with('.') && !name.ends_with("\\.") { "" } else { "." };
        add!(line, " {}? {name}{end}", record_type(*kind));
    }
    add!(line, " ({payload})");
}

/// Returns the name of a type of DNS record.
pub fn record_type(kind: u16) -> String {
    let name = match kind {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        33 => "SRV",
        64 => "SVCB",
        65 => "HTTPS",
        255 => "ANY",
        other => return format!("Type{other}"),
    };
    name.to_owned()
}
