//! Parses the paths of API requests.

use axum::http::{Method, Uri};

/// The parts of a path such as `/api/v1/namespaces/NAMESPACE/pods/NAME/exec`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// The API group. Empty for the core group.
    pub(super) group: String,
    /// The version of the group.
    pub(super) version: String,
    /// The namespace. `None` for cluster-scoped objects and for all namespaces.
    pub(super) namespace: Option<String>,
    /// The plural name of the kind: `pods`.
    pub(super) plural: String,
    /// The name of the object. `None` for a list.
    pub(super) name: Option<String>,
    /// The subresource: `log`, `exec`, `proxy`.
    pub(super) part: Option<String>,
    /// The path after `proxy`.
    pub(super) rest: String,
}

impl Target {
    /// Parses a path. Returns `None` if it is not the path of a resource.
    pub(super) fn parse(uri: &Uri) -> Option<Self> {
        let mut words = uri.path().split('/').filter(|word| !word.is_empty());
        let mut target = match words.next()? {
            "api" => Self { version: words.next()?.into(), ..Self::default() },
            "apis" => Self { group: words.next()?.into(), version: words.next()?.into(), ..Self::default() },
            _ => return None,
        };
        let mut rest: Vec<&str> = words.collect();
        // A namespace is also an object. It limits the request only if a kind follows its name.
        if let ["namespaces", namespace, _, ..] = *rest.as_slice()
            && rest.get(2) != Some(&"status")
        {
            target.namespace = Some(namespace.into());
            rest.drain(..2);
        }
        let mut rest = rest.into_iter();
        target.plural = rest.next()?.into();
        target.name = rest.next().map(Into::into);
        target.part = rest.next().map(Into::into);
        target.rest = rest.collect::<Vec<_>>().join("/");
        Some(target)
    }

    /// Returns `v1` or `apps/v1`.
    pub(super) fn group_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Returns `pods` or `daemonsets.apps`.
    pub(super) fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Returns the resource as a role names it: `pods`, `pods/exec`.
    pub(super) fn permission(&self) -> String {
        match &self.part {
            Some(part) => format!("{}/{part}", self.plural),
            None => self.plural.clone(),
        }
    }

    /// Returns the verb of the request as a role names it.
    pub(super) fn verb(&self, method: &Method, watch: bool) -> &'static str {
        match (method.as_str(), &self.name) {
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", Some(_)) => "delete",
            ("DELETE", None) => "deletecollection",
            (_, _) if watch => "watch",
            (_, Some(_)) => "get",
            (_, None) => "list",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(path: &str) -> Option<Target> {
        Target::parse(&path.parse().unwrap())
    }

    #[test]
    fn a_namespace_is_an_object_and_a_scope() {
        let pods = target("/api/v1/namespaces/default/pods").unwrap();
        assert_eq!(
            (pods.namespace.as_deref(), pods.plural.as_str(), pods.name),
            (Some("default"), "pods", None)
        );
        let namespace = target("/api/v1/namespaces/default").unwrap();
        assert_eq!((namespace.namespace, namespace.plural.as_str()), (None, "namespaces"));
        assert_eq!(namespace.name.as_deref(), Some("default"));
    }

    #[test]
    fn subresources_have_their_own_permission() {
        let exec = target("/api/v1/namespaces/default/pods/web-1/exec").unwrap();
        assert_eq!((exec.permission().as_str(), exec.verb(&Method::GET, false)), ("pods/exec", "get"));
        let sets = target("/apis/apps/v1/daemonsets").unwrap();
        assert_eq!((sets.resource().as_str(), sets.group_version().as_str()), ("daemonsets.apps", "apps/v1"));
        let log = target("/api/v1/nodes/ovn-worker/proxy/logs/a/b").unwrap();
        assert_eq!((log.permission().as_str(), log.rest.as_str()), ("nodes/proxy", "logs/a/b"));
    }

    #[test]
    fn paths_without_a_resource_are_rejected() {
        for path in
            ["/", "/version", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/openapi/v3"]
        {
            assert_eq!(target(path), None, "{path}");
        }
    }
}
