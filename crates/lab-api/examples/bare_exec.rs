//! A minimal exec client: TLS, WebSocket, the command, its status. The benchmark compares calls with it.
//!
//! `bare_exec KUBECONFIG NAMESPACE POD CONTAINER COMMAND...` runs the command once for each line of its input, and
//! prints the duration of each run in nanoseconds.
#![expect(clippy::print_stdout, reason = "the benchmark reads the output")]

use std::io::BufRead;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::StreamExt;
use lab_api::Result;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

fn main() -> Result {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [kubeconfig, namespace, pod, container, command @ ..] = words.as_slice() else {
        return Err("usage: bare_exec KUBECONFIG NAMESPACE POD CONTAINER COMMAND...".into());
    };
    let command: String = command.iter().map(|word| format!("&command={word}")).collect();
    let path = format!(
        "/api/v1/namespaces/{namespace}/pods/{pod}/exec?container={container}&stdout=true&stderr=true{command}"
    );
    let bare = BareClient::new(kubeconfig, path)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for line in std::io::stdin().lock().lines() {
        line?;
        let start = Instant::now();
        runtime.block_on(bare.run())?;
        println!("{}", start.elapsed().as_nanos());
    }
    Ok(())
}

struct BareClient {
    tls: TlsConnector,
    /// Address and port.
    server: String,
    path: String,
    token: String,
}

impl BareClient {
    fn new(kubeconfig: &str, path: String) -> Result<Self> {
        let config: Value = serde_json::from_str(&std::fs::read_to_string(kubeconfig)?)?;
        let text = |pointer: &str| {
            config
                .pointer(pointer)
                .and_then(Value::as_str)
                .ok_or_else(|| format!("the kubeconfig has no {pointer}"))
        };
        let authority = BASE64_STANDARD.decode(text("/clusters/0/cluster/certificate-authority-data")?)?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&authority)?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(tls)),
            server: text("/clusters/0/cluster/server")?.trim_start_matches("https://").into(),
            path,
            token: text("/users/0/user/token")?.into(),
        })
    }

    async fn run(&self) -> Result {
        let tcp = TcpStream::connect(&self.server).await?;
        tcp.set_nodelay(true)?;
        let tls = self.tls.connect(ServerName::try_from("localhost")?, tcp).await?;
        let mut request = format!("wss://{}{}", self.server, self.path).into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("Sec-WebSocket-Protocol", "v5.channel.k8s.io".parse()?);
        headers.insert("Authorization", format!("Bearer {}", self.token).parse()?);
        let (mut socket, _) = tokio_tungstenite::client_async(request, tls).await?;
        while let Some(message) = socket.next().await {
            // The status is the last message of a command.
            if let Message::Binary(bytes) = message?
                && let Some((3, status)) = bytes.split_first()
            {
                let status = String::from_utf8_lossy(status);
                return if status.contains("Success") { Ok(()) } else { Err(status.into()) };
            }
        }
        Err("the exec ended without a status".into())
    }
}
