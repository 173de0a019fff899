//! Data that the tests of the capture and of the lab share.

/// The tables in which the zones of a healthy cluster do not differ.
pub(crate) const HEALTHY: [&str; 6] = [
    "Logical_Switch_Port",
    "Load_Balancer",
    "ACL",
    "Port_Group",
    "Address_Set",
    "Logical_Router_Static_Route",
];
