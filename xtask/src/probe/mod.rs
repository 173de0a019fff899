//! `cargo xtask probe`: tests every server as a client sees it, as a process with two pipes or a port, in both versions
//! of the protocol.
//!
//! The golden tests check the answers; this task checks the protocol. It reads the shipped must-gather, so it runs
//! anywhere.

mod conformance;
mod inspector;
mod tools;

use std::collections::BTreeMap;
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use crate::cases::{self, Case};
use crate::mcp::{Era, Reply, Session};
use crate::workspace::{Crate, Result, Workspace};

/// The errors of JSON-RPC and MCP that a server must distinguish.
const INVALID_PARAMS: i64 = -32602;
const METHOD_NOT_FOUND: i64 = -32601;

/// `cargo xtask probe`
#[derive(Debug, Args)]
pub(crate) struct Probe {
    /// Leave out the MCP Inspector, which is downloaded from npm the first time
    #[arg(long)]
    no_inspector: bool,
    /// Leave out the conformance suites, which are downloaded from npm the first time
    #[arg(long)]
    no_conformance: bool,
}

/// Probes every layer.
pub(crate) fn run(probe: &Probe) -> Result {
    let workspace = Workspace::open()?;
    workspace.build_layers()?;
    let mut bytes = 0;
    for layer in workspace.layers() {
        let subject = Subject::of(&workspace, layer)?;
        let mut spoken = Vec::new();
        for era in Era::ALL {
            let start = Instant::now();
            let talk = subject.talk(era).map_err(|e| format!("{}, {}: {e}", layer.name, era.version()))?;
            println!("{} {}: {} checks in {:.1?}", layer.name, era.version(), talk.checks, start.elapsed());
            spoken.push(talk);
        }
        let [old, new] = spoken.as_slice() else { return Err("the protocol has two versions".into()) };
        check(old.answers == new.answers, || {
            format!("{}: the two versions of the protocol give different answers", layer.name)
        })?;
        bytes += old.list_bytes;
        println!("{} tools/list: {} bytes of {}", layer.name, old.list_bytes, tools::BYTES);
        if !probe.no_inspector {
            inspector::inspect(&workspace, &subject, &old.answers)?;
        }
        if !probe.no_conformance {
            conformance::examine(&workspace, &subject)?;
        }
    }
    check(bytes <= tools::ALL_BYTES, || {
        format!("tools/list of all: {bytes} bytes, at most {}", tools::ALL_BYTES)
    })
}

/// A server, its source, and its calls.
struct Subject<'a> {
    workspace: &'a Workspace,
    layer: &'a Crate,
    /// The source flags of the server.
    sources: Vec<String>,
    /// One case for each tool: the first case of the scenario.
    cases: BTreeMap<String, Case>,
}

/// The results of a conversation.
#[derive(Default)]
struct Conversation {
    checks: usize,
    /// The size of the tools/list result in bytes.
    list_bytes: usize,
    /// The answers of the tools: a text, or the text of an error.
    answers: BTreeMap<String, std::result::Result<String, String>>,
}

impl Conversation {
    fn check(&mut self, holds: bool, problem: impl Fn() -> String) -> Result {
        self.checks += 1;
        check(holds, problem)
    }
}

fn check(holds: bool, problem: impl Fn() -> String) -> Result {
    if holds { Ok(()) } else { Err(problem().into()) }
}

impl<'a> Subject<'a> {
    fn of(workspace: &'a Workspace, layer: &'a Crate) -> Result<Self> {
        let all = cases::of(workspace, layer)?;
        // The scenario with the most cases shows most of this layer.
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        for case in &all {
            *count.entry(&case.scenario).or_default() += 1;
        }
        let most = count.into_iter().max_by_key(|(_, cases)| *cases);
        let scenario = most.ok_or(format!("{} has no case", layer.name))?.0.to_owned();
        let mut cases = BTreeMap::new();
        for case in all.into_iter().filter(|case| case.scenario == scenario) {
            cases.entry(case.tool.clone()).or_insert(case);
        }
        Ok(Self { workspace, layer, sources: workspace.sources(&scenario), cases })
    }

    /// Runs a whole conversation, from the first message to the end of the process.
    fn talk(&self, era: Era) -> Result<Conversation> {
        let binary = self.workspace.binary(self.layer);
        let mut session = Session::start(&self.workspace.sh, &binary, &self.sources, era)?;
        let mut talk = Conversation::default();
        let hello = session.open()?;
        self.hello(&mut talk, era, &hello)?;

        let list = session.expect("tools/list", json!({}))?;
        cacheable(&mut talk, era, "tools/list", &list)?;
        // The additional keys of the new version do not reach a model, so their bytes do not count.
        let tools = list.get("tools").cloned().unwrap_or_default();
        talk.list_bytes = json!({ "tools": tools }).to_string().len();
        let problems = tools::problems(&tools, talk.list_bytes);
        talk.check(problems.is_empty(), || problems.join("\n  "))?;

        let names: Vec<&str> =
            tools.as_array().into_iter().flatten().filter_map(|tool| tool.get("name")?.as_str()).collect();
        for case in self.cases.values() {
            let answer = session.call(&case.tool, &Value::Object(case.params.clone()))?;
            talk.check(names.contains(&case.tool.as_str()), || {
                format!("{} is missing in tools/list", case.tool)
            })?;
            let text = answer.as_ref().unwrap_or_else(|error| error);
            talk.check(!text.trim().is_empty(), || format!("{}: an empty answer", case.tool))?;
            talk.answers.insert(case.tool.clone(), answer);
        }
        mistakes(&mut talk, &mut session, &names)?;
        prompts(&mut talk, &mut session, era, hello.pointer("/capabilities/prompts").is_some())?;

        let ping = session.request("ping", json!({}))?;
        match era {
            Era::Initialize => talk.check(ping == Ok(json!({})), || format!("ping: {ping:?}"))?,
            Era::Discover => talk.check(code(&ping) == Some(METHOD_NOT_FOUND), || {
                format!("ping exists in the stateless protocol: {ping:?}")
            })?,
        }
        session.close()?;
        Ok(talk)
    }

