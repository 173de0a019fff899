//! Finds a container for a place on a node, and runs a command in it.

use super::{
    Connection,
    api::{Api, RequestDeadline},
    error::{ApiRequest, ClusterError},
    exec::{self, Container, ExecError, TimeLimit},
    pods::{self, Candidates},
};
use crate::{
    Argv, CapturePart, CommandPlace, CommandTarget, NodeName, Origin, Output, PodRef, ReadError, ReadValue,
    backend::{answered, warnings},
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{api::Request, core::params::GetParams};

/// How many pods outside OVN-Kubernetes are tried for a program.
const OTHERS: usize = 8;

/// A command, where it runs, and its time limits.
#[derive(Clone, Copy)]
struct CommandJob<'a> {
    at: &'a CommandTarget,
    argv: &'a Argv,
    deadline: RequestDeadline,
    time: TimeLimit,
    /// Where the standard output goes, if the caller keeps it elsewhere.
    into: Option<&'a CapturePart>,
}

/// The result of the search so far, while no container could run the command.
#[derive(Default)]
struct SearchState {
    /// A container that has no program to limit the command's time.
    unbounded: Option<Container>,
    /// The containers that were passed over, and why.
    passed_over: Vec<String>,
    /// A pod no longer exists, so the search must start again.
    gone: Option<ReadError>,
    /// The error of a command that ran in a container without the privileges it needs.
    powerless: Option<ReadError>,
    /// The number of containers that lack the program.
    without: usize,
    /// The number of containers that were not tried.
    not_asked: usize,
}

impl Connection {
    /// Runs a command at its target.
    pub(super) async fn command(
        &self,
        at: &CommandTarget,
        argv: &Argv,
        time: TimeLimit,
        into: Option<&CapturePart>,
    ) -> Result<ReadValue<Output>, ReadError> {
        let job = CommandJob { at, argv, deadline: RequestDeadline::after(at.within), time, into };
        match self.attempt(job).await? {
            Ok(read) => Ok(read),
            Err(tried) if tried.gone.is_some() => {
                // The pod was replaced since the list was read.
                self.pods.forget(&at.node);
                self.attempt(job).await?.map_err(|tried| self.no_container_error(job, tried))
            }
            Err(tried) => Err(self.no_container_error(job, tried)),
        }
    }

    /// Tries all candidates once.
    async fn attempt(
        &self,
        job: CommandJob<'_>,
    ) -> Result<Result<ReadValue<Output>, SearchState>, ReadError> {
        let CommandJob { at, argv, deadline, .. } = job;
        let mut tried = SearchState::default();
        let (api, node) = (&self.api, &at.node);
        let pods = self.pods.of(api, node, deadline).await?;
        pods::refuse_central(api, node, &at.place, &pods, deadline).await?;
        let of_pod = match &at.place {
            CommandPlace::Pod(pod) => Some(pod_on(api, pod, node, deadline).await?),
            _ => None,
        };
        let (place, mut found) = match &of_pod {
            // A pod on the host's network has no network of its own.
            Some(pod) if pods::uses_host_network(pod) => {
                (CommandPlace::Host, pods::candidates(&pods, &CommandPlace::Host))
            }
            Some(pod) => (at.place.clone(), pods::running(pod)),
            None => (at.place.clone(), pods::candidates(&pods, &at.place)),
        };
        let anything = !found.containers.is_empty();
        prefer(&mut found, argv);
        if let Some(read) = self.run_in_first(job, found, &mut tried).await? {
            return Ok(Ok(read));
        }
        if tried.gone.is_some() {
            return Ok(Err(tried));
        }
        match place {
            CommandPlace::Host => {
                let mut others = pods::on_host_network(api, node, deadline).await?;
                others.retain(|pod| !pods.iter().any(|known| known.metadata.uid == pod.metadata.uid));
                let mut found = pods::candidates(&others, &CommandPlace::Host);
                found.passed_over.clear();
                prefer(&mut found, argv);
                tried.not_asked = found.containers.len().saturating_sub(OTHERS);
                found.containers.truncate(OTHERS);
                if let Some(read) = self.run_in_first(job, found, &mut tried).await? {
                    return Ok(Ok(read));
                }
            }
            CommandPlace::Pod(_) => {}
            _ if anything => return Ok(Err(tried)),
            _ => return Err(pods::no_container(&pods, &at.place, node)),
        }
        let pod = of_pod.filter(|_| matches!(place, CommandPlace::Pod(_)));
        match self.in_debug_pod(job, pod.as_ref(), &pods, &mut tried).await? {
            Some(read) => Ok(Ok(read)),
            None => Ok(Err(tried)),
        }
    }

