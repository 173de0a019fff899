//! Finds the two ends of a connection by name, and reads the rows that this needs, also those of other zones.

use crate::{Destination, Microflow, Names, NoEndpoint, Ports, Protocol, Services};
use ovsdb::{Rows, Schema, Select};
use std::{net::IpAddr, sync::Arc};

/// A zone whose databases can be read. Each layer implements it for its own source of rows.
pub trait ZoneReader: Sized + Sync {
    /// The error of a read, and of a name that cannot be resolved.
    type Error: Send;

    /// Reads the schema of the southbound database.
    fn schema(&self) -> impl Future<Output = Result<Arc<Schema>, Self::Error>> + Send;

    /// Reads rows of the southbound database.
    fn southbound(&self, selects: &[Select]) -> impl Future<Output = Result<Vec<Rows>, Self::Error>> + Send;

    /// Reads rows of the northbound database.
    fn northbound(&self, selects: &[Select]) -> impl Future<Output = Result<Vec<Rows>, Self::Error>> + Send;

    /// Returns the name of the node on which a pod (`namespace/name`) runs, and the zone of that node. Returns `None`
    /// if no such pod is known.
    fn zone_of_pod(&self, pod: &str) -> impl Future<Output = Option<(String, Self)>> + Send;

    /// Returns the error for a name that nothing has. `known` are the names that exist.
    fn unknown(kind: &str, name: &str, known: Vec<String>) -> Self::Error;

    /// Returns the error for names between which no packet can be sent.
    fn refused(problem: String, hint: String) -> Self::Error;
}

/// The names of the two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub struct EndpointNames<'a> {
    /// The sender, as in [`Names::sender`].
    pub from: &'a str,
    /// The destination, as in [`Names::destination`], or a pod of another zone.
    pub to: &'a str,
    /// The protocol of the packet.
    pub protocol: Protocol,
    /// The destination port; `None` if the destination has only one or the protocol has none.
    pub port: Option<u16>,
}

impl EndpointNames<'_> {
    /// Returns the packet that the sender sends to the destination, and the destination.
    ///
    /// # Errors
    /// Returns an error if a name is unknown, if rows cannot be read, or if the sender cannot send such a packet.
    pub async fn resolve<Z: ZoneReader>(&self, zone: &Z) -> Result<(Microflow, Destination), Z::Error> {
        let mut names = names(zone, &[self.from, self.to]).await?;
        // An unknown sender is reported before the rows of the destination are read.
        if let Err(missing) = names.sender(self.from) {
            return Err(self.no_sender(zone, missing).await);
        }
        let to = self.destination(zone, &mut names).await?;
        let sender = names.sender(self.from).map_err(refusal::<Z>)?;
        let microflow = Microflow::new(&names.ports, sender, to.address, self.protocol, to.port)
            .map_err(|e| Z::refused(e.to_string(), e.hint().to_owned()))?;
        Ok((microflow, to))
    }

    /// Finds the destination. Reads the services only if the name may be a service, and another zone only if the name
    /// may be a pod of that zone.
    async fn destination<Z: ZoneReader>(&self, zone: &Z, here: &mut Names) -> Result<Destination, Z::Error> {
        if let Some(found) = self.within(here).map_err(refusal::<Z>)? {
            return Ok(found);
        }
        let services = zone.northbound(&[Services::select()]).await?;
        here.services = Some(services.first().map(Services::new).unwrap_or_default());
        let missing = match self.within(here) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => NoEndpoint::Unknown { kind: "destination", name: self.to.into(), known: Vec::new() },
            Err(missing) => missing,
        };
        if !matches!(missing, NoEndpoint::Unknown { .. }) {
            return Err(refusal::<Z>(missing));
        }
        // If the name is not a pod of another zone, the error with the names of this zone helps more.
        let Some((node, other)) = zone.zone_of_pod(self.to).await else { return Err(refusal::<Z>(missing)) };
        let there = names(&other, &[self.to]).await?;
        let found = self.within(&there).map_err(refusal::<Z>)?;
        found.ok_or_else(|| refusal::<Z>(NoEndpoint::NoLogicalPort { pod: self.to.into(), node }))
    }

    /// Returns the error for a sender that this zone does not know. It names the node where the sender runs.
    async fn no_sender<Z: ZoneReader>(&self, zone: &Z, missing: NoEndpoint) -> Z::Error {
        let NoEndpoint::Unknown { .. } = missing else { return refusal::<Z>(missing) };
        let Some((node, other)) = zone.zone_of_pod(self.from).await else { return refusal::<Z>(missing) };
        let pod = self.from.to_owned();
        match names(&other, &[self.from]).await {
            Ok(there) if there.sender(self.from).is_ok() => refusal::<Z>(NoEndpoint::Elsewhere { pod, node }),
            Ok(_) => refusal::<Z>(NoEndpoint::NoLogicalPort { pod, node }),
            Err(error) => error,
        }
    }

    fn within(&self, names: &Names) -> Result<Option<Destination>, NoEndpoint> {
        names.destination(self.to, self.protocol, self.port)
    }
}

/// Reads the names of a zone. The nodes are read only if one of the wanted names may be that of a node.
async fn names<Z: ZoneReader>(zone: &Z, wanted: &[&str]) -> Result<Names, Z::Error> {
    let mut read = zone.southbound(&[Ports::select()]).await?;
    let names = Names::new(&read);
    let may_be_node = |name: &&str| {
        let is_port = name.contains('/') || names.ports.find(name).is_some();
        !is_port && name.parse::<IpAddr>().is_err()
    };
    if !wanted.iter().any(may_be_node) {
        return Ok(names);
    }
    let schema = zone.schema().await?;
    let mut nodes = Names::selects(&schema);
    nodes.retain(|select| select.table != Ports::select().table);
    read.extend(zone.southbound(&nodes).await?);
    Ok(Names::new(&read))
}

fn refusal<Z: ZoneReader>(missing: NoEndpoint) -> Z::Error {
    let hint = missing.hint();
    match missing {
        NoEndpoint::Unknown { kind, name, known } => Z::unknown(kind, &name, known),
        other => Z::refused(other.to_string(), hint),
    }
}
