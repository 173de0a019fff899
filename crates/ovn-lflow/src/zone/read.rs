//! Builds a zone from the rows of a southbound database.

use super::{
    AllowedAddresses, Compiled, Datapath, Finding, Index, MacBinding, Port, Ports, Semantics, Vip, Zone,
    compile::{Compiler, Node},
    sets::{Numbers, PortSet},
};
use crate::{
    actions::{self, Action},
    lex::{Token, tokens},
    matches,
};
use ovn_model::lflow::{Datapaths, Flow};
use ovsdb::{Row, Rows, Schema, Select, Uuid};
use packet::{Masked, bits};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};

/// The tables and columns to read from the southbound database. Older schemas may lack some of them.
const TABLES: &[(&str, &[&str])] = &[
    ("Logical_Flow", &Flow::COLUMNS),
    (
        "Port_Binding",
        &["datapath", "logical_port", "type", "tunnel_key", "options", "port_security", "chassis"],
    ),
    ("Multicast_Group", &["datapath", "name", "tunnel_key", "ports"]),
    ("Address_Set", &["name", "addresses"]),
    ("Port_Group", &["name", "ports"]),
    ("MAC_Binding", &["logical_port", "ip", "mac"]),
    ("Static_MAC_Binding", &["logical_port", "ip", "mac"]),
    ("FDB", &["dp_key", "port_key", "mac"]),
    ("Load_Balancer", &["vips", "options"]),
    ("Chassis", &["name", "hostname", "other_config"]),
    ("Chassis_Template_Var", &["chassis", "variables"]),
];

fn rows<'a>(read: &'a [Rows], table: &'static str) -> impl Iterator<Item = &'a Row> {
    read.iter().filter(move |rows| rows.table.name == table).flat_map(|rows| &rows.rows)
}

impl Zone {
    /// Returns what the caller must read from a southbound database with this schema.
    pub fn selects(schema: &Schema) -> Vec<Select> {
        let select = |(name, columns): &(&str, &[&str])| {
            let table = schema.table(name)?;
            Some(Select::from(*name).columns(columns.iter().filter(|c| table.column(c).is_some()).copied()))
        };
        Datapaths::selects(schema).into_iter().chain(TABLES.iter().filter_map(select)).collect()
    }

    /// Builds a zone from the rows that [`Self::selects`] asks for.
    #[must_use]
    pub fn new(read: &[Rows], semantics: Semantics) -> Self {
        let mut findings = Vec::new();
        let known = Datapaths::new(read);
        let place: HashMap<Uuid, usize> = known.iter().enumerate().map(|(at, it)| (it.uuid, at)).collect();
        let ports = ports(read, &place);
        let mut datapaths = datapaths(read, &known, &ports);
        let address_sets = rows(read, "Address_Set").filter_map(address_set).collect();
        let port_groups = port_groups(read, &ports);
        let chassis = own_chassis(read);
        let templates = if semantics == Semantics::OvnTrace { BTreeMap::new() } else { templates(read) };
        let resident = |name: &str| {
            let port = ports.by_name(name);
            match semantics {
                Semantics::OvnTrace => name.is_empty() || port.is_some(),
                Semantics::Datapath => {
                    port.and_then(|port| port.chassis).is_some_and(|it| chassis.is_none_or(|own| own == it))
                }
            }
        };
        let mut compiler = Compiler::new(&ports, &address_sets, &port_groups, &resident);
        let (flows, odd) = Flow::read(read);
        findings.extend(odd.into_iter().map(|what| Finding { row: Uuid::default(), what }));

        let mut compiled: Vec<Compiled> = Vec::with_capacity(flows.len());
        let mut indexes: Vec<Index> = Vec::new();
        let mut owners = BTreeMap::new();
        let parts: Vec<_> = {
            let mut texts = TextCompiler::new(&mut compiler, &templates);
            flows.iter().map(|flow| texts.compile(flow)).collect()
        };
        for (flow, parts) in flows.into_iter().zip(parts) {
            let (node, actions) = match parts {
                Ok(parts) => parts,
                Err(what) => {
                    findings.push(Finding { row: flow.uuid, what });
                    continue;
                }
            };
            let stage = (flow.pipeline, flow.table);
            let owner = (flow.datapath, flow.group, stage);
            let at = *owners.entry(owner).or_insert_with(|| {
                let members = flow.group.into_iter().flat_map(|group| known.members(group));
                let own = flow.datapath.into_iter().chain(members.map(|it| it.uuid));
                for member in own.filter_map(|uuid| place.get(&uuid)) {
                    if let Some(datapath) = datapaths.get_mut(*member) {
                        datapath.stages.entry(stage).or_default().push(indexes.len());
                        let name = flow.stage.clone().unwrap_or_default();
                        datapath.names.entry(stage).or_insert(name);
                    }
                }
                indexes.push(Index::default());
                indexes.len() - 1
            });
            if let Some(index) = indexes.get_mut(at) {
                index.insert(compiled.len() as u32, &node);
            }
            compiled.push(Compiled { flow: Arc::new(flow), actions, node });
        }
        Self {
            semantics,
            datapaths,
            findings,
            flows: compiled,
            indexes,
            bindings: bindings(read),
            fdb: rows(read, "FDB").filter_map(fdb).collect(),
            chassis: rows(read, "Chassis")
                .filter_map(|row| {
                    let host = row.text("hostname").unwrap_or_default();
                    Some((row.uuid, (row.text("name")?.to_owned(), host.to_owned())))
                })
                .collect(),
            own_chassis: chassis,
            vips: rows(read, "Load_Balancer").flat_map(vips).collect(),
            ports,
        }
    }
}