    /// Runs the command in the first candidate that has the program.
    async fn run_in_first(
        &self,
        job: CommandJob<'_>,
        found: Candidates,
        tried: &mut SearchState,
    ) -> Result<Option<ReadValue<Output>>, ReadError> {
        tried.passed_over.extend(found.passed_over);
        for container in found.containers {
            if let Some(read) = self.run_in(job, &container, &[], tried).await? {
                return Ok(Some(read));
            }
        }
        Ok(None)
    }

    /// Runs the command in one container.
    async fn run_in(
        &self,
        job: CommandJob<'_>,
        container: &Container,
        before: &[String],
        tried: &mut SearchState,
    ) -> Result<Option<ReadValue<Output>>, ReadError> {
        let CommandJob { at, argv, deadline, time, into } = job;
        let command = || format!("{argv}` in `{container}");
        let left = deadline.left().as_secs();
        let watched = |output| {
            let output = Output { status: Some(0), ..output };
            let mut read = finished(job, container, before, output, &tried.passed_over)?;
            if matches!(time, TimeLimit::For(time) if time.as_secs() > left) {
                read.notes.push(format!(
                    "it ran for only {left} s, because finding the container took the rest of the call's time"
                ));
            }
            Ok(Some(read))
        };
        let has_printed =
            |output: &Output| !output.stdout.is_empty() || into.is_some_and(|part| !part.is_empty());
        match exec::run(&self.api, container, before, argv, time, into, deadline).await {
            Ok(output) if is_powerless(&at.place, &output) => {
                // Another container may have more capabilities, and a debug pod has all.
                let e = finished(job, container, before, output, &tried.passed_over);
                tried.powerless = tried.powerless.take().or(e.err());
                Ok(None)
            }
            Ok(output) => finished(job, container, before, output, &tried.passed_over).map(Some),
            // Ending at the time limit is the expected outcome. If the exit status is missing, the output shows that it
            // ran.
            Err(ExecError::TimedOut(output)) if matches!(time, TimeLimit::For(_)) => watched(output),
            Err(ExecError::Silent(_, output))
                if matches!(time, TimeLimit::For(_)) && has_printed(&output) =>
            {
                watched(output)
            }
            Err(ExecError::Silent(waited, output))
                if output.stdout.is_empty() && output.stderr.is_empty() =>
            {
                let (command, seconds) = (command(), waited.as_secs());
                Err(ClusterError::Silent { command, node: at.node.to_string(), seconds }.into())
            }
            Err(ExecError::TimedOut(output) | ExecError::Silent(_, output)) => {
                Err(ReadError::timed_out(command(), &at.node, at.within, &output))
            }
            Err(ExecError::NoProgram) => {
                tried.without += 1;
                Ok(None)
            }
            Err(ExecError::NoTimeout) => {
                tried.unbounded.get_or_insert_with(|| container.clone());
                Ok(None)
            }
            Err(ExecError::NotRunning(said)) => {
                self.pods.forget(&at.node);
                tried.passed_over.push(format!("{container} is not running ({said})"));
                Ok(None)
            }
            Err(ExecError::Gone(e)) => {
                tried.gone = Some(e);
                Ok(None)
            }
            Err(ExecError::Failed(e)) => Err(e),
        }
    }

