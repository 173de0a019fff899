//! Parses the query of a request.

use axum::http::Uri;

use super::status::Status;

/// The decoded pairs of a query.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses the query of a URI.
    pub(super) fn parse(uri: &Uri) -> Result<Self, Status> {
        axum::extract::Query::try_from_uri(uri)
            .map(|axum::extract::Query(pairs)| Self(pairs))
            .map_err(|error| Status::bad_request(error.to_string()))
    }

    /// Returns the value of a key, or an empty text if the key is absent.
    pub(super) fn get(&self, key: &str) -> &str {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Returns all values of a key.
    pub(super) fn all(&self, key: &str) -> Vec<String> {
        self.0.iter().filter(|(name, _)| name == key).map(|(_, value)| value.clone()).collect()
    }

    /// Checks whether a key is true.
    pub(super) fn is(&self, key: &str) -> bool {
        matches!(self.get(key), "true" | "1" | "t" | "True")
    }

    /// Returns the number of a key, if the key is present.
    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, Status> {
        match self.get(key) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                Status::bad_request(format!(
                    "invalid value for {key}: strconv.ParseInt: parsing \"{text}\": invalid syntax"
                ))
            }),
        }
    }
}