/// Compiled actions and their prerequisites.
type CompiledActions = (Arc<[Action]>, Node);

/// Compiles each distinct text once, because most flows share their actions, and many their match, with other flows.
struct TextCompiler<'c, 'z, 'f> {
    compiler: &'c mut Compiler<'z>,
    templates: &'c BTreeMap<String, String>,
    matches: HashMap<&'f str, Result<Node, String>>,
    actions: HashMap<&'f str, Result<CompiledActions, String>>,
}

impl<'c, 'z, 'f> TextCompiler<'c, 'z, 'f> {
    fn new(compiler: &'c mut Compiler<'z>, templates: &'c BTreeMap<String, String>) -> Self {
        Self { compiler, templates, matches: HashMap::new(), actions: HashMap::new() }
    }

    fn compile(&mut self, flow: &'f Flow) -> Result<(Node, Arc<[Action]>), String> {
        let (compiler, templates) = (&mut *self.compiler, self.templates);
        let node = self
            .matches
            .entry(flow.matches.as_str())
            .or_insert_with_key(|text| compile_match(compiler, text, templates));
        let compiled = self
            .actions
            .entry(flow.actions.as_str())
            .or_insert_with_key(|text| compile_actions(compiler, text, templates));
        let within = |part: &str, error: &String| format!("its {part} is invalid: {error}");
        let node = node.as_ref().map_err(|error| within("match", error))?;
        let (actions, presupposed) = compiled.as_ref().map_err(|error| within("action", error))?;
        Ok((Node::all(vec![node.clone(), presupposed.clone()]), actions.clone()))
    }
}

fn compile_match(
    compiler: &mut Compiler<'_>,
    text: &str,
    templates: &BTreeMap<String, String>,
) -> Result<Node, String> {
    let text = expanded(text, templates)?;
    let expr = matches::parse(&text).map_err(|error| error.to_string())?;
    compiler.expr(&expr)
}

fn compile_actions(
    compiler: &mut Compiler<'_>,
    text: &str,
    templates: &BTreeMap<String, String>,
) -> Result<CompiledActions, String> {
    let text = expanded(text, templates)?;
    let actions = actions::parse(&text).map_err(|error| error.to_string())?;
    let presupposed = Action::prerequisites(&actions)
        .into_iter()
        .map(|text| compiler.text(text))
        .collect::<Result<_, _>>()?;
    Ok((actions.into(), Node::all(presupposed)))
}

/// Replaces the template variables in a text with the values of this chassis. A value may be any text.
fn expanded<'a>(text: &'a str, templates: &BTreeMap<String, String>) -> Result<Cow<'a, str>, String> {
    if !text.contains('^') {
        return Ok(Cow::Borrowed(text));
    }
    let mut made = String::new();
    for (_, token) in tokens(text).map_err(|error| error.to_string())? {
        match token {
            Token::Template(name) => {
                let value = templates.get(&name);
                made.push_str(value.ok_or_else(|| format!("this chassis has no template variable {name}"))?);
            }
            other => made.push_str(&other.to_string()),
        }
        made.push(' ');
    }
    Ok(Cow::Owned(made))
}

