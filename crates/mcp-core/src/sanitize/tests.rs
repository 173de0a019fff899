//! Every promised class in many forms, and healthy data of which nothing may be lost.

use super::{Redactor, clean};
use base64::{Engine, prelude::BASE64_STANDARD};

/// Whatever is planted.
const SECRET: &str = "hunter2";

/// The forms of a class: in each, `@` stands for a secret, of which no part may be shown.
struct Class {
    name: &'static str,
    forms: &'static [&'static str],
    /// What the secret can be there.
    values: &'static [&'static str],
}

/// Without blanks and signs that end something.
const WORDS: &[&str] =
    &["hunter2", "hunter2hunter2==", "x-hunter2.hunter2/hunter2+x", "hunter2!hunter2$hunter2%"];
/// As a password can be between quotes.
const QUOTED: &[&str] = &[
    "hunter2",
    "hunter2 two words hunter2",
    "hunter2,hunter2}hunter2]hunter2;hunter2",
    "hunter2: hunter2=hunter2",
];

const CLASSES: &[Class] = &[
    Class {
        name: "a name and its value",
        values: WORDS,
        forms: &[
            "password=@",
            "password: @",
            "PASSWORD=@",
            "db_password = @",
            "DB_PASSWORD_1=@ next=1",
            "export TOKEN_V2=@",
            "token:@",
            "level=info token=@ msg=\"a b\"",
            "set DB_PASS=@",
            "  - CREDS=@",
            "psk=@",
            "{psk=@, csum=\"true\"}",
            "a {ipsec_psk=@}",
            "TLS_KEY=@",
            "REDIS_PWD=@",
            "BASIC_AUTH=@",
            "map[password:@ user:me]",
            "&{Password:@ User:me}",
            "x.secret.y=@",
            "?access_token=@&user=me",
            "api-key := @",
            "apiKey => @",
            "private key: @",
            "\x1b[34mpassword\x1b[0m=@",
            "password\\u{1b}[0m=@",
            "--password @ --v 5",
            "--token=@",
            "run [--password @ --v 5]",
            "client-secret:@",
            "passphrase: @ # why",
            "<password>@</password>",
            "<a><clientSecret>@</clientSecret></a>",
            "<password type=\"plain\">@</password>",
            "X-Api-Key: @",
            "x-auth-token: @",
            "2026-11-22T08:30:00Z stdout F password: @",
            "net.ipv6.conf.all.stable_secret = @",
            "net.ipv4.tcp_fastopen_key = @",
            "the password: @ is wrong",
            "E1122 1 a.go:1] login password=@, user=me",
            "[PrivateKey = @]",
            "password%3D@",
            "wg0: PresharedKey = @",
        ],
    },
    Class {
        name: "a name and its value in quotes",
        values: QUOTED,
        forms: &[
            "password=\"@\" user=me",
            "password: '@'",
            "\"password\":\"@\",\"user\":\"me\"",
            "\"password\" : \"@\"",
            "{\"db_password\": \"@\"}",
            "{\\\"password\\\":\\\"@\\\",\\\"user\\\":1}",
            "\"{\\\\\\\"token\\\\\\\":\\\\\\\"@\\\\\\\"}\"",
            "config[\"password\"] = \"@\"",
            "[\"psk\",\"@\"]",
            "[\"map\",[[\"ipsec_psk\",\"@\"]]]",
            "\"--password\", \"@\"",
            "--password '@'",
            "--password=\"@\"",
            "export DB_PWD='@'",
            "options: {ipsec_psk=\"@\"}",
            "password=`@`",
            "Password:(string) (len=7) \"@\"",
            "Token:[]byte(\"@\")",
            "{Name:DB_PASSWORD,Value:\"@\"}",
            "{\"name\":\"DB_PASSWORD\",\"value\":\"@\"}",
            "password: !!str \"@\"",
            "password = \"\"\"@\"\"\"",
            "'client_secret': '@'",
            "b'password': b'@'",
            "{\"auth\":{\"password\":\"@\"}}",
            "\"passwords\":[\"@\",\"x\"]",
        ],
    },
    Class {
        name: "a value on several lines",
        values: &["hunter2"],
        forms: &[
            "password: |\n  @\n  @\nuser: me",
            "password: >-\n  @ @\n  @\nuser: me",
            "a:\n  token: |-\n    @\n\n    @\n  b: 1",
            "password:\n  @\nuser: me",
            "password:\n  \"@ @\"\nuser: me",
            "\"password\":\n  \"@\",\n\"user\": 1",
            "password: @ a\n  @ b\nuser: me",
            "password: \"@ a\n  @ b\"\nuser: me",
            "password: '@\n  @'\nuser: me",
            "passwords:\n- @\n- @\nuser: me",
            "passwords:\n  - @\n  - \"@\"\nuser: me",
            "- name: DB_PASSWORD\n  value: @\n- name: a\n  value: b",
            "- name: DB_PASSWORD\n  value: \"@ x\"\n",
            "- name: DB_PASSWORD\n  value: |\n    @\n    @\n- name: b",
            "\"name\": \"DB_PASSWORD\",\n\"value\": \"@\"\n",
            "- --password\n- @\n- --v",
            "password: |2\n    @\nuser: me",
            "Password:\n@\nuser: me",
            "token: >\n\n  @\n  @\nuser: me",
            "2026-11-22T08:30:00.1Z stdout F password: |\n2026-11-22T08:30:00.1Z stdout F   @\n2026-11-22T08:30:00.1Z stdout F user: me",
            "2026-11-22T08:30:00.1Z password:\n2026-11-22T08:30:00.1Z   @\n2026-11-22T08:30:00.1Z user: me",
            "secret = \"\"\"@\n@\n\"\"\"\nuser = me",
            "credentials: [\n  \"@\"\n]\nuser: me",
        ],
    },
    Class {
        name: "HTTP authentication",
        values: &["hunter2hunter2", "hunter2.hunter2-hunter2", "hunter2hunter2hunter2=="],
        forms: &[
            "Authorization: Bearer @",
            "authorization: bearer @",
            "Authorization: Token @",
            "Authorization: Basic @",
            "Proxy-Authorization: Basic @",
            "Authorization: @",
            "\"Authorization\":\"Bearer @\"",
            "\"Authorization\":[\"Bearer @\"]",
            "{\\\"Authorization\\\":\\\"Token @\\\"}",
            "map[Authorization:[Bearer @] Accept:[x]]",
            "Authorization=Bearer @",
            "-H 'Authorization: Bearer @' https://x",
            "headers: {Authorization: Bearer @}",
            "Authorization: Digest username=\"a\", response=\"@\"",
            "Authorization: AWS4-HMAC-SHA256 Credential=a, Signature=@",
            "Authorization: ApiKey @, x",
            "using Bearer @ for x",
            "Authorization:[Token @]",
            "http.Header{\"Authorization\":[]string{\"Bearer @\"}}",
            "> authorization: Bearer @",
            "name: Authorization, value: Basic @",
            "- name: Authorization\n  value: Bearer @",
            "\"name\":\"Authorization\",\"value\":\"Token @\"",
            "X-Auth-Token: @",
            "Cookie: session=@; b=@",
            "Set-Cookie: a=@; Path=/",
        ],
    },
    Class {
        name: "a password in a URL",
        values: &["hunter2", "hunter2:hunter2", "hunter2@hunter2", "hunter2#hunter2,hunter2"],
        forms: &[
            "redis://:@@h:6379",
            "https://me:@@example.org/x",
            "amqp://a:@@h",
            "postgres://a:@@h/db?x=y",
            "\"url\":\"https://me:@@example.org\"",
            "url=https://me:@@example.org",
            "git clone https://me:@@example.org/a.git",
            "proxy http://me:@@10.0.0.1:3128 refused",
            "mongodb+srv://a:@@h/x",
            "HTTP_PROXY=http://me:@@h:1",
            "{url: \"ftp://a:@@h\"}",
            "(https://me:@@h)",
            "<https://me:@@h>",
            "ldap://cn=a:@@h",
            "ssh://git:@@h/x",
            "https://me:@@[::1]:80/x",
            "mysql a:@@tcp(h:3306)/db",
            "[amqps://a:@@h]",
            "'smtp://a:@@h'",
            "curl -u me:@ https://h",
            "curl --user me:@ h",
            "curl \"-u\" \"me:@\"",
        ],
    },
    Class {
        name: "IPsec",
        values: &["hunter2hunter2"],
        forms: &[
            ": PSK \"@\"",
            ": PSK '@'",
            ": PSK @",
            ": PSK 0s@",
            ": PSK 0x68756e@",
            "@a %any : PSK \"@\"".split_at(0).1,
            "10.0.0.1 10.0.0.2 : PSK \"@ @\"",
            "carol : EAP \"@\"",
            "dave : XAUTH '@'",
            ": RSA key.pem \"@\"",
            "  PrivateExponent: 0s@",
            "  Prime1: 0s@",
            "options:psk=@",
            "ipsec_psk: @",
            "[\"psk\",\"@\"]",
            "secret = \"@\"",
            "\tpsk=\"@\"",
            "ike-psk { secret = @ }",
            "ovs-vsctl set Interface a options:psk=@",
            "\"ipsec_psk\": \"@\"",
            "psk=0s@",
        ],
    },
    Class {
        name: "configuration of routers",
        values: &["hunter2", "hunter2 hunter2"],
        forms: &[
            "password @",
            "enable password 8 @",
            "enable password @",
            " neighbor 172.18.0.3 password @",
            " neighbor fd00::1 password @",
            " neighbor PEERS password @",
            " isis password clear @",
            " isis password md5 @",
            " domain-password clear @",
            " domain-password md5 @",
            " area-password clear @",
            "  key-string @",
            " ip ospf message-digest-key 1 md5 @",
            " ip ospf authentication-key @",
            " ip rip authentication string @",
            " ip nhrp authentication @",
            "username a password @",
            "username a secret 5 @",
            "enable secret 5 @",
            "vtysh: (neighbor 172.18.0.3 password @",
            "12 neighbor 172.18.0.3 password @",
            " area 0 authentication-key @",
            "line 7: password @",
        ],
    },
    Class {
        name: "tokens",
        values: &[
            "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.hunter2",
            "sha256~hunter2hunter2hunter2",
            "ghp_hunter2hunter2hunter2",
            "glpat-hunter2hunter2hunter2",
            "eyJhbGciOiJSUzI1NiJ9..hunter2hunter2.hunter2.hunter2",
        ],
        forms: &[
            "@",
            "token @",
            "x @ y",
            "(@)",
            "\"@\"",
            "[@]",
            "{\"a\":\"@\"}",
            "Bearer @",
            "a=@",
            "a: @",
            "'@'",
            "<@>",
            "@, b",
            "@; b",
            "got @: refused",
            "https://h/?t=@",
            "https://h/?t=@&u=1",
            "X: @",
            "\\\"@\\\"",
            "a/@",
            "oauth @\nnext",
        ],
    },
    Class {
        name: "private keys",
        values: &["hunter2hunter2"],
        forms: &[
            "-----BEGIN PRIVATE KEY-----\n@\n-----END PRIVATE KEY-----\nafter",
            "-----BEGIN RSA PRIVATE KEY-----\n@\n@\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN EC PRIVATE KEY-----\\n@\\n-----END EC PRIVATE KEY-----",
            "-----BEGIN OPENSSH PRIVATE KEY-----\n@",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\n@\n",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE----------BEGIN PRIVATE KEY-----\n@\n-----END PRIVATE KEY-----",
            "-----END CERTIFICATE----- -----BEGIN PRIVATE KEY-----\n@\nabc@\n-----END PRIVATE KEY-----",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n@\n=abcd\n-----END PGP PRIVATE KEY BLOCK-----",
            "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n@\n---- END SSH2 ENCRYPTED PRIVATE KEY ----",
            "key: |\n  -----BEGIN PRIVATE KEY-----\n  @\n  -----END PRIVATE KEY-----",
            "{\"a\":\"-----BEGIN PRIVATE KEY-----\\n@\\n-----END PRIVATE KEY-----\\n\"}",
            "\"-----BEGIN PRIVATE KEY-----\\\\n@\"",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\n@\n-----END RSA PRIVATE KEY-----",
            "2026-11-22T08:00:00Z stderr F -----BEGIN PRIVATE KEY-----\n2026-11-22T08:00:00Z stderr F @\n2026-11-22T08:00:00Z stderr F -----END PRIVATE KEY-----",
            "I1122 08:00:00.0 1 a.go:1] -----BEGIN PRIVATE KEY-----\nI1122 08:00:00.0 1 a.go:1] aaaa@",
            "-----BEGIN DSA PRIVATE KEY-----@-----END DSA PRIVATE KEY-----",
            "a -----BEGIN PRIVATE KEY-----@-----END PRIVATE KEY----- b -----BEGIN PRIVATE KEY-----@-----END PRIVATE KEY----- c",
            "-----BEGIN ANY PRIVATE KEY-----\r\n@\r\n-----END ANY PRIVATE KEY-----\r\n",
            "> -----BEGIN PRIVATE KEY-----\n> aaaa@\n> -----END PRIVATE KEY-----",
            "<key>-----BEGIN PRIVATE KEY-----\n@\n-----END PRIVATE KEY-----</key>",
            "-----BEGIN PRIVATE KEY----- @ @ -----END PRIVATE KEY-----",
        ],
    },
    Class {
        name: "objects of the kind Secret",
        values: &["hunter2hunter2"],
        forms: &[
            "kind: Secret\ndata:\n  a: @\n",
            "apiVersion: v1\ndata:\n  a: @\n  b: @\nkind: Secret\n",
            "kind: Secret\nstringData:\n  a: |\n    @\ntype: x",
            "kind: \"Secret\"\ndata: {a: @}",
            "{\"kind\":\"Secret\",\"data\":{\"a\":\"@\"}}",
            "{\"data\":{\"a\":\"@\"},\"kind\":\"Secret\"}",
            "{\\\"kind\\\":\\\"Secret\\\",\\\"data\\\":{\\\"a\\\":\\\"@\\\"}}",
            "map[data:map[a:@] kind:Secret]",
            "map[kind:Secret stringData:map[a:@ b:@]]",
            "- kind: Secret\n  data:\n    a: @\n- kind: Pod",
            "kind: SecretList\nitems:\n- data:\n    a: @",
            "a: 1\n---\nkind: Secret\ndata:\n  a: @\n---\nkind: Pod\n",
            "{\n  \"kind\": \"Secret\",\n  \"data\": {\n    \"a\": \"@\"\n  }\n}",
            "{\n  \"data\": {\n    \"a\": \"@\"\n  },\n  \"kind\": \"Secret\"\n}",
            "objects:\n- kind: Secret\n  stringData:\n    a: @\n",
            "kind: Secret\ndata: \"@\"",
            "kind: Secret\ndata:\n- @",
            "applied {\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"stringData\":{\"a\":\"@\"}} ok",
            "'kind': 'Secret', 'data': {'a': '@'}",
            "kind: Secret\nbinaryData:\n  a: @",
            "Kind:Secret Data:map[a:@]",
            "2026-11-22T08:30:00Z stdout F kind: Secret\n2026-11-22T08:30:00Z stdout F data:\n2026-11-22T08:30:00Z stdout F   a: @",
        ],
    },
    Class {
        name: "kernel keys, registries and the rest",
        values: &["75af74057be0a61c08abe2028beecebf"],
        forms: &[
            "aead rfc4106(gcm(aes)) 0x@ (288 bits) 128",
            "auth hmac(sha1) 0x@",
            "auth-trunc hmac(sha256) 0x@ 128",
            "enc cbc(aes) 0x@",
            "comp deflate 0x@",
            "\taead rfc4106(gcm(aes)) 0x@ 128",
            "md5keys:10.0.0.1/32=@",
            "md5keys:10.0.0.1/32=@,10.0.0.2/32=@",
            "tcp ESTAB 0 0 md5keys:::1/128=@ x",
            "{\"auths\":{\"quay.io\":{\"auth\":\"@\"}}}",
            "\"auth\": \"@\"",
            "{\\\"auth\\\":\\\"@\\\"}",
            "_auth=@",
            "//registry.example.org/:_authToken=@",
            ".dockerconfigjson: @",
            "snmp-server community @ ro",
            "rocommunity @",
            "CREATE USER a IDENTIFIED BY '@'",
            "sshpass -p @".split_at(12).1,
            "client-key-data: @",
            "AWS_SECRET_ACCESS_KEY=@",
        ],
    },
];

