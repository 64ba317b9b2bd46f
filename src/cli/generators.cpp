#include "cli/generators.h"

#include "base/text.h"

namespace orch::cli {

namespace {

Error wrong(std::string message) { return Error::make(Code::usage, std::move(message)); }

Value named(std::string_view api_version, std::string_view kind, const std::string& name) {
  return Value::object({{"apiVersion", Value(api_version)},
                        {"kind", Value(kind)},
                        {"metadata", Value::object({{"creationTimestamp", Value()}, {"name", Value(name)}})}});
}

Result<Value> make_namespace(Console&, const Arguments&, const std::string& name) {
  return named("v1", "Namespace", name)
      .with("spec", Value::empty_object())
      .with("status", Value::empty_object());
}

Result<Value> make_service_account(Console&, const Arguments&, const std::string& name) {
  return named("v1", "ServiceAccount", name);
}

// --- data of configmaps and secrets

struct Entry {
  std::string key, value;
};

Result<void> add_file(Console& console, std::string_view spec, std::vector<Entry>& entries) {
  auto parts = split_once(spec, '=');
  std::string path(parts ? parts->second : spec);
  if (!parts && console.is_directory(path)) {
    TRY(auto names, console.list_directory(path));
    for (const std::string& name : names) {
      if (console.is_directory(path + "/" + name)) continue;
      TRY(std::string text, console.read_file(path + "/" + name));
      entries.push_back({name, std::move(text)});
    }
    return {};
  }
  std::string key(parts ? parts->first : std::string_view(path).substr(path.rfind('/') + 1));
  TRY(std::string text, console.read_file(path));
  entries.push_back({std::move(key), std::move(text)});
  return {};
}

Result<void> add_env_file(Console& console, const std::string& path, std::vector<Entry>& entries) {
  TRY(std::string text, console.read_file(path));
  for (std::string_view line : split(text, '\n')) {
    line = trim(line);
    if (line.empty() || line.starts_with('#')) continue;
    auto parts = split_once(line, '=');
    std::string key(parts ? parts->first : line);
    // A name alone takes its value from the environment.
    std::string value = parts ? std::string(parts->second) : console.variable(key).value_or("");
    entries.push_back({std::move(key), std::move(value)});
  }
  return {};
}

Result<std::vector<Entry>> read_entries(Console& console, const Arguments& arguments) {
  std::vector<Entry> entries;
  for (const std::string& literal : arguments.list("from-literal")) {
    auto parts = split_once(literal, '=');
    if (!parts || parts->first.empty()) {
      return wrong("invalid literal source " + literal + ", expected key=value");
    }
    entries.push_back({std::string(parts->first), std::string(parts->second)});
  }
  for (const std::string& spec : arguments.list("from-file")) {
    TRY_VOID(add_file(console, spec, entries));
  }
  for (const std::string& path : arguments.list("from-env-file")) {
    TRY_VOID(add_env_file(console, path, entries));
  }
  for (size_t i = 0; i < entries.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (entries[i].key == entries[j].key) {
        return failure("cannot add key " + entries[i].key + ", another key by that name already exists");
      }
    }
  }
  return entries;
}

Result<Value> make_config_map(Console& console, const Arguments& arguments, const std::string& name) {
  TRY(auto entries, read_entries(console, arguments));
  ObjectBuilder data, binary;
  for (const Entry& entry : entries) {
    if (is_valid_utf8(entry.value)) {
      data.set(entry.key, Value(entry.value));
    } else {
      binary.set(entry.key, Value(encode_base64(entry.value)));
    }
  }
  Value object = named("v1", "ConfigMap", name);
  if (!data.empty()) object = object.with("data", std::move(data).build());
  if (!binary.empty()) object = object.with("binaryData", std::move(binary).build());
  return object;
}

Result<Value> make_secret(Console& console, const Arguments& arguments, const std::string& name) {
  Value object = named("v1", "Secret", name);
  ObjectBuilder data;
  if (arguments.words()[0] == "tls") {
    TRY(std::string certificate, console.read_file(arguments.text("cert")));
    TRY(std::string key, console.read_file(arguments.text("key")));
    data.set("tls.crt", Value(encode_base64(certificate))).set("tls.key", Value(encode_base64(key)));
    object = object.with("type", "kubernetes.io/tls");
  } else if (arguments.words()[0] == "generic") {
    TRY(auto entries, read_entries(console, arguments));
    for (const Entry& entry : entries) data.set(entry.key, Value(encode_base64(entry.value)));
    if (!arguments.text("type").empty()) object = object.with("type", Value(arguments.text("type")));
  } else {
    return wrong("unknown kind of secret " + quote(arguments.words()[0]) + "; generic and tls are known");
  }
  return data.empty() ? object : object.with("data", std::move(data).build());
}

// --- workloads

// "registry/path/nginx:1.2@sha256:..." -> "nginx"
std::string container_name(std::string_view image) {
  image = image.substr(image.rfind('/') + 1);
  return std::string(image.substr(0, image.find_first_of(":@")));
}

Value pod_template(const Value& labels, std::vector<Value> containers) {
  ObjectBuilder metadata;
  metadata.set("creationTimestamp", Value());
  if (!labels.is_null()) metadata.set("labels", labels);
  return Value::object({{"metadata", std::move(metadata).build()},
                        {"spec", Value::object({{"containers", Value::list(std::move(containers))}})}});
}

std::vector<Value> command_of(const Arguments& arguments) {
  std::vector<Value> command;
  if (!arguments.dash()) return command;
  for (size_t i = *arguments.dash(); i < arguments.words().size(); ++i) {
    command.push_back(Value(arguments.words()[i]));
  }
  return command;
}

Result<Value> make_deployment(Console&, const Arguments& arguments, const std::string& name) {
  auto images = arguments.list("image");
  if (images.empty()) return wrong("required flag(s) \"image\" not set");
  auto command = command_of(arguments);
  if (images.size() > 1 && !command.empty()) {
    return wrong("cannot specify multiple --image options and command");
  }
  std::vector<Value> containers;
  for (const std::string& image : images) {
    Value container = Value::object(
        {{"image", Value(image)}, {"name", Value(container_name(image))}, {"resources", Value::empty_object()}});
    if (!command.empty()) container = container.with("command", Value::list(command));
    if (arguments.integer("port") > 0) {
      Value port = Value::object({{"containerPort", Value(arguments.integer("port"))}});
      container = container.with("ports", Value::list({port}));
    }
    containers.push_back(std::move(container));
  }
  const Value labels = Value::object({{"app", Value(name)}});
  Value spec = Value::object({{"replicas", Value(arguments.integer("replicas"))},
                              {"selector", Value::object({{"matchLabels", labels}})},
                              {"strategy", Value::empty_object()},
                              {"template", pod_template(labels, std::move(containers))}});
  Value object = named("apps/v1", "Deployment", name).with_path({"metadata", "labels"}, labels);
  return object.with("spec", spec).with("status", Value::empty_object());
}

Result<Value> make_job(Console&, const Arguments& arguments, const std::string& name) {
  if (arguments.text("image").empty()) return wrong("either --image or --from must be specified");
  Value container = Value::object({{"image", Value(arguments.text("image"))},
                                   {"name", Value(name)},
                                   {"resources", Value::empty_object()}});
  auto command = command_of(arguments);
  if (!command.empty()) container = container.with("command", Value::list(command));
  Value pods = pod_template(Value(), {container}).with_path({"spec", "restartPolicy"}, Value("Never"));
  return named("batch/v1", "Job", name)
      .with("spec", Value::object({{"template", pods}}))
      .with("status", Value::empty_object());
}

Result<Value> parse_port(const std::string& text, int64_t node_port) {
  auto parts = split_once(text, ':');
  std::string_view outer = parts ? parts->first : std::string_view(text);
  std::string_view inner = parts ? parts->second : outer;
  auto port = parse_int(outer);
  if (!port) return wrong("invalid port " + quote(text) + ": give PORT or PORT:TARGETPORT");
  auto number = parse_int(inner);
  std::string name = replace_all(text, ":", "-");
  Value made = Value::object({{"name", Value(name)},
                              {"port", Value(*port)},
                              {"protocol", "TCP"},
                              {"targetPort", number ? Value(*number) : Value(inner)}});
  if (node_port > 0) made = made.with("nodePort", Value(node_port));
  return made;
}

Result<Value> make_service(Console&, const Arguments& arguments, const std::string& name) {
  const std::string& kind = arguments.words()[0];
  static constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
      {"clusterip", "ClusterIP"}, {"nodeport", "NodePort"}, {"loadbalancer", "LoadBalancer"},
      {"externalname", "ExternalName"}};
  std::string_view type;
  for (const auto& [word, value] : kTypes) {
    if (word == kind) type = value;
  }
  if (type.empty()) return wrong("unknown kind of service " + quote(kind));
  const Value labels = Value::object({{"app", Value(name)}});
  std::vector<Value> ports;
  for (const std::string& text : arguments.list("tcp")) {
    TRY(Value port, parse_port(text, arguments.integer("node-port")));
    ports.push_back(std::move(port));
  }
  ObjectBuilder spec;
  spec.set("type", Value(type)).set("selector", labels);
  if (!ports.empty()) spec.set("ports", Value::list(std::move(ports)));
  if (!arguments.text("clusterip").empty()) spec.set("clusterIP", Value(arguments.text("clusterip")));
  if (!arguments.text("external-name").empty()) {
    spec.set("externalName", Value(arguments.text("external-name")));
  }
  Value object = named("v1", "Service", name).with_path({"metadata", "labels"}, labels);
  Value status = Value::object({{"loadBalancer", Value::empty_object()}});
  return object.with("spec", std::move(spec).build()).with("status", status);
}

}  // namespace