    /// Runs the command in a debug pod on the node: first with the pod's own programs, then with the host's.
    async fn in_debug_pod(
        &self,
        job: CommandJob<'_>,
        pod: Option<&Pod>,
        pods: &[Pod],
        tried: &mut SearchState,
    ) -> Result<Option<ReadValue<Output>>, ReadError> {
        let CommandJob { at, deadline, .. } = job;
        let Some(debug) = &self.debug else { return Ok(None) };
        let pod_of_node = debug.on(&self.api, &at.node, pods, deadline).await?;
        let container = pod_of_node.container();
        let before = match pod {
            None => Vec::new(),
            Some(pod) => {
                let pid = self.process_of(job, pod, &container).await?;
                ["nsenter".to_owned(), format!("--target={pid}"), "--net".into(), "--".into()].into()
            }
        };
        let mut hosts = before.clone();
        hosts.extend(["chroot".to_owned(), super::debug::HOST_ROOT.to_owned()]);
        for before in [before, hosts] {
            let others = tried.passed_over.len();
            if let Some(read) = self.run_in(job, &container, &before, tried).await? {
                return Ok(Some(read));
            }
            // The debug pod was evicted, or it ended. The next attempt creates another one.
            let ended = tried.passed_over.drain(others..).next();
            if let Some(why) = ended {
                let node = at.node.to_string();
                tried.gone.get_or_insert(ClusterError::DebugPod { node, why }.into());
            }
            if tried.gone.is_some() {
                debug.forget(&at.node, &pod_of_node).await;
                break;
            }
        }
        Ok(None)
    }

    /// Finds a process in a pod's network namespace, as a debug pod sees it. The pod's control group shows the process:
    /// its name contains the UID of the pod with every container runtime.
    async fn process_of(&self, job: CommandJob<'_>, pod: &Pod, debug: &Container) -> Result<u32, ReadError> {
        let CommandJob { at, deadline, .. } = job;
        let failed =
            |why: String| ReadError::unreadable(format!("the network namespace of {}", at.place), why);
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        let uid = uid.parse().map_err(|e: crate::BadName| failed(e.to_string()))?;
        let argv = crate::commands::processes_of_pod(&uid);
        let output = match exec::run(&self.api, debug, &[], &argv, TimeLimit::ToItsEnd, None, deadline).await
        {
            Ok(output) => output,
            Err(ExecError::Failed(e) | ExecError::Gone(e)) => return Err(e),
            Err(ExecError::TimedOut(output) | ExecError::Silent(_, output)) => {
                return Err(ReadError::timed_out(argv.to_string(), &at.node, at.within, &output));
            }
            Err(_) => return Err(failed("the image of the debug pod lacks find(1) or grep(1)".into())),
        };
        let text = String::from_utf8_lossy(&output.stdout);
        let pid = |line: &str| line.strip_prefix("/proc/")?.split('/').next()?.parse::<u32>().ok();
        text.lines()
            .filter_map(pid)
            .min()
            .ok_or_else(|| failed("no process of the pod runs on the node".into()))
    }

    /// Explains why no container could run the command.
    fn no_container_error(&self, job: CommandJob<'_>, tried: SearchState) -> ReadError {
        let CommandJob { at, argv, .. } = job;
        if let Some(error) = tried.gone.or(tried.powerless) {
            return error;
        }
        let (node, program) = (at.node.to_string(), argv.program().to_owned());
        if let (Some(container), 0) = (&tried.unbounded, tried.without) {
            let (container, command) = (container.to_string(), argv.to_string());
            return ClusterError::NoTimeout { container, command }.into();
        }
        let of_host = matches!(at.place, CommandPlace::Host | CommandPlace::Pod(_));
        let needs_debug_pod = of_host && self.debug.is_none();
        if !tried.passed_over.is_empty() {
            // One of the containers that are not running may have the program.
            let (place, without) = (at.place.to_string(), tried.without);
            let passed_over = tried.passed_over;
            return ClusterError::NotRunning { place, node, program, without, passed_over, needs_debug_pod }
                .into();
        }
        if needs_debug_pod {
            return ClusterError::NeedsDebugPod { node, program, not_asked: tried.not_asked }.into();
        }
        ReadError::NoProgram { program, place: at.place.to_string(), node: at.node.clone() }
    }
}

