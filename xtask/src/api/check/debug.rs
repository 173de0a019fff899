//! Debug pods: made where nothing else will do and only if allowed, gone on every path.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::Server;
use super::gone::{begin, ended, runs};
use super::kubectl::Kubectl;
use super::{GRACE, start, wait};
use crate::mcp::Session;
use crate::workspace::{Crate, Result, Workspace};

/// What allows them.
const ALLOWED: &str = "--allow-debug-pods";

/// Why a debug pod cannot start must be known so soon, though the call may take longer.
const SOON: Duration = Duration::from_secs(15);

/// Something that keeps a debug pod from starting: in the options, in the cluster; and what the answer says of it.
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
    // Admission, a quota, or a right that is missing.
    Case {
        options: &[],
        fault: || json!({ "path": "/pods", "method": "POST", "status": 403 }),
        seconds: 60,
        says: &["the API server refused it", "create", "pods", "ovn-kubernetes"],
    },
    // A taint that no toleration helps against looks like this too: the node's own admission.
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

/// In words, and as a fault.
type Lost = (&'static str, fn() -> Value);

/// What an API server may fail to say about a pod that it was to make or to delete.
const LOST: [Lost; 3] = [
    ("no answer", || json!({ "path": "/pods", "method": "POST", "hang": true, "times": 1 })),
    ("half an answer", || json!({ "path": "/pods", "method": "POST", "cut_after": 10, "times": 1 })),
    ("too busy to delete", || json!({ "path": "/pods/", "method": "DELETE", "status": 503, "times": 1 })),
];

/// The API server, and who looks at it from outside.
struct Scene<'a> {
    workspace: &'a Workspace,
    server: &'a Server,
    kubectl: &'a Kubectl,
    kernel: &'a Crate,
}

/// Tries them in all ways.
pub(super) fn check(workspace: &Workspace, server: &Server, kubectl: &Kubectl) -> Result {
    let scene = Scene { workspace, server, kubectl, kernel: workspace.layer("mcp-kernel")? };
    let of_pod = json!({ "pod": "default/web-1" });
    let without = body(&scene.call(&[], "ip_addr_show", &of_pod)?.map_err(|error| error.to_string())?);
    // From now on no image has what the tools need.
    let lacking = [json!({ "lacks": "conntrack" }), json!({ "lacks": "ip" })];
    server.faults(&json!(lacking))?;
    scene.needed()?;
    scene.used()?;
    let with = scene.call(&[ALLOWED], "ip_addr_show", &of_pod)?.map_err(|error| error.to_string())?;
    if body(&with) != without || !with.contains("ovn-mcp-debug-") {
        return Err(format!("through a debug pod a pod's addresses are not {without}\nbut {with}").into());
    }
    scene.none("the server has ended")?;
    for case in CASES {
        let faults: Vec<Value> = lacking.iter().cloned().chain([(case.fault)()]).collect();
        server.faults(&json!(faults))?;
        scene.cannot_start(case)?;
    }
    println!("mcp-kernel: {} ways in which a debug pod cannot start are told, and none is left", CASES.len());
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

/// An answer without where it comes from.
fn body(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("# ")).collect::<Vec<_>>().join("\n")
}

