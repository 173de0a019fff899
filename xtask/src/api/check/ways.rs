//! The ways to connect to a cluster: contexts, plugins, proxies, a pod's own service account; and the ways that must
//! not work.

use std::fs;
use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use xshell::Shell;

use super::super::Server;
use crate::mcp::{Era, Session};
use crate::workspace::{Result, Workspace};

/// The folder in which a pod has its service account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A host name that only the proxy resolves to the API server.
const ELSEWHERE: &str = "cluster.invalid";

/// A plugin that prints credentials after it has read its whole standard input.
const PLUGIN: &str = r#"cat >>"$0.read"; echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"admin"}}'"#;

/// Checks each way.
pub(super) fn check(workspace: &Workspace, server: &Server) -> Result {
    let folder = workspace.sh.create_temp_dir()?;
    let ways = Ways { workspace, folder: folder.path(), config: read(&server.kubeconfig())? };
    ways.contexts()?;
    ways.plugin()?;
    ways.variables()?;
    ways.proxy()?;
    ways.log_in_again()?;
    ways.service_account()?;
    println!("mcp-ovn: contexts, plugins, proxies and service accounts work, and nothing else connects");
    Ok(())
}

fn read(path: &Path) -> Result<Value> {
    Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
}

struct Ways<'a> {
    workspace: &'a Workspace,
    folder: &'a Path,
    /// The kubeconfig that the API server wrote.
    config: Value,
}

