//! The server over HTTP: its answers to clients, and the requests that it rejects.

mod server;

use mcp_testing::{Connection, Failed, scenario};
use serde_json::{Map, Value, json};
use server::{Server, USUAL, answer, call, command, exchange, modern, params, request};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

const TOKEN: &str = "a-token-of-this-test-0123456789";

#[tokio::test]
async fn both_protocol_versions_give_the_answer_of_stdio() -> Result<(), Failed> {
    let connection = Connection::open(mcp_ovn::layer(), scenario("capture")).await?;
    let arguments: Map<String, Value> = params().as_object().cloned().unwrap_or_default();
    let expected = connection.call("ovn_nbctl_show", &arguments).await??;
    let server = Server::start(&[], None).await?;

    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "0" } });
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello });
    let hello = server.post(&[], &initialize).await?;
    assert_eq!(hello.json()?.pointer("/result/protocolVersion"), Some(&json!("2025-11-25")));
    assert!(!hello.head.contains("mcp-session-id"), "{}", hello.head);
    let done = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let version = [("MCP-Protocol-Version", "2025-11-25")];
    assert_eq!(server.post(&version, &done).await?.status, 202);
    assert_eq!(server.post(&version, &call()).await?.text()?, expected);

    let discovered = modern(&server, "server/discover", None, &json!({})).await?.json()?;
    let versions = discovered.pointer("/result/supportedVersions").and_then(Value::as_array);
    assert!(versions.is_some_and(|all| all.contains(&json!("2026-07-28"))), "{discovered}");
    assert_eq!(discovered.pointer("/result/ttlMs"), Some(&json!(3_600_000)));
    let asked = json!({ "name": "ovn_nbctl_show", "arguments": params() });
    assert_eq!(modern(&server, "tools/call", Some("ovn_nbctl_show"), &asked).await?.text()?, expected);
    // The server rejects a request whose header contradicts its body.
    assert_eq!(modern(&server, "tools/call", Some("ovn_sbctl_show"), &asked).await?.status, 400);
    assert_eq!(modern(&server, "tools/list", Some("ovn_nbctl_show"), &json!({})).await?.status, 200);
    assert_eq!(modern(&server, "no/such/method", None, &json!({})).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn a_model_finds_skills_and_documents() -> Result<(), Failed> {
    let server = Server::start(&[], None).await?;
    let list = modern(&server, "skills/list", None, &json!({})).await?.json()?;
    let skills = list.pointer("/result/skills").and_then(Value::as_array).ok_or("no skills")?;
    let skill =
        skills.iter().find(|skill| skill.pointer("/frontmatter/name") == Some(&json!("triage-egress")));
    let skill = skill.ok_or_else(|| list.to_string())?;
    let uri = skill.get("uri").and_then(Value::as_str).ok_or("no uri")?;
    assert_eq!(uri, "skill://mcp-ovn/triage-egress/SKILL.md");
    let one = modern(&server, "skills/get", Some(uri), &json!({ "uri": uri })).await?.json()?;
    assert_eq!(one.pointer("/result/skill"), Some(skill));

    let list = modern(&server, "resources/list", None, &json!({})).await?.json()?;
    let resources = list.pointer("/result/resources").and_then(Value::as_array).ok_or("no resources")?;
    // The other resources are the two documents and the content of the source.
    assert_eq!(resources.len(), skills.len() + 3);
    for (resource, holds) in [
        (uri, "---\nname: triage-egress\ndescription: \"A pod cannot"),
        ("mcp-ovn://names", "| `GR_<node>` | gateway router"),
        ("mcp-ovn://names", "| 64001 | external bridge, masqueraded host-to-service traffic |"),
        ("mcp-ovn://tables", "| 26.03 to 26.04 (exclusive) | 8 | 42 | 48 | 64 |"),
    ] {
        let read =
            modern(&server, "resources/read", Some(resource), &json!({ "uri": resource })).await?.json()?;
        let text = read.pointer("/result/contents/0/text").and_then(Value::as_str).ok_or("no text")?;
        assert!(text.contains(holds), "{text}");
        assert_eq!(read.pointer("/result/ttlMs"), Some(&json!(3_600_000)));
    }
    let none =
        modern(&server, "resources/read", Some("mcp-ovn://x"), &json!({ "uri": "mcp-ovn://x" })).await?;
    let said = none.json()?.pointer("/error/message").and_then(Value::as_str).map(str::to_owned);
    let said = said.ok_or("no error")?;
    assert!(
        said.starts_with("there is no resource `mcp-ovn://x`; the resources are: skill://mcp-ovn/"),
        "{said}"
    );
    Ok(())
}

#[tokio::test]
async fn requests_of_other_hosts_and_origins_are_rejected() -> Result<(), Failed> {
    let args = ["--http-host=ovn.example", "--http-origin=https://tools.example"];
    let server = Server::start(&args, None).await?;
    let port = server.addr.port();
    let (here, there) = (format!("127.0.0.1:{port}"), format!("http://localhost:{port}"));
    for (header, value, status) in [
        ("Host", "evil.example", 403),
        ("Host", "localhost.evil.example", 403),
        ("Host", "127.0.0.1.evil.example", 403),
        ("Host", "a b", 400),
        ("Host", "ovn.example", 200),
        ("Host", here.as_str(), 200),
        ("Origin", "https://evil.example", 403),
        ("Origin", "null", 403),
        ("Origin", "http://localhost.evil.example", 403),
        ("Origin", "https://tools.example:8443", 403),
        ("Origin", "http://tools.example", 403),
        ("Origin", "https://tools.example", 200),
        ("Origin", there.as_str(), 200),
    ] {
        let reply = server.post(&[(header, value)], &call()).await?;
        assert_eq!(reply.status, status, "{header}: {value}: {reply:?}");
    }
    let nameless = request("POST /mcp", &USUAL[1..], &call().to_string());
    assert_eq!(exchange(server.addr, &nameless).await?.status, 400);
    assert_eq!(server.get("/mcp").await?.status, 403);
    assert_eq!(server.get("/").await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn everything_but_the_health_page_needs_the_token() -> Result<(), Failed> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), format!("{TOKEN}\n"))?;
    let from_file = format!("--http-token-file={}", file.path().display());
    let by_file =
        Server::start(&["--http=0.0.0.0:0", &from_file], Some("another-token-which-is-not-it")).await?;
    let by_environment = Server::start(&[], Some(TOKEN)).await?;
    for mut server in [by_file, by_environment] {
        server.addr.set_ip([127, 0, 0, 1].into());
        let wrong = format!("Bearer {TOKEN}x");
        for headers in [&[][..], &[("Authorization", wrong.as_str())], &[("Authorization", TOKEN)]] {
            let reply = server.post(headers, &call()).await?;
            assert_eq!(reply.status, 401, "{reply:?}");
            assert!(reply.head.contains("www-authenticate: bearer"), "{}", reply.head);
            assert!(!reply.body.contains(TOKEN));
        }
        let right = format!("Bearer {TOKEN}");
        assert_eq!(server.post(&[("Authorization", &right)], &call()).await?.status, 200);
        assert_eq!(server.get("/anything").await?.status, 401);
        let health = server.get("/healthz").await?;
        assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
        // A client without the token does not keep its connection, even if it does not ask for its end.
        for (request, status) in [("POST /mcp", 401), ("GET /healthz", 200)] {
            let mut stream = TcpStream::connect(server.addr).await?;
            let text = format!("{request} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(text.as_bytes()).await?;
            let mut reply = String::new();
            stream.read_to_string(&mut reply).await?;
            assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{reply}");
            assert!(reply.to_ascii_lowercase().contains("connection: close"), "{reply}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn unsafe_options_are_refused() -> Result<(), Failed> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), "guess-me")?;
    let short = format!("--http-token-file={}", file.path().display());
    for (args, said) in [
        (&["--http=0.0.0.0:0"][..], "hint: Pass a token with --http-token-file=PATH"),
        (&["--http=[::]:0"], "is reachable from other hosts"),
        (&["--http=127.0.0.1:0", short.as_str()], "16 to 4096 visible ASCII characters"),
        (&["--http=127.0.0.1:0", "--http-token-file=/does/not/exist"], "cannot be read: No such file"),
        (
            &["--http=127.0.0.1:0", "--http-origin=tools.example"],
            "the origin must have the form https://NAME",
        ),
        (&["--http=127.0.0.1:0", "--http-host=http://a/b"], "the value must be a name or an address"),
        (&["--http=localhost"], "invalid socket address"),
    ] {
        let output = timeout(Duration::from_secs(10), command(args).output()).await??;
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && err.contains(said), "{args:?}: {err}");
        assert!(!err.contains("guess-me"), "{err}");
    }
    Ok(())
}

#[tokio::test]
async fn a_body_has_a_size_limit() -> Result<(), Failed> {
    let server = Server::start(&[], None).await?;
    let large = json!({ "jsonrpc": "2.0", "id": 1, "method": "x", "params": { "pad": "x".repeat(2 << 20) } });
    assert_eq!(server.post(&[], &large).await?.status, 413);
    // The limit also applies without a Content-Length, to one chunk that is too large.
    let head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n200000\r\n";
    let reply = exchange(server.addr, &format!("{head}{}", "x".repeat(2 << 20))).await?;
    assert_eq!(reply.status, 413);
    assert_eq!(server.call().await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_client_that_stalls_is_cut_off() -> Result<(), Failed> {
    let server = Server::start(&[], None).await?;
    let stalled = |text: &'static str| {
        let addr = server.addr;
        async move {
            let mut stream = TcpStream::connect(addr).await?;
            stream.write_all(text.as_bytes()).await?;
            let started = Instant::now();
            let mut said = String::new();
            timeout(Duration::from_secs(60), stream.read_to_string(&mut said)).await??;
            Ok::<_, Failed>((started.elapsed(), said))
        }
    };
    let head = stalled("POST /mcp HTTP/1.1\r\nHost: loc");
    let nothing = stalled("");
    let kept_alive = stalled("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let body = stalled("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"json");
    let (head, nothing, kept_alive, body) = tokio::try_join!(head, nothing, kept_alive, body)?;
    for (time, _) in [&head, &nothing, &kept_alive, &body] {
        assert!(time.as_secs() >= 8, "{time:?}");
    }
    assert!(body.1.starts_with("HTTP/1.1 408 "), "{}", body.1);
    assert!(kept_alive.1.starts_with("HTTP/1.1 404 "), "{}", kept_alive.1);
    assert_eq!(server.call().await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() -> Result<(), Failed> {
    let server = Server::start(&[], None).await?;
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    let head: String = USUAL.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let ask = format!("POST /mcp HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{list}", list.len());
    let mut stream = TcpStream::connect(server.addr).await?;
    // The requests and the answers exceed the buffers of the connection.
    let asking = async {
        loop {
            stream.write_all(ask.as_bytes()).await?;
        }
    };
    let ended: Result<std::io::Result<()>, _> = timeout(Duration::from_secs(60), asking).await;
    assert!(ended?.is_err());
    assert_eq!(server.call().await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_client_that_disconnects_is_not_logged_as_an_error() -> Result<(), Failed> {
    let mut server = Server::start(&[], None).await?;
    let text = request("POST /mcp", &USUAL, &call().to_string());
    // The first call opens the bundle, so that no call is answered before its client disconnects.
    for _ in 0..20 {
        let mut stream = TcpStream::connect(server.addr).await?;
        stream.write_all(text.as_bytes()).await?;
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(server.call().await?.status, 200);
    server.child.start_kill()?;
    let mut log = String::new();
    server.child.stderr.take().ok_or("no stderr")?.read_to_string(&mut log).await?;
    assert_eq!(log, "");
    Ok(())
}

#[tokio::test]
async fn two_hundred_connections_at_once_are_all_answered() -> Result<(), Failed> {
    let server = Server::start(&[], None).await?;
    let expected = server.call().await?.text()?;
    let addr = server.addr;
    let mut streams = Vec::new();
    for _ in 0..200 {
        streams.push(TcpStream::connect(addr).await?);
    }
    let text = request("POST /mcp", &USUAL, &call().to_string());
    let mut answers = JoinSet::new();
    for mut stream in streams {
        let text = text.clone();
        answers.spawn(async move {
            stream.write_all(text.as_bytes()).await.map_err(|e| e.to_string())?;
            let reply = answer(stream).await.map_err(|e| e.to_string())?;
            reply.text().map_err(|e| e.to_string())
        });
    }
    for answer in answers.join_all().await {
        assert_eq!(answer?, expected);
    }
    assert_eq!(server.get("/healthz").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn sigterm_and_sigint_finish_a_running_call() -> Result<(), Failed> {
    for signal in ["-TERM", "-INT"] {
        let mut server = Server::start(&[], None).await?;
        let headers = [&USUAL[..], &[("Expect", "100-continue")]].concat();
        let text = request("POST /mcp", &headers, &call().to_string());
        let (head, body) = text.split_at(text.find("\r\n\r\n").ok_or("no head")? + 4);
        let mut stream = TcpStream::connect(server.addr).await?;
        stream.write_all(head.as_bytes()).await?;
        let mut go_on = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
        timeout(Duration::from_secs(10), stream.read_exact(&mut go_on)).await??;

        let pid = server.child.id().ok_or("the server has ended")?.to_string();
        #[expect(clippy::disallowed_methods, reason = "a test stops the server as an operator does")]
        let kill = Command::new("kill").args([signal, &pid]).status().await?;
        assert!(kill.success());
        let started = Instant::now();
        while TcpStream::connect(server.addr).await.is_ok() {
            assert!(started.elapsed() < Duration::from_secs(30), "the server still accepts connections");
            sleep(Duration::from_millis(5)).await;
        }
        stream.write_all(body.as_bytes()).await?;
        let reply = answer(stream).await?;
        assert_eq!(reply.status, 200, "{reply:?}");
        let status = timeout(Duration::from_secs(30), server.child.wait()).await??;
        assert_eq!(status.code(), Some(0));
    }
    Ok(())
}
