//! The paths at which `oc adm inspect` (`pkg/cli/admin/inspect`) puts objects, below any folder of a must-gather:
//!
//! ```text
//! cluster-scoped-resources/<group>/<resource>/<name>.yaml      cluster-scoped-resources/<group>/<resource>.yaml
//! namespaces/<namespace>/<group>/<resource>/<name>.yaml        namespaces/<namespace>/<group>/<resource>.yaml
//! namespaces/<namespace>/<namespace>.yaml                      namespaces/<namespace>/pods/<pod>/<pod>.yaml
//! ```

/// What a path says about the objects in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ObjectPlace<'a> {
    /// The API group; empty for the core group.
    pub(super) group: &'a str,
    /// The plural of the kind.
    pub(super) plural: &'a str,
    /// The namespace, if the path names it.
    pub(super) namespace: Option<&'a str>,
    /// The name of the object if the file has one object; `None` if the file has a list.
    pub(super) name: Option<&'a str>,
}

/// Parses the path of a file. Returns `None` if the file contains no objects.
pub(super) fn of(path: &str) -> Option<ObjectPlace<'_>> {
    let parts: Vec<&str> = path.strip_suffix(".yaml")?.split('/').collect();
    let top = parts.iter().position(|part| ["namespaces", "cluster-scoped-resources"].contains(part))?;
    let (top, below) = parts.get(top..)?.split_first()?;
    let group = |group| if group == "core" { "" } else { group };
    let place = |of, plural, namespace, name| ObjectPlace { group: group(of), plural, namespace, name };
    Some(match (*top, below) {
        ("cluster-scoped-resources", [of, plural]) => place(of, plural, None, None),
        ("cluster-scoped-resources", [of, plural, name]) => place(of, plural, None, Some(*name)),
        ("namespaces", [namespace, name]) if namespace == name => {
            place("core", "namespaces", None, Some(*name))
        }
        // A pod has its own folder, with its logs next to the file.
        ("namespaces", [namespace, "pods", pod, name]) if pod == name => {
            place("core", "pods", Some(*namespace), Some(*name))
        }
        ("namespaces", [_, "pods", ..]) => return None,
        ("namespaces", [namespace, of, plural]) => place(of, plural, named(namespace), None),
        ("namespaces", [namespace, of, plural, name]) => place(of, plural, named(namespace), Some(*name)),
        _ => return None,
    })
}

/// Returns the namespace, or `None` for the folder `all`, which `oc adm inspect --all-namespaces` uses for all
/// namespaces.
fn named(namespace: &str) -> Option<&str> {
    Some(namespace).filter(|namespace| *namespace != "all")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_group_plural_namespace_and_name() {
        let place = |group, plural, namespace, name| Some(ObjectPlace { group, plural, namespace, name });
        for (path, expected) in [
            ("m/i/cluster-scoped-resources/core/nodes/a.yaml", place("", "nodes", None, Some("a"))),
            (
                "cluster-scoped-resources/k8s.ovn.org/egressips.yaml",
                place("k8s.ovn.org", "egressips", None, None),
            ),
            ("cluster-scoped-resources/core/namespaces/a.yaml", place("", "namespaces", None, Some("a"))),
            ("x/namespaces/shop/shop.yaml", place("", "namespaces", None, Some("shop"))),
            ("namespaces/shop/core/pods.yaml", place("", "pods", Some("shop"), None)),
            ("namespaces/all/apps/deployments.yaml", place("apps", "deployments", None, None)),
            ("namespaces/shop/pods/web/web.yaml", place("", "pods", Some("shop"), Some("web"))),
            ("namespaces/shop/pods/web/web/web/logs/current.log", None),
            ("namespaces/shop/pods/web/c/c.yaml", None),
            (
                "namespaces/shop/apps/deployments/web.yaml",
                place("apps", "deployments", Some("shop"), Some("web")),
            ),
            ("network_logs/x.yaml", None),
            ("namespaces.yaml", None),
            ("namespaces/shop", None),
        ] {
            assert_eq!(of(path), expected, "{path}");
        }
    }
}
