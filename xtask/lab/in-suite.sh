#!/usr/bin/env bash
# in-suite.sh ROOT COMMAND...: runs a command with the programs of a debootstrapped suite in place of this machine's,
# like the nodes of `lab up --suite`. The compiler is then that of the suite too, so pass a binary that is already
# built.
set -euo pipefail
root=$1
shift
[[ -x $root/usr/bin/ovn-trace ]] || { echo "$root is not a suite with OVN: run cargo xtask lab setup --suite sid" >&2; exit 1; }
# shellcheck disable=SC2016 # the inner shell expands
exec unshare --mount --propagation private bash -c '
  mount --bind "$1/etc/alternatives" /etc/alternatives
  mount --bind "$1/usr" /usr
  exec "${@:2}"
' in-suite "$root" "$@"
