#!/usr/bin/env bash
# manifests.sh: prints the lab as Kubernetes objects, in YAML, for the API server in front of the lab.
# shellcheck source=env.sh
. "${0%/*}/env.sh"
# shellcheck source=objects.sh
. "$SCRIPTS/objects.sh"
# shellcheck source=egressip.sh
. "$SCRIPTS/egressip.sh"

for node in "${NODES[@]}"; do node_object "$node"; done
ovnkube_pod_objects
pod_objects
service_objects
endpoint_slice_objects
network_policy_objects
egress_ip_object
