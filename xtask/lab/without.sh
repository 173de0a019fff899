#!/usr/bin/env bash
# without.sh PROGRAMS COMMAND...: becomes the command, where none of these programs (separated by spaces) can be run.
# Runs in a mount namespace made for it, which goes with the command.
set -euo pipefail
read -ra programs <<<"$1"
shift
# Each file once, whatever links lead to it.
mapfile -t files < <(type -aP "${programs[@]}" | xargs -r -n 1 readlink -f | sort -u)
for file in "${files[@]}"; do mount --bind /dev/null "$file"; done
exec "$@"
