# shellcheck shell=bash
# Pods: a network namespace, a process in it, a veth into br-int, a logical port, and the HTTP servers of the pods.
# Sourced.

pods_up() {
  local pod name node octet
  for pod in "${PODS[@]}"; do
    read -r name node octet <<<"$pod"
    pod_up "$name" "$node" "$octet"
  done
  serve "$(pod_ns default/web-1)" 8080 "hello from web-1"
  serve "$(pod_ns default/web-2)" 8080 "hello from web-2"
  serve "$(pod_ns default/db)" 5432 "hello from db"
  serve "$OUTSIDE" 80 "hello from outside"
  serve "$OUTSIDE" 6443 "hello from the API server"
}

# pod_up NAMESPACE/NAME NODE OCTET: does the work of ovnkube-controller (logical port) and of the CNI plugin (interface)
pod_up() {
  local pod=$1 node=$2 net ip mac ns sandbox link uid port group
  uid=$(pod_uid "$pod")
  net=$(pod_net "$node") mac=$(pod_mac "$node" "$3") ns=$(pod_ns "$1") port=${1/\//_}
  ip=$net.$3
  sandbox=$(sha256sum <<<"$pod")
  sandbox=${sandbox%% *} link=${sandbox:0:15}

  add lsp-add "$node" "$port" -- lsp-set-addresses "$port" "$mac $ip" -- lsp-set-port-security "$port" "$mac $ip" \
    -- set Logical_Switch_Port "$port" external_ids:namespace="${pod%/*}" external_ids:pod=true \
    options:iface-id-ver="$uid" options:requested-chassis="${CHASSIS[$node]}"
  add --id=@port get Logical_Switch_Port "$port" name
  for group in $(groups_of "$pod"); do add add Port_Group "$group" ports @port; done
  commit "$node"

  ip netns add "$ns"
  pause "$node" "$ns" "$uid" "$sandbox"
  ip link add eth0 netns "$ns" mtu 1400 address "$mac" type veth peer name "$link" netns "$(node_ns "$node")"
  in_ns "$ns" sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1
  no_offload "$ns" eth0
  ip -n "$ns" link set lo up
  ip -n "$ns" link set eth0 up
  ip -n "$ns" addr add "$ip/24" dev eth0
  ip -n "$ns" route add default via "$net.1"
  on "$node" ip link set "$link" up mtu 1400
  on "$node" ovs-vsctl --timeout=20 add-port br-int "$link" -- set Interface "$link" external_ids:iface-id="$port" \
    external_ids:iface-id-ver="$uid" external_ids:attached_mac="$(str "$mac")" external_ids:ip_addresses="$ip/24" \
    external_ids:pod-if-name=eth0 external_ids:sandbox="$sandbox"
}

# pause NODE NETNS UID SANDBOX: starts the process that holds a pod's namespaces, and writes the control group that
# containerd would give to it. Machines differ in the control groups that a process may create, so the group is a file,
# which debug pods see instead of the process's own.
pause() {
  nsenter --net="/run/netns/$2" -- setsid sleep infinity </dev/null >/dev/null 2>&1 &
  mkdir -p "$DIR/$1/pods"
  echo "0::/kubelet.slice/kubepods-besteffort-pod${3//-/_}.slice/cri-containerd-$4.scope" >"$DIR/$1/pods/$!"
}

# serve NETNS PORT GREETING: serves enough HTTP for curl; the answer names the address of the client as the server sees
# it
serve() {
  GREETING=$3 in_ns "$1" setsid socat "TCP-LISTEN:$2,fork,reuseaddr" "EXEC:bash $SCRIPTS/serve.sh" </dev/null >/dev/null 2>&1 &
}
