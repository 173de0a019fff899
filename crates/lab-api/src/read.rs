//! Answers requests for single objects and lists.

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::cluster::LabCluster;
use super::path::Target;
use super::query::Query;
use super::selector::Selector;
use super::status::Status;
use super::store::{Key, Resource, Store, key};
use super::table;

/// The query and the headers of a read request.
pub(super) struct ReadRequest<'a> {
    pub(super) query: &'a Query,
    pub(super) headers: &'a HeaderMap,
}

impl LabCluster {
    /// Returns one object.
    pub(super) fn get(
        &self,
        target: &Target,
        name: &str,
        asked: &ReadRequest<'_>,
    ) -> Result<Response, Status> {
        let store = self.store();
        let resource = find(&store, target)?;
        let key = (target.namespace.clone().unwrap_or_default(), name.to_owned());
        let object = resource.objects.get(&key).ok_or_else(|| Status::not_found(target, name))?;
        if table::wanted(asked.headers) {
            return Ok(table::answer(resource, &Page::one(object), store.version(), asked.query));
        }
        Ok(Json(resource.whole(object)).into_response())
    }

    /// Returns a page of the objects that a query selects.
    pub(super) fn list(&self, target: &Target, asked: &ReadRequest<'_>) -> Result<Response, Status> {
        let store = self.store();
        let resource = find(&store, target)?;
        let page = Page::of(resource, target, asked.query)?;
        if table::wanted(asked.headers) {
            return Ok(table::answer(resource, &page, store.version(), asked.query));
        }
        let objects: Vec<Value> = page.objects.iter().map(|object| (*object).clone()).collect();
        Ok(Json(resource.list(objects, page.metadata(store.version()))).into_response())
    }
}

/// Returns the kind that a path names.
pub(super) fn find<'a>(store: &'a Store, target: &Target) -> Result<&'a Resource, Status> {
    store.resource(&target.group_version(), &target.plural).ok_or_else(Status::no_resource)
}

/// A page of a list.
pub(super) struct Page<'a> {
    pub(super) objects: Vec<&'a Value>,
    /// The start of the next page.
    next: Option<Key>,
    remaining: usize,
    /// Whether the answer gives the number of remaining objects. The real server gives it only for lists without a
    /// selector.
    counted: bool,
}

impl<'a> Page<'a> {
    /// Returns a page with one object.
    fn one(object: &'a Value) -> Self {
        Self { objects: vec![object], next: None, remaining: 0, counted: false }
    }

    /// Returns the objects that a query selects, after the end of the previous page.
    pub(super) fn of(resource: &'a Resource, target: &Target, query: &Query) -> Result<Self, Status> {
        let selector = selector(target, query)?;
        let after = match query.get("continue") {
            "" => None,
            token => Some(start(token)?),
        };
        let mut objects: Vec<&Value> = resource
            .all()
            .filter(|object| is_at(object, target) && selector.selects(object))
            .filter(|object| after.as_ref().is_none_or(|after| key(object) > *after))
            .collect();
        let limit =
            query.number("limit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
        let remaining = objects.len().saturating_sub(limit.unwrap_or(objects.len()));
        objects.truncate(limit.unwrap_or(objects.len()));
        let next = objects.last().filter(|_| remaining > 0).map(|last| key(last));
        Ok(Self { objects, next, remaining, counted: selector.is_empty() })
    }

    /// Checks whether an object belongs to the list of a request.
    pub(super) fn holds(object: &Value, target: &Target, query: &Query) -> bool {
        is_at(object, target) && selector(target, query).is_ok_and(|selector| selector.selects(object))
    }

    /// Returns the metadata of the list.
    pub(super) fn metadata(&self, version: u64) -> Value {
        let mut metadata = json!({ "resourceVersion": version.to_string() });
        if let (Some(next), Some(metadata)) = (&self.next, metadata.as_object_mut()) {
            metadata.insert("continue".into(), token(next).into());
            if self.counted {
                metadata.insert("remainingItemCount".into(), self.remaining.into());
            }
        }
        metadata
    }
}

fn selector(target: &Target, query: &Query) -> Result<Selector, Status> {
    Selector::parse(&target.plural, query.get("labelSelector"), query.get("fieldSelector"))
}

/// Checks whether an object has the namespace and the name of a path, if the path has them.
fn is_at(object: &Value, target: &Target) -> bool {
    let (namespace, name) = key(object);
    target.namespace.as_ref().is_none_or(|wanted| *wanted == namespace)
        && target.name.as_ref().is_none_or(|wanted| *wanted == name)
}

/// Returns a continue token, which is opaque to clients and names the start of the next page.
fn token(last: &Key) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(json!({ "v": "meta.k8s.io/v1", "start": [last.0, last.1] }).to_string())
}

fn start(token: &str) -> Result<Key, Status> {
    let read = || {
        let object: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        Some((
            object.pointer("/start/0")?.as_str()?.to_owned(),
            object.pointer("/start/1")?.as_str()?.to_owned(),
        ))
    };
    read().ok_or_else(|| {
        Status::new(StatusCode::BAD_REQUEST, "BadRequest", "continue key is not valid: unable to decode")
    })
}
