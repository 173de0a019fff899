#!/usr/bin/env bash
# suite.sh SUITE ROOT MIRROR: debootstraps a Debian suite with its OVN and Open vSwitch into ROOT, once.
set -euo pipefail
suite=$1 root=$2 mirror=$3
mapfile -t packages <"$(dirname "$0")/packages"
# A suite that was made before the lab had FRR is made again.
[[ ! -x $root/usr/bin/ovn-nbctl || ! -x $root/usr/lib/frr/bgpd ]] || exit 0
for link in bin lib sbin; do
  [[ -L /$link ]] || { echo "lab: /$link is not a link into /usr: the suite's programs cannot replace this machine's" >&2; exit 1; }
done
command -v debootstrap >/dev/null || { echo "lab: debootstrap is missing: run \`cargo xtask lab setup --suite $suite\`" >&2; exit 1; }

echo "lab: debootstrapping $suite into $root" >&2
partial=$root.partial
rm -rf "$partial"
mkdir -p "$partial"
# Suites that are newer than this machine's debootstrap are built like sid, from which all suites come.
script=/usr/share/debootstrap/scripts/$suite
[[ -e $script ]] || script=/usr/share/debootstrap/scripts/sid
debootstrap --variant=minbase "$suite" "$partial" "$mirror" "$script" >"$root.log" 2>&1 \
  || { tail -n 5 "$root.log" >&2; exit 1; }

printf '#!/bin/sh\nexit 101\n' >"$partial/usr/sbin/policy-rc.d"
chmod +x "$partial/usr/sbin/policy-rc.d"
# Maintainer scripts need /proc; it is mounted in a mount namespace that ends with them.
# shellcheck disable=SC2016 # the inner shell expands
unshare --mount --propagation private bash -c '
  mount -t proc proc "$1/proc"
  DEBIAN_FRONTEND=noninteractive chroot "$1" apt-get install -q -y --no-install-recommends "${@:2}"
' install "$partial" "${packages[@]}" >>"$root.log" 2>&1 || { tail -n 5 "$root.log" >&2; exit 1; }
chroot "$partial" apt-get clean
rm -rf "$root"
mv "$partial" "$root"
