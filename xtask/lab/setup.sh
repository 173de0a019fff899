#!/usr/bin/env bash
# setup.sh [PACKAGE...]: installs the packages of the lab and the named packages. Installs only missing packages, and
# starts no service.
set -euo pipefail

mapfile -t packages <"$(dirname "$0")/packages"
missing=()
for package in "${packages[@]}" "$@"; do
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  echo "lab: all packages are installed" >&2
  exit 0
fi

# The packages start their daemons unless a policy forbids it; the lab starts its own daemons. An existing policy stays.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends "${missing[@]}"
