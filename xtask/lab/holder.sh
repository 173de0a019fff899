#!/usr/bin/env bash
# holder.sh NODE DIR SUITE_ROOT PATH...: holds a node's namespaces, inside which every program finds the node at its
# default paths.
set -euo pipefail
node=$1 dir=$2 root=$3
shift 3

# The suite's programs replace this machine's; everything else (home, work, temporary files) stays unchanged.
if [[ -n $root ]]; then
  mount --bind "$root/etc/alternatives" /etc/alternatives
  mount --bind "$root/usr" /usr
  hash -r
fi
for path; do
  mount --bind "$dir/$path" "/$path"
done
mount -t sysfs "$node" /sys 2>/dev/null || true # interfaces of this network namespace; not allowed in every container
hostname "$node"
echo $$ >"$dir/pid"
exec sleep infinity
