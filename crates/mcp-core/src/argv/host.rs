//! Names of the host's network: interfaces, and the objects of nftables.

use crate::name::name_type;

name_type! {
    /// The name of a network interface. The kernel allows more names (15 bytes without `/` and white space). This type
    /// excludes names that could be mistaken for something else on a command line.
    InterfaceName, "a network interface", r"^[A-Za-z0-9_][A-Za-z0-9_.@-]*$", 15
}

name_type! {
    /// The name of a table, chain, set or map of nftables. nft(8) joins its arguments to one text and reads commands
    /// from it, so `;`, `{`, a space or a newline in a name would start another command.
    NftName, "an nftables name", r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", 128
}

/// The address family of an nftables table (nft(8), "ADDRESS FAMILIES").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NftFamily {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// IPv4 and IPv6.
    Inet,
    /// ARP.
    Arp,
    /// Packets that pass a bridge.
    Bridge,
    /// Packets that a device receives or sends.
    Netdev,
}

impl NftFamily {
    /// All families of nftables.
    pub const ALL: [Self; 6] = [Self::Ip, Self::Ip6, Self::Inet, Self::Arp, Self::Bridge, Self::Netdev];

    /// Returns the name of the family as nft prints it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Inet => "inet",
            Self::Arp => "arp",
            Self::Bridge => "bridge",
            Self::Netdev => "netdev",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argv::Operand;
    use proptest::prelude::*;

    #[test]
    fn invalid_names_are_rejected() {
        for text in [
            "",
            "-",
            "--",
            "-batch",
            "-F",
            "a b",
            "a;b",
            "a\nb",
            "a\0b",
            "a{",
            "a}",
            "\"a\"",
            "a'",
            "a$b",
            "a`b",
            "a/b",
            "../a",
            "é",
            "a*",
            "@set",
            "a;add table inet evil",
            "a\u{2028}b",
            "a#b",
            "a=b",
        ] {
            assert!(text.parse::<NftName>().is_err(), "{text:?}");
            assert!(text.parse::<InterfaceName>().is_err(), "{text:?}");
        }
        assert!("a234567890123456".parse::<InterfaceName>().is_err());
        assert!("a".repeat(129).parse::<NftName>().is_err());
    }

    #[test]
    fn names_of_real_clusters_are_accepted() {
        for name in [
            "eth0",
            "br-ex",
            "ovn-k8s-mp0",
            "eth0.100",
            "090d3c91b7564bc",
            "0f0e1d2c3b4a_3",
            "genev_sys_6081",
        ] {
            assert_eq!(name.parse::<InterfaceName>().map(|it| it.word().to_string()).as_deref(), Ok(name));
        }
        for name in
            ["ovn-kubernetes", "mgmtport-no-snat-subnets-v4", "KUBE-SVC-NPX46M4PTMTKRN6Y", "filter_IN_a.b"]
        {
            assert_eq!(name.parse::<NftName>().map(|it| it.word().to_string()).as_deref(), Ok(name));
        }
    }

    proptest! {
        #[test]
        fn a_name_is_one_harmless_word(text in ".*|-.*|[-a-zA-Z0-9_.@]{1,20}|[a-z;\n{} ]{1,10}") {
            let words = [
                text.parse::<NftName>().ok().map(|it| it.word()),
                text.parse::<InterfaceName>().ok().map(|it| it.word()),
            ];
            for word in words.into_iter().flatten() {
                let word = word.as_str();
                prop_assert!(!word.is_empty() && !word.starts_with('-'));
                prop_assert!(word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.@-".contains(&b)));
            }
        }
    }
}
