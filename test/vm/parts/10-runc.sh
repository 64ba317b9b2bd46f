# `orch runc`: limits that the kernel enforces.

cd /tmp && mkdir -p bundle/rootfs && cd bundle
cp -a /payload/busybox-root/. rootfs/
mkdir -p rootfs/proc rootfs/sys rootfs/dev rootfs/tmp
chmod 1777 rootfs/tmp

orch() { /payload/orch "$@"; }

# bundle SCRIPT RESOURCES [CAPABILITIES]: a config.json that runs a script under limits.
bundle() {
  cat >config.json <<JSON
{"ociVersion": "1.2.0", "root": {"path": "rootfs"},
 "process": {"args": ["/bin/sh", "-c", "$1"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/bin"],
             "capabilities": {"bounding": [$3], "effective": [$3], "permitted": [$3]}},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}],
 "linux": {"cgroupsPath": "/test/box", "resources": {$2},
           "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "cgroup"}]}}
JSON
}
box=/sys/fs/cgroup/test/box
stopped() { orch runc state box | grep -q '"stopped"'; }
begin() {
  orch runc create box </dev/null >out 2>&1 || cat out
  orch runc start box
}

bundle 'exit 7' ''
orch runc run box
expect 'the exit code comes through' $? 7
expect 'no cgroup is left' "$(ls -d $box 2>/dev/null)" ''

bundle 'dd if=/dev/zero of=/dev/null bs=128M count=1' '"memory": {"limit": 33554432, "swap": 33554432}'
begin
expect 'the memory limit is set' "$(cat $box/memory.max)" 33554432
until_true 60 stopped
expect 'a memory limit kills' "$(value $box/memory.events oom_kill)" 1
orch runc delete box

bundle 'while :; do :; done' '"cpu": {"quota": 10000, "period": 100000, "shares": 512}'
begin
expect 'the cpu limit is set' "$(cat $box/cpu.max)" '10000 100000'
expect 'shares become a weight' "$(cat $box/cpu.weight)" 20
before=$(value $box/cpu.stat usage_usec)
sleep 4
after=$(value $box/cpu.stat usage_usec)
throttled=$(value $box/cpu.stat nr_throttled)
expect 'a cpu limit throttles' "$([ "${throttled:-0}" -gt 5 ] && echo yes)" yes
expect 'a tenth of a processor is what it gets' "$([ $((after - before)) -lt 1200000 ] && echo yes || echo $((after - before)))" yes
orch runc update --cpu-quota 20000 --cpu-period 100000 --pids-limit 9 box
expect 'limits change while it runs' "$(cat $box/cpu.max) $(cat $box/pids.max)" '20000 100000 9'
orch runc pause box
expect 'it can be frozen' "$(value $box/cgroup.events frozen)" 1
orch runc resume box
expect 'and thawed' "$(value $box/cgroup.events frozen)" 0
orch runc kill box KILL
until_true 60 stopped
orch runc delete box

bundle 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 100 & done; wait' '"pids": {"limit": 5}'
begin
refused() { [ "$(value $box/pids.events max)" -gt 0 ]; }
until_true 60 refused
expect 'a limit of processes holds' "$([ "$(cat $box/pids.peak 2>/dev/null || cat $box/pids.current)" -le 5 ] && echo yes)" yes
expect 'and is noticed' "$([ "$(value $box/pids.events max)" -gt 0 ] && echo yes)" yes
orch runc delete --force box

devices='"devices": [{"allow": false, "access": "rwm"}]'
bundle 'mknod /tmp/tun c 10 200; mknod /tmp/null c 1 3; head -c 0 /tmp/null && echo null; dd if=/tmp/tun of=/dev/null bs=1 count=0 2>/dev/null && echo tun; exit 0' "$devices" '"CAP_MKNOD"'
expect 'devices that are not allowed stay shut' "$(orch runc run box 2>/dev/null)" null
bundle 'mknod /tmp/tun c 10 200; dd if=/tmp/tun of=/dev/null bs=1 count=0 2>/dev/null && echo tun' "\"devices\": [{\"allow\": false, \"access\": \"rwm\"}, {\"allow\": true, \"type\": \"c\", \"major\": 10, \"minor\": 200, \"access\": \"r\"}]" '"CAP_MKNOD"'
expect 'and the allowed ones open' "$(orch runc run box 2>/dev/null)" tun

bundle 'cat /proc/self/cgroup; cat /sys/fs/cgroup/memory.max' '"memory": {"limit": 67108864}'
expect 'a container sees its own part of the tree' "$(orch runc run box | tr '\n' ' ')" '0::/ 67108864 '
rmdir /sys/fs/cgroup/test
expect 'nothing is left in the tree' "$(ls -d /sys/fs/cgroup/test 2>/dev/null)" ''
cd /
