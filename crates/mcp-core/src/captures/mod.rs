//! Captures: the binary output of a program that watches a node for a while, such as tcpdump(8).
//!
//! A capture outlives its call, so that later calls can analyse it without asking the node again. Its bytes are in
//! temporary files without a name, which the kernel frees when the process ends in any way. The store bounds the
//! number, the size and the age of captures. It keeps whatever arrived, also if the call was cancelled or the node
//! died.

mod part;
#[cfg(test)]
mod tests;

pub use part::{CapturePart, CaptureReport, PartReader};

use crate::{ToolError, unique};
use jiff::Timestamp;
use std::{
    collections::VecDeque,
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

/// The number of captures that a server keeps.
const MAX_CAPTURES: usize = 16;
/// The size of all captures of a server, in bytes.
const MAX_BYTES: u64 = 512 << 20;
/// How long a capture is kept after it ended.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// The number of removed captures whose end is remembered, so that a question about them gets a clear answer.
const MAX_GONE: usize = 256;

/// How a layer writes the parts of a capture into one file.
#[derive(Clone, Copy, Debug)]
pub struct CaptureFormat {
    /// Writes the parts into one file.
    pub write: fn(&Capture, &mut dyn Write) -> io::Result<()>,
    /// The media type of the file.
    pub media_type: &'static str,
    /// The extension of the file's name, without the dot.
    pub extension: &'static str,
}

/// A capture: one part for each point that was watched.
#[derive(Debug)]
pub struct Capture {
    id: String,
    title: String,
    begun: Timestamp,
    parts: Vec<CapturePart>,
    /// Texts that explain the bytes, such as the connections of a node.
    context: Mutex<Vec<String>>,
    /// When the capture ended, or `None` while it runs.
    ended: Mutex<Option<Instant>>,
}

/// The captures that a server keeps.
#[derive(Debug)]
pub struct CaptureStore {
    server: &'static str,
    format: Option<CaptureFormat>,
    /// The folder in which the operator keeps all captures.
    folder: Option<PathBuf>,
    kept: Mutex<KeptCaptures>,
}

#[derive(Debug, Default)]
struct KeptCaptures {
    /// The captures, the oldest first.
    captures: VecDeque<Arc<Capture>>,
    /// The identifiers of removed captures, and why they were removed.
    gone: VecDeque<(String, &'static str)>,
}

/// A capture that runs. It ends when this value is dropped: when its call ends, is cancelled or fails.
#[derive(Debug)]
pub struct RunningCapture {
    capture: Arc<Capture>,
    store: Weak<CaptureStore>,
}

impl Capture {
    /// The identifier, which cannot be guessed.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What was captured, in the words of the tool.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// When the capture began.
    pub fn begun(&self) -> Timestamp {
        self.begun
    }

    /// The parts, in the order of the points.
    pub fn parts(&self) -> &[CapturePart] {
        &self.parts
    }

    /// The texts that explain the bytes, in the order in which they were added.
    pub fn context(&self) -> Vec<String> {
        self.context.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds a text that explains the bytes and that later analyses need, such as the connections of a node.
    pub fn add_context(&self, text: String) {
        self.context.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// The number of bytes that arrived.
    pub fn len(&self) -> u64 {
        self.parts.iter().map(CapturePart::len).sum()
    }

    /// Returns true if no byte arrived.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns true while the capture runs.
    pub fn is_running(&self) -> bool {
        self.ended().is_none()
    }

    fn ended(&self) -> Option<Instant> {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes that the capture may take: what arrived, or its limit while it runs.
    fn room(&self) -> u64 {
        if self.is_running() { self.parts.iter().map(CapturePart::limit).sum() } else { self.len() }
    }
}

impl CaptureStore {
    /// Creates an empty store. A layer without captures has no format.
    pub(crate) fn new(server: &'static str, format: Option<CaptureFormat>, folder: Option<PathBuf>) -> Self {
        Self { server, format, folder, kept: Mutex::default() }
    }

    /// Begins a capture with these points, of at most `limit` bytes each. To make room, it removes the oldest captures
    /// that have ended.
    ///
    /// # Errors
    ///
    /// Returns an error if the running captures leave no room, or if no temporary file can be created.
    pub fn begin(
        self: &Arc<Self>,
        title: &str,
        points: &[String],
        limit: u64,
    ) -> Result<RunningCapture, ToolError> {
        let parts: io::Result<Vec<CapturePart>> =
            points.iter().map(|name| CapturePart::new(name, limit)).collect();
        let failed = |e| crate::ReadError::unreadable("a temporary file for the capture", e);
        let (parts, id) = (parts.map_err(failed)?, unique::secret().map_err(failed)?);
        let capture = Arc::new(Capture {
            id,
            title: title.to_owned(),
            begun: Timestamp::now(),
            parts,
            context: Mutex::default(),
            ended: Mutex::default(),
        });
        let mut kept = self.kept();
        while kept.captures.len() >= MAX_CAPTURES || kept.room() + capture.room() > MAX_BYTES {
            let oldest = kept.captures.iter().position(|capture| !capture.is_running());
            let Some(oldest) = oldest else {
                let running = kept.captures.len();
                return Err(ToolError::Busy(format!(
                    "{running} captures run, and together with this one they may need more than {} MiB; wait until one ends, \
                     or use a smaller limit",
                    MAX_BYTES >> 20
                )));
            };
            kept.remove(oldest, "newer captures needed its room");
        }
        kept.captures.push_back(capture.clone());
        Ok(RunningCapture { capture, store: Arc::downgrade(self) })
    }

    /// Returns the capture with this identifier.
    ///
    /// # Errors
    ///
    /// Returns an error that says whether the capture existed and why it is gone.
    pub fn find(&self, id: &str) -> Result<Arc<Capture>, ToolError> {
        let kept = self.kept();
        if let Some(capture) = kept.captures.iter().find(|capture| capture.id == id) {
            return Ok(capture.clone());
        }
        match kept.gone.iter().find(|(gone, _)| gone == id) {
            Some((_, why)) => Err(ToolError::bad(
                format!("the capture {id} is gone: {why}"),
                "Capture again. The server option --save-dir keeps captures in a folder.",
            )),
            None => Err(ToolError::not_found(
                "capture of this server",
                id,
                kept.captures.iter().map(|capture| capture.id.clone()),
            )),
        }
    }

    /// The captures, the newest first.
    pub fn list(&self) -> Vec<Arc<Capture>> {
        self.kept().captures.iter().rev().cloned().collect()
    }

    /// The address of the resource that holds a capture.
    pub fn uri(&self, id: &str) -> String {
        format!("capture://{}/{id}", self.server)
    }

    /// The capture of the resource with this address, or `None` if the address is not that of a capture.
    pub(crate) fn of_uri(&self, uri: &str) -> Option<Result<Arc<Capture>, ToolError>> {
        let id = uri.strip_prefix(&self.uri(""))?;
        Some(self.find(id))
    }

    pub(crate) fn format(&self) -> Option<CaptureFormat> {
        self.format
    }

    /// Locks the captures, and removes those whose time is over.
    fn kept(&self) -> MutexGuard<'_, KeptCaptures> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |capture: &Arc<Capture>| capture.ended().is_some_and(|end| end.elapsed() >= LIFETIME);
        while let Some(at) = kept.captures.iter().position(over) {
            kept.remove(at, "captures are kept for 30 minutes");
        }
        kept
    }

    /// Writes a capture into the folder of the operator. Only the operator's account can read the file.
    fn save(&self, capture: &Capture) -> io::Result<Option<PathBuf>> {
        let (Some(folder), Some(format)) = (&self.folder, self.format) else { return Ok(None) };
        save(folder, capture, format).map(Some)
    }
}

fn save(folder: &Path, capture: &Capture, format: CaptureFormat) -> io::Result<PathBuf> {
    let begun = capture.begun.strftime("%Y%m%dT%H%M%SZ");
    let id = capture.id.get(..8).unwrap_or_default();
    let path = folder.join(format!("{begun}-{id}.{}", format.extension));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let mut file = io::BufWriter::new(file);
    (format.write)(capture, &mut file)?;
    file.flush()?;
    Ok(path)
}

impl KeptCaptures {
    fn room(&self) -> u64 {
        self.captures.iter().map(|capture| capture.room()).sum()
    }

    fn remove(&mut self, at: usize, why: &'static str) {
        let Some(removed) = self.captures.remove(at) else { return };
        self.gone.push_back((removed.id.clone(), why));
        while self.gone.len() > MAX_GONE {
            self.gone.pop_front();
        }
    }
}

impl RunningCapture {
    /// The capture, which later calls can read too.
    pub fn capture(&self) -> &Arc<Capture> {
        &self.capture
    }

    /// Ends the capture. If the operator keeps captures, it returns the path of the file.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written. The capture is in the server nevertheless.
    pub fn end(self) -> io::Result<Option<PathBuf>> {
        self.finish()
    }

    fn finish(&self) -> io::Result<Option<PathBuf>> {
        let mut ended = self.capture.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.replace(Instant::now()).is_some() {
            return Ok(None);
        }
        drop(ended);
        let Some(store) = self.store.upgrade() else { return Ok(None) };
        // Nobody may ask again, and the bytes must go nevertheless.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let store = self.store.clone();
            runtime.spawn(async move {
                tokio::time::sleep(LIFETIME).await;
                store.upgrade().inspect(|store| drop(store.kept()));
            });
        }
        store.save(&self.capture)
    }
}

impl Drop for RunningCapture {
    fn drop(&mut self) {
        if let Err(e) = self.finish() {
            tracing::warn!(capture = %self.capture.id, "the capture could not be saved: {e}");
        }
    }
}
