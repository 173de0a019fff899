//! The tool `kubectl_logs`: reads the log of a container.

use crate::{
    log::{LogParams, end_of},
    pods::{Container, Pod},
};
use mcp_core::{
    Answer, ClusterReader, ClusterTool, LogPart, LogQuery, LogSource, PodRef, ReadError, ToolError,
};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct KubectlLogs;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Params {
    /// Pod as `namespace/name`.
    pod: String,
    /// Container or init container, if the pod has several.
    #[serde(default)]
    container: Option<String>,
    /// Run of the container. Default: `current`.
    #[serde(default)]
    run: Run,
    #[serde(flatten)]
    log: LogParams,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Run {
    #[default]
    Current,
    /// The run before the last restart.
    Previous,
    /// All runs whose logs are kept, including rotated files.
    All,
}

impl ClusterTool for KubectlLogs {
    const NAME: &'static str = "kubectl_logs";
    const TITLE: &'static str = "Log of a container";
    const TOOLSET: &'static str = "logs";
    const DESCRIPTION: &'static str = "Shows the log of a container: the last lines, or the lines of a time range, of a \
         level, or that match `grep`. Begin with digest=true, which folds a log of any size into message templates with \
         counts, errors and rare messages first. After a restart use run=previous.";
    const OWN_GREP: bool = true;
    type Params = Params;

    fn title(params: &Params) -> String {
        let what = if params.log.digest { "digest of the log" } else { "log" };
        let container = params.container.as_deref().map(|name| format!(" -c {name}")).unwrap_or_default();
        let run = match params.run {
            Run::Current => "",
            Run::Previous => " --previous",
            Run::All => " (all runs)",
        };
        format!("{what} {}{container}{run}", params.pod)
    }

    async fn run(cluster: &ClusterReader<'_>, params: &Params) -> Result<Answer, ToolError> {
        let pod: PodRef = params.pod.trim().parse().map_err(|e: String| {
            ToolError::bad(e, "Pass the pod as `namespace/name`; kubectl_get kind=pods lists pods.")
        })?;
        let known = Pod::read(cluster, &pod).await?;
        let (container, note) = choose(&pod, known.as_ref(), params.container.as_deref())?;
        let part = match params.run {
            Run::Current => LogPart::Current,
            Run::Previous => LogPart::Previous,
            Run::All => LogPart::All,
        };
        let source = LogSource::Container { pod: pod.clone(), container: container.clone(), part };
        let now = cluster.now().await;
        let end = match params.log.is_relative() && !cluster.is_live() {
            true => match cluster.log(&LogQuery::all(source.clone())).await {
                Ok(stream) => end_of(stream, now, cluster.within() / 2).await,
                // The read below reports the error.
                Err(_) => None,
            },
            false => None,
        };
        let reading = params.log.reading(now, end, cluster.budget(), cluster.within())?;
        // A live cluster returns only the newest log file of a run, so the start of the run is checked; a bundle itself
        // says which files it has.
        let runs = known.iter().flat_map(|pod| &pod.containers).find(|known| known.name == container);
        let begun = runs.filter(|_| cluster.is_live()).and_then(Container::running_since);
        let reading = reading.begun(begun.filter(|_| matches!(params.run, Run::Current)));
        let query = LogQuery { source, since: reading.since, tail: params.log.only_tail() };
        let stream = match cluster.log(&query).await {
            // The source has pod objects, but not this pod: the error says so.
            Err(ReadError::NotHeld { what, source_name, why: None, instead }) if known.is_none() => {
                let why = Some(format!("no log of pod {pod} was collected"));
                return Err(ReadError::NotHeld { what, source_name, why, instead }.into());
            }
            // The API server said why there is no log, so this is an answer and not a failure.
            Err(ReadError::NotHeld { why: Some(why), .. }) if cluster.is_live() => {
                let notes = note.into_iter().collect();
                return Ok(Answer { if_empty: why, notes, ..Answer::default() });
            }
            stream => stream?,
        };
        let mut answer = reading.of(stream).await;
        answer.notes.extend(note);
        Ok(answer)
    }
}

/// Returns the name of the container and a note with its state. The name is empty if the pod has no object and the call
/// names no container: then the source chooses the container.
fn choose(
    pod: &PodRef,
    known: Option<&Pod>,
    asked: Option<&str>,
) -> Result<(String, Option<String>), ToolError> {
    let asked = asked.map(str::trim).filter(|name| !name.is_empty());
    let Some(known) = known else { return Ok((asked.unwrap_or_default().to_owned(), None)) };
    let told =
        |container: &Container| Some(format!("pod {pod} on node {}: container {container}", known.node));
    match asked {
        Some(name) => match known.containers.iter().find(|container| container.name == name) {
            Some(container) => Ok((name.to_owned(), told(container))),
            None => {
                let names = known.containers.iter().map(|container| container.name.clone());
                Err(ToolError::not_found(format!("container of {pod}"), name, names))
            }
        },
        None => {
            let mut own = known.own();
            match (own.next(), own.next()) {
                (Some(only), None) => Ok((only.name.clone(), told(only))),
                _ => {
                    let all: Vec<String> = known.containers.iter().map(ToString::to_string).collect();
                    Err(ToolError::bad(
                        format!("pod {pod} has several containers, and `container` is missing"),
                        format!("Pass one of these containers: {}.", all.join("; ")),
                    ))
                }
            }
        }
    }
}
