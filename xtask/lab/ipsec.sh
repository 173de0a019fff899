# shellcheck shell=bash
# libreswan: encrypts the tunnel between the nodes as ovs-monitor-ipsec would do, except for the key. Sourced.
#
# Geneve is in the userspace datapath here, to which the kernel's policies do not apply: the associations of pluto
# protect nothing.

ipsec_up() {
  local node=$1 other own=$DIR/$1/etc/ipsec.d name
  other=$(peer "$node")
  name=ovn-${CHASSIS[$other]:0:6}-0
  cat >"$own/openvswitch.conf" <<CONF
conn %default
    keyingtries=1
    type=transport
    auto=start
    ike=aes_gcm256-sha2_256;modp2048
    esp=aes_gcm256
    ikev2=insist

conn $name-in-1
    left=$(node_ip "$node")
    right=$(node_ip "$other")
    authby=secret
    leftprotoport=udp/6081
    rightprotoport=udp

conn $name-out-1
    left=$(node_ip "$node")
    right=$(node_ip "$other")
    authby=secret
    leftprotoport=udp
    rightprotoport=udp/6081
CONF
  (umask 077; echo "%any : PSK \"$(pod_uid "$PREFIX")\"" >"$own/openvswitch.secrets")
  on "$node" ipsec initnss >/dev/null 2>&1
  on "$node" /usr/libexec/ipsec/pluto --secretsfile /etc/ipsec.d/openvswitch.secrets --logfile /var/log/openvswitch/libreswan.log
}