/// The parts of a secret that would tell it.
fn tells(text: &str) -> bool {
    [SECRET, "75af7405", "two words", "eyJ"].iter().any(|part| text.contains(part))
}

#[test]
fn no_form_of_any_class_is_shown() {
    let mut told = Vec::new();
    for class in CLASSES {
        assert!(class.forms.len() >= 20, "{}: {} forms", class.name, class.forms.len());
        for form in class.forms {
            for value in class.values {
                let text = plant(form, value);
                let shown = clean(&text);
                if tells(&shown) || !shown.contains("[redacted") && text != shown {
                    told.push(format!("{}: {text:?} gives {shown:?}", class.name));
                }
                let again = clean(&shown);
                if again != shown {
                    told.push(format!("{}: {shown:?} gives {again:?} when cleaned again", class.name));
                }
                // As a log, in pieces.
                let shown = in_pieces(text.as_bytes(), 7);
                if tells(&shown) && !text.contains("data") {
                    told.push(format!("{}: {text:?} in pieces gives {shown:?}", class.name));
                }
            }
        }
    }
    assert!(told.is_empty(), "{} of them:\n{}", told.len(), told.join("\n"));
}

/// The form with the secret in place of `@`; a URL's own sign, which follows, stays.
fn plant(form: &str, value: &str) -> String {
    form.replace("@@", "\u{0}at")
        .replace("@a ", "\u{0}name ")
        .replace('@', value)
        .replace("\u{0}at", &format!("{value}@"))
        .replace("\u{0}name", "@a")
}

