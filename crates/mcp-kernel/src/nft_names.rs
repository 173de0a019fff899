//! The names of nftables objects that a call asks for.

use crate::{commands, types};
use host_net::nft::NftObject;
use mcp_core::{
    Argv, ToolError,
    argv::{NftFamily, NftName},
};

/// The table, chain and set that a call asks for.
pub(crate) struct NftNames {
    family: Option<NftFamily>,
    table: Option<NftName>,
    chain: Option<NftName>,
    set: Option<NftName>,
}

impl NftNames {
    /// Parses the names that a call passes.
    ///
    /// # Errors
    /// A text is not a name, or the family does not exist.
    pub(crate) fn parse(
        table: Option<&str>,
        chain: Option<&str>,
        set: Option<&str>,
    ) -> Result<Self, ToolError> {
        let (family, table) = self::table(table)?;
        Ok(Self { family, table, chain: name("chain", chain)?, set: name("set", set)? })
    }

    /// Returns the commands that list only the requested object, or none if there is no such command.
    pub(crate) fn listings(&self) -> Vec<Argv> {
        let (Some(family), Some(table)) = (self.family, &self.table) else { return Vec::new() };
        match (&self.chain, &self.set) {
            (Some(chain), None) => vec![commands::nft_chain(family, table, chain)],
            (None, Some(set)) => {
                vec![commands::nft_set(family, table, set), commands::nft_map(family, table, set)]
            }
            _ => vec![commands::nft_table(family, table)],
        }
    }

    pub(crate) fn matches(&self, object: &NftObject) -> bool {
        let is =
            |name: &Option<NftName>, value: &str| name.as_ref().is_none_or(|name| name.as_str() == value);
        let is_set = matches!(object.kind.as_str(), "set" | "map");
        let kind = match (&self.chain, &self.set) {
            (None, None) => true,
            (chain, set) => {
                (chain.is_some() && object.kind == "chain" && is(chain, &object.name))
                    || (set.is_some() && is_set && is(set, &object.name))
            }
        };
        kind && self.family.is_none_or(|family| family.as_str() == object.family)
            && is(&self.table, &object.table)
    }

    /// Checks that each requested name exists.
    ///
    /// # Errors
    /// A name does not exist; the error lists the names that do.
    pub(crate) fn check(&self, objects: &[NftObject]) -> Result<(), ToolError> {
        let of_family =
            || objects.iter().filter(|it| self.family.is_none_or(|family| family.as_str() == it.family));
        let table = self.table.as_ref().map(NftName::as_str);
        types::known("nftables table", table, of_family().map(|it| it.table.as_str()))?;
        let of_table = || of_family().filter(|it| table.is_none_or(|table| table == it.table));
        let chains = of_table().filter(|it| it.kind == "chain").map(|it| it.name.as_str());
        types::known("nftables chain", self.chain.as_ref().map(NftName::as_str), chains)?;
        let sets =
            of_table().filter(|it| matches!(it.kind.as_str(), "set" | "map")).map(|it| it.name.as_str());
        types::known("nftables set or map", self.set.as_ref().map(NftName::as_str), sets)
    }
}

/// Parses the name of a table, chain or set.
fn name(parameter: &str, text: Option<&str>) -> Result<Option<NftName>, ToolError> {
    types::parsed(parameter, text, "Pass a name of letters, digits, `_`, `-` and `.`.")
}

/// Parses a table: with its family, as nft prints it, or its name alone.
fn table(text: Option<&str>) -> Result<(Option<NftFamily>, Option<NftName>), ToolError> {
    let Some((family, rest)) = text.and_then(|text| text.trim().split_once(' ')) else {
        return Ok((None, name("table", text)?));
    };
    let found = NftFamily::ALL.into_iter().find(|it| it.as_str() == family);
    let known = NftFamily::ALL.map(NftFamily::as_str);
    let found = found.ok_or_else(|| ToolError::not_found("nftables family", family, known))?;
    Ok((Some(found), name("table", Some(rest))?))
}
