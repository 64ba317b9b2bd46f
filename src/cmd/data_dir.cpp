#include "cmd/data_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "data/value.h"
#include "data/yaml.h"

namespace orch::cmd {

namespace {

constexpr Duration kKubeconfigLifetime = wire::kLeafLifetime;

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  if (file) text << file.rdbuf();
  return text.str();
}

Error file_error(int error_number, const std::string& path) {
  Error error = Error::from_errno(error_number, "write " + path);
  if (error_number == EROFS || error_number == EACCES) {
    return Error::make(Code::io, error.message() + "; --data-dir must be on a writable file system");
  }
  if (error_number == ENOSPC) return Error::make(Code::io, error.message() + "; free some space there");
  return error;
}

// A new file in place of the old one, whole or not at all, on disk when this returns.
Result<void> write_file(const std::string& path, std::string_view text, int mode) {
  std::string temporary = path + ".new";
  int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0) return file_error(errno, temporary);
  size_t done = 0;
  while (done < text.size()) {
    ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      int error_number = errno;
      close(fd);
      return file_error(error_number, temporary);
    }
    done += static_cast<size_t>(n);
  }
  bool failed = fsync(fd) != 0;
  int error_number = errno;
  close(fd);
  if (failed || rename(temporary.c_str(), path.c_str()) != 0) return file_error(failed ? error_number : errno, path);
  return {};
}

Result<wire::Identity> load_identity(const std::string& stem) {
  wire::Identity identity{read_text(stem + ".crt"), read_text(stem + ".key")};
  if (identity.certificate_pem.empty() || identity.key_pem.empty()) return Error::make(Code::not_found, stem);
  return identity;
}

Result<void> save_identity(const std::string& stem, const wire::Identity& identity) {
  TRY_VOID(write_file(stem + ".key", identity.key_pem, 0600));
  return write_file(stem + ".crt", identity.certificate_pem, 0644);
}

Result<wire::Identity> ensure_ca(const std::string& stem, std::string_view name, Instant now) {
  auto existing = load_identity(stem);
  if (existing.ok()) return existing;
  TRY(wire::Identity made, wire::make_ca(name, now));
  TRY_VOID(save_identity(stem, made));
  return made;
}

Result<std::string> ensure_key(const std::string& path) {
  std::string existing = read_text(path);
  if (!existing.empty()) return existing;
  TRY(std::string made, wire::make_key());
  TRY_VOID(write_file(path, made, 0600));
  return made;
}

bool has_all(const std::vector<std::string>& present, const std::vector<std::string>& wanted) {
  return std::ranges::all_of(wanted, [&](const std::string& one) { return std::ranges::count(present, one) > 0; });
}

// Good for use: names everything wanted, and more than a third of its life is left.
bool still_good(const wire::Identity& identity, const wire::LeafRequest& request, Instant now) {
  auto info = wire::parse_certificate(identity.certificate_pem);
  if (!info.ok()) return false;
  bool fresh = info->not_after - now > request.lifetime / 3;
  return fresh && has_all(info->dns_names, request.dns_names) && has_all(info->ip_addresses, request.ip_addresses);
}

Result<wire::Identity> ensure_leaf(const std::string& stem, const wire::Identity& ca, const wire::LeafRequest& request,
                                   Instant now, const Logger& log) {
  auto existing = load_identity(stem);
  if (existing.ok() && still_good(*existing, request, now)) return existing;
  if (existing.ok()) log.info("renewing a certificate", {{"file", stem + ".crt"}});
  TRY(wire::Identity made, wire::issue(ca, request, now));
  TRY_VOID(save_identity(stem, made));
  return made;
}

