//! Builds the `Status` objects of refusals and failures, with the texts of the real API server.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::path::Target;

/// A refusal or a failure.
#[derive(Debug)]
pub(super) struct Status {
    code: StatusCode,
    reason: &'static str,
    message: String,
    details: Value,
}

impl Status {
    /// Creates a status with any code, reason and message.
    pub(super) fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Value::Null }
    }

    /// The object does not exist.
    pub(super) fn not_found(target: &Target, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", target.resource());
        let details = details(target, name, &target.plural);
        Self { details, ..Self::new(StatusCode::NOT_FOUND, "NotFound", message) }
    }

    /// The kind does not exist.
    pub(super) fn no_resource() -> Self {
        let message = "the server could not find the requested resource";
        Self { details: json!({}), ..Self::new(StatusCode::NOT_FOUND, "NotFound", message) }
    }

    /// The pod does not exist.
    pub(super) fn pod_not_found(name: &str) -> Self {
        Self::not_found(&Target { plural: "pods".into(), ..Target::default() }, name)
    }

    /// The user is unknown.
    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
    }

    /// The object is invalid.
    pub(super) fn invalid(target: &Target, name: &str, why: &str) -> Self {
        let message = format!("Pod \"{name}\" is invalid: {why}");
        let details = details(target, name, "Pod");
        Self { details, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message) }
    }

    /// An object of this name already exists.
    pub(super) fn already_exists(target: &Target, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", target.resource());
        let details = details(target, name, &target.plural);
        Self { details, ..Self::new(StatusCode::CONFLICT, "AlreadyExists", message) }
    }

    /// The method is not supported for the resource.
    pub(super) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    /// The user lacks the right.
    pub(super) fn forbidden(user: &str, verb: &str, target: &Target) -> Self {
        let name = target.name.as_deref();
        let what = name.map_or_else(|| target.resource(), |name| format!("{} \"{name}\"", target.resource()));
        let place = match &target.namespace {
            Some(namespace) => format!("in the namespace \"{namespace}\""),
            None => "at the cluster scope".into(),
        };
        let message = format!(
            "{what} is forbidden: User \"{user}\" cannot {verb} resource \"{}\" in API group \"{}\" {place}",
            target.permission(),
            target.group,
        );
        let details = details(target, name.unwrap_or_default(), &target.plural);
        Self { details, ..Self::new(StatusCode::FORBIDDEN, "Forbidden", message) }
    }

    /// The request is malformed.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// The server, or a kubelet behind it, failed.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        let message = format!("Internal error occurred: {}", message.into());
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }

    /// Returns the `Status` object.
    pub(super) fn object(&self) -> Value {
        let mut object = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code.as_u16(),
        });
        if let (Some(object), true) = (object.as_object_mut(), self.details.is_null()) {
            object.shift_remove("details");
        }
        object
    }
}

/// Returns the details of a refusal. The core group is omitted.
fn details(target: &Target, name: &str, kind: &str) -> Value {
    let mut details = json!({ "name": name, "group": target.group, "kind": kind });
    if let Some(details) = details.as_object_mut() {
        details.retain(|_, value| value != "");
    }
    details
}

impl IntoResponse for Status {
    fn into_response(self) -> Response {
        (self.code, Json(self.object())).into_response()
    }
}
