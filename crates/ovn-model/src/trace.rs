//! What ovn-trace(8) prints.

/// Where a trace leaves the zone: a port of another zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onward {
    /// The datapath that both zones have: `transit_switch`.
    pub datapath: String,
    /// The port by which the packet came into it, which in the other zone is a remote one.
    pub inport: String,
    /// The port of the other zone.
    pub outport: String,
    /// The packet there, as an expression.
    pub microflow: String,
    /// A load balancer may have changed its destination: ovn-trace does not say to which of its backends.
    pub balanced: bool,
}

/// Where a trace of a microflow, in the form `detailed` or `summary`, goes on in other zones.
pub fn onward(microflow: &str, trace: &str) -> Vec<Onward> {
    let mut flow = Changed {
        terms: microflow.split("&&").map(|term| term.trim().to_owned()).collect(),
        balanced: false,
    };
    let (mut at, mut found) = (None, Vec::new());
    for line in trace.lines().map(str::trim) {
        if let Some(place) = Place::parse(line) {
            at = Some(place);
        }
        flow.apply(line);
        let remote = line.contains("/* output to \"") && line.contains("type \"remote\"");
        if let (true, Some(place)) = (remote, &at) {
            found.push(Onward {
                datapath: place.datapath.clone(),
                inport: place.inport.clone(),
                outport: quoted(line, "output to ").unwrap_or_default(),
                microflow: flow.with_inport(&place.inport),
                balanced: flow.balanced,
            });
        }
    }
    found
}

/// `egress(dp="transit_switch", inport="tstor-a", outport="tstor-b")`
struct Place {
    datapath: String,
    inport: String,
}

impl Place {
    fn parse(line: &str) -> Option<Self> {
        (line.starts_with("ingress(") || line.starts_with("egress(")).then_some(())?;
        Some(Self { datapath: quoted(line, "dp=")?, inport: quoted(line, "inport=")? })
    }
}

fn quoted(line: &str, after: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!("{after}\""))?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// A packet as the actions leave it.
struct Changed {
    terms: Vec<String>,
    balanced: bool,
}

impl Changed {
    fn apply(&mut self, action: &str) {
        self.balanced |= action.contains("backends=");
        if action == "ip.ttl--;" {
            self.set("ip.ttl", |ttl| {
                ttl.parse::<u8>().map_or(ttl.to_owned(), |ttl| ttl.saturating_sub(1).to_string())
            });
        }
        for field in ["eth.src", "eth.dst", "ip4.src", "ip4.dst", "ip6.src", "ip6.dst"] {
            let value = action.strip_prefix(field).and_then(|rest| rest.trim_start().strip_prefix('='));
            if let Some(value) = value.filter(|value| !value.starts_with('=')) {
                self.set(field, |_| value.trim().trim_end_matches(';').to_owned());
            }
        }
    }

    fn set(&mut self, field: &str, value: impl Fn(&str) -> String) {
        for term in &mut self.terms {
            if let Some((name, old)) = term.split_once("==").filter(|(name, _)| name.trim() == field) {
                *term = format!("{}=={}", name.trim(), value(old.trim()));
            }
        }
    }

    fn with_inport(&self, inport: &str) -> String {
        let is_inport =
            |term: &&String| term.split_once("==").is_some_and(|(name, _)| name.trim() == "inport");
        let others = self.terms.iter().filter(|term| !is_inport(term)).cloned();
        std::iter::once(format!("inport==\"{inport}\"")).chain(others).collect::<Vec<_>>().join(" && ")
    }
}
