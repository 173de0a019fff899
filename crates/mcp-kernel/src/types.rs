//! Parameters that more than one tool takes.

use host_net::interface::Interface;
use mcp_core::ToolError;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{net::IpAddr, str::FromStr};

/// Of a tool that takes the shared parameters alone.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Which interface; several tools take it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct OfInterface {
    /// Name of an interface; default all.
    #[serde(default)]
    interface: Option<String>,
}

impl OfInterface {
    /// Is this the one? Without a name every one is.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.interface.as_deref().is_none_or(|wanted| wanted == name)
    }

    /// Those of these that are meant.
    ///
    /// # Errors
    /// None has the name.
    pub(crate) fn among<'a>(
        &'a self,
        all: &'a [Interface],
    ) -> Result<impl Iterator<Item = &'a Interface>, ToolError> {
        known("interface", self.interface.as_deref(), all.iter().map(|it| it.name.as_str()))?;
        Ok(all.iter().filter(|it| self.is(&it.name)))
    }
}

/// An address that a call names.
pub(crate) fn address(text: Option<&str>) -> Result<Option<IpAddr>, ToolError> {
    parsed("address", text, "Give one IPv4 or IPv6 address, without a prefix length or port.")
}

/// Text of a parameter as what it should be.
pub(crate) fn parsed<T: FromStr>(name: &str, text: Option<&str>, hint: &str) -> Result<Option<T>, ToolError> {
    let parse = |text: &str| {
        let bad = || ToolError::bad(format!("parameter `{name}` is `{text}`"), hint);
        text.trim().parse().map_err(|_| bad())
    };
    text.map(parse).transpose()
}

/// A mark: `0x1745ec`, `1008`.
pub(crate) fn mark(text: Option<&str>) -> Result<Option<u32>, ToolError> {
    let parse = |text: &str| {
        let text = text.trim();
        let number = match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => text.parse(),
        };
        number.map_err(|_| {
            ToolError::bad(format!("parameter `mark` is `{text}`"), "Give a number of 32 bits: 2, 0x1745ec.")
        })
    };
    text.map(parse).transpose()
}

/// A state that a call asks for: is it one of those that exist, in whichever spelling?
pub(crate) fn state(asked: Option<&str>, of: &[&str]) -> Result<(), ToolError> {
    match asked {
        Some(asked) if !host_net::state::is_known(asked, of) => {
            let hint = format!("The states are {}.", of.join(", "));
            Err(ToolError::bad(format!("parameter `state` is `{asked}`: there is no such state"), hint))
        }
        _ => Ok(()),
    }
}

/// The name, if something has it.
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
