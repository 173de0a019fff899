//! The recorded outputs of the switches.

use openflow::{Bridge, Learnt, Switch, Underlay};
use ovn_model::openflow::recorded::RecordedBridges;
use ovsdb::Database;
use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    process::Command,
};

pub(crate) type Failed = Box<dyn std::error::Error>;

/// A node with a recorded switch.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) recorded: RecordedBridges,
    outputs: BTreeMap<String, String>,
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// Returns the wanted files of an archive.
fn archive(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Vec<u8>>, Failed> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(liblzma::read::XzDecoder::new(File::open(path)?)).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.display().to_string();
        if entry.header().entry_type().is_file() && wanted(&path) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            files.insert(path, bytes);
        }
    }
    Ok(files)
}

/// Texts that `ovs-ofctl` prints but does not parse as the same action: an action on a part of a byte whose mask
/// covers the whole field (seen with 3.1.0 and 4.0.0: `invalid mask for field ip_dscp`), and a `dec_ttl` that
/// notifies no controller.
const READ: [(&str, &str); 3] =
    [("/0x3f->ip_dscp", "->ip_dscp"), ("/0x3->ip_ecn", "->ip_ecn"), ("dec_ttl()", "dec_ttl")];

impl Node {
    /// Returns the three nodes of the capture, and the node with the kernel's datapath.
    pub(crate) fn all() -> Result<Vec<Self>, Failed> {
        let capture = testdata().join("capture");
        let databases = archive(&capture.join("nodes.tar.xz"), |path| path.ends_with("/conf.db"))?;
        let mut nodes = Vec::new();
        for entry in std::fs::read_dir(&capture)?.flatten() {
            let file = entry.file_name().to_string_lossy().into_owned();
            let Some(rest) = file.strip_prefix("sosreport-") else { continue };
            let name = rest.split("-2026").next().unwrap_or_default();
            let database = databases.get(&format!("nodes/{name}/conf.db")).ok_or("no conf.db")?;
            nodes.push(Self::read(name, &entry.path(), Some(database))?);
        }
        nodes.push(Self::read(
            "kernel",
            &testdata().join("kernel-datapath/sosreport-ovn-worker.tar.xz"),
            None,
        )?);
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(nodes.len(), 4);
        Ok(nodes)
    }

    fn read(name: &str, report: &Path, database: Option<&Vec<u8>>) -> Result<Self, Failed> {
        let files = archive(report, |path| {
            path.contains("sos_commands/openvswitch/") || path.ends_with("etc/openvswitch/conf.db")
        })?;
        let own = || files.iter().find(|(path, _)| path.ends_with("conf.db")).map(|(_, bytes)| bytes);
        let database = database.or_else(own).ok_or("no conf.db")?.clone();
        let outputs = files.into_iter().filter(|(path, _)| path.contains("sos_commands"));
        let named = |(path, bytes): (String, Vec<u8>)| {
            (path.rsplit('/').next().unwrap_or_default().to_owned(), bytes)
        };
        Self::new(name, &Database::open(database)?, outputs.map(named))
    }

    /// Reads a node of the lab, as a report would record it.
    pub(crate) fn of_lab(name: &str) -> Result<Self, Failed> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/lab/enter.sh");
        let read = |words: &str| -> Result<Vec<u8>, Failed> {
            #[expect(clippy::disallowed_methods, reason = "a test asks the real program")]
            let mut command = Command::new("bash");
            let output = command.arg(&script).arg(name).args(words.split(' ')).output()?;
            match output.status.success() {
                true => Ok(output.stdout),
                false => Err(format!("{name}: {words}: {}", String::from_utf8_lossy(&output.stderr)).into()),
            }
        };
        let mut commands = vec!["ovs-appctl ovs/route/show".into(), "ovs-appctl tnl/arp/show".into()];
        for bridge in String::from_utf8(read("ovs-vsctl list-br")?)?.lines() {
            let verbs = ["dump-flows", "dump-groups", "dump-meters", "dump-tlv-map"];
            commands.extend(verbs.map(|verb| format!("ovs-ofctl -O OpenFlow15 {verb} {bridge}")));
            commands.push(format!("ovs-appctl fdb/show {bridge}"));
        }
        let mut outputs = Vec::new();
        for words in commands {
            // A report names the file by the command.
            outputs.push((words.replace(' ', "_").replace('/', "."), read(&words)?));
        }
        Self::new(name, &Database::open(read("cat /etc/openvswitch/conf.db")?)?, outputs.into_iter())
    }

    fn new(
        name: &str,
        database: &Database,
        outputs: impl Iterator<Item = (String, Vec<u8>)>,
    ) -> Result<Self, Failed> {
        let selects = RecordedBridges::selects();
        let rows = selects.iter().map(|select| database.select(select)).collect::<Result<Vec<_>, _>>()?;
        let text = |(name, bytes): (String, Vec<u8>)| {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            (name, READ.iter().fold(text, |text, (printed, read)| text.replace(printed, read)))
        };
        let outputs = outputs.map(text).collect();
        Ok(Self { name: name.to_owned(), recorded: RecordedBridges::of_rows(&rows), outputs })
    }

    /// Returns the node with other flows of the integration bridge.
    pub(crate) fn with_flows(&self, change: impl Fn(&str) -> String) -> Self {
        let mut changed = self.clone();
        let flows = change(self.ofctl("dump-flows", "br-int"));
        changed.outputs.insert("ovs-ofctl_-O_OpenFlow15_dump-flows_br-int".into(), flows);
        changed
    }

    /// Returns the output of a command.
    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }

    /// Returns the output of `ovs-ofctl -O OpenFlow15` for a bridge.
    pub(crate) fn ofctl(&self, verb: &str, bridge: &str) -> &str {
        self.output(&format!("ovs-ofctl_-O_OpenFlow15_{verb}_{bridge}"))
    }

    pub(crate) fn underlay(&self) -> Underlay {
        Underlay::new(self.output("ovs-appctl_ovs.route.show"), self.output("ovs-appctl_tnl.arp.show")).0
    }

    pub(crate) fn learnt(&self, bridge: &str) -> Vec<Learnt> {
        Learnt::all(self.output(&format!("ovs-appctl_fdb.show_{bridge}"))).0
    }

    /// Returns the switch, which handles tunnels itself, as the real one without a kernel does.
    pub(crate) fn switch(&self) -> Switch<'_> {
        let bridge = |(name, it): (&String, &ovn_model::openflow::recorded::Bridge)| {
            let bridge = Bridge::new(
                it.openflow_ports(name),
                self.ofctl("dump-flows", name),
                self.ofctl("dump-groups", name),
                self.output(&format!("ovs-appctl_fdb.show_{name}")),
            );
            assert_eq!(bridge.notes(), [""; 0], "{name}");
            let bridge = bridge.with_options(self.ofctl("dump-tlv-map", name));
            let mac = it.mac.as_deref().and_then(packet::parse_mac);
            (name.clone(), mac.into_iter().fold(bridge, Bridge::with_mac))
        };
        Switch::new(self.recorded.bridges.iter().map(bridge)).with_underlay(self.underlay())
    }
}
