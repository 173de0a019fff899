//! The points where packets are captured.

use mcp_core::{ClusterReader, CommandPlace, NodeName, PodRef, ToolError, argv::InterfaceName};
use std::fmt;

/// The maximum number of points of one capture.
pub(crate) const MAX_POINTS: usize = 8;

/// The interface that is captured if the caller names none.
const ANY: &str = "any";

const HINT: &str = "A point is `pod NAMESPACE/NAME [INTERFACE]` or `node NAME [INTERFACE]`; without an interface, all \
                    interfaces are captured. Examples: `pod shop/web-1`, `node ovn-worker eth0`.";

/// An interface of a pod or a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CapturePoint {
    pub(crate) node: NodeName,
    pub(crate) place: CommandPlace,
    pub(crate) interface: InterfaceName,
}

/// A point as the caller wrote it. The node of a pod is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NamedPoint {
    Pod(PodRef, InterfaceName),
    Node(NodeName, InterfaceName),
}

impl fmt::Display for CapturePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, place, interface } = self;
        match place {
            CommandPlace::Pod(pod) => write!(f, "pod {pod} {interface}"),
            _ => write!(f, "node {node} {interface}"),
        }
    }
}

impl NamedPoint {
    fn parse(text: &str) -> Result<Self, ToolError> {
        let bad = |why: String| ToolError::bad(format!("`{text}` is not a point: {why}"), HINT);
        let mut words = text.split_whitespace();
        let (first, mut next) = (words.next().unwrap_or_default(), words.next());
        let kind = match first {
            "pod" | "node" => first,
            // The word `pod` is not needed, because only the name of a pod has a slash.
            _ if first.contains('/') => {
                let interface = next.replace(first);
                return Self::of("pod", next, interface, words.next()).map_err(bad);
            }
            _ => return Err(bad("it begins neither with `pod` nor with `node`".into())),
        };
        let interface = words.next();
        Self::of(kind, next, interface, words.next()).map_err(bad)
    }

    fn of(
        kind: &str,
        name: Option<&str>,
        interface: Option<&str>,
        more: Option<&str>,
    ) -> Result<Self, String> {
        let name = name.ok_or_else(|| format!("it has no name of a {kind}"))?;
        if let Some(more) = more {
            return Err(format!("`{more}` follows the interface"));
        }
        let interface = interface.unwrap_or(ANY).parse().map_err(|e: mcp_core::BadName| e.to_string())?;
        match kind {
            "pod" => Ok(Self::Pod(name.parse()?, interface)),
            _ => Ok(Self::Node(name.parse().map_err(|e: mcp_core::BadName| e.to_string())?, interface)),
        }
    }
}

/// Returns the points that a call names, with the node of each.
pub(crate) async fn resolve(
    cluster: &ClusterReader<'_>,
    given: &[String],
) -> Result<Vec<CapturePoint>, ToolError> {
    if given.is_empty() || given.len() > MAX_POINTS {
        return Err(ToolError::bad(format!("`at` has {} points, not 1 to {MAX_POINTS}", given.len()), HINT));
    }
    let named = given.iter().map(|text| NamedPoint::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let nodes = cluster.nodes().await?;
    let mut points: Vec<CapturePoint> = Vec::new();
    for point in named {
        let point = match point {
            NamedPoint::Pod(pod, interface) => {
                let node = cluster.node_of_pod(&pod).await?;
                CapturePoint { node, place: CommandPlace::Pod(pod), interface }
            }
            NamedPoint::Node(node, interface) if nodes.contains(&node) => {
                CapturePoint { node, place: CommandPlace::Host, interface }
            }
            NamedPoint::Node(node, _) => {
                return Err(ToolError::not_found("node", node.as_str(), nodes.iter().map(NodeName::as_str)));
            }
        };
        if points.contains(&point) {
            return Err(ToolError::bad(format!("`at` names the point `{point}` twice"), HINT));
        }
        points.push(point);
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_parsed() {
        let pod: PodRef = "shop/web-1".parse().unwrap();
        let name = |name: &str| name.parse::<InterfaceName>().unwrap();
        for (text, point) in [
            ("pod shop/web-1", NamedPoint::Pod(pod.clone(), name("any"))),
            ("shop/web-1", NamedPoint::Pod(pod.clone(), name("any"))),
            (" shop/web-1  eth0 ", NamedPoint::Pod(pod.clone(), name("eth0"))),
            ("pod shop/web-1 net1", NamedPoint::Pod(pod, name("net1"))),
            ("node ovn-worker br-ex", NamedPoint::Node("ovn-worker".parse().unwrap(), name("br-ex"))),
            ("node pod", NamedPoint::Node("pod".parse().unwrap(), name("any"))),
        ] {
            assert_eq!(NamedPoint::parse(text).unwrap(), point, "{text}");
        }
        for (text, why) in [
            ("", "neither with `pod` nor with `node`"),
            ("ovn-worker eth0", "neither with `pod` nor with `node`"),
            ("pod", "no name of a pod"),
            ("pod web-1", "is not the `namespace/name` of a pod"),
            ("node n1 eth0 eth1", "`eth1` follows the interface"),
            ("node n1 -w", "-w"),
            ("node n1 /etc/passwd", "/etc/passwd"),
            ("node N1 eth0", "N1"),
        ] {
            let error = NamedPoint::parse(text).unwrap_err().report();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
