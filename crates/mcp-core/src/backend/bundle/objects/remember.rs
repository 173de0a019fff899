//! A cache of the most recently read files of objects.

use super::read;
use crate::{Deadline, ObjectKind, ReadError, backend::bundle::files::Files, kubernetes::redact};
use serde_json::Value;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

/// The limit of the cache, in bytes of YAML. The parsed objects take several times as much memory.
const BYTES: usize = 8 << 20;

/// The objects of the most recently read files, without secrets.
#[derive(Default)]
pub(super) struct ObjectCache(Mutex<VecDeque<CachedFile>>);

struct CachedFile {
    bundle: usize,
    path: String,
    bytes: usize,
    objects: Arc<Vec<Value>>,
    notes: Vec<String>,
}

impl ObjectCache {
    /// Passes each object of a file to `take`, and returns notes about the file.
    pub(super) fn each(
        &self,
        bundle: usize,
        path: &str,
        kind: &ObjectKind,
        files: &Files,
        take: &mut dyn FnMut(&Value),
    ) -> Result<Vec<String>, ReadError> {
        if let Some((objects, notes)) = self.find(bundle, path) {
            objects.iter().for_each(take);
            return Ok(notes);
        }
        let (bytes, _memory) = files.read_objects(path)?;
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
            .map_err(|over| over.stopped(format!("reading {path} in {}", files.name)))?;
        let mut notes: Vec<String> = files.cut(path).into_iter().collect();
        if let Err(e) = read {
            if given == 0 {
                return Err(ReadError::unreadable(format!("{path} in {}", files.name), e));
            }
            notes.push(format!(
                "{path} is damaged; only the {given} objects before the damage are shown: {e}"
            ));
        }
        if small {
            self.remember(CachedFile {
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

    fn remember(&self, file: CachedFile) {
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

/// Sets the kind and version of an object if they are missing. Items of some lists omit them, because the list has
/// them.
fn complete(kind: &ObjectKind, object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        for (name, value) in [("kind", kind.kind.clone()), ("apiVersion", kind.api_version())] {
            if !fields.contains_key(name) {
                fields.shift_insert(0, name.into(), value.into());
            }
        }
    }
}
