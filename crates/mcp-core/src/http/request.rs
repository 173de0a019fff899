//! Rejects ambiguous requests, which several readers could understand differently.

use axum::{
    extract::Request,
    http::{
        HeaderMap, HeaderName, StatusCode,
        header::{HOST, ORIGIN},
        uri::Authority,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Passes on unambiguous requests, and rejects others with status 400.
pub(super) async fn reject_ambiguous(request: Request, next: Next) -> Response {
    match check(&request) {
        Ok(()) => next.run(request).await,
        Err(why) => (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
    }
}

fn check(request: &Request) -> Result<(), &'static str> {
    if request.uri().scheme().is_some() || request.uri().authority().is_some() {
        return Err("the target of a request must be a path, because this server is not a proxy");
    }
    match single_value(request.headers(), &HOST)? {
        Some(host) if is_host(host) => {}
        Some(_) => return Err("the Host header is not NAME or NAME:PORT"),
        None => return Err("the request has no Host header"),
    }
    match single_value(request.headers(), &ORIGIN)? {
        Some(origin) if !is_origin(origin) => {
            Err("the Origin header is not `null` or SCHEME://NAME or SCHEME://NAME:PORT")
        }
        _ => Ok(()),
    }
}

/// Returns the value of a header that may occur at most once.
fn single_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, &'static str> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| "a header is not ASCII"),
        _ => Err("a request may have only one Host header and one Origin header"),
    }
}

/// Whether the text is a name or an address, with or without a numeric port, and without a user.
pub(super) fn is_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else { return false };
    let host = authority.host();
    let rest = text.strip_prefix(host);
    let port = rest.and_then(|rest| rest.strip_prefix(':'));
    let fine = match port {
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok(),
        None => rest == Some(""),
    };
    fine && !host.is_empty()
}

fn is_origin(text: &str) -> bool {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    text == "null" || text.split_once("://").is_some_and(|(scheme, host)| is_scheme(scheme) && is_host(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn of(target: &str, headers: &[(&HeaderName, &str)]) -> Result<(), &'static str> {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(Body::empty()).unwrap())
    }

    #[test]
    fn unambiguous_headers_are_accepted() {
        for host in ["localhost", "127.0.0.1:8931", "[::1]:80", "[::1]", "mcp.example.com:65535"] {
            assert_eq!(of("/mcp", &[(&HOST, host)]), Ok(()), "{host}");
        }
        for origin in [
            "null",
            "http://localhost",
            "https://tools.example:8443",
            "vscode-webview://1f-2a",
            "http://[::1]:1",
        ] {
            assert_eq!(of("/mcp", &[(&HOST, "a"), (&ORIGIN, origin)]), Ok(()), "{origin}");
        }
    }

    #[test]
    fn ambiguous_headers_are_rejected() {
        for host in [
            "",
            "evil@127.0.0.1",
            "localhost:80evil",
            "localhost:",
            "localhost:65536",
            "a b",
            "localhost/",
            "a:+1",
        ] {
            assert!(of("/mcp", &[(&HOST, host)]).is_err(), "{host}");
        }
        for origin in [
            "",
            "localhost",
            "http://localhost:80evil",
            "http://a@localhost",
            "http://localhost/",
            "://a",
            "1://a",
        ] {
            assert!(of("/mcp", &[(&HOST, "a"), (&ORIGIN, origin)]).is_err(), "{origin}");
        }
        assert!(of("/mcp", &[]).is_err());
        assert!(of("/mcp", &[(&HOST, "a"), (&HOST, "a")]).is_err());
        assert!(of("/mcp", &[(&HOST, "a"), (&ORIGIN, "null"), (&ORIGIN, "null")]).is_err());
        assert!(of("http://a/mcp", &[(&HOST, "a")]).is_err());
    }
}