    /// Checks what a server says about itself.
    fn hello(&self, talk: &mut Conversation, era: Era, hello: &Value) -> Result {
        let server = match era {
            Era::Initialize => hello.get("serverInfo"),
            Era::Discover => {
                hello.get("_meta").and_then(|meta| meta.get("io.modelcontextprotocol/serverInfo"))
            }
        };
        let name = server.and_then(|server| server.get("name"));
        talk.check(name.is_some_and(|name| *name == *self.layer.name), || format!("its name is {name:?}"))?;
        let version = json!(era.version());
        let agreed = match era {
            Era::Initialize => hello.get("protocolVersion") == Some(&version),
            Era::Discover => hello
                .get("supportedVersions")
                .and_then(Value::as_array)
                .is_some_and(|all| all.contains(&version)),
        };
        talk.check(agreed, || format!("it does not support {version}: {hello}"))?;
        cacheable(talk, era, "server/discover", hello)?;
        let instructions = hello.get("instructions").and_then(Value::as_str).unwrap_or_default();
        // Clients cut longer instructions.
        talk.check((1..2048).contains(&instructions.len()), || {
            format!("{} bytes of instructions", instructions.len())
        })?;
        let unwanted = ["logging", "sampling", "roots"]
            .into_iter()
            .find(|name| hello.pointer(&format!("/capabilities/{name}")).is_some());
        talk.check(unwanted.is_none(), || format!("it offers the deprecated capability {unwanted:?}"))
    }
}

/// Checks mistakes of clients. A model can correct the arguments of a tool, so the server answers wrong arguments with
/// a result; any other mistake is a protocol error.
fn mistakes(talk: &mut Conversation, session: &mut Session, names: &[&str]) -> Result {
    let first = names.first().ok_or("no tools")?;
    let bad = session.call(first, &json!({ "no_such_parameter": 1 }))?;
    talk.check(bad.as_ref().is_err_and(|text| text.contains("no_such_parameter")), || {
        format!("{first}: {bad:?}")
    })?;

    let unknown = session.request("tools/call", json!({ "name": "no_such_tool", "arguments": {} }))?;
    talk.check(code(&unknown) == Some(INVALID_PARAMS), || format!("an unknown tool: {unknown:?}"))?;
    let method = session.request("no/such/method", json!({}))?;
    talk.check(code(&method) == Some(METHOD_NOT_FOUND), || format!("an unknown method: {method:?}"))
}

fn prompts(talk: &mut Conversation, session: &mut Session, era: Era, offered: bool) -> Result {
    if !offered {
        return Ok(());
    }
    let list = session.expect("prompts/list", json!({}))?;
    cacheable(talk, era, "prompts/list", &list)?;
    for prompt in list.get("prompts").and_then(Value::as_array).into_iter().flatten() {
        let name = prompt.get("name").and_then(Value::as_str).ok_or("a prompt without a name")?;
        let required = |argument: &&Value| argument.get("required").is_some_and(|required| *required == true);
        let arguments =
            prompt.get("arguments").and_then(Value::as_array).into_iter().flatten().filter(required);
        let filled: serde_json::Map<String, Value> = arguments
            .filter_map(|a| Some((a.get("name")?.as_str()?.to_owned(), json!("shop/web"))))
            .collect();
        let text = session.expect("prompts/get", json!({ "name": name, "arguments": filled }))?;
        let text = text.pointer("/messages/0/content/text").and_then(Value::as_str).unwrap_or_default();
        talk.check(filled.is_empty() || text.contains("shop/web"), || {
            format!("{name} leaves out its arguments")
        })?;
    }
    let unknown = session.request("prompts/get", json!({ "name": "no_such_prompt" }))?;
    talk.check(code(&unknown) == Some(INVALID_PARAMS), || format!("an unknown prompt: {unknown:?}"))
}

/// Checks the cache metadata of the new version: how long a client may keep a result, and whether it may share it.
fn cacheable(talk: &mut Conversation, era: Era, what: &str, result: &Value) -> Result {
    if era == Era::Initialize {
        return Ok(());
    }
    let ttl = result.get("ttlMs").and_then(Value::as_u64);
    talk.check(ttl.is_some_and(|ttl| ttl > 0), || format!("{what}: ttlMs is {ttl:?}"))?;
    let scope = result.get("cacheScope").and_then(Value::as_str);
    talk.check(scope == Some("public"), || format!("{what}: cacheScope is {scope:?}"))?;
    let kind = result.get("resultType").and_then(Value::as_str);
    talk.check(kind == Some("complete"), || format!("{what}: resultType is {kind:?}"))
}

fn code(reply: &Reply) -> Option<i64> {
    reply.as_ref().err()?.get("code")?.as_i64()
}
