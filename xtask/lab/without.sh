#!/usr/bin/env bash
# without.sh PROGRAMS COMMAND...: becomes the command, in an environment where these programs (separated by spaces)
# cannot be run.
# Runs in a private mount namespace, which ends with the command.
set -euo pipefail
read -ra programs <<<"$1"
shift
# Each file is mounted over once, whatever links lead to it.
mapfile -t files < <(type -aP "${programs[@]}" | xargs -r -n 1 readlink -f | sort -u)
for file in "${files[@]}"; do mount --bind /dev/null "$file"; done
exec "$@"
