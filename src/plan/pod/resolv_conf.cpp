#include "plan/pod/resolv_conf.h"

#include <algorithm>

#include "base/text.h"

namespace orch::plan::pod {

namespace {

constexpr size_t most_servers = 3, most_searches = 32;  // resolv.conf(5)

struct Conf {
  std::vector<std::string> servers, searches, options;
};

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  const std::string spaced = replace_all(text, "\t", " ");  // the words point into it
  for (std::string_view word : split(spaced, ' '))
    if (!word.empty()) words.emplace_back(word);
  return words;
}

Conf parse(std::string_view text) {
  Conf conf;
  const std::string copy(text);
  for (std::string_view line : split(copy, '\n')) {
    std::vector<std::string> words = words_of(trim(line));
    if (words.size() < 2) continue;
    if (words[0] == "nameserver") conf.servers.push_back(words[1]);
    if (words[0] == "search" || words[0] == "domain") conf.searches.assign(words.begin() + 1, words.end());
    if (words[0] == "options") conf.options.assign(words.begin() + 1, words.end());
  }
  return conf;
}

void add_unique(std::vector<std::string>& list, std::string text) {
  if (std::ranges::find(list, text) == list.end()) list.push_back(std::move(text));
}

Conf cluster_first(const PodView& pod, const DnsSettings& dns, const Conf& host) {
  Conf conf;
  conf.servers = {dns.cluster_dns};
  conf.searches = {std::string(pod.ns()) + ".svc." + dns.cluster_domain, "svc." + dns.cluster_domain, dns.cluster_domain};
  for (const std::string& search : host.searches) add_unique(conf.searches, search);
  conf.options = {"ndots:5"};
  return conf;
}

void add_own(const Value& config, Conf& conf) {
  for (const Value& server : config["nameservers"].items()) add_unique(conf.servers, std::string(server.as_string()));
  for (const Value& search : config["searches"].items()) add_unique(conf.searches, std::string(search.as_string()));
  for (const Value& option : config["options"].items()) {
    const std::string name(option["name"].as_string());
    std::erase_if(conf.options, [&](const std::string& known) { return known == name || known.starts_with(name + ":"); });
    std::string_view value = option["value"].as_string();
    conf.options.push_back(value.empty() ? name : name + ":" + std::string(value));
  }
}

}  // namespace

std::string resolv_conf(const PodView& pod, const DnsSettings& dns) {
  std::string_view policy = pod.spec()["dnsPolicy"].as_string("ClusterFirst");
  const Conf host = parse(dns.host_conf);
  const bool cluster = !dns.cluster_dns.empty() &&
                       (policy == "ClusterFirstWithHostNet" || (policy == "ClusterFirst" && !pod.host_network()));
  Conf conf;
  if (policy != "None") conf = cluster ? cluster_first(pod, dns, host) : host;
  add_own(pod.spec()["dnsConfig"], conf);
  if (conf.servers.size() > most_servers) conf.servers.resize(most_servers);
  if (conf.searches.size() > most_searches) conf.searches.resize(most_searches);
  std::string text;
  if (!conf.searches.empty()) text += "search " + join(conf.searches, " ") + "\n";
  for (const std::string& server : conf.servers) text += "nameserver " + server + "\n";
  if (!conf.options.empty()) text += "options " + join(conf.options, " ") + "\n";
  return text;
}

std::string hosts_file(const PodView& pod, const std::vector<std::string>& ips, std::string_view cluster_domain,
                       std::string_view host_file) {
  std::string text = "# Kubernetes-managed hosts file";
  if (pod.host_network()) {
    text += " (host network).\n" + std::string(host_file);
    if (!text.ends_with('\n')) text += '\n';
  } else {
    text += ".\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"
            "fe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n";
    const std::string host = pod.hostname(), domain = pod.domainname(cluster_domain);
    for (const std::string& ip : ips) text += ip + "\t" + (domain.empty() ? host : host + "." + domain + "\t" + host) + "\n";
  }
  if (!pod.spec()["hostAliases"].empty()) text += "\n# Entries added by HostAliases.\n";
  for (const Value& alias : pod.spec()["hostAliases"].items()) {
    text += alias["ip"].as_string();
    for (const Value& name : alias["hostnames"].items()) text += "\t" + std::string(name.as_string());
    text += "\n";
  }
  return text;
}

}  // namespace orch::plan::pod
