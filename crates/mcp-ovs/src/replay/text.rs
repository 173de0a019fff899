//! What a replayed trace prints otherwise than the node itself would.

/// Where the kernel tunnels, a private switch would do it itself, and has nothing to do it with: what it says of that is left
/// out. Was there any?
pub(super) fn through_kernel_tunnels(trace: &mut String) -> bool {
    let native = "-> output to native tunnel";
    if !trace.contains(native) {
        return false;
    }
    let own = [
        "-> tunneling to ",
        "-> tunneling from ",
        "-> neighbor cache miss ",
        ">> native tunnel routing failed",
    ];
    let lines = trace.lines().filter(|line| !own.iter().any(|words| line.trim_start().starts_with(words)));
    *trace = lines.map(|line| line.replace(native, "-> output to kernel tunnel") + "\n").collect();
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tunnels() {
        let mut trace =
            "output:1\n -> output to native tunnel\n>> native tunnel routing failed\nFinal flow: x\n"
                .to_owned();
        assert!(through_kernel_tunnels(&mut trace));
        assert_eq!(trace, "output:1\n -> output to kernel tunnel\nFinal flow: x\n");
        assert!(!through_kernel_tunnels(&mut "drop\n".to_owned()));
    }
}