fn datapaths(read: &[Rows], known: &Datapaths, ports: &Ports) -> Vec<Datapath> {
    let switches: Vec<Uuid> = rows(read, "Datapath_Binding")
        .filter(|row| {
            row.map_get("external_ids", "logical-switch").is_some()
                || row.text("type") == Some("logical-switch")
        })
        .map(|row| row.uuid)
        .collect();
    let datapath = |(at, it): (usize, &ovn_model::lflow::Datapath)| Datapath {
        uuid: it.uuid,
        name: it.alias.clone().unwrap_or_else(|| it.name.clone()),
        key: it.tunnel_key.and_then(|key| u32::try_from(key).ok()).unwrap_or(0),
        is_gateway: ports.all.iter().any(|port| port.datapath == at && port.kind == "l3gateway"),
        is_switch: switches.contains(&it.uuid),
        stages: BTreeMap::new(),
        names: BTreeMap::new(),
    };
    known.iter().enumerate().map(datapath).collect()
}

fn ports(read: &[Rows], place: &HashMap<Uuid, usize>) -> Ports {
    let mut ports = Ports::default();
    let mut names = HashMap::new();
    for row in rows(read, "Port_Binding") {
        let Some(port) = port(row, place) else { continue };
        names.insert(row.uuid, port.name.clone());
        ports.by_name.insert(port.name.clone(), ports.all.len());
        ports.by_key.insert((port.datapath, port.key), ports.all.len());
        ports.all.push(port);
    }
    // Only one end of a patch may name its peer.
    let peers: Vec<(String, String)> =
        ports.all.iter().filter_map(|port| Some((port.peer.clone()?, port.name.clone()))).collect();
    for (of, peer) in peers {
        let at = ports.by_name.get(&of).copied();
        if let Some(port) = at.and_then(|at| ports.all.get_mut(at)) {
            port.peer.get_or_insert(peer);
        }
    }
    for row in rows(read, "Multicast_Group") {
        let datapath = row.refs("datapath").next().and_then(|uuid| place.get(&uuid).copied());
        let key = row.int("tunnel_key").and_then(|key| u32::try_from(key).ok());
        if let (Some(datapath), Some(key), Some(name)) = (datapath, key, row.text("name")) {
            let mut members: Vec<String> =
                row.refs("ports").filter_map(|uuid| names.get(&uuid).cloned()).collect();
            members.sort();
            ports.groups.insert((datapath, key), (name.to_owned(), members));
        }
    }
    ports
}

fn port(row: &Row, place: &HashMap<Uuid, usize>) -> Option<Port> {
    let kind = row.text("type").unwrap_or_default();
    let option = |wanted: bool, key| wanted.then(|| row.map_get("options", key)).flatten().map(str::to_owned);
    Some(Port {
        uuid: row.uuid,
        name: row.text("logical_port")?.to_owned(),
        datapath: *place.get(&row.refs("datapath").next()?)?,
        key: u32::try_from(row.int("tunnel_key")?).ok()?,
        kind: kind.to_owned(),
        peer: option(matches!(kind, "patch" | "l3gateway"), "peer"),
        distributed: option(kind == "chassisredirect", "distributed-port"),
        chassis: row.refs("chassis").next(),
        security: row.strings("port_security").filter_map(allowed).collect(),
    })
}

/// Parses an entry of port security: `0a:58:0a:f4:00:04 10.244.0.4 fd00::4`.
fn allowed(text: &str) -> Option<AllowedAddresses> {
    let mut words = text.split_whitespace();
    let mut allowed =
        AllowedAddresses { mac: packet::parse_mac(words.next()?)?, ..AllowedAddresses::default() };
    for word in words {
        // An address with a prefix length allows only the address itself.
        match word.split('/').next()?.parse() {
            Ok(IpAddr::V4(address)) => allowed.ip4.push(address.to_bits().into()),
            Ok(IpAddr::V6(address)) => allowed.ip6.push(address.to_bits()),
            Err(_) => {}
        }
    }
    Some(allowed)
}

fn address_set(row: &Row) -> Option<(String, Arc<Numbers>)> {
    let number = |text: &str| match tokens(text).ok()?.first()? {
        (_, Token::Number(number)) => {
            let width = match number.format {
                crate::lex::Format::Ip4 => 32,
                crate::lex::Format::Mac => 48,
                _ => 128,
            };
            Some(Masked::new(number.value, number.mask.unwrap_or(bits(width))))
        }
        _ => None,
    };
    let numbers = Numbers::new(row.strings("addresses").filter_map(number));
    Some((row.text("name")?.to_owned(), Arc::new(numbers)))
}

