//! The command line that all servers share.

use crate::{
    Backend, Budget, Layer, Progress, Server,
    backend::{Bundle, ClusterArgs, LiveCluster, LocalBackend, LocalNode, RecordedBackend, RecordingBackend},
    http::{self, HttpArgs},
    manual,
    reply::ReplyForm,
    stdio::Stdio,
    usage,
};
use clap::{Arg, ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use rmcp::ServiceExt;
use serde_json::Value;
use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};
use tracing_subscriber::EnvFilter;

/// The time that a client may wait for answers after it closed its end. It is short enough that everything that still
/// runs ends within five seconds.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Answers read-only questions about one layer of an OVN-Kubernetes cluster, for a model over MCP or for you.
///
/// Without a command, the program serves MCP on standard input and output, or over HTTP with --http.
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    source: SourceArgs,
    /// Serve only these tools or toolsets, separated by commas. The command `tools` lists both.
    #[arg(long, global = true, value_delimiter = ',', value_name = "NAME")]
    toolset: Vec<String>,
    /// The maximum size of one answer, in bytes.
    #[arg(long, global = true, default_value_t = Budget::default().bytes, value_parser = parse_max_bytes)]
    max_bytes: usize,
    /// Also write every capture into this folder. Without it, captures are kept for 30 minutes and end with the server.
    #[arg(long, global = true, value_name = "DIR")]
    save_dir: Option<PathBuf>,
    #[command(flatten)]
    http: HttpArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The source of the data. One server reads one source.