impl Ways<'_> {
    /// Returns the kubeconfig with changes.
    fn changed(&self, name: &str, changes: &[(&str, Value)]) -> Result<PathBuf> {
        let mut config = self.config.clone();
        for (pointer, value) in changes {
            match config.pointer_mut(pointer) {
                Some(place) => *place = value.clone(),
                None => {
                    let (parent, key) = pointer.rsplit_once('/').ok_or("no pointer")?;
                    let parent = config.pointer_mut(parent).and_then(Value::as_object_mut);
                    parent
                        .ok_or_else(|| format!("a kubeconfig without {pointer}"))?
                        .insert(key.into(), value.clone());
                }
            }
        }
        let path = self.folder.join(name);
        fs::write(&path, config.to_string())?;
        Ok(path)
    }

    /// Starts a server with these words, and checks that it answers about a node's databases three times.
    fn ask(&self, sh: &Shell, program: &Path, words: &[String]) -> Result<String> {
        let mut session = Session::start(sh, program, words, Era::Initialize)?;
        session.open()?;
        let mut text = String::new();
        for _ in 0..3 {
            let said = session.call("ovn_nbctl_show", &json!({ "node_name": "ovn-worker", "of": "join" }))?;
            text = said.unwrap_or_else(|error| error);
        }
        session.close()?;
        Ok(text)
    }

    fn ovn(&self) -> Result<PathBuf> {
        Ok(self.workspace.binary(self.workspace.layer("mcp-ovn")?))
    }

    fn expect(&self, how: &str, sh: &Shell, words: &[String]) -> Result {
        let text = self.ask(sh, &self.ovn()?, words)?;
        if text.contains("jtor-GR_ovn-worker") { Ok(()) } else { Err(format!("{how}: {text}").into()) }
    }

    /// Checks that the named context is used, of the files that KUBECONFIG joins.
    fn contexts(&self) -> Result {
        let nowhere = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "other",
            "clusters": [{ "name": "other", "cluster": { "server": "https://127.0.0.1:1" } }],
            "users": [{ "name": "other", "user": { "token": "nobody" } }],
            "contexts": [{ "name": "other", "context": { "cluster": "other", "user": "other" } }],
        });
        let (first, second) = (self.folder.join("other"), self.changed("lab", &[])?);
        fs::write(&first, nowhere.to_string())?;
        let sh = Shell::new()?;
        sh.set_var("KUBECONFIG", std::env::join_paths([&first, &second])?);
        self.expect("--context", &sh, &["--context=admin".into()])?;
        let text = self.ask(&sh, &self.ovn()?, &[])?;
        if text.contains("nothing listens at 127.0.0.1:1") {
            Ok(())
        } else {
            Err(format!("current context: {text}").into())
        }
    }

    /// Checks that a plugin that reads its standard input finds it empty, however often the plugin runs.
    fn plugin(&self) -> Result {
        let script = self.folder.join("plugin");
        fs::write(&script, PLUGIN)?;
        let exec = json!({ "exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": [script],
            "interactiveMode": "IfAvailable",
        } });
        let config = self.changed("with-plugin", &[("/users/0/user", exec)])?;
        self.expect("a plugin", &Shell::new()?, &[format!("--kubeconfig={}", config.display())])?;
        let read = fs::read_to_string(self.folder.join("plugin.read"))?;
        if read.is_empty() {
            Ok(())
        } else {
            Err(format!("a plugin read from the standard input of the server: {read}").into())
        }
    }

    /// Checks that the variables with which kube's own tests change user and server have no effect.
    fn variables(&self) -> Result {
        let sh = Shell::new()?;
        sh.set_var("KUBE_RS_DEBUG_IMPERSONATE_USER", "nobody");
        sh.set_var("KUBE_RS_DEBUG_IMPERSONATE_GROUP", "nobody");
        sh.set_var("KUBE_RS_DEBUG_OVERRIDE_URL", "https://127.0.0.1:1");
        sh.set_var("KUBECONFIG", self.changed("plain", &[])?);
        self.expect("KUBE_RS_DEBUG_*", &sh, &[])
    }

    /// Checks that a context's proxy is used, also for commands, and that the environment's proxy is not used for a
    /// server on the loopback.
    fn proxy(&self) -> Result {
        let proxy = Proxy::start()?;
        let url = format!("http://127.0.0.1:{}", proxy.port);
        let config = self.changed("with-proxy", &[("/clusters/0/cluster/proxy-url", json!(url))])?;
        self.expect("proxy-url", &Shell::new()?, &[format!("--kubeconfig={}", config.display())])?;
        let used = proxy.connections.load(Ordering::SeqCst);
        let sh = Shell::new()?;
        sh.set_var("HTTPS_PROXY", "http://proxy.invalid:3128");
        // Users write such lists with blanks and a trailing comma.
        sh.set_var("NO_PROXY", "localhost,10.0.0.0/8, .svc,");
        let config = self.changed("without-proxy", &[])?;
        self.expect("a server on the loopback", &sh, &[format!("--kubeconfig={}", config.display())])?;
        // This is the same server, by a name that only the proxy resolves.
        let server = format!("https://{ELSEWHERE}:{}", self.port()?);
        let changes = [
            ("/clusters/0/cluster/server", json!(server)),
            ("/clusters/0/cluster/tls-server-name", json!("127.0.0.1")),
        ];
        let config = [format!("--kubeconfig={}", self.changed("elsewhere", &changes)?.display())];
        sh.set_var("HTTPS_PROXY", &url);
        self.expect("HTTPS_PROXY", &sh, &config)?;
        let of_environment = proxy.connections.load(Ordering::SeqCst);
        sh.set_var("NO_PROXY", format!("{ELSEWHERE},"));
        let text = self.ask(&sh, &self.ovn()?, &config)?;
        let not_excepted =
            proxy.connections.load(Ordering::SeqCst) > of_environment || !text.contains(ELSEWHERE);
        match (used, of_environment > used, not_excepted) {
            (0, ..) => Err("the context's proxy was not used".into()),
            (_, false, _) => Err("the environment's proxy was not used".into()),
            (.., true) => Err(format!("NO_PROXY did not exclude the server: {text}").into()),
            _ => Ok(()),
        }
    }

    fn port(&self) -> Result<String> {
        let url = self.config.pointer("/clusters/0/cluster/server").and_then(Value::as_str);
        Ok(url.and_then(|url| url.rsplit_once(':')).ok_or("the server's URL has no port")?.1.to_owned())
    }

    /// Checks that a running server answers again after its user was refused and has logged in.
    fn log_in_again(&self) -> Result {
        let nobody = json!({ "token": "expired" });
        let config = self.changed("login", &[("/users/0/user", nobody)])?;
        let words = [format!("--kubeconfig={}", config.display())];
        let mut session = Session::start(&Shell::new()?, &self.ovn()?, &words, Era::Initialize)?;
        session.open()?;
        let asked = json!({ "node_name": "ovn-worker", "of": "join" });
        match session.call("ovn_nbctl_show", &asked)? {
            Err(text) if text.contains("401") && text.contains("Log in again") => {}
            other => {
                return Err(format!(
                    "a call with an invalid token must give an error, but it answered {other:?}"
                )
                .into());
            }
        }
        self.changed("login", &[])?;
        session
            .call("ovn_nbctl_show", &asked)?
            .map_err(|error| format!("the call after the second login failed: {error}"))?;
        session.close()
    }

    /// Checks the configuration of a pod: a token, a certificate authority, and two variables.
    fn service_account(&self) -> Result {
        let text = |pointer: &str| self.config.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let url = text("/clusters/0/cluster/server");
        let (host, port) =
            url.trim_start_matches("https://").split_once(':').ok_or("the server's URL has no port")?;
        let account = self.folder.join("account");
        fs::create_dir(&account)?;
        fs::write(account.join("token"), "admin")?;
        fs::write(account.join("namespace"), "default")?;
        let authority = BASE64_STANDARD.decode(text("/clusters/0/cluster/certificate-authority-data"))?;
        fs::write(account.join("ca.crt"), authority)?;
        let sh = Shell::new()?;
        sh.set_var("KUBERNETES_SERVICE_HOST", host);
        sh.set_var("KUBERNETES_SERVICE_PORT", port);
        sh.set_var("HOME", self.folder);
        sh.set_var("KUBECONFIG", "");
        // The test needs only a mount namespace of a pod; the folder may not exist.
        let pod = format!(
            "mount -t tmpfs none /var/run && mkdir -p {ACCOUNT} && mount --bind {} {ACCOUNT} && exec {}",
            account.display(),
            self.ovn()?.display(),
        );
        let words = ["--mount", "--", "sh", "-c", &pod].map(ToOwned::to_owned);
        let text = self.ask(&sh, Path::new("unshare"), &words)?;
        if text.contains("jtor-GR_ovn-worker") {
            Ok(())
        } else {
            Err(format!("the call with a service account failed: {text}").into())
        }
    }
}

/// A proxy that connects to any requested server (RFC 9110, CONNECT), and counts its connections.
struct Proxy {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Proxy {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let connections = Arc::<AtomicUsize>::default();
        let counted = connections.clone();
        // The thread ends with this process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || connect(client));
            }
        });
        Ok(Self { port, connections })
    }
}

fn connect(mut client: TcpStream) -> std::io::Result<()> {
    use std::io::{Read, Write};
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte)? == 1 {
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let Some(("CONNECT", rest)) = head.split_once(' ') else { return Ok(()) };
    let address = rest.split(' ').next().unwrap_or_default().replace(ELSEWHERE, "127.0.0.1");
    let mut server = TcpStream::connect(address)?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        _ = copy(&mut from_client, &mut to_server);
        _ = to_server.shutdown(Shutdown::Write);
    });
    _ = copy(&mut server, &mut client);
    client.shutdown(Shutdown::Write)
}