std::vector<Generator> generators() {
  Flags sources = {{"from-literal", 0, FlagType::array, "", "KEY=VALUE"},
                   {"from-file", 0, FlagType::list, "", "[KEY=]FILE or a directory"},
                   {"from-env-file", 0, FlagType::list, "", "file of KEY=VALUE lines"}};
  Flags secret = sources;
  secret.push_back({"type", 0, FlagType::text, "", "the secret's type"});
  secret.push_back({"cert", 0, FlagType::text, "", "of tls: file with the certificate"});
  secret.push_back({"key", 0, FlagType::text, "", "of tls: file with the key"});
  Flags deployment = {{"image", 0, FlagType::list, "", "image to run"},
                      {"replicas", 'r', FlagType::integer, "1", "how many"},
                      {"port", 0, FlagType::integer, "-1", "port it listens on"}};
  Flags job = {{"image", 0, FlagType::text, "", "image to run"}};
  Flags service = {{"tcp", 0, FlagType::list, "", "PORT[:TARGETPORT]"},
                   {"node-port", 0, FlagType::integer, "0", "port on the nodes"},
                   {"clusterip", 0, FlagType::text, "", "address, or None"},
                   {"external-name", 0, FlagType::text, "", "name it stands for"}};
  return {{"namespace", "ns", "NAME", {}, make_namespace},
          {"configmap", "cm", "NAME [--from-literal=] [--from-file=]", sources, make_config_map},
          {"secret", "", "generic|tls NAME [--from-literal=] [--from-file=]", secret, make_secret, true},
          {"serviceaccount", "sa", "NAME", {}, make_service_account},
          {"deployment", "deploy", "NAME --image=IMAGE [-- COMMAND]", deployment, make_deployment},
          {"job", "", "NAME --image=IMAGE [-- COMMAND]", job, make_job},
          {"service", "svc", "clusterip|nodeport|loadbalancer|externalname NAME --tcp=PORT", service,
           make_service, true}};
}

}  // namespace orch::cli
