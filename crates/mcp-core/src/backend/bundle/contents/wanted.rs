//! Decides by its name which file of a compressed archive is kept, because a layer may ask for it.

use super::gathered;
use crate::{Db, backend::bundle::objects::is_discovery};

/// Returns true if the content of this file is kept. Other files are only listed.
pub(crate) fn wanted(path: &str) -> bool {
    const FOLDERS: [&str; 6] = ["network_logs", "sos_commands", "sos_strings", "sos_reports", "etc", "proc"];
    let name = path.rsplit('/').next().unwrap_or(path);
    let object = || {
        name.ends_with(".yaml")
            && path.split('/').any(|part| part == "namespaces" || part == "cluster-scoped-resources")
    };
    database(name).is_some()
        || ["hostname", "timestamp", "version", "version.txt"].contains(&name)
        || object()
        || is_discovery(path)
        || gathered::kept(path).is_some()
        || path.split('/').any(|part| FOLDERS.contains(&part))
}

/// Returns true if this is a capture of packets, plain or compressed.
pub(crate) fn is_capture(path: &str) -> bool {
    let path = [".gz", ".xz", ".zst"].iter().find_map(|end| path.strip_suffix(end)).unwrap_or(path);
    [".pcap", ".pcapng", ".cap"].iter().any(|end| path.ends_with(end))
}

/// Returns true if this is a recording of retis or pwru: `retis.data`, `retis.json`.
pub(crate) fn is_event_recording(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    !is_capture(path) && (name.starts_with("retis.") || name.starts_with("pwru."))
}

/// Returns true if this is a log that a tool may ask for.
///
/// Logs of containers are the files of `oc adm inspect` and the kubelet: `…/logs/current.log`,
/// `…/logs/rotated/0.log.<date>.gz`, `pods/<ns>_<pod>_<uid>/<container>/0.log`,
/// `containers/<pod>_<ns>_<container>-<id>.log`. Logs of hosts are in `host_service_logs`, in `var/log`, and in exports
/// of `kind export logs`.
pub(crate) fn is_log(path: &str) -> bool {
    const HOST: [&str; 10] = [
        "kubelet.log",
        "containerd.log",
        "journal.log",
        "dmesg",
        "messages",
        "syslog",
        "pluto.log",
        "libreswan.log",
        "acl-audit-log.log",
        "ovs-vswitchd.log",
    ];
    const FOLDERS: [&str; 7] =
        ["host_service_logs", "openvswitch", "ovn", "ovn-kubernetes", "pods", "containers", "rotated"];
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let is_text = name.ends_with(".log") || name.contains(".log.") || name.contains(".log-");
    HOST.iter().any(|log| name.starts_with(log))
        || name.ends_with("_logs_kubelet.gz")
        || is_text && folder.split('/').any(|part| FOLDERS.contains(&part))
}

/// Returns true if this is an archive inside the bundle that is opened too: the databases of a must-gather, the
/// transaction log of ovnkube-controller, and whole collections that somebody put into one file.
pub(crate) fn packed(path: &str) -> bool {
    const ENDS: [&str; 7] = [".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.zst", ".zip"];
    const STARTS: [&str; 7] = [
        "ovnk_database_store",
        "ovnk_extras_store",
        "sosreport-",
        "sos-collector-",
        "must-gather",
        "inspect.local",
        "kind-",
    ];
    let name = path.rsplit('/').next().unwrap_or(path);
    ENDS.iter().any(|end| name.ends_with(end)) && STARTS.iter().any(|start| name.starts_with(start))
}

/// Returns the database that a file of this name contains, and the pod or node in front of it in the name.
///
/// The name is `<ovnkube-node pod>_nbdb` in a must-gather, and `ovnnb_db.db` or `conf.db` on a node. In upstream's CI
/// the name of the node is in front: `<node>_ovnnb_db.db`, `<node>-conf.db`.
pub(crate) fn database(name: &str) -> Option<(Db, &str)> {
    const ENDS: [(&str, Db); 9] = [
        ("_ovnnb_db.db", Db::Nb),
        ("_ovnsb_db.db", Db::Sb),
        ("-conf.db", Db::OpenVSwitch),
        ("_conf.db", Db::OpenVSwitch),
        ("ovnnb_db.db", Db::Nb),
        ("ovnsb_db.db", Db::Sb),
        ("_nbdb", Db::Nb),
        ("_sbdb", Db::Sb),
        ("conf.db", Db::OpenVSwitch),
    ];
    let of = |&(end, db): &(&str, Db)| Some((db, name.strip_suffix(end)?));
    // A name such as `myconf.db` is not a database of Open vSwitch.
    ENDS.iter().find_map(of).filter(|(_, before)| {
        before.is_empty()
            || ENDS.iter().take(4).chain(ENDS.iter().skip(6).take(2)).any(|(end, _)| name.ends_with(end))
    })
}
