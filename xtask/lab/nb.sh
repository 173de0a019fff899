# shellcheck shell=bash
# Collects northbound rows and writes one transaction per topic, as ovnkube-controller does. Sourced.

CONTROLLER=default-network-controller
transaction=()
rows=0

# add COMMAND...: adds one ovn-nbctl command
add() { transaction+=(-- "$@"); }
# child TABLE RECORD COLUMN NEW-TABLE COLUMN=VALUE...: adds a row to which a column of another row refers
child() {
  local id=@row$((++rows))
  add "--id=$id" create "$4" "${@:5}"
  add add "$1" "$2" "$3" "$id"
}
# commit NODE: writes the collected commands to the node's northbound database
commit() {
  on "$1" ovn-nbctl --timeout=30 "${transaction[@]}" >/dev/null
  transaction=()
}

# accepts NODE COMMAND...: returns whether this database accepts the command. Columns and keys depend on the version of
# OVN.
accepts() { local node=$1; shift; on "$node" ovn-nbctl --dry-run "$@" >/dev/null 2>&1; }

# str TEXT, map KEY=VALUE..., set VALUE...: print values in the syntax of ovn-nbctl
str() { printf '"%s"' "${1//\"/\\\"}"; }
map() {
  local pair out=
  for pair in "$@"; do out+=",$(str "${pair%%=*}")=$(str "${pair#*=}")"; done
  printf '{%s}' "${out:1}"
}
set_of() {
  local value out=
  for value in "$@"; do out+=",$(str "$value")"; done
  printf '[%s]' "${out:1}"
}

# owned TYPE ID NAME [KEY=VALUE...]: prints external_ids that name the Kubernetes object for which a row was made
owned() {
  map "k8s.ovn.org/id=$CONTROLLER:$2" "k8s.ovn.org/owner-controller=$CONTROLLER" "k8s.ovn.org/owner-type=$1" \
    ${3:+"k8s.ovn.org/name=$3"} "${@:4}"
}
