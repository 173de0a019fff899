#!/usr/bin/env bash
# in-suite.sh ROOT COMMAND...: runs a command with the programs of a debootstrapped suite in place of this machine's, as the
# nodes of `lab up --suite` have them. The compiler is then another one's too: give it a binary that is built.
set -euo pipefail
root=$1
shift
[[ -x $root/usr/bin/ovn-trace ]] || { echo "$root is no suite with OVN: cargo xtask lab setup --suite sid" >&2; exit 1; }
# shellcheck disable=SC2016 # the inner shell expands
exec unshare --mount --propagation private bash -c '
  mount --bind "$1/etc/alternatives" /etc/alternatives
  mount --bind "$1/usr" /usr
  exec "${@:2}"
' in-suite "$root" "$@"
