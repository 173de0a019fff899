# shellcheck shell=bash
# FRR: the nodes are BGP neighbours and announce their pods' subnets to each other, as with route advertisements.
# Sourced.

frr_up() {
  local node=$1 other own=$DIR/$1
  other=$(node_ip "$(peer "$node")")
  # The host continues to reach pods of the other node through its management port, because learnt routes stay out of
  # the kernel.
  cat >"$own/etc/frr/frr.conf" <<CONF
frr defaults traditional
hostname $node
service integrated-vtysh-config
!
router bgp 64512
 bgp router-id $(node_ip "$node")
 no bgp default ipv4-unicast
 neighbor $other remote-as 64512
 neighbor $other timers connect 1
 !
 address-family ipv4 unicast
  network $(pod_net "$node").0/24
  neighbor $other activate
 exit-address-family
exit
!
route-map stays-in-frr deny 10
exit
!
ip protocol bgp route-map stays-in-frr
!
CONF
  echo 'service integrated-vtysh-config' >"$own/etc/frr/vtysh.conf"
  chown -R frr:frr "$own"/{etc,run}/frr
  local daemon
  for daemon in zebra bfdd bgpd; do
    on "$node" "/usr/lib/frr/$daemon" --daemon --user frr --group frr --vty_port 0 --log-level emergencies 2>/dev/null
  done
  on "$node" vtysh -b
}

# frr_ready NODE: waits until the neighbour has announced a route.
frr_ready() {
  for _ in {1..200}; do
    [[ $(on "$1" vtysh -c 'show ip route bgp') != *B* ]] || return 0
    sleep 0.05
  done
  die "FRR of $1 did not get a route from its neighbour"
}
