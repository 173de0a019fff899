//! The real Open vSwitch with dummy devices, so that no packet leaves it.
//!
//! The switch needs a fixed order: ports first, fields of Geneve options before the flows that match on them, meters
//! and groups before the flows that refer to them.

use crate::node::{Failed, Node};
use openflow::{PortKind, TunnelKind, TunnelOption};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// The location of the programs.
pub(crate) struct Programs {
    /// Another root directory in which the programs run.
    root: Option<PathBuf>,
}

impl Programs {
    pub(crate) fn installed(root: Option<PathBuf>) -> Self {
        Self { root }
    }

    fn command(&self, program: &str) -> Command {
        let name = match &self.root {
            Some(_) => "chroot",
            None => program,
        };
        #[expect(clippy::disallowed_methods, reason = "a test asks the real program")]
        let mut command = Command::new(name);
        if let Some(root) = &self.root {
            command.arg(root).arg(program);
        }
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    fn run(&self, program: &str, arguments: &[String]) -> Result<String, Failed> {
        let output = self.command(program).args(arguments).output()?;
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout)?),
            false => {
                Err(format!("{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
            }
        }
    }
}

/// A running switch, which stops when it is dropped.
pub(crate) struct Real {
    daemons: Vec<Child>,
    /// Whether connection tracking of a copy of a packet has no effect on later actions, which is the case since
    /// 4.0.0.
    pub(crate) isolates: bool,
    control: UnixStream,
    dir: tempfile::TempDir,
}

impl Drop for Real {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            _ = daemon.kill();
            _ = daemon.wait();
        }
    }
}

fn entries(dump: &str) -> String {
    // The first line is the header of the message with the entries.
    let lines = dump.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains(" reply ("));
    lines.map(|line| format!("{line}\n")).collect()
}

fn strings(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}

/// Waits until a file exists.
fn until(path: &Path) -> Result<(), Failed> {
    for _ in 0..600 {
        if path.exists() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("{} never came", path.display()).into())
}

