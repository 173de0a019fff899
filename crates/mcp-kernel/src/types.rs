//! Parameters that several tools share, and functions that parse them.

use host_net::interface::Interface;
use mcp_core::ToolError;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{net::IpAddr, str::FromStr};

/// The parameters of a tool that takes only the shared ones.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParams {}

/// The parameter `interface`, which several tools take.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct InterfaceParam {
    /// Interface.
    #[serde(default)]
    interface: Option<String>,
}

impl InterfaceParam {
    /// Returns true if the interface has the requested name, or no name was requested.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.interface.as_deref().is_none_or(|wanted| wanted == name)
    }

    /// Returns the interfaces that match.
    ///
    /// # Errors
    /// No interface has the requested name.
    pub(crate) fn among<'a>(
        &'a self,
        all: &'a [Interface],
    ) -> Result<impl Iterator<Item = &'a Interface>, ToolError> {
        known("interface", self.interface.as_deref(), all.iter().map(|it| it.name.as_str()))?;
        Ok(all.iter().filter(|it| self.matches(&it.name)))
    }
}

/// Parses the parameter `address`.
pub(crate) fn address(text: Option<&str>) -> Result<Option<IpAddr>, ToolError> {
    parsed("address", text, "Pass one IPv4 or IPv6 address, without a prefix length or port.")
}

/// Parses the text of a parameter.
pub(crate) fn parsed<T: FromStr>(name: &str, text: Option<&str>, hint: &str) -> Result<Option<T>, ToolError> {
    let parse = |text: &str| {
        let bad = || ToolError::bad(format!("parameter `{name}` has the invalid value `{text}`"), hint);
        text.trim().parse().map_err(|_| bad())
    };
    text.map(parse).transpose()
}

/// Parses the parameter `mark`: `0x1745ec` or `1008`.
pub(crate) fn mark(text: Option<&str>) -> Result<Option<u32>, ToolError> {
    let parse = |text: &str| {
        let text = text.trim();
        let number = match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => text.parse(),
        };
        number.map_err(|_| {
            let problem = format!("parameter `mark` has the invalid value `{text}`");
            ToolError::bad(problem, "Pass a 32-bit number, such as 2 or 0x1745ec.")
        })
    };
    text.map(parse).transpose()
}

/// Checks that a requested state exists, in the spelling of any program.
pub(crate) fn state(asked: Option<&str>, of: &[&str]) -> Result<(), ToolError> {
    match asked {
        Some(asked) if !host_net::state::is_known(asked, of) => {
            let hint = format!("The states are {}.", of.join(", "));
            Err(ToolError::bad(format!("parameter `state` has the invalid value `{asked}`"), hint))
        }
        _ => Ok(()),
    }
}

/// Checks that a requested name exists.
pub(crate) fn known<'a>(
    kind: &str,
    name: Option<&str>,
    all: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), ToolError> {
    match name {
        Some(name) if !all.clone().any(|it| it == name) => Err(ToolError::not_found(kind, name, all)),
        _ => Ok(()),
    }
}
