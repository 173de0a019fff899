//! Secrets in configuration files and command output do not appear in any answer. They are planted where they occur in
//! practice.

use mcp_core::Bundle;
use mcp_testing::{Case, Failed, answer};
use serde_json::json;
use std::{fs, path::Path, sync::Arc};

const PLANTED: &str = "planted";

fn put(root: &Path, path: &str, text: &str) -> Result<(), Failed> {
    let file = root.join(path);
    fs::create_dir_all(file.parent().ok_or("a file has a folder")?)?;
    Ok(fs::write(file, text)?)
}

/// Writes a must-gather of one node with secrets in its configuration files.
fn bundles(root: &Path) -> Result<(), Failed> {
    let pod = |pod: &str, namespace: &str| {
        format!("kind: Pod\nmetadata:\n  name: {pod}\n  namespace: {namespace}\nspec:\n  nodeName: node-1\n")
    };
    let gather = "must-gather.local/image/";
    let frr = format!("{gather}namespaces/openshift-frr-k8s/pods/frr-k8s-x/");
    put(root, &format!("{frr}frr-k8s-x.yaml"), &pod("frr-k8s-x", "openshift-frr-k8s"))?;
    let config = format!(
        "password {PLANTED}1\nenable password 8 {PLANTED}2\nrouter bgp 64512\n neighbor 172.18.0.3 password {PLANTED}3\n\
         key chain k\n key 1\n  key-string {PLANTED}4\ninterface br-ex\n ip ospf message-digest-key 1 md5 {PLANTED}5\n"
    );
    put(root, &format!("{frr}frr/frr/logs/dump_frr"), &format!("###### show running-config\n{config}"))?;
    put(root, &format!("{frr}frr/frr/logs/frr.conf"), &config)?;
    let host =
        format!("{gather}namespaces/openshift-ovn-kubernetes/pods/ovn-ipsec-host-x/ovn-ipsec-host-x.yaml");
    put(root, &host, &pod("ovn-ipsec-host-x", "openshift-ovn-kubernetes"))?;
    let ipsec = format!("{gather}network_logs/ipsec/");
    // The hexadecimal digits stand for a key, as `ip xfrm state` prints it.
    let state = "src 172.18.0.3 dst 172.18.0.2\n\tproto esp spi 0xf8c30232 reqid 1 mode transport\n\
                 \taead rfc4106(gcm(aes)) 0x75af74057be0a61c08abe2028beecebf 128\n\
                 \tauth-trunc hmac(sha256) 0x75af7405aaaa 128\n\tenc cbc(aes) 0x75af7405bbbb\n";
    put(root, &format!("{ipsec}xfrm/ovn-ipsec-host-x_state.log"), state)?;
    put(
        root,
        &format!("{ipsec}xfrm/ovn-ipsec-host-x_policy.log"),
        "src 0.0.0.0/0 dst 0.0.0.0/0 \n\tdir out priority 1\n",
    )?;
    put(
        root,
        &format!("{ipsec}ovn-ipsec-host-x_ipsec.conf"),
        &format!("conn a\n\tauthby=secret\n\tpsk=\"{PLANTED}6\"\n"),
    )?;
    put(
        root,
        &format!("{ipsec}ovn-ipsec-host-x_ipsec.d/openvswitch.conf"),
        &format!("conn b\n\tpsk={PLANTED}7\n"),
    )?;
    put(
        root,
        &format!("{ipsec}ovn-ipsec-host-x_ipsec.d/ipsec.secrets"),
        &format!("@a : PSK \"{PLANTED}8\"\n"),
    )
}

#[test]
fn no_answer_contains_a_secret() -> Result<(), Failed> {
    let root = tempfile::tempdir()?;
    bundles(root.path())?;
    let mut answered = 0;
    let questions = [
        ("frr_show", json!({ "what": "running_config" })),
        ("ip_xfrm_show", json!({})),
        ("ipsec_show", json!({ "what": "config" })),
        ("ipsec_show", json!({ "what": "status" })),
    ];
    for (tool, mut params) in questions {
        params["node_name"] = "node-1".into();
        let case = Case {
            scenario: String::new(),
            tool: tool.into(),
            params: params.as_object().cloned().ok_or("an object")?,
        };
        let backend = Arc::new(Bundle::new(vec![root.path().join("must-gather.local")]));
        let text = answer(mcp_kernel::layer(), backend, &case)?;
        assert!(!text.contains(PLANTED) && !text.contains("75af7405"), "{tool}: {text}");
        answered += usize::from(!text.starts_with("error:"));
        if tool == "frr_show" {
            assert!(
                text.contains(" neighbor 172.18.0.3 password [redacted]")
                    && text.contains("router bgp 64512"),
                "{text}"
            );
        }
        if tool == "ip_xfrm_show" {
            assert!(text.contains("aead rfc4106(gcm(aes)) [key] 128"), "{text}");
        }
    }
    assert_eq!(answered, 3);
    Ok(())
}
