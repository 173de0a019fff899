//! Checks debug pods: a server makes one only if no other container serves and only if allowed, and deletes it in every
//! case.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::Server;
use super::gone::{begin, ended, runs};
use super::kubectl::Kubectl;
use super::{GRACE, start, wait};
use crate::mcp::Session;
use crate::workspace::{Crate, Result, Workspace};

/// The flag that allows debug pods.
const ALLOWED: &str = "--allow-debug-pods";

/// The time within which the reason of a debug pod's failure must be known, although the call may take longer.
const SOON: Duration = Duration::from_secs(15);

/// A reason that keeps a debug pod from starting, in the options or in the cluster, and the texts that the answer must
/// contain.
struct Case {
    options: &'static [&'static str],
    fault: fn() -> Value,
    seconds: u64,
    says: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        options: &["--debug-image=registry.invalid/tools:1"],
        fault: || json!({ "lacks": "none" }),
        seconds: 60,
        says: &["ImagePullBackOff", "registry.invalid/tools:1", "--debug-image"],
    },
    // Admission, a quota or a missing right rejects the pod.
    Case {
        options: &[],
        fault: || json!({ "path": "/pods", "method": "POST", "status": 403 }),
        seconds: 60,
        says: &["the API server refused it", "create", "pods", "ovn-kubernetes"],
    },
    // A taint without a matching toleration looks the same: it is the node's own admission.
    Case {
        options: &[],
        fault: || json!({ "node": "ovn-worker", "kubelet": "full" }),
        seconds: 60,
        says: &["OutOfpods", "Pod was rejected"],
    },
    Case {
        options: &[],
        fault: || json!({ "node": "ovn-worker", "kubelet": "silent" }),
        seconds: 4,
        says: &["it is not running after", "the node has not started it yet"],
    },
    Case {
        options: &["--debug-namespace=nowhere"],
        fault: || json!({ "lacks": "none" }),
        seconds: 60,
        says: &["create pods", "nowhere", "not found"],
    },
];

/// A fault, in words and as the API server takes it.
type LostAnswer = (&'static str, fn() -> Value);

/// Answers about the creation or the deletion of a pod that the API server may fail to give.
const LOST: [LostAnswer; 3] = [
    ("no answer", || json!({ "path": "/pods", "method": "POST", "hang": true, "times": 1 })),
    ("half an answer", || json!({ "path": "/pods", "method": "POST", "cut_after": 10, "times": 1 })),
    ("too busy to delete", || json!({ "path": "/pods/", "method": "DELETE", "status": 503, "times": 1 })),
];

/// What the evidence says of a command that ran in a debug pod.
pub(super) const IN_DEBUG_POD: &str = " in debug of ovn-kubernetes/ovn-mcp-debug-";

/// The API server, and a kubectl that looks at it from outside.
struct DebugPodTest<'a> {
    workspace: &'a Workspace,
    server: &'a Server,
    kubectl: &'a Kubectl,
    kernel: &'a Crate,
}

/// Checks debug pods in all ways.
pub(super) fn check(workspace: &Workspace, server: &Server, kubectl: &Kubectl) -> Result {
    let scene = DebugPodTest { workspace, server, kubectl, kernel: workspace.layer("mcp-kernel")? };
    let of_pod = json!({ "pod": "default/web-1" });
    let without = body(&scene.call(&[], "ip_addr_show", &of_pod)?.map_err(|error| error.to_string())?);
    // From here on no image has the programs that the tools need.
    let lacking = [json!({ "lacks": "conntrack" }), json!({ "lacks": "ip" })];
    server.faults(&json!(lacking))?;
    scene.needed()?;
    scene.used()?;
    let mut session = scene.start(&[ALLOWED])?;
    let with = session.call("ip_addr_show", &of_pod)?.map_err(|error| error.to_string())?;
    let evidence = session.evidence(&with)?;
    session.close()?;
    if body(&with) != without || !evidence.contains(IN_DEBUG_POD) {
        return Err(format!(
            "the addresses of a pod differ\nwithout a debug pod: {without}\nwith one: {with}"
        )
        .into());
    }
    scene.none("the server has ended")?;
    for case in CASES {
        let faults: Vec<Value> = lacking.iter().cloned().chain([(case.fault)()]).collect();
        server.faults(&json!(faults))?;
        scene.cannot_start(case)?;
    }
    println!("mcp-kernel: {} failures of a debug pod are reported, and no pod is left", CASES.len());
    server
        .faults(&json!([lacking.first(), lacking.last(), { "node": "ovn-worker", "kubelet": "silent" }]))?;
    scene.cancelled_while_it_starts()?;
    for (what, fault) in LOST {
        let faults: Vec<Value> = lacking.iter().cloned().chain([fault()]).collect();
        scene.lost(what, &faults)?;
    }
    server.faults(&json!(lacking))?;
    scene.replaced()?;
    scene.gone()?;
    scene.swept()?;
    server.faults(&json!([]))
}

