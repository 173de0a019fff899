#!/usr/bin/env bash
# switch.sh DIR FLOWS FLOW TIMES: loads flows into an ovs-vswitchd with dummies for devices and traces a packet. It
# prints the milliseconds of loading, the median microseconds of TIMES traces, and the memory of the switch
# in kB.
set -euo pipefail
dir=$1 flows=$2 flow=$3 times=$4
export OVS_RUNDIR=$dir PATH=/usr/sbin:/usr/bin:/sbin:/bin
quiet=(-vconsole:off -vsyslog:off -vfile:off)
trap 'kill $(jobs -p)' EXIT
ovsdb-tool create "$dir/conf.db" /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server "${quiet[@]}" "$dir/conf.db" --remote=punix:"$dir/db.sock" --unixctl="$dir/db.ctl" &
until [[ -S $dir/db.sock ]]; do sleep 0.05; done
ports=()
for ((n = 1; n <= 64; n++)); do
  ports+=(-- add-port br-int "p$n" -- set interface "p$n" type=dummy "ofport_request=$n")
done
ovs-vsctl --db=unix:"$dir/db.sock" --no-wait init -- add-br br-int -- set bridge br-int datapath_type=dummy fail_mode=secure "${ports[@]}"
ovs-vswitchd "${quiet[@]}" --enable-dummy --disable-system --disable-system-route unix:"$dir/db.sock" --unixctl="$dir/vs.ctl" &
switch=$!
until [[ -S $dir/br-int.mgmt ]]; do sleep 0.05; done
for ((n = 0; n < 8; n++)); do
  ovs-ofctl -O OpenFlow15 add-tlv-map unix:"$dir/br-int.mgmt" "{class=0x102,type=$((128 + n)),len=4}->tun_metadata$n"
done
start=$(date +%s%N)
ovs-ofctl -O OpenFlow15 --bundle add-flows unix:"$dir/br-int.mgmt" "$flows"
loaded=$((($(date +%s%N) - start) / 1000000))
took=()
for ((n = 0; n < times; n++)); do
  start=$(date +%s%N)
  ovs-appctl -t "$dir/vs.ctl" ofproto/trace br-int "$flow" >/dev/null
  took+=($((($(date +%s%N) - start) / 1000)))
done
mapfile -t took < <(printf '%s\n' "${took[@]}" | sort -n)
rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$switch/status")
echo "load_ms=$loaded trace_us=${took[times / 2]} rss_kb=$rss"
