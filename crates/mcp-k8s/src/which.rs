//! Parses and resolves the objects that a call selects: kinds, names and namespaces as an engineer writes them.

use crate::{pods::details, table::Object};
use mcp_core::{
    ClusterReader, Extent, FieldSelector, LabelSelector, Namespace, ObjectKind, ObjectName, ObjectQuery,
    ToolError, UnreadFields,
};
use serde_json::Value;
use std::{collections::BTreeSet, str::FromStr};

/// The selection of objects in a call, before it is looked up.
#[derive(Default)]
pub(crate) struct ObjectSelection {
    /// Names of kinds.
    pub(crate) kinds: Vec<String>,
    /// Names of objects. If empty, all objects are selected.
    pub(crate) names: Vec<ObjectName>,
    pub(crate) namespace: Option<Namespace>,
    pub(crate) labels: LabelSelector,
    pub(crate) fields: FieldSelector,
}

impl ObjectSelection {
    /// Parses parameters: kinds as `pods,svc` or `pod/web-1`, names as `web-1,web-2` or `shop/web-1`, a namespace or
    /// `all`.
    pub(crate) fn parse(kind: &str, name: Option<&str>, namespace: Option<&str>) -> Result<Self, ToolError> {
        let given =
            |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let (mut kind, mut name, mut namespace) = (kind.trim().to_owned(), given(name), given(namespace));
        if name.is_none()
            && let Some((of, one)) = kind.clone().split_once('/')
        {
            (kind, name) = (of.to_owned(), given(Some(one)));
        }
        if let Some((of, one)) = name.clone().as_deref().and_then(|name| name.split_once('/')) {
            // A name can repeat its kind: `pod/web-1` with kind `pod` does not name the namespace `pod`.
            if of != kind {
                namespace = given(Some(of));
            }
            name = given(Some(one));
        }
        let namespace = namespace.filter(|name| !["all", "*"].contains(&name.as_str()));
        let names = name.iter().flat_map(|names| names.split(',')).map(|name| parse(name.trim()));
        Ok(Self {
            kinds: kind
                .split(',')
                .map(|kind| kind.trim().to_owned())
                .filter(|kind| !kind.is_empty())
                .collect(),
            names: names.collect::<Result<_, _>>()?,
            namespace: namespace.as_deref().map(parse).transpose()?,
            ..Self::default()
        })
    }

    /// Adds selectors.
    pub(crate) fn selected(self, labels: Option<&str>, fields: Option<&str>) -> Result<Self, ToolError> {
        let labels = labels.map(str::parse).transpose().map_err(|e| {
            ToolError::bad(
                format!("parameter `labels`: {e}"),
                "Write labels as for `kubectl -l`: app=web,tier!=db.",
            )
        })?;
        let fields = fields.map(str::parse).transpose().map_err(|e| {
            ToolError::bad(
                format!("parameter `fields`: {e}"),
                "Write paths and values: spec.nodeName=a,status.phase!=Running.",
            )
        })?;
        Ok(Self { labels: labels.unwrap_or_default(), fields: fields.unwrap_or_default(), ..self })
    }