/// Returns an answer without the lines that name its source.
fn body(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("# ")).collect::<Vec<_>>().join("\n")
}

impl DebugPodTest<'_> {
    fn start(&self, options: &[&str]) -> Result<Session> {
        start(self.workspace, self.server, self.kernel, options)
    }

    /// Makes one call of a new server.
    fn call(
        &self,
        options: &[&str],
        tool: &str,
        arguments: &Value,
    ) -> Result<std::result::Result<String, String>> {
        let mut session = self.start(options)?;
        let said = session.call(tool, arguments)?;
        session.close()?;
        Ok(said)
    }

    /// Returns the debug pods that exist.
    fn pods(&self) -> Result<Vec<String>> {
        let list = "get pods -A -o name -l app.kubernetes.io/managed-by=ovn-kubernetes-mcp";
        let words: Vec<&str> = list.split(' ').collect();
        let said = self.kubectl.expect("admin", &words, "", 0, &[])?;
        Ok(said.text.lines().filter(|line| line.starts_with("pod/")).map(ToOwned::to_owned).collect())
    }

    /// Checks that no debug pod and no command is left, now or very soon.
    fn none(&self, when: &str) -> Result {
        wait(GRACE, || Ok(self.pods()?.is_empty() && self.server.processes()?.is_empty()))?.ok_or_else(
            || {
                format!(
                    "after {when}, these pods and commands are left: {:?} and {:?}",
                    self.pods(),
                    self.server.processes()
                )
            },
        )?;
        Ok(())
    }

    /// Checks that without the flag the tool says what is missing, and that bad parameters are refused before a pod is
    /// made.
    fn needed(&self) -> Result {
        let asked = json!({ "node_name": "ovn-worker" });
        match self.call(&[], "conntrack_list", &asked)? {
            Err(text) if text.contains(ALLOWED) && text.contains("conntrack") => {}
            other => return Err(format!("without {ALLOWED}: {other:?}").into()),
        }
        let mut session = self.start(&[ALLOWED])?;
        let said =
            session.call("conntrack_list", &json!({ "node_name": "ovn-worker", "address": "; reboot" }))?;
        let made = self.pods()?;
        if said.is_ok() || !made.is_empty() {
            return Err(
                format!("a call with a bad parameter answered {said:?} and made the pods {made:?}").into()
            );
        }
        session.close()
    }

    /// Checks that one pod serves several calls, and is deleted when the server ends.
    fn used(&self) -> Result {
        let mut session = self.start(&[ALLOWED])?;
        for _ in 0..2 {
            match session.call("conntrack_list", &json!({ "node_name": "ovn-worker" }))? {
                Ok(text) if session.evidence(&text)?.contains(IN_DEBUG_POD) => {}
                other => return Err(format!("with {ALLOWED}: {other:?}").into()),
            }
        }
        let made = self.pods()?;
        if made.len() != 1 {
            return Err(format!("two calls on one node made these debug pods: {made:?}").into());
        }
        session.close()?;
        self.none("the server has ended")
    }

    fn cannot_start(&self, case: &Case) -> Result {
        let options: Vec<&str> = std::iter::once(ALLOWED).chain(case.options.iter().copied()).collect();
        let mut session = self.start(&options)?;
        let begun = Instant::now();
        let asked = json!({ "node_name": "ovn-worker", "timeout_seconds": case.seconds });
        let said = session.call("conntrack_list", &asked)?;
        let took = begun.elapsed();
        let text = said.as_ref().unwrap_or_else(|error| error);
        let missing: Vec<&&str> = case.says.iter().filter(|part| !text.contains(**part)).collect();
        if said.is_ok() || !missing.is_empty() || took > SOON {
            return Err(format!(
                "the error for a debug pod that cannot start came after {took:.1?} and does not contain {missing:?}: {text}"
            )
            .into());
        }
        // The pod must be deleted at once, and not only when the server ends.
        self.none("the pod could not start")?;
        session.close()
    }

    /// Checks that a pod is deleted if its call was cancelled while the pod started.
    fn cancelled_while_it_starts(&self) -> Result {
        let mut session = self.start(&[ALLOWED])?;
        let arguments = json!({ "node_name": "ovn-worker", "timeout_seconds": 60 });
        let id = session.ask("tools/call", json!({ "name": "conntrack_list", "arguments": arguments }))?;
        wait(SOON, || Ok(!self.pods()?.is_empty()))?.ok_or("no debug pod was made")?;
        session.cancel(id)?;
        session.close()?;
        self.none("the call was cancelled while the pod started")
    }

    /// Checks that a lost answer of the API server leaves no pod behind, and that the next call gets a pod.
    fn lost(&self, what: &str, faults: &[Value]) -> Result {
        self.server.faults(&json!(faults))?;
        let mut session = self.start(&[ALLOWED])?;
        let asked = json!({ "node_name": "ovn-worker", "timeout_seconds": 4 });
        _ = session.call("conntrack_list", &asked)?;
        let asked = json!({ "node_name": "ovn-worker", "timeout_seconds": 30 });
        let said = session.call("conntrack_list", &asked)?;
        said.map_err(|error| format!("{what}, and the next call failed: {error}"))?;
        session.close()?;
        self.none(what)
    }

    /// Checks that the server makes a new pod if somebody deletes the pod that it uses.
    fn replaced(&self) -> Result {
        let mut session = self.start(&[ALLOWED])?;
        let asked = json!({ "node_name": "ovn-worker" });
        for _ in 0..2 {
            session
                .call("conntrack_list", &asked)?
                .map_err(|error| format!("after the debug pod was deleted, the call failed: {error}"))?;
            for pod in self.pods()? {
                let words = ["delete", "-n", "ovn-kubernetes", "--grace-period=0", "--force", &pod];
                self.kubectl.expect("admin", &words, "", 0, &[])?;
            }
        }
        session.close()?;
        self.none("the pods were deleted")
    }

    /// Checks that commands in the pod end with their calls, and that the pod is deleted when its server ends.
    fn gone(&self) -> Result {
        for end in ["call", "client", "SIGTERM"] {
            let mut session = self.start(&[ALLOWED])?;
            let id = begin(self.server, &mut session, 50)?;
            let now = Instant::now();
            match end {
                "call" => {
                    session.cancel(id)?;
                    ended(self.server, now, "the call in a debug pod was cancelled")?;
                    session.close()?;
                }
                "client" => session.hang_up()?,
                _ => _ = session.end("TERM")?,
            }
            self.none(end)?;
        }
        println!("mcp-kernel: a debug pod is deleted with its server, whatever ends the server");
        Ok(())
    }

    /// Checks that the next server deletes the pod of a server that was killed.
    fn swept(&self) -> Result {
        let mut session = self.start(&[ALLOWED])?;
        begin(self.server, &mut session, 50)?;
        session.end("KILL")?;
        let left = self.pods()?;
        if left.len() != 1 || !runs(self.server)? {
            return Err(format!("a server that was killed left {left:?}").into());
        }
        let mut session = self.start(&[ALLOWED])?;
        // Any question makes the server connect.
        session
            .call("ip_rule_show", &json!({ "node_name": "ovn-worker2" }))?
            .map_err(|error| format!("after another server was killed, the call failed: {error}"))?;
        wait(GRACE, || Ok(self.pods()?.iter().all(|pod| !left.contains(pod)) && !runs(self.server)?))?
            .ok_or("the next server did not delete the debug pod of a killed server")?;
        session.close()?;
        self.none("the second server has ended")?;
        println!("mcp-kernel: the next server deletes the pod of a killed server");
        Ok(())
    }
}
