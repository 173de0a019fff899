#!/usr/bin/env bash
# container.sh PATH MODE PODS COMMAND...: becomes the command, in a private root that has the node's root at PATH,
# read-only if MODE is ro. The processes of the node's pods are in the control groups of their pods; the folder PODS has
# one file for each, named by the process id. Runs in a private mount namespace, which ends with the command, so that
# none of the mounts is left.
set -euo pipefail
path=$1 mode=$2 pods=$3 root=/mnt
shift 3
for group in "$pods"/*; do
  mount --bind "$group" "/proc/${group##*/}/cgroup"
done
mount -t tmpfs container "$root"
for entry in /*; do
  if [[ -L $entry ]]; then
    cp -a "$entry" "$root$entry"
  elif [[ -d $entry && $entry != "$root" ]]; then
    mkdir "$root$entry"
    mount --rbind "$entry" "$root$entry"
  fi
done
mkdir -p "$root$path"
mount --rbind / "$root$path"
umount -R -l "$root$path$root"
if [[ $mode == ro ]]; then
  while read -r _ _ _ _ mountpoint _; do
    [[ $mountpoint != "$root$path"* ]] || mount -o remount,bind,ro "$mountpoint" 2>/dev/null || true
  done </proc/self/mountinfo
fi
exec chroot "$root" "$@"
