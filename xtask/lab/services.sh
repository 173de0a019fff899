# shellcheck shell=bash
# Services as load balancers. The load balancers that are equal on every node are in groups; a node's own load balancers
# are on its switch and gateway router. Sourced.
#   kubernetes   the API server, outside the cluster
#   web          two endpoints, and a NodePort with externalTrafficPolicy Local
#   empty        no endpoint: connections are reset

services_up() {
  local node=$1 ip local_web web kubernetes group
  ip=$(node_ip "$node")
  web=$(pod_ip default/web-1):8080,$(pod_ip default/web-2):8080
  if [[ $node == ovn-worker ]]; then local_web=${web%,*}; else local_web=${web#*,}; fi

  # No load balancer of the lab has a template, but ovnkube-controller writes the variable for templates on every node.
  add create Chassis_Template_Var chassis="${CHASSIS[$node]}" variables="$(map "NODEIP_IPv4_0=$ip")"
  for group in clusterLBGroup clusterSwitchLBGroup clusterRouterLBGroup; do
    add "--id=@$group" create Load_Balancer_Group name="$group"
  done
  add add Logical_Switch "$node" load_balancer_group @clusterLBGroup @clusterSwitchLBGroup
  add add Logical_Router "GR_$node" load_balancer_group @clusterLBGroup @clusterRouterLBGroup

  load_balancer kubernetes "TCP_node_router+switch_$node" false "$KUBERNETES_VIP:443=$GATEWAY:6443"
  kubernetes=$lb
  add add Logical_Switch "$node" load_balancer "$kubernetes"
  add add Logical_Router "GR_$node" load_balancer "$kubernetes"

  load_balancer web TCP_cluster false "$WEB_VIP:80=$web"
  add add Load_Balancer_Group clusterLBGroup load_balancer "$lb"
  load_balancer web "TCP_node_switch_$node" false "169.254.0.3:$WEB_NODEPORT=$local_web" "$ip:$WEB_NODEPORT=$web"
  add add Logical_Switch "$node" load_balancer "$lb"
  load_balancer web "TCP_node_local_router_$node" true "$ip:$WEB_NODEPORT=$local_web"
  add add Logical_Router "GR_$node" load_balancer "$lb"

  load_balancer empty TCP_cluster false "$EMPTY_VIP:80="
  add add Load_Balancer_Group clusterLBGroup load_balancer "$lb"
  commit "$node"
}

# load_balancer SERVICE SUFFIX SKIP-SNAT VIP=BACKENDS...: adds a row, whose name is then in $lb
load_balancer() {
  lb=@row$((++rows))
  add "--id=$lb" create Load_Balancer name="$(str "Service_default/$1_$2")" protocol=tcp vips="$(map "${@:4}")" \
    external_ids="$(map k8s.ovn.org/kind=Service "k8s.ovn.org/owner=default/$1")" \
    options="$(map event=false 'hairpin_snat_ip=169.254.0.5 fd69::5' neighbor_responder=none reject=true "skip_snat=$3")"
}
