#!/usr/bin/env bash
# Checks that the network does what its databases say. Every probe has a time limit. Prints "N passed, N failed"; fails
# if any probe failed.
# shellcheck source=env.sh
. "${0%/*}/env.sh"
[[ -e $DIR/up ]] || die "no lab in $DIR"
"$SCRIPTS/warm.sh" || true # a path that stays cold fails below

passed=0 failed=0
# expect TEXT COMMAND...: checks that the command prints TEXT
expect() {
  local want=$1 got
  shift
  got=$(timeout 6 "$@" 2>&1) || true
  if [[ $got == *"$want"* ]]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAIL: %s\n  want: %s\n  got:  %s\n' "${*:2}" "$want" "$got"
  fi
}
# WHERE is a pod, a node or "outside".
gets() { expect "$3" "$SCRIPTS/enter.sh" "$1" curl -sS --max-time 4 "$2"; }  # WHERE URL TEXT
denied() { expect 'timed out' "$SCRIPTS/enter.sh" "$1" curl -sS --max-time 2 "$2"; } # WHERE URL
pings() { expect '1 received' "$SCRIPTS/enter.sh" "$1" ping -c 1 -W 2 "$2"; } # WHERE ADDRESS

client=$(pod_ip default/client) web1=$(pod_ip default/web-1) web2=$(pod_ip default/web-2) db=$(pod_ip default/db)
for _ in 1 2 3; do
  # pod to pod, on one node and across
  pings default/client "$web1"
  pings default/client "$web2"
  pings default/client-2 "$web1"
  gets default/client "http://$web1:8080/" "hello from web-1 to $client"
  gets default/client "http://$web2:8080/" "hello from web-2 to $client"
  # services
  gets default/client "http://$WEB_VIP/" 'hello from web-'
  gets default/client-2 "http://$WEB_VIP/" 'hello from web-'
  gets default/client "http://$KUBERNETES_VIP:443/" 'hello from the API server to'
  gets default/client "http://$EMPTY_VIP/" 'connect to server' # refused; a silent drop would say "timed out"
  gets ovn-worker "http://$KUBERNETES_VIP:443/" 'hello from the API server to'
  gets ovn-worker2 "http://$KUBERNETES_VIP:443/" 'hello from the API server to'
  gets outside "http://$(node_ip ovn-worker):$WEB_NODEPORT/" "hello from web-1 to $GATEWAY"
  gets outside "http://$(node_ip ovn-worker2):$WEB_NODEPORT/" "hello from web-2 to $GATEWAY"
  # network policy
  gets default/client "http://$db:5432/" "hello from db to $client"
  # leaving the cluster: the egress IP, and the node's address for all other pods
  gets default/client "http://$GATEWAY/" "hello from outside to $EGRESS_IP"
  gets default/client-2 "http://$GATEWAY/" "hello from outside to $(node_ip ovn-worker2)"
  gets default/web-1 "http://$GATEWAY/" "hello from outside to $(node_ip ovn-worker)"
  # the host to pods; services were checked above, and docs/lab.md says why endpoints on the host's own node are left
  # out
  gets ovn-worker "http://$web1:8080/" "hello from web-1 to $(pod_net ovn-worker).2"
  gets ovn-worker "http://$web2:8080/" "hello from web-2 to $(pod_net ovn-worker).2"
  gets ovn-worker "http://$GATEWAY/" "hello from outside to $(node_ip ovn-worker)"
  pings ovn-worker "$(node_ip ovn-worker2)"
done
denied default/client-2 "http://$db:5432/"
denied ovn-worker "http://$db:5432/" # only the pod's own node may connect
gets ovn-worker2 "http://$db:5432/" 'hello from db to'

echo "$passed passed, $failed failed"
((failed == 0))