fn in_pieces(text: &[u8], size: usize) -> String {
    let mut redactor = Redactor::default();
    let mut shown: Vec<u8> = text.chunks(size).flat_map(|piece| redactor.push(piece)).collect();
    shown.extend(redactor.finish());
    String::from_utf8_lossy(&shown).into_owned()
}

/// Base64 with a line break after so many characters.
fn encoded(text: &str, width: usize) -> String {
    let text = BASE64_STANDARD.encode(text);
    let lines: Vec<&str> =
        text.as_bytes().chunks(width).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    lines.join("\n")
}

#[test]
fn keys_in_base64_are_not_shown() {
    let certificate =
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", "MIIBszCCAVmg".repeat(20));
    let key = "-----BEGIN RSA PRIVATE KEY-----\nhunter2hunter2\n-----END RSA PRIVATE KEY-----\n";
    for text in [
        key.to_owned(),
        certificate.clone() + key,
        format!("a: |\n{key}"),
        format!("x{key}"),
        format!("xy{key}"),
    ] {
        for width in [64, 76, 1 << 20] {
            let planted = format!("  tls: {}\nafter it", encoded(&text, width));
            let shown = clean(&planted);
            let first = encoded(&text, 1 << 20).split_at(40).0.to_owned();
            let shows =
                |shown: &str| planted.lines().filter(|line| line.len() > 40).any(|line| shown.contains(line));
            assert!(
                shown.contains("[redacted]") && !shown.contains(&first) && !shows(&shown),
                "{planted}\n{shown}"
            );
            assert!(shown.ends_with("after it"), "{shown}");
        }
    }
    let shown = clean(&format!("ca: {}", encoded(&certificate, 1 << 20)));
    assert!(!shown.contains("[redacted]"), "a certificate is no secret: {shown}");
}

