//! Explains why a cluster returned nothing, and what to do about it.

use super::roles;
use kube::core::Status;
use std::{error::Error, fmt, io};

/// A request to the API server, described in the terms of RBAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiRequest {
    /// The verb: `list`.
    pub(super) verb: &'static str,
    /// The resource: `pods`, `networkpolicies.networking.k8s.io`, `pods/exec`.
    pub(super) resource: String,
    /// The namespace, or `None` for the whole cluster.
    pub(super) namespace: Option<String>,
    /// The name, if the request is for one object.
    pub(super) name: Option<String>,
}

impl ApiRequest {
    /// Describes a request for the whole cluster.
    pub(super) fn cluster(verb: &'static str, resource: impl Into<String>) -> Self {
        Self { verb, resource: resource.into(), namespace: None, name: None }
    }
}

/// Prints the request: `list pods in namespace shop`.
impl fmt::Display for ApiRequest {
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

/// Why a cluster returned nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// The API server does not know who the user is (401).
    #[error("the API server {server} rejected the credentials (401): {said}")]
    Unauthorized {
        /// The server.
        server: String,
        /// Its message.
        said: String,
    },
    /// There are no usable credentials.
    #[error("no usable credentials: {0}")]
    Credentials(String),
    /// The user is not allowed to do this (403).
    #[error("not allowed to {what} (403): {said}")]
    Forbidden {
        /// The action in the terms of RBAC: `create pods/exec in namespace ovn-kubernetes`.
        what: String,
        /// The message of the API server.
        said: String,
        /// The files of `deploy/rbac` whose role allows the action.
        roles: Vec<String>,
    },
    /// The object does not exist (404).
    #[error("cannot {what}: not found (404): {said}")]
    NotFound {
        /// The request.
        what: String,
        /// The message of the API server.
        said: String,
    },
    /// The API server is too busy (429).
    #[error("the API server is too busy to {what} (429): {said}")]
    Busy {
        /// The request.
        what: String,
        /// The message of the API server.
        said: String,
    },
    /// The API server refused for any other reason.
    #[error("the API server could not {what} ({code}): {said}")]
    Refused {
        /// The request.
        what: String,
        /// The HTTP status.
        code: u16,
        /// The message of the API server.
        said: String,
    },
    /// No process listens at the address of the API server.
    #[error("nothing listens at {server}: {said}")]
    NotListening {
        /// The server.
        server: String,
        /// The message of the operating system.
        said: String,
    },
    /// The API server, or the network path to it, does not answer.
    #[error("{server} cannot be reached: {said}")]
    Unreachable {
        /// The server.
        server: String,
        /// The message of the operating system.
        said: String,
    },
    /// The TLS handshake failed: one side does not trust the other's certificate.
    #[error("cannot establish a trusted TLS connection to {server}: {said}")]
    Tls {
        /// The server.
        server: String,
        /// The problem.
        said: String,
    },
    /// The connection ended before the answer was complete.
    #[error("cannot {what}: the connection ended early: {said}")]
    Cut {
        /// The request.
        what: String,
        /// How it ended, and what had arrived.
        said: String,
    },
    /// A proxy or load balancer on the path does not let commands through.
    #[error("cannot {what}: the WebSocket connection failed: {said}")]
    NoUpgrade {
        /// The request.
        what: String,
        /// The reason.
        said: String,
    },
    /// The answer is not a valid answer of a Kubernetes API server.
    #[error("the answer to `{what}` does not come from a Kubernetes API: {said}")]
    Nonsense {
        /// The request.
        what: String,
        /// The reason.
        said: String,
    },
    /// There is no container where the command could run.
    #[error("no running container reaches {place} on {node}; searched for {wanted}")]
    NoContainer {
        /// The place.
        place: String,
        /// The node.
        node: String,
        /// The containers that were searched for.
        wanted: String,
        /// The containers that exist.
        there: Vec<String>,
    },
    /// The node has no databases of its own: a few nodes have the databases of the whole cluster.
    #[error(
        "{node} has no databases of its own ({found}): the cluster uses central mode, or a zone has several nodes"
    )]
    Central {
        /// The node.
        node: String,
        /// The evidence.
        found: String,
    },
    /// The command could not be given a time limit.
    #[error(
        "{container} has no `timeout` program. A command could outlive this call there, so `{command}` was not run"
    )]
    NoTimeout {
        /// The container.
        container: String,
        /// The command.
        command: String,
    },
    /// The command sent nothing back.
    #[error("no answer from `{command}` on {node} within {seconds} s; it is not known whether it ran")]
    Silent {
        /// The command and its container.
        command: String,
        /// The node.
        node: String,
        /// How long the server waited, in seconds.
        seconds: u64,
    },
    /// The containers that may have the program are not running.
    #[error(
        "no running container has {program} for {place} on {node}: {}{}", passed_over.join("; "), lacking(*without)
    )]
    NotRunning {
        /// The place.
        place: String,
        /// The node.
        node: String,
        /// The program.
        program: String,
        /// The number of running containers that lack the program.
        without: usize,
        /// The containers that are not running, and why.
        passed_over: Vec<String>,
        /// True if a debug pod could run it, but debug pods are not allowed.
        needs_debug_pod: bool,
    },
    /// Only a debug pod could run the program.
    #[error(
        "no running container {}on {node} has {program}; a debug pod could run it", of_those_asked(*not_asked)
    )]
    NeedsDebugPod {
        /// The node.
        node: String,
        /// The program.
        program: String,
        /// The number of containers on the host's network that were not searched for the program.
        not_asked: usize,
    },
    /// The debug pod did not start.
    #[error("the debug pod on {node} did not start: {why}")]
    DebugPod {
        /// The node.
        node: String,
        /// The reason.
        why: String,
    },
}