impl Scene<'_> {
    fn start(&self, options: &[&str]) -> Result<Session> {
        start(self.workspace, self.server, self.kernel, options)
    }

    /// One call of a server of its own.
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

    /// The debug pods that there are.
    fn pods(&self) -> Result<Vec<String>> {
        let list = "get pods -A -o name -l app.kubernetes.io/managed-by=ovn-kubernetes-mcp";
        let words: Vec<&str> = list.split(' ').collect();
        let said = self.kubectl.expect("admin", &words, "", 0, &[])?;
        Ok(said.text.lines().filter(|line| line.starts_with("pod/")).map(ToOwned::to_owned).collect())
    }

    /// No debug pod is there, or very soon none will be; and nothing runs.
    fn none(&self, when: &str) -> Result {
        wait(GRACE, || Ok(self.pods()?.is_empty() && self.server.processes()?.is_empty()))?.ok_or_else(
            || format!("after {when} there are {:?} and {:?}", self.pods(), self.server.processes()),
        )?;
        Ok(())
    }

    /// Without leave the tool says what is missing, and bad parameters are bad before anything is made.
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
            return Err(format!("with a bad parameter: {said:?}, {made:?}").into());
        }
        session.close()
    }

    /// One pod serves several calls, and goes with the server.
    fn used(&self) -> Result {
        let mut session = self.start(&[ALLOWED])?;
        for _ in 0..2 {
            match session.call("conntrack_list", &json!({ "node_name": "ovn-worker" }))? {
                Ok(text) if text.contains("in debug of ovn-kubernetes/ovn-mcp-debug-") => {}
                other => return Err(format!("with {ALLOWED}: {other:?}").into()),
            }
        }
        let made = self.pods()?;
        if made.len() != 1 {
            return Err(format!("two calls on one node made {made:?}").into());
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
                "a debug pod that cannot start: after {took:.1?}, without {missing:?}: {text}"
            )
            .into());
        }
        // Not only when the server ends.
        self.none("it could not start")?;
        session.close()
    }

    /// Nobody waits for the pod any more: it is deleted when it is known by its name.
    fn cancelled_while_it_starts(&self) -> Result {
        let mut session = self.start(&[ALLOWED])?;
        let arguments = json!({ "node_name": "ovn-worker", "timeout_seconds": 60 });
        let id = session.ask("tools/call", json!({ "name": "conntrack_list", "arguments": arguments }))?;
        wait(SOON, || Ok(!self.pods()?.is_empty()))?.ok_or("no debug pod was made")?;
        session.cancel(id)?;
        session.close()?;
        self.none("its call was cancelled while it started")
    }

    /// An answer of the API server that is lost leaves no pod behind, and the next call gets one.
    fn lost(&self, what: &str, faults: &[Value]) -> Result {
        self.server.faults(&json!(faults))?;
        let mut session = self.start(&[ALLOWED])?;
        let asked = json!({ "node_name": "ovn-worker", "timeout_seconds": 4 });
        _ = session.call("conntrack_list", &asked)?;
        let asked = json!({ "node_name": "ovn-worker", "timeout_seconds": 30 });
        let said = session.call("conntrack_list", &asked)?;
        said.map_err(|error| format!("{what}, and then: {error}"))?;
        session.close()?;
        self.none(what)
    }

    /// One that somebody deletes while the server has it, is made again.
    fn replaced(&self) -> Result {
        let mut session = self.start(&[ALLOWED])?;
        let asked = json!({ "node_name": "ovn-worker" });
        for _ in 0..2 {
            session
                .call("conntrack_list", &asked)?
                .map_err(|error| format!("with a debug pod that was deleted: {error}"))?;
            for pod in self.pods()? {
                let words = ["delete", "-n", "ovn-kubernetes", "--grace-period=0", "--force", &pod];
                self.kubectl.expect("admin", &words, "", 0, &[])?;
            }
        }
        session.close()?;
        self.none("they were deleted")
    }

    /// Commands in it end with their calls, and it goes with its server.
    fn gone(&self) -> Result {
        for end in ["call", "client", "SIGTERM"] {
            let mut session = self.start(&[ALLOWED])?;
            let id = begin(self.server, &mut session, 50)?;
            let now = Instant::now();
            match end {
                "call" => {
                    session.cancel(id)?;
                    ended(self.server, now, "its call in a debug pod was cancelled")?;
                    session.close()?;
                }
                "client" => session.hang_up()?,
                _ => _ = session.end("TERM")?,
            }
            self.none(end)?;
        }
        println!("mcp-kernel: a debug pod goes with its server, whatever ends that");
        Ok(())
    }

    /// A server that was killed leaves its pod to the next.
    fn swept(&self) -> Result {
        let mut session = self.start(&[ALLOWED])?;
        begin(self.server, &mut session, 50)?;
        session.end("KILL")?;
        let left = self.pods()?;
        if left.len() != 1 || !runs(self.server)? {
            return Err(format!("a server that was killed left {left:?}").into());
        }
        let mut session = self.start(&[ALLOWED])?;
        // Any question connects it.
        session
            .call("ip_rule_show", &json!({ "node_name": "ovn-worker2" }))?
            .map_err(|error| format!("after another server was killed: {error}"))?;
        wait(GRACE, || Ok(self.pods()?.iter().all(|pod| !left.contains(pod)) && !runs(self.server)?))?
            .ok_or("the debug pod of a server that was killed is not swept")?;
        session.close()?;
        self.none("the second server has ended")?;
        println!("mcp-kernel: what a server left that was killed, the next one deletes");
        Ok(())
    }
}
