#include "support.h"

#include "base/check.h"
#include "base/text.h"

namespace orch::test {

Value pod(const std::string& name) {
  static constexpr std::string_view kText = R"({
    "apiVersion":"v1","kind":"Pod","metadata":{"name":"NAME","namespace":"default","uid":"UID",
    "creationTimestamp":"2026-01-01T00:00:00Z","generateName":"web-7d9f8b6c5d-",
    "labels":{"app":"web","pod-template-hash":"7d9f8b6c5d","tier":"frontend"},
    "annotations":{"prometheus.io/scrape":"true","prometheus.io/port":"8080"},
    "ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-7d9f8b6c5d",
      "uid":"0f0e0d0c-0b0a-4908-8706-050403020100","controller":true,"blockOwnerDeletion":true}],
    "managedFields":[{"manager":"orch","operation":"Update","apiVersion":"v1","time":"2026-01-01T00:00:00Z",
      "fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:generateName":{},"f:labels":{".":{},"f:app":{}},
      "f:ownerReferences":{".":{},"k:{\"uid\":\"0f0e0d0c-0b0a-4908-8706-050403020100\"}":{}}},
      "f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:image":{},"f:name":{}}}}}}]},
    "spec":{"containers":[{"name":"web","image":"registry.example.com/team/web:1.27.3",
      "imagePullPolicy":"IfNotPresent","ports":[{"containerPort":8080,"name":"http","protocol":"TCP"}],
      "env":[{"name":"LOG_LEVEL","value":"info"},{"name":"POD_IP","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"status.podIP"}}}],
      "resources":{"limits":{"cpu":"500m","memory":"256Mi"},"requests":{"cpu":"100m","memory":"128Mi"}},
      "livenessProbe":{"failureThreshold":3,"httpGet":{"path":"/healthz","port":8080,"scheme":"HTTP"},"periodSeconds":10,"successThreshold":1,"timeoutSeconds":1},
      "readinessProbe":{"failureThreshold":3,"httpGet":{"path":"/ready","port":8080,"scheme":"HTTP"},"periodSeconds":10,"successThreshold":1,"timeoutSeconds":1},
      "terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File",
      "volumeMounts":[{"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount","name":"kube-api-access-x7k2p","readOnly":true}]}],
      "dnsPolicy":"ClusterFirst","enableServiceLinks":true,"nodeName":"node-17","preemptionPolicy":"PreemptLowerPriority","priority":0,
      "restartPolicy":"Always","schedulerName":"default-scheduler","securityContext":{},"serviceAccount":"default","serviceAccountName":"default",
      "terminationGracePeriodSeconds":30,
      "tolerations":[{"effect":"NoExecute","key":"node.kubernetes.io/not-ready","operator":"Exists","tolerationSeconds":300},
        {"effect":"NoExecute","key":"node.kubernetes.io/unreachable","operator":"Exists","tolerationSeconds":300}],
      "volumes":[{"name":"kube-api-access-x7k2p","projected":{"defaultMode":420,"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},
        {"configMap":{"items":[{"key":"ca.crt","path":"ca.crt"}],"name":"kube-root-ca.crt"}}]}}]},
    "status":{"phase":"Running","podIP":"10.42.0.17","podIPs":[{"ip":"10.42.0.17"}],"hostIP":"192.168.1.17","qosClass":"Burstable","startTime":"2026-01-01T00:00:01Z",
      "conditions":[{"lastProbeTime":null,"lastTransitionTime":"2026-01-01T00:00:02Z","status":"True","type":"Ready"},
        {"lastProbeTime":null,"lastTransitionTime":"2026-01-01T00:00:01Z","status":"True","type":"PodScheduled"}],
      "containerStatuses":[{"containerID":"orch://9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","image":"registry.example.com/team/web:1.27.3",
        "imageID":"registry.example.com/team/web@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","name":"web","ready":true,"restartCount":0,
        "started":true,"state":{"running":{"startedAt":"2026-01-01T00:00:02Z"}}}]}})";
  std::string text = replace_all(kText, "NAME", name);
  auto parsed = parse_json(replace_all(text, "UID", "1b4e28ba-2fa1-11d2-883f-" + name));
  ORCH_CHECK(parsed.ok());
  return std::move(*parsed);
}

}  // namespace orch::test
