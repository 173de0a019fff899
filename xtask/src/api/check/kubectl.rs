//! Checks the API server with kubectl: the most used client decides whether our server behaves like an API server.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use xshell::cmd;

use crate::installed;
use crate::workspace::{Result, Workspace};

/// A command, and the texts that its output must contain. The exit status is that of kubectl.
struct Case {
    words: &'static str,
    status: i32,
    says: &'static [&'static str],
}

const fn case(words: &'static str, says: &'static [&'static str]) -> Case {
    Case { words, status: 0, says }
}

const fn refused(words: &'static str, says: &'static [&'static str]) -> Case {
    Case { words, status: 1, says }
}

const EXEC: &str = "-n ovn-kubernetes exec ovnkube-node-k7xwd -c nb-ovsdb --";

const CASES: &[Case] = &[
    case("version", &["Server Version: v1.36.2"]),
    case("api-resources --namespaced", &["egressfirewalls", "networkpolicies", "netpol"]),
    case("get nodes -o wide", &["ovn-worker2", "Ready", "172.18.0.3", "containerd://"]),
    case(
        "get pods -A -o wide",
        &["ovnkube-node-k7xwd", "6/6", "10.244.0.5", "CrashLoopBackOff", "ImagePullBackOff"],
    ),
    case("get pods -A --chunk-size=3 -o name", &["pod/web-1", "pod/ovs-node-l9blx"]),
    case("get pods -l app=web,!x -o name", &["pod/web-1\npod/web-2\n"]),
    case("get pods --field-selector spec.nodeName=ovn-worker -o name", &["pod/client\npod/web-1\n"]),
    case(
        "get service,daemonset,egressip,networkpolicy,event -A",
        &["80:30080/TCP", "client-egress", "allow-client", "BackOff"],
    ),
    case("get namespaces,crd -o name", &["namespace/ovn-kubernetes", "egressips.k8s.ovn.org"]),
    case("get pod web-1 -o jsonpath={.status.podIP}", &["10.244.0.5"]),
    case("describe node ovn-worker", &["k8s.ovn.org/node-subnets", "InternalIP:  172.18.0.2"]),
    case(
        "describe pod -n clients crashy-67b46f8869-p2vbt",
        &["CrashLoopBackOff", "Back-off restarting failed container"],
    ),
    case("-n ovn-kubernetes logs ovnkube-node-k7xwd -c ovn-northd --tail=2", &["|INFO|"]),
    case("-n ovn-kubernetes logs ovnkube-node-k7xwd -c nb-ovsdb --timestamps --limit-bytes=60", &["Z 20"]),
    case("get --raw /api/v1/nodes/ovn-worker/proxy/logs/ovn/", &["ovn-northd.log"]),
    case("auth can-i create pods/exec", &["yes"]),
    refused("get pod nope", &["pods \"nope\" not found"]),
    refused("get pods --field-selector spec.image=x", &["field label not supported: spec.image"]),
    refused("logs web-1 --previous", &["previous terminated container \"web\" in pod \"web-1\" not found"]),
    refused("-n clients exec bad-image -- true", &["container not found (\"c\")"]),
];

/// The program kubectl, and the server that it talks to.
pub(crate) struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

/// The output of kubectl, from both streams, and its exit status.
pub(crate) struct KubectlOutput {
    pub(super) text: String,
    pub(super) status: i32,
}

impl Kubectl {
    /// Installs kubectl, unless it is installed.
    pub(crate) fn install(workspace: &Workspace, kubeconfig: &Path) -> Result<Self> {
        let program = installed::of_python(workspace, "kubectl")?.join("kubectl");
        Ok(Self { program, kubeconfig: kubeconfig.into() })
    }

    /// Runs kubectl with some words, some input, as some user.
    pub(crate) fn run(&self, user: &str, words: &[&str], input: &str) -> Result<KubectlOutput> {
        use std::io::Write;
        let sh = xshell::Shell::new()?;
        let (program, kubeconfig) = (&self.program, &self.kubeconfig);
        let command = cmd!(sh, "timeout 30 {program} --kubeconfig {kubeconfig} --context {user} {words...}");
        let mut command = Command::from(command);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ok(KubectlOutput { text, status: output.status.code().unwrap_or(-1) })
    }

    /// Runs kubectl, and checks its output.
    pub(crate) fn expect(
        &self,
        user: &str,
        words: &[&str],
        input: &str,
        status: i32,
        says: &[&str],
    ) -> Result<KubectlOutput> {
        let said = self.run(user, words, input)?;
        let missing: Vec<&&str> = says.iter().filter(|text| !said.text.contains(**text)).collect();
        if said.status == status && missing.is_empty() {
            return Ok(said);
        }
        let command = words.join(" ");
        Err(format!(
            "kubectl {command}: exit status {}, not {status}; it does not say {missing:?}:\n{}",
            said.status, said.text
        )
        .into())
    }
}

/// Runs all commands.
pub(super) fn check(kubectl: &Kubectl) -> Result {
    for Case { words, status, says } in CASES {
        let words: Vec<&str> = words.split(' ').collect();
        kubectl.expect("admin", &words, "", *status, says)?;
    }
    exec(kubectl)?;
    debug(kubectl)?;
    println!("kubectl: {} commands, exec and debug give the expected output", CASES.len());
    Ok(())
}

fn exec(kubectl: &Kubectl) -> Result {
    let exec = |words: &[&str], input: &str, status: i32, says: &[&str]| {
        let words: Vec<&str> = EXEC.split(' ').chain(words.iter().copied()).collect();
        kubectl.expect("admin", &words, input, status, says)
    };
    exec(&["ovn-nbctl", "--bare", "--columns=name", "list", "Logical_Router"], "", 0, &["GR_ovn-worker"])?;
    exec(&["sh", "-c", "echo out; echo err >&2; exit 7"], "", 7, &["out\n", "err\n", "exit code 7"])?;
    exec(&["nope"], "", 1, &["exec: \"nope\": executable file not found in $PATH"])?;
    let large = exec(&["head", "-c", "3000000", "/dev/zero"], "", 0, &[])?;
    if large.text.len() != 3_000_000 {
        return Err(format!("only {} of 3000000 bytes came back", large.text.len()).into());
    }
    let echoed =
        kubectl.expect("admin", &["exec", "-i", "web-1", "--", "cat"], "in and out", 0, &["in and out"])?;
    if echoed.text == "in and out" { Ok(()) } else { Err(format!("cat said {:?}", echoed.text).into()) }
}

/// Checks `kubectl debug node`, attached and not: the container has the node's files at /host, and leaves nothing
/// behind.
fn debug(kubectl: &Kubectl) -> Result {
    let debug = |more: &[&str], input: &str, says: &[&str]| {
        let words = [&["debug", "node/ovn-worker2", "--image=localhost/nettools:dev"], more].concat();
        kubectl.expect("admin", &words, input, 0, says)
    };
    debug(
        &["-i", "--", "sh"],
        "chroot /host hostname; ls /host/etc/ovn\n",
        &["ovn-worker2\n", "ovnsb_db.db"],
    )?;
    debug(
        &["--", "chroot", "/host", "ovs-vsctl", "get", "Open_vSwitch", ".", "ovs_version"],
        "",
        &["Creating"],
    )?;
    let pods =
        kubectl.expect("admin", &["get", "pods", "-o", "name"], "", 0, &["node-debugger-ovn-worker2-"])?;
    let made: Vec<&str> = pods.text.lines().filter(|pod| pod.contains("node-debugger")).collect();
    for pod in &made {
        kubectl.expect(
            "admin",
            &["wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=10s", pod],
            "",
            0,
            &[],
        )?;
        kubectl.expect("admin", &["delete", pod], "", 0, &["deleted"])?;
    }
    kubectl.expect("admin", &["get", "--raw", "/lab/processes"], "", 0, &["[]"])?;
    if made.len() == 2 {
        Ok(())
    } else {
        Err(format!("two debug pods should exist, but these exist: {made:?}").into())
    }
}

/// Checks that a role's user may do only what the role allows, and that a refusal names the right.
pub(super) fn roles(kubectl: &Kubectl) -> Result {
    let reader = "pod-reader";
    kubectl.expect(reader, &["get", "pods", "-A", "-o", "name"], "", 0, &["pod/web-1"])?;
    let forbidden = "nodes is forbidden: User \"pod-reader\" cannot list resource \"nodes\" in API group \"\" at the cluster scope";
    kubectl.expect(reader, &["get", "nodes"], "", 1, &[forbidden])?;
    let forbidden = "pods \"web-1\" is forbidden: User \"pod-reader\" cannot create resource \"pods/exec\" in API group \"\" in the namespace \"default\"";
    kubectl.expect(reader, &["exec", "web-1", "--", "true"], "", 1, &[forbidden])?;
    kubectl.expect(reader, &["auth", "can-i", "create", "pods/exec"], "", 1, &["no"])?;
    println!("kubectl: a role's user may do exactly what the role allows");
    Ok(())
}
