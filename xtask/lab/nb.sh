# shellcheck shell=bash
# Northbound rows, collected and written as one transaction a topic, as ovnkube-controller would. Sourced.

CONTROLLER=default-network-controller
transaction=()
rows=0

# add COMMAND...: one more ovn-nbctl command
add() { transaction+=(-- "$@"); }
# child TABLE RECORD COLUMN NEW-TABLE COLUMN=VALUE...: a new row, referred to by a column of another
child() {
  local id=@row$((++rows))
  add "--id=$id" create "$4" "${@:5}"
  add add "$1" "$2" "$3" "$id"
}
# commit NODE: write what was collected to the node's northbound database
commit() {
  on "$1" ovn-nbctl --timeout=30 "${transaction[@]}" >/dev/null
  transaction=()
}

# accepts NODE COMMAND...: would this database take the command? Columns and keys come with OVN's versions.
accepts() { local node=$1; shift; on "$node" ovn-nbctl --dry-run "$@" >/dev/null 2>&1; }

# str TEXT, map KEY=VALUE..., set VALUE...: values as ovn-nbctl reads them
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

# owned TYPE ID NAME [KEY=VALUE...]: external_ids that tell which object of Kubernetes a row was made for
owned() {
  map "k8s.ovn.org/id=$CONTROLLER:$2" "k8s.ovn.org/owner-controller=$CONTROLLER" "k8s.ovn.org/owner-type=$1" \
    ${3:+"k8s.ovn.org/name=$3"} "${@:4}"
}
