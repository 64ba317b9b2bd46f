#include "api/http_api.h"

#include "api/account_tokens.h"
#include "api/authenticator.h"
#include "api/status.h"
#include "base/text.h"
#include "loop/scope.h"
#include "loop/timeout.h"

namespace orch::api {

using client::PatchType;
using client::Target;
using loop::fail;
using loop::Task;

namespace {

constexpr size_t kMaxBody = 3 * 1024 * 1024;        // kube-apiserver's limit of a resource request
constexpr size_t kOffloadBody = 64 * 1024;          // larger bodies are parsed off the loop
constexpr Duration kBookmarkEvery = 60s;            // as kube-apiserver's watch cache
constexpr Duration kWatchAtLeast = 1800s;           // --min-request-timeout: to twice of it, at random

struct PatchMedia {
  std::string_view media_type;
  PatchType type;
};
constexpr PatchMedia kPatchMedia[] = {
    {"application/json-patch+json", PatchType::json},
    {"application/merge-patch+json", PatchType::merge},
    {"application/strategic-merge-patch+json", PatchType::strategic},
    {"application/apply-patch+yaml", PatchType::apply},
};

Result<PatchType> patch_type(std::string_view media_type) {
  for (const PatchMedia& known : kPatchMedia) {
    if (known.media_type == media_type) return known.type;
  }
  return Error::make(Code::unsupported_media_type,
                     "the body of the request was in an unknown format - accepted media types include: "
                     "application/json-patch+json, application/merge-patch+json, "
                     "application/strategic-merge-patch+json, application/apply-patch+yaml");
}

Result<client::WriteOptions> write_options(const wire::Query& query) {
  client::WriteOptions options;
  options.field_manager = query.get("fieldManager");
  for (std::string_view value : query.all("dryRun")) {
    if (value != "All") return bad_request("Invalid value: " + quote(value) + ": dryRun: Supported values: \"All\"");
    options.dry_run = true;
  }
  using Validation = client::WriteOptions::FieldValidation;
  std::string_view validation = query.get("fieldValidation");
  if (validation == "Strict") {
    options.field_validation = Validation::strict;
  } else if (validation == "Ignore") {
    options.field_validation = Validation::ignore;
  } else if (!validation.empty() && validation != "Warn") {
    return bad_request("fieldValidation: Unsupported value: " + quote(validation) +
                       ": supported values: \"Ignore\", \"Strict\", \"Warn\"");
  }
  TRY(options.force, query.flag("force"));
  return options;
}

ListQuery list_query(const wire::Query& query) {
  ListQuery list;
  list.label_selector = query.get("labelSelector");
  list.field_selector = query.get("fieldSelector");
  list.limit = parse_int(query.get("limit")).value_or(0);
  list.continue_token = query.get("continue");
  list.resource_version = query.get("resourceVersion");
  list.resource_version_match = query.get("resourceVersionMatch");
  return list;
}

Result<client::RemoveOptions> remove_options(const Value& body, const wire::Query& query) {
  client::RemoveOptions options;
  options.uid = body["preconditions"]["uid"].as_string();
  options.resource_version = body["preconditions"]["resourceVersion"].as_string();
  options.propagation = body["propagationPolicy"].as_string(query.get("propagationPolicy"));
  if (body["gracePeriodSeconds"].is_int()) {
    options.grace_seconds = body["gracePeriodSeconds"].as_int();
  } else if (auto seconds = parse_int(query.get("gracePeriodSeconds"))) {
    options.grace_seconds = *seconds;
  }
  bool orphan = body["orphanDependents"].as_bool() || query.get("orphanDependents") == "true";
  if (options.propagation.empty() && orphan) options.propagation = "Orphan";
  for (std::string_view allowed : {"", "Orphan", "Background", "Foreground"}) {
    if (options.propagation != allowed) continue;
    options.dry_run = !body["dryRun"].empty() || query.get("dryRun") == "All";
    return options;
  }
  return bad_request("propagationPolicy: Unsupported value: " + quote(options.propagation) +
                     ": supported values: \"Background\", \"Foreground\", \"Orphan\"");
}

IncludeObject include_of(const wire::Query& query) {
  std::string_view value = query.get("includeObject");
  if (value == "None") return IncludeObject::none;
  return value == "Object" ? IncludeObject::object : IncludeObject::metadata;
}

wire::Headers reply_headers(std::string content_type, const std::vector<std::string>& warnings) {
  wire::Headers headers;
  headers.add("Cache-Control", "no-cache, private");
  headers.add("Content-Type", std::move(content_type));
  for (const std::string& warning : warnings) headers.add("Warning", "299 - " + quote(warning));
  return headers;
}

Task<void> tell_when_gone(wire::Responder& responder, loop::Event& over) {
  co_await responder.client_gone().result();
  over.set();
}

}  // namespace

size_t HttpApi::max_body(const wire::Request&) const { return kMaxBody; }

Task<void> HttpApi::handle(wire::Request request, wire::Peer peer, wire::Responder& responder) {
  RequestInfo info = parse_request_info(request);
  std::string accept(request.headers.get("Accept"));
  auto believe = [this](std::string_view token) -> Result<Requester> {
    if (!objects_.tokens()) return Error::make(Code::unauthorized, "this server issues no tokens");
    TRY(auto verified, objects_.tokens()->verify(objects_.store(), token, {}, objects_.loop().wall()));
    return std::move(verified.who);
  };
  auto who = authenticate(peer, info, request, believe);
  if (!who.ok()) {
    co_await send_error(who.error(), accept, responder);
    co_return;
  }
  if (!info.is_resource) {
    auto served = co_await endpoints_.serve(request, responder).result();
    if (!served.ok()) co_await send_error(served.error(), accept, responder);
    co_return;
  }
  if (info.verb == "watch" && !Metrics::serves(info)) {
    auto served = co_await serve_watch(request, info, responder).result();
    if (!served.ok() && !served.error().is(Code::closed)) co_await send_error(served.error(), accept, responder);
    co_return;
  }
  if (Connect::serves(info)) {
    auto served = co_await connect_.serve(std::move(request), info, std::move(peer), responder).result();
    if (!served.ok()) co_await send_error(served.error(), accept, responder);
    co_return;
  }
  auto reply = co_await answer(request, info).result();
  if (!reply.ok()) {
    co_await send_error(reply.error(), accept, responder);
    co_return;
  }
  wire::Headers headers = reply_headers(std::move(reply->body.content_type), reply->warnings);
  co_await responder.send(reply->status, std::move(headers), std::move(reply->body.chunks));
}

Task<void> HttpApi::send_error(const Error& error, std::string_view accept, wire::Responder& responder) {
  auto accepted = negotiate(accept);
  Format format = accepted.ok() ? accepted->format : Format::json;
  Body body = co_await present_plain(objects_, status_object(error), format);
  wire::Headers headers = reply_headers(std::move(body.content_type), {});
  int status = code_info(error.code()).http_status;
  if (error.retry_after_seconds() > 0) headers.add("Retry-After", std::to_string(error.retry_after_seconds()));
  if (status >= 500) log_.warn("request failed", {{"error", error.message()}});
  co_await responder.send(status, std::move(headers), std::move(body.chunks));
}

Task<HttpApi::Reply> HttpApi::answer(const wire::Request& request, const RequestInfo& info) {
  co_await objects_.kind_of(info.target);
  Presentation how;
  how.accepted = co_await negotiate(request.headers.get("Accept"));
  how.include = include_of(request.query);
  how.now = objects_.loop().wall();
  if (Metrics::serves(info)) {
    Value metrics = co_await metrics_.read(request, info);
    Reply reply;
    reply.body = co_await present_plain(objects_, metrics, how.accepted.format);
    co_return std::move(reply);
  }
  if (info.verb == "get" || info.verb == "list") co_return co_await read(request, info, how);
  if (info.verb == "delete" || info.verb == "deletecollection") co_return co_await remove(request, info, how);
  if (info.verb == "create" || info.verb == "update" || info.verb == "patch") {
    co_return co_await write(request, info, how);
  }
  co_return Error::make(Code::method_not_allowed, "the server does not allow this method on the requested resource");
}

Task<HttpApi::Reply> HttpApi::read(const wire::Request& request, const RequestInfo& info, Presentation how) {
  const schema::Kind* kind = co_await objects_.kind_of(info.target);
  Reply reply;
  if (info.verb == "list") {
    Target target = info.target;
    ListPage page = co_await objects_.list(std::move(target), list_query(request.query));
    reply.body = co_await present_list(objects_, page, how);
    co_return std::move(reply);
  }
  const std::string& sub = info.target.subresource;
  if (!sub.empty() && sub != "status" && sub != "scale") {
    co_return Error::make(Code::method_not_allowed, "the server does not allow this method on the requested resource");
  }
  Target target = info.target;
  store::StoredPtr stored = co_await objects_.get(std::move(target));
  if (sub == "scale") {
    reply.body = co_await present_plain(objects_, scale_of(*kind, stored->value), how.accepted.format);
    co_return std::move(reply);
  }
  Value object = objects_.as_kind(*kind, *stored);
  reply.body = co_await present_object(objects_, *kind, object, stored, how);
  co_return std::move(reply);
}

Task<Value> HttpApi::decode(const wire::Request& request, std::vector<std::string>& duplicates) {
  std::string media_type = content_type(request);
  if (request.body.empty()) co_return bad_request("the request has no body");
  if (request.body.size() < kOffloadBody) {
    Decoded decoded = co_await decode_body(media_type, request.body, objects_.registry());
    duplicates = std::move(decoded.duplicates);
    co_return std::move(decoded.value);
  }
  auto work = [media_type, body = request.body, registry = &objects_.registry()] {
    return decode_body(media_type, body, *registry);
  };
  loop::offload parsing(objects_.loop(), work);
  Result<Decoded> result = co_await parsing;
  Decoded decoded = co_await std::move(result);
  duplicates = std::move(decoded.duplicates);
  co_return std::move(decoded.value);
}

Task<HttpApi::Reply> HttpApi::write(const wire::Request& request, const RequestInfo& info, Presentation how) {
  const schema::Kind* kind = co_await objects_.kind_of(info.target);
  client::WriteOptions options = co_await write_options(request.query);
  Target target = info.target;
  Written written;
  if (info.verb == "patch") {
    PatchType type = co_await patch_type(content_type(request));
    std::string_view as = type == PatchType::apply ? "application/yaml" : "application/json";
    auto patch = decode_body(as, request.body, objects_.registry());
    if (!patch.ok()) co_await fail(std::move(patch).error().with_code(Code::bad_request));
    options.duplicates = std::move(patch->duplicates);
    written = co_await objects_.patch(std::move(target), type, std::move(patch->value), std::move(options));
  } else {
    Value body = co_await decode(request, options.duplicates);
    auto writing = info.verb == "create"
                       ? objects_.create(std::move(target), std::move(body), std::move(options))
                       : objects_.update(std::move(target), std::move(body), std::move(options));
    written = co_await std::move(writing);
  }
  Reply reply;
  reply.status = written.created ? 201 : 200;
  reply.warnings = std::move(written.warnings);
  if (written.value["kind"].as_string() != objects_.storage_kind(*kind).kind) {  // Scale, Status
    reply.body = co_await present_plain(objects_, written.value, how.accepted.format);
    co_return std::move(reply);
  }
  Value object = objects_.as_kind(*kind, written.value);
  reply.body = co_await present_object(objects_, *kind, object, written.stored, how);
  co_return std::move(reply);
}

Task<HttpApi::Reply> HttpApi::remove(const wire::Request& request, const RequestInfo& info, Presentation how) {
  const schema::Kind* kind = co_await objects_.kind_of(info.target);
  Value body;
  std::vector<std::string> duplicates;
  if (!request.body.empty()) body = co_await decode(request, duplicates);
  client::RemoveOptions options = co_await remove_options(body, request.query);
  Target target = info.target;
  Reply reply;
  if (info.verb == "deletecollection") {
    ListPage page = co_await objects_.remove_collection(std::move(target), list_query(request.query), std::move(options));
    reply.body = co_await present_list(objects_, page, how);
    co_return std::move(reply);
  }
  Written written = co_await objects_.remove(std::move(target), std::move(options));
  bool is_status = written.value["kind"].as_string() == "Status";
  Value object = is_status ? written.value : objects_.as_kind(*kind, written.value);
  auto body_of_reply = is_status ? present_plain(objects_, object, how.accepted.format)
                                 : present_object(objects_, *kind, object, written.stored, how);
  reply.body = co_await std::move(body_of_reply);
  co_return std::move(reply);
}

Task<void> HttpApi::serve_watch(const wire::Request& request, const RequestInfo& info, wire::Responder& responder) {
  Presentation how;
  how.accepted = co_await negotiate(request.headers.get("Accept"));
  how.include = include_of(request.query);
  WatchQuery query;
  query.label_selector = request.query.get("labelSelector");
  query.field_selector = request.query.get("fieldSelector");
  query.resource_version = request.query.get("resourceVersion");
  query.bookmarks = co_await request.query.flag("allowWatchBookmarks");
  query.send_initial_events = co_await request.query.flag("sendInitialEvents");
  bool bookmarks = query.bookmarks;
  Target target = info.target;
  if (!target.name.empty()) {  // the old way to watch one object
    std::string one = "metadata.name=" + target.name;
    query.field_selector = query.field_selector.empty() ? one : query.field_selector + "," + one;
    target.name.clear();
  }
  co_await objects_.kind_of(target);
  auto session = WatchSession::open(objects_, std::move(target), std::move(query));
  bool expired = !session.ok() && (session.error().is(Code::expired) || session.error().is(Code::gone));
  if (!session.ok() && !expired) co_await fail(std::move(session).error());
  co_await responder.start(200, reply_headers(watch_content_type(how), {}));
  if (expired) {
    std::vector<loop::Chunk> frame = co_await present_error_event(objects_, session.error(), how);
    co_await responder.write(std::move(frame));
    co_await responder.finish();
    co_return;
  }
  Duration timeout = kWatchAtLeast + std::chrono::seconds(random_.below(1800));
  if (auto seconds = parse_int(request.query.get("timeoutSeconds")); seconds && *seconds > 0) {
    timeout = std::chrono::seconds(*seconds);
  }
  loop::Event over(objects_.loop());
  {
    loop::Scope scope(objects_.loop());
    scope.spawn(tell_when_gone(responder, over));
    scope.spawn(pump(std::move(session).value(), how, bookmarks, timeout, responder, over));
    co_await over.wait();
  }
}

Task<void> HttpApi::pump(std::unique_ptr<WatchSession> session, Presentation how, bool bookmarks, Duration timeout,
                         wire::Responder& responder, loop::Event& over) {
  loop::Loop& loop = objects_.loop();
  Mono end = loop.now() + timeout;
  bool first = true;
  for (;;) {
    Duration left = end - loop.now();
    if (left <= Duration::zero()) break;
    bool last = !bookmarks || left <= kBookmarkEvery;
    auto events = co_await with_timeout(loop, session->next(), last ? left : kBookmarkEvery).result();
    std::vector<loop::Chunk> chunks;
    auto append = [&chunks](Result<std::vector<loop::Chunk>> frame) {
      if (!frame.ok()) return;
      for (loop::Chunk& chunk : *frame) chunks.push_back(std::move(chunk));
    };
    how.now = loop.wall();
    if (events.ok()) {
      for (const Selected& event : *events) {
        append(present_event(objects_, session->kind(), event, how, first));
        first = false;
      }
    } else if (events.error().is(Code::timeout)) {
      if (bookmarks) append(present_event(objects_, session->kind(), session->bookmark(), how, first));
    } else {
      if (!events.error().is(Code::closed)) append(present_error_event(objects_, events.error(), how));
      end = loop.now();
    }
    if (chunks.empty()) continue;
    auto sent = co_await responder.write(std::move(chunks)).result();
    if (!sent.ok()) break;
  }
  co_await responder.finish().result();
  over.set();
}

}  // namespace orch::api
