#!/usr/bin/env bash
# setup.sh [PACKAGE...]: installs what the lab runs, and the packages named: only what is missing, and without starting a service.
set -euo pipefail

mapfile -t packages <"$(dirname "$0")/packages"
missing=()
for package in "${packages[@]}" "$@"; do
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  echo "lab: everything is installed" >&2
  exit 0
fi

# The packages start their daemons unless a policy says no; the lab starts its own. A policy that is there stays.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends "${missing[@]}"
