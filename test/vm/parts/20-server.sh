# `orch server` as a user would run it: limits of pods, and the main job.

data=/var/lib/orch
export KUBECONFIG=$data/kubeconfig
sysctl -w net.ipv4.ip_forward=1 >/dev/null
ip link set lo up
/payload/orch server --data-dir $data --node-name vm >/tmp/server.log 2>&1 &
server=$!
node_ready() { orch get node vm -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}' | grep -q True; }
until_true 60 node_ready
expect 'the node is ready' "$(orch get node vm -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}')" True
if ! node_ready; then  # nothing of the rest can work
  orch get node vm -o jsonpath='{.status.conditions[?(@.type=="Ready")].message}'
  tail -n 30 /tmp/server.log
  kill $server
  wait $server
  return
fi
orch image import /payload/busybox.tar --name docker.io/library/busybox:latest --data-dir $data >/dev/null
expect 'an image comes from a tar' $? 0

orch apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: greedy}
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: docker.io/library/busybox:latest
    imagePullPolicy: IfNotPresent
    command: [dd, if=/dev/zero, of=/dev/null, bs=128M, count=1]
    resources: {limits: {memory: 32Mi}}
---
apiVersion: v1
kind: Pod
metadata: {name: busy}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: docker.io/library/busybox:latest
    imagePullPolicy: IfNotPresent
    command: [sh, -c, 'while :; do :; done']
    resources: {limits: {cpu: 100m, memory: 32Mi}}
YAML
expect 'pods are applied' $? 0

greedy() { orch get pod greedy -o jsonpath="{.status.containerStatuses[0].state.terminated.$1}"; }
killed() { [ -n "$(greedy reason)" ]; }
until_true 90 killed
expect 'a memory limit ends a container: OOMKilled' "$(greedy reason) $(greedy exitCode)" 'OOMKilled 137'
expect 'and its pod fails' "$(orch get pod greedy -o jsonpath='{.status.phase}')" Failed

running() { [ "$(orch get pod busy -o jsonpath='{.status.phase}')" = Running ]; }
until_true 60 running
id=$(orch get pod busy -o jsonpath='{.status.containerStatuses[0].containerID}')
box=$(find /sys/fs/cgroup -type d -name "${id#orch://}")
expect 'the container has a cgroup' "$([ -d "$box" ] && echo yes)" yes
expect 'with the cpu limit of its pod' "$(cat "$box/cpu.max")" '10000 100000'
expect 'and the memory limit' "$(cat "$box/memory.max")" 33554432
throttled() { [ "$(value "$box/cpu.stat" nr_throttled)" -gt 5 ]; }
until_true 60 throttled
expect 'a cpu limit throttles a pod' "$(throttled && echo yes)" yes
orch delete pod greedy busy --wait=true >/dev/null
expect 'pods are deleted' $? 0

orch apply -f /payload/manifests/quickstart.yaml >/dev/null
expect 'the quickstart manifest is applied' $? 0
available() { [ "$(orch get deploy hello -o jsonpath='{.status.availableReplicas}')" = 3 ]; }
until_true 90 available
expect 'three of three are available' "$(orch get deploy hello -o jsonpath='{.status.availableReplicas}')" 3
service=$(orch get service hello -o jsonpath='{.spec.clusterIP}:{.spec.ports[0].port}')
answers() { wget -q -O /tmp/page "http://$service/"; }
until_true 30 answers
expect 'the Service answers' "$(cat /tmp/page 2>/dev/null)" 'Hello from orch'
orch delete -f /payload/manifests/quickstart.yaml >/dev/null
no_pods() { [ -z "$(orch get pods -o name)" ]; }
until_true 60 no_pods
expect 'all pods go' "$(orch get pods -o name)" ''
if [ "$failed" -gt 0 ]; then
  tail -n 30 /tmp/server.log
  orch get pods -o wide
  orch get events
fi
kill $server
wait $server
expect 'the server ends well' $? 0
no_cgroups() { [ -z "$(find /sys/fs/cgroup/orch-* -mindepth 2 -type d 2>/dev/null)" ]; }
until_true 20 no_cgroups
expect 'no cgroup of a pod is left' "$(find /sys/fs/cgroup/orch-* -mindepth 2 -type d 2>/dev/null)" ''
