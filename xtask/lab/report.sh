#!/usr/bin/env bash
# report.sh NODE OUT: writes the part of a sosreport about a node's databases and its Open vSwitch, in the layout of
# sos, with a manifest.
# shellcheck source=env.sh
. "${0%/*}/env.sh"
[[ -e $DIR/up ]] || die "no lab in $DIR"
node=$1 out=$2
[[ ! -e $out ]] || die "$out exists: name a new folder"
outputs=sos_commands/openvswitch
mkdir -p "$out/$outputs" "$out/sos_reports" "$out/etc/openvswitch" "$out/etc/ovn"
echo "$node" >"$out/etc/hostname"
cp "$DIR/$node/etc/openvswitch/conf.db" "$out/etc/openvswitch/"
cp "$DIR/$node/etc/ovn/"ovn{nb,sb}_db.db "$out/etc/ovn/"

commands=(
  "ovs-vsctl -t 5 show" "ovs-vsctl -t 5 list interface" "ovs-vsctl -t 5 list bridge" "ovs-vsctl -t 5 list Open_vSwitch"
  "ovs-appctl ovs/route/show" "ovs-appctl tnl/arp/show" "ovs-appctl tnl/ports/show -v" "ovs-appctl coverage/show"
  "ovs-appctl upcall/show" "ovs-appctl ofproto/list-tunnels"
)
for bridge in br-int br-ex; do
  commands+=("ovs-appctl fdb/show $bridge")
  for protocol in OpenFlow10 OpenFlow13 OpenFlow15; do
    for verb in dump-flows dump-groups dump-meters dump-tlv-map dump-ports-desc show; do
      commands+=("ovs-ofctl -O $protocol $verb $bridge")
    done
  done
done

entries=()
for command in "${commands[@]}"; do
  # sos names files as follows: `/` becomes `.`, and every other unusual character becomes `_`.
  name=$(sed -E 's/[^A-Za-z0-9_.\/-]+/_/g; s/\//./g' <<<"$command")
  read -ra words <<<"$command"
  status=0 started=$(date +%s.%N)
  on "$node" "${words[@]}" >"$out/$outputs/$name" 2>&1 || status=$?
  entries+=("{\"exec\": \"$command\", \"filepath\": \"$outputs/$name\", \"truncated\": false, \"return_code\": $status, \"start_time\": $started}")
done
list=$(printf ',\n%s' "${entries[@]}")
printf '{"version": "4.12.0", "components": {"report": {"plugins": {"openvswitch": {"command_timeout": 30, "commands": [%s\n]}}}}}\n' \
  "${list:1}" >"$out/sos_reports/manifest.json"
