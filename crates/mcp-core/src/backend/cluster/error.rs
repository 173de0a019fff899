//! Why a cluster gave nothing, and what to do about it.

use kube::core::Status;
use std::{error::Error, fmt, io};

/// What was asked of the API server, in the words of RBAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// `list`.
    pub(super) verb: &'static str,
    /// `pods`, `networkpolicies.networking.k8s.io`, `pods/exec`.
    pub(super) resource: String,
    /// None: of the whole cluster.
    pub(super) namespace: Option<String>,
    /// One object.
    pub(super) name: Option<String>,
}

impl Asked {
    /// Of the whole cluster.
    pub(super) fn cluster(verb: &'static str, resource: impl Into<String>) -> Self {
        Self { verb, resource: resource.into(), namespace: None, name: None }
    }
}

/// `list pods in namespace shop`.
impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => Ok(()),
        }
    }
}

/// Why a cluster gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// It does not know who we are (401).
    #[error("the API server {server} does not accept our credentials (401): {said}")]
    Unauthorized {
        /// The server.
        server: String,
        /// What it said.
        said: String,
    },
    /// There is nothing to prove with who we are.
    #[error("there are no credentials: {0}")]
    Credentials(String),
    /// We may not (403).
    #[error("not allowed to {what} (403): {said}")]
    Forbidden {
        /// What, in the words of RBAC: `create pods/exec in namespace ovn-kubernetes`.
        what: String,
        /// What it said.
        said: String,
    },
    /// It is not there (404).
    #[error("cannot {what}: not found (404): {said}")]
    NotFound {
        /// What was asked.
        what: String,
        /// What it said.
        said: String,
    },
    /// It is too busy (429).
    #[error("the API server is too busy to {what} (429): {said}")]
    Busy {
        /// What was asked.
        what: String,
        /// What it said.
        said: String,
    },
    /// Any other refusal.
    #[error("the API server could not {what} ({code}): {said}")]
    Refused {
        /// What was asked.
        what: String,
        /// The HTTP status.
        code: u16,
        /// What it said.
        said: String,
    },
    /// It does not listen.
    #[error("nothing listens at {server}: {said}")]
    NotListening {
        /// The server.
        server: String,
        /// What the system said.
        said: String,
    },
    /// It, or the way to it, does not answer.
    #[error("{server} cannot be reached: {said}")]
    Unreachable {
        /// The server.
        server: String,
        /// What the system said.
        said: String,
    },
    /// It is not who it should be, or does not think that we are.
    #[error("no trust between us and {server}: {said}")]
    Tls {
        /// The server.
        server: String,
        /// What is wrong.
        said: String,
    },
    /// The connection ended before the answer did.
    #[error("the connection ended while we were to {what}: {said}")]
    Cut {
        /// What was asked.
        what: String,
        /// How, and what had arrived.
        said: String,
    },
    /// What stands between does not let commands through.
    #[error("cannot {what}: no WebSocket connection: {said}")]
    NoUpgrade {
        /// What was asked.
        what: String,
        /// Why.
        said: String,
    },
    /// The answer is none.
    #[error("the answer to `{what}` makes no sense: {said}")]
    Nonsense {
        /// What was asked.
        what: String,
        /// Why.
        said: String,
    },
    /// No container where a command could run.
    #[error("no running container reaches {place} of {node}: looked for {wanted}")]
    NoContainer {
        /// The place.
        place: String,
        /// The node.
        node: String,
        /// What was looked for.
        wanted: String,
        /// What is there.
        there: Vec<String>,
    },
    /// Databases of the whole cluster on a few nodes.
    #[error("{node} has no databases of its own ({found}): central mode, or a zone of several nodes")]
    Central {
        /// The node.
        node: String,
        /// What shows it.
        found: String,
    },
    /// Commands could not be bounded.
    #[error(
        "{container} has no `timeout` program, so a command in it could outlive this call: `{command}` was not run"
    )]
    NoTimeout {
        /// The container.
        container: String,
        /// The command.
        command: String,
    },
    /// Nothing came back of a command.
    #[error("no sign of `{command}` on {node} within {seconds} s: whether it ran is not known")]
    Silent {
        /// The command, and where.
        command: String,
        /// The node.
        node: String,
        /// For how long it was waited, in seconds.
        seconds: u64,
    },
    /// The containers that may have a program do not run.
    #[error(
        "no running container has {program} for {place} of {node}: {}{}", passed_over.join("; "), lacking(*without)
    )]
    NotRunning {
        /// The place.
        place: String,
        /// The node.
        node: String,
        /// The program.
        program: String,
        /// How many containers run and lack it.
        without: usize,
        /// Those that do not run, and why.
        passed_over: Vec<String>,
        /// Could a debug pod run it, if there might be one?
        needs_debug_pod: bool,
    },
    /// Only a debug pod could do that.
    #[error(
        "no running container {}on {node} has {program}; a debug pod could run it", of_those_asked(*not_asked)
    )]
    NeedsDebugPod {
        /// The node.
        node: String,
        /// The program.
        program: String,
        /// How many containers of the host's network were not asked for it.
        not_asked: usize,
    },
    /// A debug pod did not start.
    #[error("the debug pod on {node} did not start: {why}")]
    DebugPod {
        /// The node.
        node: String,
        /// Why.
        why: String,
    },
}