/// Returns the port groups by the name that flows use. The database puts the key of a datapath before that name.
fn port_groups(read: &[Rows], ports: &Ports) -> HashMap<String, Arc<PortSet>> {
    let mut members: HashMap<String, Vec<(usize, u32)>> = HashMap::new();
    for row in rows(read, "Port_Group") {
        let Some((key, name)) = row.text("name").and_then(|name| name.split_once('_')) else { continue };
        if key.bytes().all(|byte| byte.is_ascii_digit()) {
            let found = row.strings("ports").filter_map(|name| ports.by_name(name));
            members.entry(name.to_owned()).or_default().extend(found.map(|port| (port.datapath, port.key)));
        }
    }
    members.into_iter().map(|(name, members)| (name, Arc::new(PortSet::new(members)))).collect()
}

/// Returns the chassis that is not remote, or `None` if there are several.
fn own_chassis(read: &[Rows]) -> Option<Uuid> {
    let mut own =
        rows(read, "Chassis").filter(|row| row.map_get("other_config", "is-remote") != Some("true"));
    let first = own.next()?.uuid;
    own.next().is_none().then_some(first)
}

/// Returns the template variables of this zone's chassis. With several chassis, returns the variables on which all
/// agree.
fn templates(read: &[Rows]) -> BTreeMap<String, String> {
    let own: Vec<&str> = rows(read, "Chassis")
        .filter(|row| row.map_get("other_config", "is-remote") != Some("true"))
        .filter_map(|row| row.text("name"))
        .collect();
    let mut found: BTreeMap<String, Option<String>> = BTreeMap::new();
    let of_own = |row: &&Row| row.text("chassis").is_some_and(|name| own.contains(&name));
    for (name, value) in
        rows(read, "Chassis_Template_Var").filter(of_own).flat_map(|row| row.map("variables"))
    {
        let agreed = |it: &mut Option<String>| {
            if it.as_deref() != Some(value) {
                *it = None;
            }
        };
        found.entry(name.to_owned()).and_modify(agreed).or_insert_with(|| Some(value.to_owned()));
    }
    found.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn bindings(read: &[Rows]) -> HashMap<(String, u128), MacBinding> {
    let mut found = HashMap::new();
    let learnt = rows(read, "MAC_Binding").map(|row| (row, false));
    let by_hand = rows(read, "Static_MAC_Binding").map(|row| (row, true));
    for (row, is_static) in learnt.chain(by_hand) {
        let address = row.text("ip").and_then(|ip| ip.parse().ok()).map(|ip| match ip {
            IpAddr::V4(address) => address.to_bits().into(),
            IpAddr::V6(address) => address.to_bits(),
        });
        let mac = row.text("mac").and_then(packet::parse_mac);
        if let (Some(port), Some(address), Some(mac)) = (row.text("logical_port"), address, mac) {
            // A static binding is used only if no binding was learnt.
            found.entry((port.to_owned(), address)).or_insert(MacBinding { mac, is_static });
        }
    }
    found
}

fn fdb(row: &Row) -> Option<((u32, u128), u32)> {
    let key = |column| row.int(column).and_then(|key| u32::try_from(key).ok());
    Some(((key("dp_key")?, row.text("mac").and_then(packet::parse_mac)?), key("port_key")?))
}

/// Parses the virtual IPs of a load balancer: `10.96.0.1:443`, `[fd00::1]:443` or `10.96.0.1`.
fn vips(row: &Row) -> impl Iterator<Item = Vip> {
    let sources = row.map_get("options", "hairpin_snat_ip").unwrap_or_default();
    let sources: Vec<IpAddr> = sources.split_whitespace().filter_map(|ip| ip.parse().ok()).collect();
    row.map("vips").filter_map(move |(vip, _)| {
        let number = |ip: IpAddr| match ip {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        };
        let with_port = vip.parse().map(|it: std::net::SocketAddr| (it.ip(), it.port()));
        let (ip, port) = with_port.ok().or_else(|| vip.parse().ok().map(|ip| (ip, 0)))?;
        let source = sources.iter().find(|source| source.is_ipv4() == ip.is_ipv4()).copied();
        Some(Vip { address: number(ip), port, hairpin: number(source.unwrap_or(ip)) })
    })
}
