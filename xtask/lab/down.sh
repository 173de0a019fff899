#!/usr/bin/env bash
# Removes a complete or incomplete lab: processes, namespaces (and with them mounts and links), files.
# shellcheck source=env.sh
. "${0%/*}/env.sh"

namespaces() { ip netns list | awk -v prefix="$PREFIX-" 'index($1, prefix) == 1 { print $1 }'; }
processes() { local ns; for ns in $(namespaces); do ip netns pids "$ns"; done; }

for signal in TERM KILL; do
  for _ in {1..50}; do
    mapfile -t pids < <(processes)
    ((${#pids[@]})) || break 2
    kill -s "$signal" "${pids[@]}" 2>/dev/null || true
    sleep 0.1
  done
done
for ns in $(namespaces); do ip netns del "$ns"; done
for dir in "$DIR" "$(cat "$RECORD" 2>/dev/null || true)"; do
  [[ -n $dir ]] || continue
  for node in "${NODES[@]}"; do rm -rf "${dir:?}/$node"; done
  while read -r mountpoint; do rmdir "$mountpoint" 2>/dev/null || true; done < <(cat "$dir/mountpoints" 2>/dev/null)
  rm -f "$dir/up" "$dir/suite" "$dir/mountpoints"
  rmdir "$dir" 2>/dev/null || true
done
rm -f "$RECORD"
