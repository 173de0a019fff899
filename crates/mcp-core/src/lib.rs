//! The core that all servers share.
//!
//! A layer (`mcp-ovn`, `mcp-ovs`, …) is a table of tools. Core selects the nodes of a call, runs commands, redacts and
//! bounds answers, compares the answers of several nodes, and serves the tools over MCP. It is the only
//! crate that names the MCP library.
//!
//! `docs/architecture.md` lists the invariants of this crate.

pub mod argv;

mod answer;
pub mod audit;
mod backend;
mod captures;
mod cli;
mod cluster;
pub mod commands;
pub mod completion;
mod condition;
mod deadline;
mod delta;
mod document;
mod error;
mod evidence;
mod fold;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod kubernetes;
mod manual;
mod memory;
mod message;
mod name;
mod node;
mod params;
mod pattern;
mod progress;
mod prompt;
mod reference;
mod reply;
mod resolve;
mod sanitize;
mod schema;
mod server;
mod stdio;
mod target;
mod time;
mod tool;
mod unique;
mod usage;

pub use answer::{Answer, Fact, Row, RowField, RowIdentity, counted};
pub use argv::Argv;
pub use backend::{
    AreaOfNode, AreaState, Backend, BadLocal, Bundle, BundleFile, ClusterError, Collection, Coverage,
    DataArea, Extent, FileVisitor, LiveCluster, LocalBackend, LocalNode, NodeCoverage, Origin, Output,
    ReadError, ReadValue, RecordedBackend, RecordingBackend, SourceCoverage,
};
pub use captures::{
    Capture, CaptureFormat, CapturePart, CaptureReport, CaptureStore, PartReader, RunningCapture,
};
pub use cli::main;
pub use cluster::{ClusterReader, RowsOfNode};
pub use completion::{Completer, Completion};
pub use condition::{ColumnCondition, Operator};
pub use deadline::{CallEnded, Deadline, lines, must_stop};
pub use delta::{CounterChange, CounterDelta, Counters, MovedCounter};
pub use document::Document;
pub use error::{ToolError, chain};
pub use kubernetes::{
    BadSelector, Column, FieldSelector, HostLog, LabelSelector, LogPart, LogQuery, LogSource, LogStream,
    ObjectKind, ObjectName, ObjectQuery, Table, TableRow, UnreadFields, yaml_lines,
};
pub use name::BadName;
pub use node::{Node, Reading};
pub use pattern::Pattern;
pub use progress::Progress;
pub use prompt::{Prompt, PromptArgument};
pub use reply::Budget;
pub use sanitize::redact_datum;
pub use server::Server;
pub use target::{CollectionChoice, CommandPlace, CommandTarget, Db, Namespace, NodeName, PodName, PodRef};
pub use time::{age, check_seconds, moment};
pub use tool::{ClusterTool, Example, Layer, Many, Tool, ToolEntry};