impl Real {
    /// Starts a switch with the recorded outputs of a node.
    pub(crate) fn start(programs: &Programs, node: &Node) -> Result<Self, Failed> {
        let root = programs.root.clone().unwrap_or_else(|| "/".into());
        let dir = tempfile::Builder::new().prefix("of").tempdir_in(root.join("tmp"))?;
        let name = dir.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let inside = |file: &str| format!("/tmp/{name}/{file}");
        let quiet = strings(&["-vconsole:off", "-vsyslog:off", "-vfile:off"]);
        let (database, socket) = (inside("conf.db"), inside("db.sock"));
        let schema = "/usr/share/openvswitch/vswitch.ovsschema".to_owned();
        programs.run("ovsdb-tool", &["create".into(), database.clone(), schema])?;
        let start = |program: &str, arguments: Vec<String>| {
            let mut command = programs.command(program);
            // The switch creates the sockets of its bridges there.
            command.env("OVS_RUNDIR", format!("/tmp/{name}"));
            command.args(&quiet).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).spawn()
        };
        let serve =
            vec![database, format!("--remote=punix:{socket}"), format!("--unixctl={}", inside("db.ctl"))];
        let mut daemons = vec![start("ovsdb-server", serve)?];
        until(&dir.path().join("db.sock"))?;
        let mut configure = vec![format!("--db=unix:{socket}"), "--no-wait".to_owned(), "init".to_owned()];
        configure.extend(configuration(node)?);
        programs.run("ovs-vsctl", &configure)?;
        let mut switch = strings(&["--enable-dummy", "--disable-system", "--disable-system-route"]);
        switch.extend([format!("unix:{socket}"), format!("--unixctl={}", inside("vs.ctl"))]);
        daemons.push(start("ovs-vswitchd", switch)?);
        until(&dir.path().join("vs.ctl"))?;
        let control = UnixStream::connect(dir.path().join("vs.ctl"))?;
        let version = programs.run("ovs-vswitchd", &strings(&["--version"]))?;
        let major =
            version.lines().next().and_then(|line| line.rsplit(' ').next()?.split('.').next()?.parse().ok());
        let isolates = major.is_some_and(|major: u32| major >= 4);
        let real = Self { daemons, isolates, control, dir };
        for bridge in node.recorded.bridges.keys() {
            let management = format!("{bridge}.mgmt");
            until(&real.dir.path().join(&management))?;
            let target = format!("unix:{}", inside(&management));
            let ofctl = |parts: Vec<String>| {
                let mut arguments = strings(&["-O", "OpenFlow15"]);
                arguments.extend(parts);
                programs.run("ovs-ofctl", &arguments)
            };
            for it in TunnelOption::all(node.ofctl("dump-tlv-map", bridge)).0 {
                let TunnelOption { class, kind, length, field } = it;
                let option = format!("{{class={class:#x},type={kind:#x},len={length}}}->tun_metadata{field}");
                ofctl(vec!["add-tlv-map".into(), target.clone(), option])?;
            }
            for word in node.ofctl("dump-meters", bridge).split_whitespace() {
                if let Some(number) = word.strip_prefix("meter=") {
                    let meter = format!("meter={number},pktps,stats,bands=type=drop,rate=20");
                    ofctl(vec!["add-meter".into(), target.clone(), meter])?;
                }
            }
            for (verb, options, what) in
                [("add-groups", None, "dump-groups"), ("replace-flows", Some("--bundle"), "dump-flows")]
            {
                let file = format!("{bridge}.{what}");
                std::fs::write(real.dir.path().join(&file), entries(node.ofctl(what, bridge)))?;
                let mut arguments: Vec<String> = options.into_iter().map(str::to_owned).collect();
                arguments.extend([verb.into(), target.clone(), inside(&file)]);
                ofctl(arguments)?;
            }
        }
        real.tell_addresses(node)?;
        Ok(real)
    }

    /// Adds the learnt addresses, and the routes to the other ends of tunnels.
    fn tell_addresses(&self, node: &Node) -> Result<(), Failed> {
        let underlay = node.underlay();
        for (name, bridge) in &node.recorded.bridges {
            let ports = bridge.openflow_ports(name);
            for learnt in node.learnt(name) {
                let Some(port) = ports.get(&learnt.port) else { continue };
                let (vlan, mac) = (learnt.vlan.to_string(), packet::show_mac(learnt.mac));
                self.ask("fdb/add", &[name, &port.name, &vlan, &mac])?;
            }
        }
        let mut told = BTreeSet::new();
        for route in node.recorded.remotes().filter_map(|remote| underlay.route(remote, 0)) {
            let Some(source) = route.source.filter(|_| node.recorded.bridges.contains_key(&route.device))
            else {
                continue;
            };
            if told.insert(route.network) {
                self.ask(
                    "netdev-dummy/ip4addr",
                    &[&route.device, &format!("{source}/{}", route.network.prefix_len())],
                )?;
                self.ask("ovs/route/add", &[&route.network.to_string(), &route.device])?;
            }
        }
        for it in &underlay.neighbours {
            self.ask("tnl/neigh/set", &[&it.bridge, &it.address.to_string(), &packet::show_mac(it.mac)])?;
        }
        Ok(())
    }

    /// Returns the output of `ofproto/trace`.
    pub(crate) fn trace(&self, bridge: &str, flow: &str, states: &[&str]) -> Result<String, Failed> {
        let states: Vec<String> = states.iter().map(|state| format!("trk,{state}")).collect();
        let mut arguments = vec![bridge, flow, "--names"];
        for state in &states {
            arguments.extend(["--ct-next", state]);
        }
        self.ask("ofproto/trace", &arguments)
    }

    /// Sends a command to the switch as ovs-appctl does (JSON-RPC over its control socket).
    fn ask(&self, method: &str, arguments: &[&str]) -> Result<String, Failed> {
        serde_json::to_writer(&self.control, &json!({ "id": 0, "method": method, "params": arguments }))?;
        let mut answers = serde_json::Deserializer::from_reader(&self.control).into_iter::<Value>();
        let answer = answers.next().ok_or("the switch is gone")??;
        match answer.get("result").and_then(Value::as_str) {
            Some(text) => Ok(text.to_owned()),
            None => Err(format!("{method} {arguments:?}: {answer}").into()),
        }
    }
}

/// Returns the commands that create the bridges and their ports in one transaction.
fn configuration(node: &Node) -> Result<Vec<String>, Failed> {
    let mut all = Vec::new();
    for (name, bridge) in &node.recorded.bridges {
        all.extend(strings(&[
            "--",
            "add-br",
            name,
            "--",
            "set",
            "bridge",
            name,
            "datapath_type=dummy",
            "fail_mode=secure",
        ]));
        all.extend(bridge.mac.as_ref().map(|mac| format!("other-config:hwaddr=\"{mac}\"")));
        for (number, port) in bridge.openflow_ports(name).iter().filter(|(_, port)| port.name != *name) {
            let interface = &port.name;
            all.extend(strings(&["--", "add-port", name, interface, "--", "set", "interface", interface]));
            all.push(format!("ofport_request={number}"));
            match &port.kind {
                PortKind::Plain => all.push("type=dummy".into()),
                PortKind::Patch(peer) => all.extend(["type=patch".into(), format!("options:peer={peer}")]),
                PortKind::Tunnel(tunnel) => {
                    let kind = match tunnel.kind {
                        TunnelKind::Geneve => "geneve",
                        TunnelKind::Vxlan => "vxlan",
                        TunnelKind::Other => {
                            return Err(format!("{interface}: another type of tunnel").into());
                        }
                    };
                    all.extend([format!("type={kind}"), "options:key=flow".into()]);
                    all.extend(tunnel.remote.map(|remote| format!("options:remote_ip={remote}")));
                    all.push(format!("options:csum={}", tunnel.checksum));
                }
            }
        }
    }
    Ok(all)
}