fn lacking(without: usize) -> String {
    if without == 0 { String::new() } else { format!("; running containers that do not have it: {without}") }
}

fn of_those_asked(others: usize) -> String {
    if others == 0 { String::new() } else { format!("that was searched ({others} more were not) ") }
}

/// Cuts a message of the API server to a readable length.
fn cut(text: &str) -> String {
    const MOST: usize = 400;
    let text = text.trim();
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{} ...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl ClusterError {
    /// Turns an error status of the API server into an error.
    pub(super) fn of_status(server: &str, asked: &ApiRequest, status: &Status) -> Self {
        let (what, said) = (asked.to_string(), cut(&status.message));
        match status.code {
            401 => Self::Unauthorized { server: server.into(), said },
            403 => Self::Forbidden { what, said, roles: roles::that_allow(asked.verb, &asked.resource) },
            404 => Self::NotFound { what, said },
            429 => Self::Busy { what, said },
            code => Self::Refused { what, code, said },
        }
    }

    /// Explains why a request was not answered.
    pub(super) fn of_request(server: &str, asked: &ApiRequest, error: kube::Error) -> Self {
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

    /// Explains why there is no client, or why it could not connect.
    pub(super) fn of_client(server: &str, error: kube::Error) -> Self {
        if let kube::Error::Auth(e) = &error {
            return Self::Credentials(of_auth(e));
        }
        // A credential plugin that runs again for a later request fails inside the transport.
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

    /// Explains a failed connection, if the error comes from the transport.
    fn of_transport(server: &str, error: &(dyn Error + 'static)) -> Option<Self> {
        let server = server.to_owned();
        let mut source = Some(error);
        while let Some(cause) = source {
            let text = cause.to_string();
            // The types of rustls are not named here, because kube chooses the TLS library.
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
                    said: format!("its name cannot be resolved ({})", last(cause)),
                });
            } else if text.contains("tunnel error") || text.contains("proxy") {
                return Some(Self::Unreachable {
                    server,
                    said: format!("the proxy failed: {}", last(cause)),
                });
            }
            source = cause.source();
        }
        None
    }

    /// One or two sentences that say what to do next.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Unauthorized { .. } | Self::Credentials(_) => {
                "Log in again (the kubeconfig's token or certificate may have expired) and call again; `kubectl auth \
                 whoami` with the same context shows who you are logged in as."
                    .into()
            }
            Self::Forbidden { what, .. } if what.contains(" secrets") => {
                "No tool needs to read Secrets, and no role in deploy/rbac allows it.".into()
            }
            Self::Forbidden { what, roles, .. } if roles.is_empty() => format!(
                "No role in deploy/rbac allows a user to {what}. If you need this answer, ask an administrator for a role that \
                 allows it."
            ),
            Self::Forbidden { what, roles, .. } => format!(
                "Ask an administrator to bind a role from deploy/rbac that allows this user to {what}: {}.",
                roles.join(", ")
            ),
            Self::NotFound { .. } => {
                "It may have been deleted or replaced a moment ago. Call again, or list what exists.".into()
            }
            Self::Busy { .. } => "Wait a few seconds, then ask for less at a time (one node, one namespace).".into(),
            Self::Refused { said, .. } if is_about_kubelet(said) => {
                "The API server cannot reach the kubelet. Check the Node object and its events. If this persists, use a \
                 bundle, or run with --local on the node."
                    .into()
            }
            Self::Silent { .. } => {
                "The node or its kubelet may not answer. Check the Node object and its events, then call again."
                    .into()
            }
            Self::Refused { code: 400..=499, .. } => "The API server rejected the request. Its message \
                                                      says what to change."
                .into(),
            Self::Refused { code: 503 | 504, .. } => {
                "The API server, or a proxy in front of it, is overloaded or starting. Wait a few seconds and call again."
                    .into()
            }
            Self::Refused { .. } => {
                "The API server failed, and the request is valid. Call again. If it fails again, check kube-apiserver.".into()
            }
            Self::NotListening { .. } | Self::Unreachable { .. } => {
                "Check the server and proxy in the kubeconfig's context, and the network path (VPN, NO_PROXY). If the API \
                 server is down, use a must-gather with --bundle, or run with --local on the node."
                    .into()
            }
            Self::Tls { .. } => "Check certificate-authority and server in the kubeconfig's context. A proxy that decrypts \
                                 TLS needs its own certificate authority there."
                .into(),
            Self::Cut { .. } => "Call again. If it fails again, ask for less, and check the proxy, load balancer or \
                                 konnectivity server on the path."
                .into(),
            Self::NoUpgrade { .. } => {
                "A proxy on the path may block WebSocket. Add the API server to NO_PROXY, or connect without the proxy."
                    .into()
            }
            Self::Nonsense { .. } => "Check that the server in the kubeconfig is the address of a Kubernetes API server.".into(),
            Self::NoContainer { there, .. } if there.is_empty() => {
                "No OVN-Kubernetes pod runs on this node. Check that the cluster uses OVN-Kubernetes and that the node is up.".into()
            }
            Self::NoContainer { there, .. } => format!("Existing containers: {}.", there.join("; ")),
            Self::Central { .. } => {
                "Only interconnect mode with one zone per node is supported. A must-gather of this cluster has the same limit.".into()
            }
            Self::NoTimeout { .. } => {
                "Use an image with coreutils for that container, or start the server with --allow-debug-pods.".into()
            }
            Self::NeedsDebugPod { .. } => "Start the server with --allow-debug-pods, which lets it create one.".into(),
            Self::NotRunning { needs_debug_pod, .. } => {
                let debug = if *needs_debug_pod {
                    " With --allow-debug-pods, the server can create a pod that has the program."
                } else {
                    ""
                };
                format!("The pod's status and events say why the containers are not running. Call again when they are.{debug}")
            }
            Self::DebugPod { why, .. } if why.contains("forbidden") => {
                "Bind deploy/rbac/debug-pods.yaml to this user if the user may not create pods. --debug-namespace must allow \
                 privileged pods."
                    .into()
            }
            Self::DebugPod { .. } => {
                "Check --debug-image, --debug-namespace (it must allow privileged pods) and --debug-pull-secret.".into()
            }
        }
    }

    /// Returns true if another way to read the same data is worth a try.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::NoContainer { .. } | Self::NeedsDebugPod { .. } | Self::NoTimeout { .. })
    }
}

/// Returns true if the API server reports that the kubelet, and not itself, does not answer: for logs, commands and
/// `nodes/proxy`.
fn is_about_kubelet(said: &str) -> bool {
    ["error dialing backend", "error trying to reach service", ":10250"]
        .iter()
        .any(|words| said.contains(words))
}

/// The message of a credential plugin, without its command line and its standard output, which may hold secrets.
fn of_auth(error: &kube::client::AuthError) -> String {
    match error {
        kube::client::AuthError::AuthExecRun { out, .. } => {
            let said = cut(&String::from_utf8_lossy(&out.stderr));
            format!("the credential plugin of the kubeconfig failed with {}: {said}", out.status)
        }
        kube::client::AuthError::AuthExecStart(e) => {
            format!("the credential plugin of the kubeconfig cannot be started: {e}")
        }
        kube::client::AuthError::AuthExecParse(_) => {
            "the credential plugin of the kubeconfig printed no ExecCredential".into()
        }
        other => cut(&other.to_string()),
    }
}

/// The message of the innermost cause; the outer messages repeat it.
fn last(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    cut(&text)
}
