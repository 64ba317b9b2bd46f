// describe of pods and of the pod templates in workloads.

#include "base/text.h"
#include "cli/describe_text.h"
#include "cli/table_printer.h"

namespace orch::cli {

namespace {

std::string describe_state(std::string_view title, const Value& state) {
  if (state.empty()) return "";
  const Member& member = state.members()[0];
  std::string text = "    " + std::string(title) + ":\t" + smart_label(member.name()) + "\n";
  const Value& what = member.value;
  if (what.has("reason")) text += "      Reason:\t" + shown_scalar(what["reason"]) + "\n";
  if (what.has("message")) text += "      Message:\t" + shown_scalar(what["message"]) + "\n";
  if (what.has("exitCode")) text += "      Exit Code:\t" + shown_scalar(what["exitCode"]) + "\n";
  if (what.has("signal")) text += "      Signal:\t" + shown_scalar(what["signal"]) + "\n";
  if (what.has("startedAt")) text += "      Started:\t" + shown_time(what["startedAt"]) + "\n";
  if (what.has("finishedAt")) text += "      Finished:\t" + shown_time(what["finishedAt"]) + "\n";
  return text;
}

std::string describe_resources(const Value& resources) {
  std::string text;
  for (std::string_view name : {"limits", "requests"}) {
    if (resources[name].empty()) continue;
    text += name == "limits" ? "    Limits:\n" : "    Requests:\n";
    for (const Member& amount : resources[name].members()) {
      text += "      " + std::string(amount.name()) + ":\t" + shown_scalar(amount.value) + "\n";
    }
  }
  return text;
}

std::string shown_source(const Value& from) {
  if (const Value& key = from["configMapKeyRef"]; key.is_object()) {
    return "<set to the key '" + shown_scalar(key["key"]) + "' of config map '" + shown_scalar(key["name"]) + "'>";
  }
  if (const Value& key = from["secretKeyRef"]; key.is_object()) {
    return "<set to the key '" + shown_scalar(key["key"]) + "' in secret '" + shown_scalar(key["name"]) + "'>";
  }
  if (const Value& field = from["fieldRef"]; field.is_object()) {
    return "(" + shown_scalar(field["apiVersion"]) + ":" + shown_scalar(field["fieldPath"]) + ")";
  }
  return shown_scalar(from["resourceFieldRef"]["resource"]);
}

std::string describe_environment(const Value& container) {
  if (container["env"].empty()) return "    Environment:\t<none>\n";
  std::string text = "    Environment:\n";
  for (const Value& variable : container["env"].items()) {
    text += "      " + shown_scalar(variable["name"]) + ":\t";
    text += variable.has("valueFrom") ? shown_source(variable["valueFrom"])
                                      : replace_all(shown_scalar(variable["value"]), "\n", "\n\t");
    text += "\n";
  }
  return text;
}

std::string describe_mounts(const Value& container) {
  if (container["volumeMounts"].empty()) return "    Mounts:\t<none>\n";
  std::string text = "    Mounts:\n";
  for (const Value& mount : container["volumeMounts"].items()) {
    text += "      " + shown_scalar(mount["mountPath"]) + " from " + shown_scalar(mount["name"]) +
            (mount["readOnly"].as_bool() ? " (ro" : " (rw") +
            (mount.has("subPath") ? ",path=" + quote(mount["subPath"].as_string()) : "") + ")\n";
  }
  return text;
}

std::string shown_ports(const Value& ports, std::string_view field) {
  std::vector<std::string> all;
  for (const Value& port : ports.items()) {
    all.push_back(std::to_string(port[field].as_int()) + "/" + shown_scalar(port["protocol"]));
  }
  return all.empty() ? "<none>" : join(all, ", ");
}

std::string describe_words(std::string_view title, const Value& words) {
  if (words.empty()) return "";
  std::string text = "    " + std::string(title) + ":\n";
  for (const Value& word : words.items()) {
    text += "      " + replace_all(shown_scalar(word), "\n", "\n      ") + "\n";
  }
  return text;
}

std::string describe_container(const Value& container, const Value& status, bool running) {
  const bool several = container["ports"].size() > 1;
  std::string text = "  " + shown_scalar(container["name"]) + ":\n";
  running = running && status.is_object();
  if (running) text += "    Container ID:\t" + shown_scalar(status["containerID"]) + "\n";
  text += "    Image:\t" + shown_scalar(container["image"]) + "\n";
  if (running) text += "    Image ID:\t" + shown_scalar(status["imageID"]) + "\n";
  text += std::string(several ? "    Ports:\t" : "    Port:\t") +
          shown_ports(container["ports"], "containerPort") + "\n";
  text += std::string(several ? "    Host Ports:\t" : "    Host Port:\t") +
          shown_ports(container["ports"], "hostPort") + "\n";
  text += describe_words("Command", container["command"]);
  text += describe_words("Args", container["args"]);
  if (running) {
    text += describe_state("State", status["state"]);
    text += describe_state("Last State", status["lastState"]);
    text += std::string("    Ready:\t") + (status["ready"].as_bool() ? "True" : "False") + "\n";
    text += "    Restart Count:\t" + std::to_string(status["restartCount"].as_int()) + "\n";
  }
  text += describe_resources(container["resources"]);
  return text + describe_environment(container) + describe_mounts(container);
}

std::string describe_containers(std::string_view title, const Value& containers, const Value& statuses,
                                bool running) {
  if (containers.empty()) return "";
  std::string text = std::string(title) + ":\n";
  for (const Value& container : containers.items()) {
    Value status;
    for (const Value& one : statuses.items()) {
      if (one["name"] == container["name"]) status = one;
    }
    text += describe_container(container, status, running);
  }
  return text;
}

std::string describe_volumes(const Value& volumes) {
  if (volumes.empty()) return "Volumes:\t<none>\n";
  std::string text = "Volumes:\n";
  for (const Value& volume : volumes.items()) {
    text += "  " + shown_scalar(volume["name"]) + ":\n";
    for (const Member& member : volume.members()) {
      if (member.name() == "name") continue;
      text += "    Type:\t" + smart_label(member.name()) + "\n";
      if (member.value.is_object()) text += describe_tree(member.value, 4);
    }
  }
  return text;
}

std::string shown_toleration(const Value& toleration) {
  std::string text = shown_scalar(toleration["key"]);
  if (toleration.has("value")) text += "=" + shown_scalar(toleration["value"]);
  if (toleration.has("effect")) text += ":" + shown_scalar(toleration["effect"]);
  if (toleration["operator"].as_string() == "Exists" && !toleration.has("value")) text += " op=Exists";
  if (toleration.has("tolerationSeconds")) {
    text += " for " + shown_scalar(toleration["tolerationSeconds"]) + "s";
  }
  return text;
}

std::string describe_placement(const Value& spec) {
  std::string text = describe_labels("Node-Selectors", spec["nodeSelector"]);
  std::vector<std::string> tolerations;
  for (const Value& toleration : spec["tolerations"].items()) {
    tolerations.push_back(shown_toleration(toleration));
  }
  return text + "Tolerations:\t" + (tolerations.empty() ? "<none>" : join(tolerations, "\n\t")) + "\n";
}

std::string shown_status(const Value& object) {
  const Value& status = object["status"];
  if (object["metadata"].has("deletionTimestamp")) return "Terminating";
  return shown_scalar(status["phase"]);
}

std::string controller_of(const Value& object) {
  for (const Value& owner : object["metadata"]["ownerReferences"].items()) {
    if (owner["controller"].as_bool()) return shown_scalar(owner["kind"]) + "/" + shown_scalar(owner["name"]);
  }
  return "";
}

}  // namespace

std::string describe_pod_template(const Value& pod_template) {
  const Value& spec = pod_template["spec"];
  std::string inner = describe_labels("Labels", pod_template["metadata"]["labels"]);
  if (!pod_template["metadata"]["annotations"].empty()) {
    inner += describe_labels("Annotations", pod_template["metadata"]["annotations"]);
  }
  if (spec.has("serviceAccountName")) inner += "Service Account:\t" + shown_scalar(spec["serviceAccountName"]) + "\n";
  inner += describe_containers("Init Containers", spec["initContainers"], Value(), false);
  inner += describe_containers("Containers", spec["containers"], Value(), false);
  inner += describe_volumes(spec["volumes"]);
  inner += describe_placement(spec);
  std::string text = "Pod Template:\n";
  for (std::string_view line : split(inner, '\n')) {
    if (line.empty()) continue;
    // What is below a section is one step in, not two, as kubectl has it.
    std::string_view margin = line.starts_with("    ") ? "" : line.starts_with("  ") ? " " : "  ";
    text += std::string(margin) + std::string(line) + "\n";
  }
  return text;
}

std::string describe_pod(const Value& object, const Surroundings& around) {
  const Value& spec = object["spec"];
  const Value& status = object["status"];
  std::string text = describe_head(object);
  text += "Priority:\t" + std::to_string(spec["priority"].as_int()) + "\n";
  if (spec.has("priorityClassName")) text += "Priority Class Name:\t" + shown_scalar(spec["priorityClassName"]) + "\n";
  if (spec.has("serviceAccountName")) text += "Service Account:\t" + shown_scalar(spec["serviceAccountName"]) + "\n";
  std::string node = spec["nodeName"].as_string().empty()
                         ? std::string("<none>")
                         : shown_scalar(spec["nodeName"]) + "/" + shown_scalar(status["hostIP"]);
  text += "Node:\t" + node + "\n";
  if (status.has("startTime")) text += "Start Time:\t" + shown_time(status["startTime"]) + "\n";
  text += describe_labels("Labels", object["metadata"]["labels"]);
  text += describe_labels("Annotations", object["metadata"]["annotations"]);
  text += "Status:\t" + shown_status(object) + "\n";
  if (status.has("reason")) text += "Reason:\t" + shown_scalar(status["reason"]) + "\n";
  if (status.has("message")) text += "Message:\t" + shown_scalar(status["message"]) + "\n";
  text += "IP:\t" + shown_scalar(status["podIP"]) + "\n";
  std::string ips;
  for (const Value& ip : status["podIPs"].items()) ips += "  IP:\t" + shown_scalar(ip["ip"]) + "\n";
  text += ips.empty() ? "IPs:\t<none>\n" : "IPs:\n" + ips;
  if (std::string owner = controller_of(object); !owner.empty()) text += "Controlled By:\t" + owner + "\n";
  text += describe_containers("Init Containers", spec["initContainers"], status["initContainerStatuses"], true);
  text += describe_containers("Containers", spec["containers"], status["containerStatuses"], true);
  if (!status["conditions"].empty()) text += "Conditions:\n  Type\tStatus\n";
  for (const Value& condition : status["conditions"].items()) {
    text += "  " + shown_scalar(condition["type"]) + " \t" + shown_scalar(condition["status"]) + " \n";
  }
  text += describe_volumes(spec["volumes"]);
  text += "QoS Class:\t" + shown_scalar(status["qosClass"]) + "\n";
  text += describe_placement(spec);
  return text + describe_events(around.events, around.now);
}

}  // namespace orch::cli
