//! Files that were read last, as objects.

use super::read;
use crate::{Deadline, Kind, ReadError, backend::bundle::files::Files, kubernetes::redact};
use serde_json::Value;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

/// How many bytes of YAML are remembered, as objects, which take several times as many.
const BYTES: usize = 8 << 20;

/// The objects of the files that were read last, without secrets.
#[derive(Default)]
pub(super) struct Remembered(Mutex<VecDeque<File>>);

struct File {
    bundle: usize,
    path: String,
    bytes: usize,
    objects: Arc<Vec<Value>>,
    notes: Vec<String>,
}

impl Remembered {
    /// Gives each object of a file, and tells what is odd about the file.
    pub(super) fn each(
        &self,
        bundle: usize,
        path: &str,
        kind: &Kind,
        files: &Files,
        take: &mut dyn FnMut(&Value),
    ) -> Result<Vec<String>, ReadError> {
        if let Some((objects, notes)) = self.find(bundle, path) {
            objects.iter().for_each(take);
            return Ok(notes);
        }
        let bytes = files.read_objects(path)?;
        let small = bytes.len() <= BYTES / 4;
        let (mut kept, mut given) = (Vec::new(), 0);
        let read = read::each(&bytes, |mut object| {
            complete(kind, &mut object);
            redact(kind, &mut object);
            take(&object);
            given += 1;
            if small {
                kept.push(object);
            }
        });
        Deadline::current()
            .check()
            .map_err(|_| ReadError::OutOfTime { what: format!("reading {path} in {}", files.name) })?;
        let mut notes: Vec<String> = files.cut(path).into_iter().collect();
        if let Err(e) = read {
            if given == 0 {
                return Err(ReadError::unreadable(format!("{path} in {}", files.name), e));
            }
            notes.push(format!("{path} is damaged after {given} objects, which are shown: {e}"));
        }
        if small {
            self.remember(File {
                bundle,
                path: path.to_owned(),
                bytes: bytes.len(),
                objects: Arc::new(kept),
                notes: notes.clone(),
            });
        }
        Ok(notes)
    }

    fn find(&self, bundle: usize, path: &str) -> Option<(Arc<Vec<Value>>, Vec<String>)> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let file = files.iter().find(|file| file.bundle == bundle && file.path == path)?;
        Some((file.objects.clone(), file.notes.clone()))
    }

    fn remember(&self, file: File) {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.push_back(file);
        let mut bytes: usize = files.iter().map(|file| file.bytes).sum();
        while bytes > BYTES
            && let Some(oldest) = files.pop_front()
        {
            bytes -= oldest.bytes;
        }
    }
}

/// Items of some lists do not say what they are, since the list does.
fn complete(kind: &Kind, object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        for (name, value) in [("kind", kind.kind.clone()), ("apiVersion", kind.api_version())] {
            if !fields.contains_key(name) {
                fields.shift_insert(0, name.into(), value.into());
            }
        }
    }
}
