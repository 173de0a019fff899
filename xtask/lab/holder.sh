#!/usr/bin/env bash
# holder.sh NODE DIR SUITE_ROOT PATH...: keeps a node's namespaces, inside which every program finds that node at its default paths.
set -euo pipefail
node=$1 dir=$2 root=$3
shift 3

# The suite's programs in place of this machine's; all else (home, work, temporary files) stays what it is.
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