    /// Returns the query for objects of a kind.
    pub(crate) fn query(&self, kind: ObjectKind) -> ObjectQuery {
        let namespace = self.namespace.clone().filter(|_| kind.namespaced);
        let name = match self.names.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        };
        ObjectQuery {
            kind,
            namespace,
            name,
            labels: self.labels.clone(),
            fields: self.fields.clone(),
            without: &[],
        }
    }

    /// Returns the selected objects of a kind.
    ///
    /// # Errors
    /// If a named object or the namespace does not exist. The error lists the names that exist.
    pub(crate) async fn objects(
        &self,
        cluster: &ClusterReader<'_>,
        kind: &ObjectKind,
    ) -> Result<Vec<Value>, ToolError> {
        self.find(cluster, kind, &[]).await
    }

    /// Returns the selected objects of a kind without their [`details`], which lists do not show. Its errors are those
    /// of [`Self::objects`].
    pub(crate) async fn listed(
        &self,
        cluster: &ClusterReader<'_>,
        kind: &ObjectKind,
    ) -> Result<Vec<Value>, ToolError> {
        self.find(cluster, kind, details(kind)).await
    }

    async fn find(
        &self,
        cluster: &ClusterReader<'_>,
        kind: &ObjectKind,
        without: UnreadFields,
    ) -> Result<Vec<Value>, ToolError> {
        let mut objects = cluster.objects(&ObjectQuery { without, ..self.query(kind.clone()) }).await?;
        if self.names.len() > 1 {
            objects.retain(|object| {
                self.names.iter().any(|name| name.as_str() == Object(object).text("/metadata/name"))
            });
        }
        self.check(cluster, kind, &objects).await?;
        Ok(objects)
    }

    /// Checks that every named object exists.
    async fn check(
        &self,
        cluster: &ClusterReader<'_>,
        kind: &ObjectKind,
        found: &[Value],
    ) -> Result<(), ToolError> {
        let is_there =
            |name: &&ObjectName| found.iter().any(|one| Object(one).text("/metadata/name") == name.as_str());
        if let Some(missing) = self.names.iter().find(|name| !is_there(name)) {
            self.check_namespace(cluster, kind).await?;
            // An object that the selectors exclude exists, so the error must not say that it is missing.
            let wider = Self { namespace: self.namespace.clone(), ..Self::default() };
            let query = ObjectQuery { without: details(kind), ..wider.query(kind.clone()) };
            let known = cluster.objects(&query).await?;
            let name = |object: &Value| Object(object).text("/metadata/name").to_owned();
            let what = match &self.namespace {
                Some(namespace) if kind.namespaced => format!("{} in namespace {namespace}", kind.singular),
                _ => kind.singular.clone(),
            };
            if known.iter().any(|object| name(object) == missing.as_str()) {
                return Err(ToolError::bad(
                    format!("the {what} `{missing}` exists, but `labels` or `fields` exclude it"),
                    "Pass either `name` or selectors.",
                ));
            }
            return Err(ToolError::not_found(what, missing.to_string(), known.iter().map(name)));
        }
        if found.is_empty() {
            self.check_namespace(cluster, kind).await?;
        }
        self.check_fields(cluster, kind, found).await
    }

    /// Says if no object has a field that a field selector names, because then its path is probably misspelled: as an
    /// error if nothing was found, and otherwise as a note, because `=false` selects objects without the field. A live
    /// API server rejects unknown fields itself.
    async fn check_fields(
        &self,
        cluster: &ClusterReader<'_>,
        kind: &ObjectKind,
        found: &[Value],
    ) -> Result<(), ToolError> {
        if self.fields.is_empty() || cluster.is_live() {
            return Ok(());
        }
        let all = cluster.objects(&ObjectQuery::all(kind.clone())).await?;
        let is_nowhere = |path: &&str| !all.iter().any(|object| FieldSelector::has(object, path));
        let Some(path) = self.fields.paths().find(is_nowhere).filter(|_| !all.is_empty()) else {
            return Ok(());
        };
        let problem = format!("none of the {} {kind} has a field `{path}`", all.len());
        if found.is_empty() {
            let hint = format!("Paths are case-sensitive; kubectl_get kind={kind} output=yaml shows them.");
            return Err(ToolError::bad(problem, hint));
        }
        cluster.note(format!("{problem}; a missing field counts as empty, false or 0, so check the path"));
        Ok(())
    }

    /// Fails if the selected namespace does not exist: an empty answer would hide a misspelled name.
    pub(crate) async fn check_namespace(
        &self,
        cluster: &ClusterReader<'_>,
        kind: &ObjectKind,
    ) -> Result<(), ToolError> {
        let Some(namespace) = self.namespace.as_ref().filter(|_| kind.namespaced) else { return Ok(()) };
        let Ok(namespaces) = cluster.kind("namespaces").await else { return Ok(()) };
        // If namespaces cannot be listed, for example without the right to do so, nothing can be said about this one.
        let Ok((all, extent)) = cluster.list(&ObjectQuery::all(namespaces)).await else { return Ok(()) };
        let mut names: BTreeSet<&str> =
            all.iter().map(|object| Object(object).text("/metadata/name")).collect();
        if names.contains(namespace.as_str()) {
            return Ok(());
        }
        if extent == Extent::Whole {
            return Err(ToolError::not_found("namespace", namespace.to_string(), names));
        }
        // A bundle can hold objects of a namespace whose own object was not collected.
        let query = ObjectQuery { without: details(kind), ..ObjectQuery::all(kind.clone()) };
        let objects = cluster.objects(&query).await.unwrap_or_default();
        names.extend(objects.iter().map(|object| Object(object).text("/metadata/namespace")));
        names.remove("");
        if names.contains(namespace.as_str()) {
            return Ok(());
        }
        Err(ToolError::not_found("collected namespace", namespace.to_string(), names))
    }

    /// Describes the selection for a kind in words.
    pub(crate) fn words(&self, kind: &ObjectKind) -> String {
        let mut words = kind.to_string();
        if let Some(namespace) = self.namespace.as_ref().filter(|_| kind.namespaced) {
            words = format!("{words} in namespace {namespace}");
        }
        if !self.labels.is_empty() || !self.fields.is_empty() {
            words += " that match the selectors";
        }
        words
    }
}

fn parse<T: FromStr>(text: &str) -> Result<T, ToolError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e: T::Err| ToolError::bad(e.to_string(), "Write names as kubectl_get shows them."))
}
