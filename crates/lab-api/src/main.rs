//! The API server of the lab as a program, for `cargo xtask lab api` and for manual tests.
#![expect(clippy::print_stdout, reason = "the program prints its results")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use lab_api::{Options, Result, Server};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Parser)]
#[command(about = "A Kubernetes API server in front of the lab")]
enum Task {
    /// Serve until stopped by a signal
    Serve {
        /// The folder of the lab
        #[arg(long, default_value = "/var/lib/ovnk-lab", value_name = "DIR")]
        lab: PathBuf,
        #[command(flatten)]
        options: Options,
        /// End when standard input ends, so that a parent program that dies leaves no server behind
        #[arg(long)]
        with_stdin: bool,
    },
    /// List the commands that run in the containers of a server, one per line
    Running {
        /// The process ID of the server
        pid: u32,
    },
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Serve { lab, options, with_stdin } => serve(&lab, &options, with_stdin),
        Task::Running { pid } => {
            lab_api::running_under(pid).iter().for_each(|line| println!("{line}"));
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(lab: &std::path::Path, options: &Options, with_stdin: bool) -> Result {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(async {
        let stopped = stop(with_stdin)?;
        let server = Server::bind(lab, options).await?;
        println!("serving https://{}; kubeconfig: {}", server.address(), options.kubeconfig.display());
        server.serve(stopped).await
    });
    runtime.shutdown_background();
    outcome
}

/// Returns a future that completes on a signal or, with `with_stdin`, at the end of standard input.
fn stop(with_stdin: bool) -> Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let end_of_input = async move {
        if with_stdin {
            _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = end_of_input => {}
        }
    })
}