#[derive(Args)]
struct SourceArgs {
    /// Read a must-gather, a sosreport or kind logs: a directory or an archive (tar, plain or compressed with gzip, xz
    /// or zstd; or zip). Several bundles together describe one cluster.
    #[arg(long, global = true, value_name = "PATH", conflicts_with_all = ["local", "recorded"])]
    bundle: Vec<PathBuf>,
    /// Read this host, or with NODE=PID (or NODE=/path/of/a/pid/file) the namespaces of a process as node NODE.
    /// Several nodes form one cluster.
    #[arg(long, global = true, value_name = "NODE=PID", num_args = 0..=1, require_equals = true,
          default_missing_value = "", conflicts_with = "recorded")]
    local: Vec<String>,
    /// Read recorded answers, such as the test data of this project.
    #[arg(long, global = true, value_name = "DIR")]
    recorded: Option<PathBuf>,
    /// Also write every answer of the source into a directory, for use with --recorded.
    #[arg(long, global = true, value_name = "DIR")]
    record: Option<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Serve MCP (the default).
    Serve,
    /// List the tools of this server, or the parameters and examples of one tool.
    Tools {
        /// The name of a tool.
        name: Option<String>,
    },
    /// Call one tool and print its answer.
    Call(Called),
    /// List the state of the data by node and area: present, empty, absent or damaged, and why.
    Coverage,
    /// Print the reference of this server's tools or commands, which the documentation contains, or its manual page.
    Reference {
        /// The kind of reference.
        of: Reference,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Reference {
    Tools,
    Commands,
    /// For man(1).
    Man,
}

/// A call of a tool. Each tool is a subcommand, so that it has its own help and completions.
struct Called {
    tool: String,
    arguments: Vec<(String, String)>,
    evidence: bool,
    json: bool,
}

impl Args for Called {
    fn augment_args(command: clap::Command) -> clap::Command {
        let flag = |name, help| Arg::new(name).long(name).global(true).action(ArgAction::SetTrue).help(help);
        let evidence = "Also print the evidence on standard error: the files, commands and queries that were read, with \
                        their times";
        let json = "Print the answer as one JSON document, for scripts";
        // A tool that does not exist is an error of the call, which names similar tools.
        command
            .arg(flag("evidence", evidence))
            .arg(flag("json", json))
            .subcommand_required(true)
            .allow_external_subcommands(true)
            .disable_help_subcommand(true)
            .subcommand_value_name("TOOL [KEY=VALUE]...")
            .subcommand_help_heading("Tools")
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Called {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::new(clap::error::ErrorKind::MissingSubcommand);
        let (tool, given) = matches.subcommand().ok_or_else(missing)?;
        let arguments = match given.try_get_many::<(String, String)>(usage::ARGUMENTS) {
            Ok(arguments) => arguments.into_iter().flatten().cloned().collect(),
            Err(_) => Vec::new(),
        };
        let flag = |name| given.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or_default();
        let (evidence, json) =
            (matches.get_flag("evidence") || flag("evidence"), matches.get_flag("json") || flag("json"));
        Ok(Self { tool: tool.into(), arguments, evidence, json })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn parse_max_bytes(text: &str) -> Result<usize, String> {
    let bytes: usize = text.parse().map_err(|e| format!("{e}"))?;
    if (1_000..=10_000_000).contains(&bytes) {
        Ok(bytes)
    } else {
        Err("the size must be from 1000 to 10000000 bytes".into())
    }
}

/// Runs a server: parses the command line, runs the command and returns the exit code.
pub fn main(layer: Layer) -> ExitCode {
    // A shell that completes a command line runs this program with the variable COMPLETE.
    clap_complete::CompleteEnv::with_factory(|| command(&layer)).complete();
    let cli = match command(&layer).try_get_matches() {
        Ok(matches) => Cli::from_arg_matches(&matches).unwrap_or_else(|e| e.exit()),
        Err(e) => e.exit(),
    };
    // Standard output carries the protocol, so logs go to standard error; no log contains payloads. Failing to send to
    // a client that went away is not an error.
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("warn,rmcp=error,rmcp::service=off,kube_client=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    /// The stack of a thread in bytes. It has room for a value of the greatest depth that YAML may have, also in a
    /// build without optimisation, which takes 25 KiB for each level.
    const STACK: usize = 4 << 20;
    // Two threads are enough, because they only wait; calls compute on the blocking pool.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).thread_stack_size(STACK).enable_all().build();
    let result = runtime.map_err(|e| e.to_string()).and_then(|runtime| {
        let result = runtime.block_on(run(layer, cli));
        // A thread that still computes for an abandoned call must not delay the exit of the process.
        runtime.shutdown_background();
        result
    });
    result.unwrap_or_else(|problem| {
        eprintln!("{problem}");
        ExitCode::FAILURE
    })
}

/// Returns the command line of a layer.
fn command(layer: &Layer) -> clap::Command {
    let tools = layer.tools.iter().map(|tool| usage::command(layer, tool));
    let named = Cli::command().name(layer.name).version(layer.version);
    let named = named.mut_arg("save_dir", |option| option.hide(layer.captures.is_none()));
    named.mut_subcommand("call", |call| call.subcommands(tools))
}

async fn run(mut layer: Layer, cli: Cli) -> Result<ExitCode, String> {
    if !cli.toolset.is_empty() {
        layer.keep(&cli.toolset).map_err(|e| e.report())?;
    }
    match cli.command {
        Some(Command::Tools { name: None }) => return print(&list(&layer)),
        Some(Command::Tools { name: Some(name) }) => {
            let tool = layer.tool(&name).map_err(|e| e.report())?;
            return print(&usage::text(&layer, tool));
        }
        Some(Command::Reference { of: Reference::Tools }) => return print(&crate::reference::tools(&layer)),
        Some(Command::Reference { of: Reference::Commands }) => {
            return print(&crate::reference::commands(&layer));
        }
        Some(Command::Reference { of: Reference::Man }) => {
            let page =
                manual::page(command(&layer)).map_err(|e| format!("cannot write the manual page: {e}"))?;
            return print(&page);
        }
        _ => {}
    }
    let budget = Budget { bytes: cli.max_bytes, ..Budget::default() };
    let server = Server::new(layer, source(cli.source).await?, budget);
    let server = match cli.save_dir {
        Some(folder) if folder.is_dir() => server.saving_captures_in(folder),
        Some(folder) => return Err(format!("error: --save-dir: {} is not a folder", folder.display())),
        None => server,
    };
    let answered = tokio::select! {
        answered = answer(&server, cli.command, &cli.http) => answered,
        // Over HTTP, `http::serve` handles the signals itself, so that running calls get time to end.
        stopped = stopped(), if cli.http.addr.is_none() => stopped,
    };
    server.end_calls().await;
    server.backend().close().await;
    answered
}

/// Waits until a signal stops the process.
async fn stopped() -> Result<ExitCode, String> {
    let failed = |e: std::io::Error| format!("cannot wait for signals: {e}");
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    // A closed terminal sends SIGHUP.
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    tokio::select! {
        _ = hangup.recv() => Ok(ExitCode::from(128 + 1)),
        _ = terminate.recv() => Ok(ExitCode::from(128 + 15)),
        _ = interrupt.recv() => Ok(ExitCode::from(128 + 2)),
    }
}

async fn answer(server: &Server, command: Option<Command>, http: &HttpArgs) -> Result<ExitCode, String> {
    match command {
        Some(Command::Call(Called { tool, arguments, evidence, json })) => {
            // Open the source without a time limit, so that a person need not repeat the call. The call itself reports
            // an error of the source.
            _ = server.backend().open(&Progress::default()).await;
            let form = if json { ReplyForm::Json } else { ReplyForm::Text };
            let answer = server.call_in(form, &tool, usage::arguments(arguments), Progress::default()).await;
            let text = answer?;
            if let Some(Ok(told)) = server.told(&evidence_of(form, &text, evidence)).await {
                eprint!("{told}");
            }
            print(&text)
        }
        Some(Command::Coverage) => {
            let coverage = server.backend().coverage().await.map_err(|e| crate::error::chain(&e))?;
            print(&crate::sanitize::clean(&coverage.to_string()))
        }
        _ => match http.addr {
            Some(addr) => match http::serve(server.clone(), addr, http).await {
                Ok(()) => Ok(ExitCode::SUCCESS),
                Err(e) => Err(format!("error: {}", crate::error::chain(&e))),
            },
            None => serve(server.clone()).await,
        },
    }
}

/// Returns the source that the command line selects.
async fn source(args: SourceArgs) -> Result<Arc<dyn Backend>, String> {
    let node = |text: &String| match text.as_str() {
        "" => LocalNode::this_host().map_err(|e| format!("this host has no usable name: {e}")),
        text => text.parse().map_err(|e: crate::BadLocal| format!("--local: {e}")),
    };
    let backend: Arc<dyn Backend> = match (&args.bundle, &args.local, args.recorded) {
        (paths, _, _) if !paths.is_empty() => Arc::new(Bundle::new(args.bundle)),
        (_, nodes, _) if !nodes.is_empty() => {
            Arc::new(LocalBackend::new(nodes.iter().map(node).collect::<Result<_, _>>()?))
        }
        (_, _, Some(dir)) => Arc::new(RecordedBackend::new(dir)),
        _ => Arc::new(LiveCluster::find(&args.cluster).await.map_err(|e| format!("error: {e}"))?),
    };
    Ok(match args.record {
        Some(dir) => Arc::new(RecordingBackend::new(backend, dir)),
        None => backend,
    })
}

/// Serves until the client closes its end. Running calls then get a short time to end; after that they are dropped
/// together with the programs that they started.
async fn serve(server: Server) -> Result<ExitCode, String> {
    tracing::info!(server = server.layer().name, source = server.backend().name(), "serving on stdio");
    if std::io::stdin().is_terminal() {
        eprint!("{}", for_terminal(server.layer().name, server.backend().name()));
    }
    let (input, output) = rmcp::transport::io::stdio_pipes();
    let closed = Arc::new(Notify::new());
    let running = match server.clone().serve(Stdio::new(input, output, closed.clone())).await {
        Ok(running) => running,
        // A client that disconnects before it sends anything is not an error.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(ExitCode::SUCCESS),
        Err(e) => return Err(format!("the client does not speak MCP: {e}")),
    };
    let hurry = async {
        closed.notified().await;
        tokio::time::sleep(LAST_ANSWERS).await;
        server.end_calls().await;
        std::future::pending().await
    };
    tokio::select! {
        ended = running.waiting() => ended.map(|_| ExitCode::SUCCESS).map_err(|e| e.to_string()),
        never = hurry => never,
    }
}

/// Returns the text for a person who starts a server on a terminal, where no client sends messages.
fn for_terminal(name: &str, source: &str) -> String {
    format!(
        "{name} reads {source} and waits for the messages of an MCP client on standard input. Ctrl-C ends it.\n\
         To ask questions on this terminal, run it with the same options and a command:\n  \
         {name} tools              lists the tools\n  \
         {name} call TOOL --help   shows the parameters of a tool and examples\n  \
         {name} --help             shows all commands and options\n"
    )
}

/// Returns the resource with the evidence of an answer if it is wanted, and otherwise an empty text.
fn evidence_of(form: ReplyForm, answer: &str, wanted: bool) -> String {
    let uri = match form {
        ReplyForm::Text => answer.lines().next().and_then(|line| line.rsplit(' ').next()).map(str::to_owned),
        ReplyForm::Json => serde_json::from_str::<Value>(answer)
            .ok()
            .and_then(|answer| answer.get("evidence")?.as_str().map(str::to_owned)),
    };
    uri.filter(|_| wanted).unwrap_or_default()
}

/// Returns the list of tools, one tool per line.
fn list(layer: &Layer) -> String {
    let width = layer.tools.iter().map(|tool| tool.name.len()).max().unwrap_or(0);
    let line = |t: &crate::tool::ToolEntry| {
        format!("{:width$}  [{}] {}\n", t.name, t.toolset, usage::first_sentence(t))
    };
    layer.tools.iter().map(line).collect()
}

fn print(text: &str) -> Result<ExitCode, String> {
    let text = if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    match std::io::stdout().write_all(text.as_bytes()) {
        // A closed pipe, as with `| head`, is not an error.
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e.to_string()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