#[test]
fn a_key_has_any_length_and_one_without_an_end_does_not_swallow_the_log() {
    let key = format!(
        "-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----\nafter it\n",
        "hunter2hunter2\n".repeat(10_000)
    );
    for size in [1_000, 70_000, 1 << 20] {
        assert_eq!(
            in_pieces(key.as_bytes(), size),
            "-----BEGIN PRIVATE KEY-----[redacted]\n-----END PRIVATE KEY-----\nafter it\n"
        );
    }
    let one_line = key.replace('\n', "\\n");
    for size in [1_000, 70_000] {
        assert!(!tells(&in_pieces(one_line.as_bytes(), size)));
    }
    let log = format!("-----BEGIN PRIVATE KEY-----\n{}", "I1122 a line of a log\n".repeat(5_000));
    assert!(in_pieces(log.as_bytes(), 1_000).len() > log.len() - 10_000);
}

#[test]
fn wide_characters_hide_nothing() {
    for class in CLASSES.iter().take(4) {
        for form in class.forms {
            let text = plant(form, class.values[0]);
            for wide in [u16::to_le_bytes, u16::to_be_bytes] {
                let bytes: Vec<u8> =
                    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(wide).collect();
                let shown = in_pieces(&bytes, 5);
                assert!(!tells(&shown.replace('\0', "")), "{text:?}: {shown:?}");
                let shown = String::from_utf8_lossy(&Redactor::of(bytes)).replace('\0', "");
                assert!(!tells(&shown), "{text:?}: {shown:?}");
            }
        }
    }
}