/// Returns true if a program that needs the host's or a pod's network lacked the privileges for it.
fn is_powerless(place: &CommandPlace, output: &Output) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    matches!(place, CommandPlace::Host | CommandPlace::Pod(_))
        && output.status.is_some_and(|status| status != 0)
        && ["Operation not permitted", "you must be root"].iter().any(|words| said.contains(words))
}

/// Sorts the container that is dedicated to a program, or that has the files of the program, first. Every container has
/// its own `/etc`, so another container would answer that there is no such file.
fn prefer(found: &mut Candidates, argv: &Argv) {
    let command = argv.to_string();
    let is_about = |program: &str, files: &str| argv.program() == program || command.contains(files);
    let own = if is_about("vtysh", " /etc/frr/") {
        "frr"
    } else if is_about("ipsec", " /etc/ipsec.") {
        "ovn-ipsec"
    } else {
        return;
    };
    found.containers.sort_by_key(|container| container.name != own);
}

/// Reads the pod, and checks that it runs on the node of the call.
async fn pod_on(
    api: &Api,
    pod: &PodRef,
    node: &NodeName,
    deadline: RequestDeadline,
) -> Result<Pod, ReadError> {
    let asked = ApiRequest {
        verb: "get",
        resource: "pods".into(),
        namespace: Some(pod.namespace.to_string()),
        name: Some(pod.name.to_string()),
    };
    let request = Request::new(format!("/api/v1/namespaces/{}/pods", pod.namespace))
        .get(pod.name.as_str(), &GetParams::default())
        .map_err(|e| ReadError::unreadable("a request", e))?;
    let found: Pod = api.get(&asked, request, deadline).await?;
    match found.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) {
        Some(there) if there == node.as_str() => Ok(found),
        there => {
            let said = format!("the pod is on {}, not on {node}", there.unwrap_or("no node"));
            Err(ClusterError::NotFound { what: asked.to_string(), said }.into())
        }
    }
}

/// Turns the output of a finished command into an answer or an error.
fn finished(
    job: CommandJob<'_>,
    container: &Container,
    before: &[String],
    output: Output,
    passed_over: &[String],
) -> Result<ReadValue<Output>, ReadError> {
    let CommandJob { at, argv, .. } = job;
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match output.status {
        Some(status) if status == 0 || answered(argv.program(), status) => {
            let mut notes = passed_over.to_vec();
            let (warnings, beside) = warnings(argv.program(), &stderr);
            // The caller of a capture reads what the program says about it.
            notes.extend(warnings.into_iter().filter(|_| job.into.is_none()));
            let by = if before.iter().any(|word| word == "chroot") { " (the host's program)" } else { "" };
            let what = format!("{argv} in {container}{by}");
            Ok(ReadValue {
                value: output,
                origin: Origin::new(what, Some(Timestamp::now())).beside(beside),
                notes,
            })
        }
        status => {
            // vtysh(1) prints its errors to standard output.
            let said = if stderr.is_empty() { output.last() } else { stderr };
            let passed_over: String = passed_over.iter().map(|one| format!("; {one}")).collect();
            Err(ReadError::Failed {
                command: format!("{argv}` in `{container}"),
                node: at.node.clone(),
                status: status.unwrap_or(-1),
                stderr: said + &passed_over,
            })
        }
    }
}
