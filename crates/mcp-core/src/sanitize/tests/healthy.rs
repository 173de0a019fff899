//! Healthy data that must not be redacted.

use crate::sanitize::clean;

/// Lines of real logs, configuration and tables. Every word in them is evidence.
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
fn healthy_data_is_unchanged() {
    let lost: Vec<String> = HEALTHY
        .iter()
        .map(|text| (text, clean(text)))
        .filter(|(text, shown)| **text != shown)
        .map(|(text, shown)| format!("{text:?} gives {shown:?}"))
        .collect();
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}