#[test]
fn what_cannot_be_seen_is_shown() {
    assert_eq!(clean("a\u{202e}b\u{200b}c\u{1b}[31m"), r"a\u{202e}b\u{200b}c\u{1b}[31m");
    assert_eq!(clean("x\u{e0049}\u{e0067}y"), r"x\u{e0049}\u{e0067}y");
    assert_eq!(clean("naïve → 日本\n\tok"), "naïve → 日本\n\tok");
}

#[test]
fn what_stands_beside_a_secret_stays() {
    for (text, shown) in [
        ("{psk=hunter2, csum=\"true\"}", "{psk=[redacted], csum=\"true\"}"),
        (r#"options: {ipsec_psk="a b"}"#, r#"options: {ipsec_psk="[redacted]"}"#),
        ("Authorization: Bearer abc.def1, next", "Authorization: Bearer [redacted], next"),
        ("https://me:hunter2@example.org/x", "https://me:[redacted]@example.org/x"),
        ("a\npassword: |\n  x\n  y\nuser: me\n", "a\npassword: [redacted]\nuser: me\n"),
        ("map[password:two words user:me]", "map[password:[redacted] user:me]"),
        ("user=a password=hunter2 err=\"x\"", "user=a password=[redacted] err=\"x\""),
        (r#"{"token":123456789,"user":"me"}"#, r#"{"token":"[redacted]","user":"me"}"#),
        (r#"{"password":"a\"b\\","user":"me"}"#, r#"{"password":"[redacted]","user":"me"}"#),
        (
            r#""{\"password\":\"a\\\"b\",\"user\":\"me\"}""#,
            r#""{\"password\":\"[redacted]\",\"user\":\"me\"}""#,
        ),
        (" neighbor 172.18.0.3 password hunter2", " neighbor 172.18.0.3 password [redacted]"),
        ("?token=abc1&user=me", "?token=[redacted]&user=me"),
        ("DB_PASSWORD=hunter2\0PATH=/bin", "DB_PASSWORD=[redacted]\\u{0}PATH=/bin"),
        ("secret:\n  secretName: a", "secret:\n  secretName: a"),
    ] {
        assert_eq!(clean(text), shown);
    }
}

/// Lines of real logs, configuration and tables, of which every word is evidence.
const HEALTHY: &[&str] = &[
    "secretariat_pod-1",
    "ip4.dst == 10.0.0.1 && tcp",
    "name: token-reviewer",
    "service password-encryption",
    "the password was wrong",
    "automountServiceAccountToken: false",
    "secret:\n  secretName: a",
    "token: [redacted]",
    "failed to fetch token: serviceaccounts \"ovnkube-node\" is forbidden",
    "error: failed to fetch token: serviceaccounts \"x\" not found",
    "couldn't get secret: secrets \"x\" not found",
    "unable to load token: open /var/run/secrets/kubernetes.io/serviceaccount/token: no such file",
    "Unable to authenticate the request\" err=\"[invalid bearer token, service account token has expired]\"",
    "invalid bearer token, square/go-jose: error",
    "bearer token authentication is enabled",
    "  --authorization-mode=RBAC --authentication-token-webhook-config-file=/etc/x",
    "--tls-private-key-file=/var/run/secrets/tls.key --client-ca-file=/etc/ca.crt",
    "--token-file=/var/run/token --anonymous-auth=false",
    "options: {tunnel_key=\"3\", requested-tnl-key=\"5\", ipsec=\"true\"}",
    "tunnel_key          : 2",
    "external_ids        : {\"k8s.ovn.org/owner-type\"=NetworkPolicy, direction=Ingress, key=\"a:b\", ipsec=\"false\"}",
    " cookie=0x1a2b, duration=5.1s, table=0, n_packets=4, priority=100,tun_id=0x2 actions=set_field:0x1->reg0",
    "private_key         : \"/ovn-cert/tls.key\"",
    "key: value",
    "keys: 5",
    "\tauthby=secret\n\tleftauth=psk\n\tauth=esp",
    "ike=aes_gcm256-sha2_256 auth=none",
    "authentication succeeded for user admin",
    "auth: ok",
    "I1122 08:30:00.000000 1 reflector.go:1] \"Caches populated\" type=\"*v1.Secret\" reflector=\"x\"",
    "kind: Secret",
    "involvedObject: {kind: Secret, name: tls, namespace: a}",
    "secretKeyRef: {name: db, key: password}",
    "valueFrom:\n  secretKeyRef:\n    key: password\n    name: db",
    "imagePullSecrets:\n- name: pull",
    "tcp LISTEN 0.0.0.0:6443 0.0.0.0:* users:((\"kube-api\",pid=7,fd=3))",
    "password: /run/secrets/db",
    "https://10.0.0.1:6443/api/v1/namespaces/a@b/pods",
    "http://user@host:8080/x",
    "https://[fd00::1]:6443/x?a=b@c",
    "192.168.1.1:8080 a@b.c",
    "ip netns identify; ip -u 1000:1000 docker run -u 1000:1000",
    "set community 65000:1 additive",
    "neighbor 172.18.0.3 remote-as 64512",
    "2026-11-22T08:30:00.000Z|00012|bridge|INFO|bridge br-int: added interface pass on port 3",
    "the check passed: 3 passed, 0 failed; bypass=1 pass: 12",
    "rx_pass: 12",
    "DB_PASSWORD: $(DB_PASSWORD)",
    "        password: <set to the key 'password' in secret 'db'>  Optional: false",
    "Token ring is not supported",
    "comp lzo is off; enc is on",
    "net.core.netdev_rss_key is not read",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    "Tokens:              <none>",
    "Mountable secrets:   default-token-abcde",
    "basic networking works: yes",
    "kubernetes.io/service-account-token",
    "leader election key: openshift-ovn-kubernetes/ovn-kubernetes-master",
    "\"Synced\" key=\"openshift-dns/dns-default\"",
    "nb_cfg: 3; authenticated: true",
];

#[test]
fn healthy_data_stays() {
    let lost: Vec<String> = HEALTHY
        .iter()
        .map(|text| (text, clean(text)))
        .filter(|(text, shown)| **text != shown)
        .map(|(text, shown)| format!("{text:?} gives {shown:?}"))
        .collect();
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}
