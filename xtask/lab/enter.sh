#!/usr/bin/env bash
# enter.sh WHERE COMMAND...: becomes the command, in a node, in the network namespace of a pod (NAMESPACE/NAME), or
# "outside".
# shellcheck source=env.sh
. "${0%/*}/env.sh"
where=$1
shift
[[ -d $DIR ]] || die "no lab in $DIR: run \`cargo xtask lab up\`"
case $where in
  outside) exec nsenter --net="/run/netns/$OUTSIDE" -- "$@" ;;
  */*)
    pod "$where" >/dev/null
    exec nsenter --net="/run/netns/$(pod_ns "$where")" -- "$@"
    ;;
  *)
    [[ " ${NODES[*]} " == *" $where "* ]] || die "no node $where: the nodes are ${NODES[*]}"
    alive "$where" || die "$where is down"
    exec nsenter -t "$(<"$DIR/$where/pid")" -n -m -u -- "$@"
    ;;
esac
