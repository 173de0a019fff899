//! Names of secrets.
//!
//! A name is split into words (`DB_PASSWORD_1`: db, password; `clientKeyData`: client, key, data). A secret word
//! anywhere in the name makes it the name of a secret. If the last word says something about the secret
//! (`PASSWORD_FILE`, `secretName`, `tokenPolicy`), the value is not secret and is shown.

/// A word that contains one of these texts belongs to a secret.
const HOLD: [&str; 5] = ["password", "passwd", "passphrase", "passcode", "dockerconfigjson"];

/// A word that ends with one of these texts belongs to a secret.
const END: [&str; 22] = [
    "pass",
    "passwords",
    "pwd",
    "psk",
    "secret",
    "token",
    "tokens",
    "cred",
    "creds",
    "credential",
    "credentials",
    "apikey",
    "authkey",
    "accesskey",
    "privatekey",
    "secretkey",
    "sharedkey",
    "passkey",
    "keydata",
    "jwt",
    "dockercfg",
    "bindpw",
];

/// Ordinary words that end like a secret word.
const ORDINARY: [&str; 6] = ["bypass", "compass", "encompass", "surpass", "trespass", "overpass"];

/// The words that make a following `key` secret.
const KEYS: [&str; 48] = [
    "access",
    "account",
    "admin",
    "aes",
    "api",
    "auth",
    "authentication",
    "aws",
    "azure",
    "client",
    "consumer",
    "cookie",
    "crypt",
    "crypto",
    "decryption",
    "deploy",
    "ec",
    "encrypt",
    "encryption",
    "fastopen",
    "gcp",
    "hmac",
    "host",
    "jwt",
    "license",
    "master",
    "openai",
    "preshared",
    "priv",
    "private",
    "rndc",
    "root",
    "rsa",
    "server",
    "session",
    "shared",
    "sign",
    "signing",
    "ssh",
    "ssl",
    "storage",
    "stripe",
    "tls",
    "tsig",
    "webhook",
    "wg",
    "wireguard",
    "ca",
];

/// The words that may follow `key` in the name of a secret key: `client-key-data`.
const KEY_FORMS: [&str; 8] = ["data", "value", "material", "raw", "pem", "base", "content", "string"];

/// The last words of names whose value describes a secret and is not secret: its place, its name, its lifetime.
const ABOUT: [&str; 91] = [
    "age",
    "alg",
    "algo",
    "algorithm",
    "at",
    "audience",
    "audiences",
    "authenticator",
    "bits",
    "bucket",
    "burst",
    "cert",
    "certificate",
    "change",
    "changed",
    "class",
    "cleaner",
    "column",
    "config",
    "controller",
    "count",
    "date",
    "dir",
    "directory",
    "duration",
    "enable",
    "enabled",
    "encryption",
    "endpoint",
    "error",
    "errors",
    "expiration",
    "expires",
    "expiry",
    "field",
    "file",
    "filename",
    "files",
    "format",
    "header",
    "hint",
    "id",
    "ids",
    "index",
    "io",
    "issuer",
    "kubeconfig",
    "len",
    "length",
    "lifetime",
    "limit",
    "manager",
    "max",
    "method",
    "methods",
    "mgmt",
    "min",
    "minutes",
    "mode",
    "mount",
    "name",
    "names",
    "namespace",
    "number",
    "path",
    "paths",
    "policies",
    "policy",
    "projection",
    "prompt",
    "provider",
    "providers",
    "rate",
    "ref",
    "reference",
    "refs",
    "request",
    "requests",
    "required",
    "reviewer",
    "reviews",
    "rotation",
    "seconds",
    "size",
    "state",
    "status",
    "store",
    "strength",
    "through",
    "type",
    "volume",
];

/// The kind of value that a name announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecretKind {
    /// A password or a key. Any value is secret.
    Password,
    /// A token. A word of ordinary prose after it is not secret (`failed to fetch token: not found`).
    Token,
    /// The value of an HTTP header: a scheme and a credential.
    Authorization,
}

/// Returns the kind of value if this is the name of a secret.
pub(crate) fn sort(name: &str) -> Option<SecretKind> {
    let name = name.rsplit('/').next().unwrap_or(name);
    let words = words(name);
    let last = words.last()?.as_str();
    if ABOUT.contains(&last)
        || matches!(last, "url" | "uri" | "ttl" | "timeout" | "time" | "updated" | "usage" | "uses")
    {
        return None;
    }
    if last == "authorization" {
        return Some(SecretKind::Authorization);
    }
    if words.iter().any(|word| is_password(word)) || is_key(&words) {
        return Some(SecretKind::Password);
    }
    let is_token = |word: &String| {
        !ORDINARY.contains(&word.as_str()) && END.iter().any(|end| word.ends_with(end)) || word == "pw"
    };
    // `BASIC_AUTH` is a secret; `auth` alone names the method, not the credential.
    let auth = words.len() > 1 && last == "auth";
    (auth || words.iter().any(is_token)).then_some(SecretKind::Token)
}

