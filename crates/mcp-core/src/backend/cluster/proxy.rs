//! Chooses the proxy, if any, between this server and the API server.
//!
//! kube 5.0 compares `NO_PROXY` with the address of the proxy instead of the API server's, so this module decides. The
//! rules are those of Go's `httpproxy`, which kubectl follows.

use http::Uri;
use ipnet::IpNet;
use std::net::IpAddr;

/// The proxy variables of the environment.
pub(super) struct ProxyEnvironment {
    https: Option<String>,
    http: Option<String>,
    no_proxy: String,
}

impl ProxyEnvironment {
    /// Reads the environment of this process.
    pub(super) fn of_process() -> Self {
        let var = |names: [&str; 2]| {
            names.iter().find_map(|name| std::env::var(name).ok().filter(|text| !text.trim().is_empty()))
        };
        Self {
            https: var(["HTTPS_PROXY", "https_proxy"]),
            http: var(["HTTP_PROXY", "http_proxy"]),
            no_proxy: var(["NO_PROXY", "no_proxy"]).unwrap_or_default(),
        }
    }

    /// Returns the proxy for a server. A proxy in the kubeconfig always counts. Otherwise the proxy of the environment
    /// counts, unless `NO_PROXY` excludes the server.
    ///
    /// # Errors
    /// Returns the text of a proxy that is not a URL.
    pub(super) fn proxy(&self, configured: Option<&str>, server: &Uri) -> Result<Option<Uri>, String> {
        let configured = configured.map(str::trim).filter(|text| !text.is_empty());
        let of_environment =
            if server.scheme_str() == Some("http") { self.http.as_deref() } else { self.https.as_deref() };
        let text = match (configured, of_environment) {
            (Some(text), _) => text,
            (None, Some(text)) if !self.excepts(server) => text.trim(),
            _ => return Ok(None),
        };
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        with_scheme.parse().map(Some).map_err(|_| text.to_owned())
    }

    /// Returns true if `NO_PROXY` excludes the server.
    fn excepts(&self, server: &Uri) -> bool {
        let host = server.host().unwrap_or_default().trim_matches(['[', ']']).to_lowercase();
        let port = server.port_u16().unwrap_or(if server.scheme_str() == Some("http") { 80 } else { 443 });
        let ip: Option<IpAddr> = host.parse().ok();
        if host == "localhost" || ip.is_some_and(|ip| ip.is_loopback()) {
            return true;
        }
        let excepts = |entry: &str| {
            let entry = entry.trim().to_lowercase();
            if entry == "*" {
                return true;
            }
            if let (Ok(net), Some(ip)) = (entry.parse::<IpNet>(), ip) {
                return net.contains(&ip);
            }
            if let (Ok(address), Some(ip)) = (entry.trim_matches(['[', ']']).parse::<IpAddr>(), ip) {
                return address == ip;
            }
            let (name, of_port) = match entry.rsplit_once(':') {
                Some((name, of_port)) if of_port.parse() == Ok(port) => (name, true),
                Some((_, of_port)) if of_port.parse::<u16>().is_ok() => return false,
                _ => (entry.as_str(), false),
            };
            if of_port && name.trim_matches(['[', ']']) == host {
                return true;
            }
            let name = name.trim_start_matches('*');
            // `.example.org` matches subdomains only; `example.org` matches itself and its subdomains.
            let below = if name.starts_with('.') { name.to_owned() } else { format!(".{name}") };
            !name.is_empty() && ip.is_none() && (host == name || host.ends_with(&below))
        };
        self.no_proxy.split(',').filter(|entry| !entry.trim().is_empty()).any(excepts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(no_proxy: &str) -> ProxyEnvironment {
        ProxyEnvironment {
            https: Some("http://proxy.example:3128".into()),
            http: None,
            no_proxy: no_proxy.into(),
        }
    }

    fn is_proxied(no_proxy: &str, server: &str) -> bool {
        environment(no_proxy).proxy(None, &server.parse().unwrap()).unwrap().is_some()
    }

    #[test]
    fn no_proxy_is_compared_with_the_server() {
        for (no_proxy, server, proxied) in [
            ("", "https://10.0.0.1:6443", true),
            ("", "https://127.0.0.1:6443", false),
            ("", "https://localhost:6443", false),
            ("10.0.0.1", "https://10.0.0.1:6443", false),
            ("10.0.0.0/8, 192.168.0.0/16", "https://10.0.0.1:6443", false),
            ("10.0.0.0/8", "https://11.0.0.1:6443", true),
            ("10.0.0.1:6443", "https://10.0.0.1:6443", false),
            ("10.0.0.1:443", "https://10.0.0.1:6443", true),
            ("[fd00::1]", "https://[fd00::1]:6443", false),
            ("fd00::/8", "https://[fd00::1]:6443", false),
            ("example.org", "https://api.example.org:6443", false),
            ("example.org", "https://example.org", false),
            (".example.org", "https://example.org", true),
            ("*.example.org", "https://api.example.org:6443", false),
            ("example.org", "https://notexample.org", true),
            ("API.Example.org", "https://api.example.org:6443", false),
            ("example.org:6443", "https://api.example.org:6443", false),
            ("example.org:443", "https://api.example.org:6443", true),
            ("*", "https://api.example.org", false),
            ("a,,b,", "https://api.example.org", true),
            // The proxy's own name does not exclude the server: kube 5.0 compares `NO_PROXY` with it.
            ("proxy.example", "https://api.example.org", true),
        ] {
            assert_eq!(is_proxied(no_proxy, server), proxied, "NO_PROXY={no_proxy} {server}");
        }
    }

    #[test]
    fn a_proxy_in_the_kubeconfig_always_counts() {
        let all = environment("*");
        let server = "https://api.example.org".parse().unwrap();
        let proxy = all.proxy(Some("socks5://127.0.0.1:1080"), &server).unwrap().unwrap();
        assert_eq!(proxy.scheme_str(), Some("socks5"));
        assert_eq!(all.proxy(Some(" "), &server).unwrap(), None);
        assert_eq!(environment("").proxy(Some("http://a b"), &server).unwrap_err(), "http://a b");
    }
}
