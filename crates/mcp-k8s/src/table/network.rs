//! Prints services, endpoints and network policies (as in `pkg/printers/internalversion/printers.go` of Kubernetes
//! 1.36).

use super::{
    Cells, TableContext,
    object::{NONE, Object, joined, labels, or_none, selector, some},
};
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn service(object: Object<'_>, context: &TableContext) -> Cells {
    let port = |port: Object<'_>| {
        let protocol = port.text("/protocol");
        match port.int("/nodePort") {
            0 => format!("{}/{protocol}", port.int("/port")),
            node_port => format!("{}:{node_port}/{protocol}", port.int("/port")),
        }
    };
    let ports: Vec<_> = object.list("/spec/ports").map(port).collect();
    // Older objects have only the field for a single address.
    let ips = [object.text("/spec/clusterIPs/0"), object.text("/spec/clusterIP")];
    vec![
        object.text("/metadata/name").into(),
        object.text("/spec/type").into(),
        or_none(ips.into_iter().find(|ip| !ip.is_empty()).unwrap_or_default()),
        external_ip(object),
        or_none(&ports.join(",")),
        context.age(object),
        labels(object, "/spec/selector"),
    ]
}

fn external_ip(service: Object<'_>) -> Value {
    let external = service.texts("/spec/externalIPs");
    match service.text("/spec/type") {
        "ExternalName" => service.text("/spec/externalName").into(),
        "LoadBalancer" => {
            let all = [balancers(service), external].concat();
            if all.is_empty() { "<pending>".into() } else { joined(&all) }
        }
        _ => joined(&external),
    }
}

/// Returns the addresses, or else the names, of load balancers, sorted and without duplicates.
fn balancers(object: Object<'_>) -> Vec<&str> {
    let all = object.list("/status/loadBalancer/ingress");
    let one = all.map(|ingress| [ingress.text("/ip"), ingress.text("/hostname")]);
    let names = one.filter_map(|names| names.into_iter().find(|name| !name.is_empty()));
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

pub(super) fn endpoints(object: Object<'_>, context: &TableContext) -> Cells {
    let mut all = Vec::new();
    for subset in object.list("/subsets") {
        let ips = || subset.list("/addresses").map(|address| address.text("/ip"));
        let mut ports = subset.list("/ports").peekable();
        if ports.peek().is_none() {
            all.extend(ips().map(str::to_owned));
        }
        for port in ports {
            let port = port.int("/port");
            all.extend(
                ips().map(
                    |ip| if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") },
                ),
            );
        }
    }
    // Addresses that are not ready are not shown. If an object has only such addresses, the cell is empty and not
    // `<none>`.
    let none = if object.list("/subsets").len() == 0 { NONE } else { "" };
    vec![object.text("/metadata/name").into(), some(all, none), context.age(object)]
}

pub(super) fn endpoint_slice(object: Object<'_>, context: &TableContext) -> Cells {
    let port = |port: Object<'_>| match (port.at("/port").0.as_i64(), port.text("/name")) {
        (Some(number), _) => number.to_string(),
        (None, "") => "*".into(),
        (None, name) => name.into(),
    };
    let ports = object.list("/ports").map(port).collect();
    let addresses = object.list("/endpoints").flat_map(|endpoint| endpoint.texts("/addresses"));
    vec![
        object.text("/metadata/name").into(),
        object.text("/addressType").into(),
        some(ports, "<unset>"),
        some(addresses.map(str::to_owned).collect(), "<unset>"),
        context.age(object),
    ]
}

pub(super) fn network_policy(object: Object<'_>, context: &TableContext) -> Cells {
    vec![object.text("/metadata/name").into(), selector(object, "/spec/podSelector"), context.age(object)]
}

pub(super) fn ingress(object: Object<'_>, context: &TableContext) -> Cells {
    let hosts: Vec<String> = object
        .list("/spec/rules")
        .map(|rule| rule.text("/host"))
        .filter(|host| !host.is_empty())
        .map(str::to_owned)
        .collect();
    let tls = object.list("/spec/tls").len() > 0;
    vec![
        object.text("/metadata/name").into(),
        or_none(object.text("/spec/ingressClassName")),
        some(hosts, "*"),
        balancers(object).join(",").into(),
        if tls { "80, 443" } else { "80" }.into(),
        context.age(object),
    ]
}

pub(super) fn ingress_class(object: Object<'_>, context: &TableContext) -> Cells {
    let parameters = object.at("/spec/parameters");
    let group = parameters.text("/apiGroup");
    let shown = match (group, parameters.text("/kind"), parameters.text("/name")) {
        (_, "", _) => NONE.into(),
        ("", kind, name) => format!("{kind}/{name}"),
        (group, kind, name) => format!("{kind}.{group}/{name}"),
    };
    vec![
        object.text("/metadata/name").into(),
        object.text("/spec/controller").into(),
        shown.into(),
        context.age(object),
    ]
}

pub(super) fn service_cidr(object: Object<'_>, context: &TableContext) -> Cells {
    vec![object.text("/metadata/name").into(), joined(&object.texts("/spec/cidrs")), context.age(object)]
}

pub(super) fn ip_address(object: Object<'_>, _: &TableContext) -> Cells {
    let parent = object.at("/spec/parentRef");
    let resource = match (parent.text("/resource"), parent.text("/group")) {
        (resource, "") => resource.to_owned(),
        (resource, group) => format!("{resource}.{group}"),
    };
    let parts = [&resource, parent.text("/namespace"), parent.text("/name")];
    let shown: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    vec![object.text("/metadata/name").into(), or_none(&shown.join("/"))]
}