fn is_password(word: &str) -> bool {
    HOLD.iter().any(|held| word.contains(held))
        || ["pwd", "psk", "bindpw"].iter().any(|end| word.ends_with(end))
}

/// Whether the name has `key` after a word that makes it secret: `private_key`, `TLS_KEY`, `clientKeyData`.
fn is_key(words: &[String]) -> bool {
    let end = words.iter().rposition(|word| !KEY_FORMS.contains(&word.as_str()));
    let before = end.filter(|end| matches!(words.get(*end).map(String::as_str), Some("key" | "keys")));
    let before = before.and_then(|end| words.get(end.checked_sub(1)?));
    before.is_some_and(|word| KEYS.contains(&word.as_str()))
}

/// Returns the words of a name in lower case, without numbers and versions (`PASSWORD_1`, `TOKEN_V2`).
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut chars = name.chars().peekable();
    let (mut before, mut add) = ('_', String::new());
    while let Some(c) = chars.next() {
        let next_is_small = chars.peek().is_some_and(char::is_ascii_lowercase);
        let begins = c.is_ascii_uppercase()
            && (before.is_ascii_lowercase() || before.is_ascii_uppercase() && next_is_small);
        if begins || !c.is_ascii_alphanumeric() {
            words.push(std::mem::take(&mut add));
        }
        if c.is_ascii_alphanumeric() {
            add.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.push(add);
    let without_number = |word: &String| {
        let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
        (!word.is_empty() && word != "v").then(|| word.to_owned())
    };
    words.iter().filter_map(without_number).collect()
}

#[cfg(test)]
mod tests {
    use super::{SecretKind, sort};

    #[test]
    fn a_word_anywhere_in_a_name_makes_it_a_secret() {
        for name in [
            "psk",
            "ipsec_psk",
            "password",
            "PASSWORD",
            "DB_PASSWORD",
            "PASSWORD_1",
            "TOKEN_V2",
            "db-password",
            "PGPASSWORD",
            "MYSQL_ROOT_PASSWORD_OLD",
            "DB_PASS",
            "REDIS_PWD",
            "CREDS",
            "AWS_CREDENTIALS",
            "BASIC_AUTH",
            "TLS_KEY",
            "privateKey",
            "client-key-data",
            "clientKeyData",
            "api_key",
            "apiKey",
            "APIKEY",
            "x-api-key",
            "access.key",
            "auth_token",
            "clientSecret",
            "client_secret",
            "requirepass",
            "bindpw",
            "passphrase",
            "PASSWORD_HASH",
            "SECRET_PROD_EU",
            "spring.datasource.password",
            "example.org/token",
            "JWT",
            "AWS_SECRET_ACCESS_KEY",
            "tcp_fastopen_key",
            "stable_secret",
            "--password",
            "auth-key",
            "encryption_key",
            "PresharedKey",
            "dbPassword2",
            "TOKENS",
            ".dockerconfigjson",
        ] {
            assert!(sort(name).is_some(), "{name}");
        }
        assert_eq!(sort("Proxy-Authorization"), Some(SecretKind::Authorization));
    }

    #[test]
    fn names_that_only_sound_secret_are_not() {
        for name in [
            "key",
            "tunnel_key",
            "tun_key",
            "name",
            "PASSWORD_FILE",
            "secretName",
            "secretKeyRef",
            "imagePullSecrets",
            "token-reviewer",
            "token_bucket",
            "tokenExpirationSeconds",
            "credentialsMode",
            "auth",
            "authby",
            "bypass",
            "passed",
            "compass",
            "author",
            "automountServiceAccountTokenPolicy",
            "AWS_ACCESS_KEY_ID",
            "authorization-mode",
            "public_key",
            "iface-id",
            "cookie",
            "ipsec",
            "topologyKey",
            "partition-key",
            "tls-private-key-file",
            "ct_label",
            "secretariat",
            "authentication",
            "TOKEN_URL",
            "pass-through",
            "keyspace",
            "monkey",
            "tokenreviews.authentication.k8s.io",
        ] {
            assert_eq!(sort(name), None, "{name}");
        }
    }
}
