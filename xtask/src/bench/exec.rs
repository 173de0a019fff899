//! What a call costs on a cluster, beside the round trip of the command that it runs.
//!
//! The API server is the lab's, so the network between costs nothing: what is left is what client, protocol and server take.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::StreamExt;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::measure::middle;
use super::{Plan, Table, milliseconds};
use crate::api::{Kubectl, Server};
use crate::mcp::{Era, Session};
use crate::workspace::{Result, Workspace};

/// A tool that runs one command and nothing else, and the command.
const TOOL: &str = "ip_addr_show";
const COMMAND: &[&str] = &["ip", "-d", "address"];

/// Measures the same command three ways, in turns.
pub(super) fn measure(workspace: &Workspace, plan: &Plan, table: &mut Table) -> Result {
    let lab = std::env::var_os("OVNK_LAB_DIR").map_or_else(|| PathBuf::from("/var/lib/ovnk-lab"), Into::into);
    table.say(format!("**a call over an API server**, `{}`", COMMAND.join(" ")), String::new());
    if !lab.join("up").exists() {
        table.say("not measured", format!("no lab in {} (cargo xtask lab up)", lab.display()));
        return Ok(());
    }
    let server = Server::start(&workspace.sh, &lab, &[])?;
    let kubectl = Kubectl::install(workspace, &server.kubeconfig())?;
    let binary = workspace.target.join(plan.profile).join("mcp-kernel");
    let source = [format!("--kubeconfig={}", server.kubeconfig().display())];
    let mut session = Session::start(&workspace.sh, &binary, &source, Era::Initialize)?;
    session.open()?;
    let asked = json!({ "node_name": "ovn-worker" });
    let place = Place::of(&session.call(TOOL, &asked)?.map_err(|error| format!("{TOOL}: {error}"))?)?;
    let bare = Bare::new(&server, &place)?;
    let words = place.kubectl();
    let (mut alone, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.starts {
        alone.push(timed(|| bare.run())?);
        ours.push(timed(|| session.call(TOOL, &asked)?.map(drop).map_err(Into::into))?);
        theirs.push(timed(|| kubectl.expect("admin", &words, "", 0, &["inet"]).map(drop))?);
    }
    session.close()?;
    let (alone, ours, theirs) = (middle(alone)?, middle(ours)?, middle(theirs)?);
    table.say("bare exec: TLS, WebSocket, the command, its status", milliseconds(alone));
    table.say(format!("{TOOL}, the server connected"), milliseconds(ours));
    table.say("a call adds", milliseconds(ours.saturating_sub(alone)));
    table.say("`kubectl exec` of the same", milliseconds(theirs));
    Ok(())
}

fn timed(run: impl FnOnce() -> Result) -> Result<Duration> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed())
}

/// Where a tool's command ran.
struct Place {
    namespace: String,
    pod: String,
    container: String,
}

impl Place {
    /// As the first line of an answer tells, which must name the command and no other.
    fn of(answer: &str) -> Result<Self> {
        let first = answer.lines().next().unwrap_or_default();
        let place = || {
            let (_, rest) = first.split_once(&format!(": {} in ", COMMAND.join(" ")))?;
            let (container, rest) = rest.split_once(" of ")?;
            // A second command would follow a semicolon.
            let (pod, _) = rest.split_once(',').filter(|(pod, _)| !pod.contains(';'))?;
            let (namespace, pod) = pod.split_once('/')?;
            Some(Self { namespace: namespace.into(), pod: pod.into(), container: container.into() })
        };
        place().ok_or_else(|| format!("{TOOL} does not run `{}` alone: {first}", COMMAND.join(" ")).into())
    }

    fn kubectl(&self) -> Vec<&str> {
        let to = ["-n", &self.namespace, "exec", &self.pod, "-c", &self.container, "--"];
        to.iter().chain(COMMAND).copied().collect()
    }
}

/// An exec and nothing around it.
struct Bare {
    runtime: tokio::runtime::Runtime,
    tls: TlsConnector,
    /// Address and port.
    server: String,
    path: String,
    token: String,
}

impl Bare {
    fn new(server: &Server, place: &Place) -> Result<Self> {
        let config: Value = serde_json::from_str(&std::fs::read_to_string(server.kubeconfig())?)?;
        let text = |pointer: &str| {
            config
                .pointer(pointer)
                .and_then(Value::as_str)
                .ok_or_else(|| format!("a kubeconfig without {pointer}"))
        };
        let authority = BASE64_STANDARD.decode(text("/clusters/0/cluster/certificate-authority-data")?)?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&authority)?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let Place { namespace, pod, container } = place;
        let words: String = COMMAND.iter().map(|word| format!("&command={word}")).collect();
        Ok(Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            tls: TlsConnector::from(Arc::new(tls)),
            server: text("/clusters/0/cluster/server")?.trim_start_matches("https://").into(),
            path: format!(
                "/api/v1/namespaces/{namespace}/pods/{pod}/exec?container={container}&stdout=true&stderr=true{words}"
            ),
            token: text("/users/0/user/token")?.into(),
        })
    }

    fn run(&self) -> Result {
        self.runtime.block_on(async {
            let tcp = TcpStream::connect(&self.server).await?;
            tcp.set_nodelay(true)?;
            let tls = self.tls.connect(ServerName::try_from("localhost")?, tcp).await?;
            let mut request = format!("wss://{}{}", self.server, self.path).into_client_request()?;
            let headers = request.headers_mut();
            headers.insert("Sec-WebSocket-Protocol", "v5.channel.k8s.io".parse()?);
            headers.insert("Authorization", format!("Bearer {}", self.token).parse()?);
            let (mut socket, _) = tokio_tungstenite::client_async(request, tls).await?;
            while let Some(message) = socket.next().await {
                // Its status is the last that a command says.
                if let Message::Binary(bytes) = message?
                    && let Some((3, status)) = bytes.split_first()
                {
                    let status = String::from_utf8_lossy(status);
                    return if status.contains("Success") { Ok(()) } else { Err(status.into()) };
                }
            }
            Err("an exec without status".into())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_in_the_first_line() {
        let line = "# addresses of n, from cluster c: ip -d address in a of b/c-1, 2026-11-22T22:21:57Z\nx";
        let place = Place::of(line).unwrap();
        assert_eq!(place.kubectl(), ["-n", "b", "exec", "c-1", "-c", "a", "--", "ip", "-d", "address"]);
        assert!(Place::of("# x: ip -d address in a of b/c; ip link in a of b/c, now").is_err());
    }
}