std::string kubeconfig_text(const std::string& server_url, std::string_view ca_pem, const wire::Identity& admin) {
  Value cluster = Value::object({{"server", server_url}, {"certificate-authority-data", encode_base64(ca_pem)}});
  Value user = Value::object({{"client-certificate-data", encode_base64(admin.certificate_pem)},
                              {"client-key-data", encode_base64(admin.key_pem)}});
  Value context = Value::object({{"cluster", "default"}, {"user", "default"}});
  auto one = [](std::string_view key, Value value) {
    std::vector<Value> list;
    list.push_back(Value::object({{"name", "default"}, {key, std::move(value)}}));
    return Value::list(std::move(list));
  };
  return format_yaml(Value::object({{"apiVersion", "v1"},
                                    {"kind", "Config"},
                                    {"preferences", Value::empty_object()},
                                    {"current-context", "default"},
                                    {"clusters", one("cluster", std::move(cluster))},
                                    {"users", one("user", std::move(user))},
                                    {"contexts", one("context", std::move(context))}}));
}

Result<std::string> ensure_token(const std::string& path, const std::string& wanted, std::string_view ca_pem) {
  std::string existing(trim(read_text(path)));
  if (!wanted.empty() && wanted != existing) {
    TRY_VOID(write_file(path, wanted + "\n", 0600));
    return wanted;
  }
  if (!existing.empty()) return existing;
  // The CA's hash in front lets an agent check whom it talks to before it trusts anything.
  TRY(std::string key, wire::make_key());
  std::string secret = encode_hex(wire::sha256(key)).substr(0, 32);
  std::string token = "K10" + encode_hex(wire::sha256(ca_pem)) + "::server:" + secret;
  TRY_VOID(write_file(path, token + "\n", 0600));
  return token;
}

}  // namespace

Result<void> make_directories(const std::string& path, int mode) {
  std::string so_far;
  for (std::string_view part : split(path, '/')) {
    so_far.append(part).append("/");
    if (part.empty()) continue;
    if (mkdir(so_far.c_str(), static_cast<mode_t>(mode)) != 0 && errno != EEXIST) return file_error(errno, so_far);
  }
  return {};
}

Result<ServerFiles> prepare_server_files(const ServerFilesRequest& request, Instant now, const Logger& log) {
  std::string tls = request.data_dir + "/server/tls";
  TRY_VOID(make_directories(tls, 0700));
  TRY_VOID(make_directories(request.data_dir + "/server/manifests", 0700));
  TRY(wire::Identity server_ca, ensure_ca(tls + "/server-ca", "orch-server-ca", now));
  TRY(wire::Identity client_ca, ensure_ca(tls + "/client-ca", "orch-client-ca", now));

  wire::LeafRequest serving;
  serving.common_name = "orch-apiserver";
  serving.dns_names = request.dns_names;
  serving.ip_addresses = request.ip_addresses;
  serving.for_server = true;
  ServerFiles files;
  TRY(files.serving, ensure_leaf(tls + "/serving-apiserver", server_ca, serving, now, log));

  wire::LeafRequest admin;
  admin.common_name = "system:admin";
  admin.organizations = {"system:masters"};
  admin.for_client = true;
  admin.lifetime = kKubeconfigLifetime;
  TRY(wire::Identity admin_identity, ensure_leaf(tls + "/client-admin", client_ca, admin, now, log));

  std::string text = kubeconfig_text(request.server_url, server_ca.certificate_pem, admin_identity);
  std::string path = request.data_dir + "/kubeconfig";
  if (read_text(path) != text) TRY_VOID(write_file(path, text, 0600));
  if (!request.write_kubeconfig.empty() && read_text(request.write_kubeconfig) != text) {
    TRY_VOID(write_file(request.write_kubeconfig, text, 0600));
  }
  TRY(files.token, ensure_token(request.data_dir + "/server/token", request.token, server_ca.certificate_pem));
  TRY(files.account_key_pem, ensure_key(tls + "/service-account.key"));
  files.client_ca_pem = client_ca.certificate_pem;
  files.server_ca_pem = server_ca.certificate_pem;
  return files;
}

}  // namespace orch::cmd
