#!/usr/bin/env bash
# container.sh PATH MODE PODS COMMAND...: becomes the command, in a root of its own where the node's is at PATH, read-only if MODE is
# ro. The processes of the node's pods, files named by their numbers in the folder PODS, are in the control groups of their pods.
# Runs in a mount namespace made for it, which goes with the command: nothing is left of all these mounts.
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
