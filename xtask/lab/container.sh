#!/usr/bin/env bash
# container.sh PATH MODE COMMAND...: becomes the command, in a root of its own where the node's is at PATH, read-only if MODE is ro.
# Runs in a mount namespace made for it, which goes with the command: nothing is left of all these mounts.
set -euo pipefail
path=$1 mode=$2 root=/mnt
shift 2
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