fn lacking(without: usize) -> String {
    if without == 0 { String::new() } else { format!("; containers that run and lack it: {without}") }
}

fn of_those_asked(others: usize) -> String {
    if others == 0 { String::new() } else { format!("that was asked ({others} were not) ") }
}

/// What the API server says, cut to what a reader needs.
fn cut(text: &str) -> String {
    const MOST: usize = 400;
    let text = text.trim();
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{} ...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl ClusterError {
    /// The answer of the API server that is none.
    pub(super) fn of_status(server: &str, asked: &Asked, status: &Status) -> Self {
        let (what, said) = (asked.to_string(), cut(&status.message));
        match status.code {
            401 => Self::Unauthorized { server: server.into(), said },
            403 => Self::Forbidden { what, said },
            404 => Self::NotFound { what, said },
            429 => Self::Busy { what, said },
            code => Self::Refused { what, code, said },
        }
    }

    /// Why a question was not answered.
    pub(super) fn of_request(server: &str, asked: &Asked, error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_status(server, asked, &status),
            kube::Error::UpgradeConnection(e) => {
                Self::NoUpgrade { what: asked.to_string(), said: e.to_string() }
            }
            kube::Error::HyperError(_) | kube::Error::Service(_) => {
                match Self::of_transport(server, &error) {
                    Some(known) => known,
                    None => Self::Cut { what: asked.to_string(), said: last(&error) },
                }
            }
            other => Self::of_client(server, other),
        }
    }

    /// Why there is no client, or no connection of it.
    pub(super) fn of_client(server: &str, error: kube::Error) -> Self {
        if let kube::Error::Auth(e) = &error {
            return Self::Credentials(of_auth(e));
        }
        // A plugin that is asked again for a later request fails inside of the transport.
        let mut source: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(cause) = source {
            if let Some(e) = cause.downcast_ref::<kube::client::AuthError>() {
                return Self::Credentials(of_auth(e));
            }
            source = cause.source();
        }
        Self::of_transport(server, &error)
            .unwrap_or_else(|| Self::Unreachable { server: server.into(), said: last(&error) })
    }

    /// What the system says of a connection, if that is what failed.
    fn of_transport(server: &str, error: &(dyn Error + 'static)) -> Option<Self> {
        let server = server.to_owned();
        let mut source = Some(error);
        while let Some(cause) = source {
            let text = cause.to_string();
            // rustls is not named here: kube chooses it.
            let is_tls = [
                "certificate",
                "handshake",
                "AlertReceived",
                "fatal alert",
                "corrupt message",
                "CorruptMessage",
            ]
            .iter()
            .any(|word| text.contains(word));
            if let Some(e) = cause.downcast_ref::<io::Error>() {
                match e.kind() {
                    io::ErrorKind::ConnectionRefused => {
                        return Some(Self::NotListening { server, said: e.to_string() });
                    }
                    io::ErrorKind::TimedOut
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable => {
                        return Some(Self::Unreachable { server, said: e.to_string() });
                    }
                    _ if is_tls => return Some(Self::Tls { server, said: cut(&text) }),
                    _ => {}
                }
            } else if is_tls && cause.source().is_none() {
                return Some(Self::Tls { server, said: cut(&text) });
            } else if text.contains("dns error") {
                return Some(Self::Unreachable {
                    server,
                    said: format!("its name is not known ({})", last(cause)),
                });
            } else if text.contains("tunnel error") || text.contains("proxy") {
                return Some(Self::Unreachable {
                    server,
                    said: format!("the proxy before it: {}", last(cause)),
                });
            }
            source = cause.source();
        }
        None
    }

    /// One sentence on what to do.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Unauthorized { .. } | Self::Credentials(_) => {
                "Log in again (the kubeconfig's token or certificate may have expired) and call again; `kubectl auth \
                 whoami` with the same context shows whom the cluster takes you for."
                    .into()
            }
            Self::Forbidden { what, .. } if what.contains(" secrets") => {
                "No role in deploy/rbac allows to read Secrets, and no tool needs them.".into()
            }
            Self::Forbidden { what, .. } if what.contains("pods/exec") => format!(
                "Someone who may has to bind deploy/rbac/exec.yaml (in the namespace of OVN-Kubernetes) or exec-everywhere.yaml \
                 (in all namespaces) to this user, which allows to {what}."
            ),
            Self::Forbidden { what, .. } => format!(
                "Someone who may has to bind the ClusterRole of this server from deploy/rbac to this user, which allows \
                 to {what}; ovn-troubleshooter is that of all servers."
            ),
            Self::NotFound { .. } => {
                "It may have been deleted or replaced a moment ago: call again, or look for what exists.".into()
            }
            Self::Busy { .. } => "Wait some seconds, then ask for less at once (one node, one namespace).".into(),
            Self::Refused { said, .. } if is_about_kubelet(said) => {
                "The API server does not reach the kubelet: look at the Node object and its events. If this persists, ask a \
                 bundle, or run with --local on the node."
                    .into()
            }
            Self::Silent { .. } => {
                "The node or its kubelet may not answer: look at the Node object and its events, then call again."
                    .into()
            }
            Self::Refused { code: 400..=499, .. } => "The API server does not take the question as it is: what it said \
                                                      tells what to change."
                .into(),
            Self::Refused { code: 503 | 504, .. } => {
                "The API server, or what stands before it, is overloaded or starting: wait some seconds and call again."
                    .into()
            }
            Self::Refused { .. } => {
                "The API server failed, not the question: call again, and look at kube-apiserver if it stays.".into()
            }
            Self::NotListening { .. } | Self::Unreachable { .. } => {
                "Check the server and proxy of the kubeconfig's context, and the way there (VPN, NO_PROXY); if the API \
                 server is down, ask a must-gather with --bundle, or run with --local on the node."
                    .into()
            }
            Self::Tls { .. } => "Check certificate-authority and server of the kubeconfig's context; a proxy that opens \
                                 TLS needs its own authority there."
                .into(),
            Self::Cut { .. } => "Call again; if it stays, ask for less, and look at what stands between (proxy, load \
                                 balancer, konnectivity)."
                .into(),
            Self::NoUpgrade { .. } => {
                "A proxy in between may not let WebSocket through: set NO_PROXY for the API server, or connect another way."
                    .into()
            }
            Self::Nonsense { .. } => "Is this the address of a Kubernetes API server?".into(),
            Self::NoContainer { there, .. } if there.is_empty() => {
                "No pod of OVN-Kubernetes runs on this node: is it its network, and is the node up?".into()
            }
            Self::NoContainer { there, .. } => format!("There are: {}.", there.join("; ")),
            Self::Central { .. } => {
                "Only interconnect mode, one zone a node, is supported: a must-gather of this cluster tells as much.".into()
            }
            Self::NoTimeout { .. } => {
                "Use an image with coreutils there, or start the server with --allow-debug-pods.".into()
            }
            Self::NeedsDebugPod { .. } => "Start the server with --allow-debug-pods to let it make one.".into(),
            Self::NotRunning { needs_debug_pod, .. } => {
                let debug = if *needs_debug_pod {
                    " With --allow-debug-pods the server could make a pod that has it."
                } else {
                    ""
                };
                format!("The object of the pod and its events say why they do not run. Call again when they run.{debug}")
            }
            Self::DebugPod { why, .. } if why.contains("forbidden") => {
                "Bind deploy/rbac/debug-pods.yaml to this user if it may not create pods; --debug-namespace must allow \
                 privileged pods."
                    .into()
            }
            Self::DebugPod { .. } => {
                "Check --debug-image, --debug-namespace (it must allow privileged pods) and --debug-pull-secret.".into()
            }
        }
    }

    /// Would another reading of the same thing be worth a try?
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::NoContainer { .. } | Self::NeedsDebugPod { .. } | Self::NoTimeout { .. })
    }
}

/// The API server's words when it is the kubelet, and not itself, that does not answer: of logs and commands, and of `nodes/proxy`.
fn is_about_kubelet(said: &str) -> bool {
    ["error dialing backend", "error trying to reach service", ":10250"]
        .iter()
        .any(|words| said.contains(words))
}

/// What a plugin said, without the command that ran and what it printed for us alone.
fn of_auth(error: &kube::client::AuthError) -> String {
    match error {
        kube::client::AuthError::AuthExecRun { out, .. } => {
            let said = cut(&String::from_utf8_lossy(&out.stderr));
            format!("the plugin that the kubeconfig names failed with {}: {said}", out.status)
        }
        kube::client::AuthError::AuthExecStart(e) => {
            format!("the plugin that the kubeconfig names cannot be started: {e}")
        }
        kube::client::AuthError::AuthExecParse(_) => {
            "the plugin that the kubeconfig names printed no ExecCredential".into()
        }
        other => cut(&other.to_string()),
    }
}

/// The innermost cause: those around it repeat it.
fn last(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    cut(&text)
}
