#include "api/request_info.h"

#include <catch2/catch_test_macros.hpp>

#include "api/negotiation.h"

using namespace orch;
using namespace orch::api;

namespace {

std::string told(std::string method, std::string path, std::string_view query = "") {
  wire::Request request;
  request.method = std::move(method);
  request.path = std::move(path);
  request.query = wire::Query::parse(query).value();
  RequestInfo info = parse_request_info(request);
  if (!info.is_resource) return "no resource: " + info.verb;
  const client::Target& t = info.target;
  return info.verb + " " + t.group + "/" + t.version + " " + t.resource + " ns=" + t.ns + " name=" + t.name +
         " sub=" + t.subresource;
}

}  // namespace

TEST_CASE("Paths name resources as in kube-apiserver") {
  CHECK(told("GET", "/api/v1/pods") == "list /v1 pods ns= name= sub=");
  CHECK(told("GET", "/api/v1/pods", "watch=1") == "watch /v1 pods ns= name= sub=");
  CHECK(told("GET", "/api/v1/pods", "watch=false") == "list /v1 pods ns= name= sub=");
  CHECK(told("GET", "/api/v1/namespaces/a/pods/b") == "get /v1 pods ns=a name=b sub=");
  CHECK(told("PUT", "/api/v1/namespaces/a/pods/b/status") == "update /v1 pods ns=a name=b sub=status");
  CHECK(told("POST", "/apis/apps/v1/namespaces/a/deployments") == "create apps/v1 deployments ns=a name= sub=");
  CHECK(told("DELETE", "/apis/apps/v1/namespaces/a/deployments") ==
        "deletecollection apps/v1 deployments ns=a name= sub=");
  CHECK(told("GET", "/api/v1/namespaces") == "list /v1 namespaces ns= name= sub=");
  CHECK(told("DELETE", "/api/v1/namespaces/a") == "delete /v1 namespaces ns= name=a sub=");
  CHECK(told("PUT", "/api/v1/namespaces/a/finalize") == "update /v1 namespaces ns= name=a sub=finalize");
  CHECK(told("PATCH", "/api/v1/nodes/n") == "patch /v1 nodes ns= name=n sub=");
  CHECK(told("GET", "/healthz") == "no resource: get");
  CHECK(told("GET", "/apis/apps") == "no resource: get");
}

TEST_CASE("The first acceptable media range counts") {
  auto shape = [](std::string_view accept) { return negotiate(accept).value().shape; };
  CHECK(shape("") == Shape::object);
  CHECK(shape("application/json;as=Table;v=v1;g=meta.k8s.io,application/json") == Shape::table);
  CHECK(shape("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json") == Shape::object);
  CHECK(shape("application/json;g=meta.k8s.io;v=v1;as=PartialObjectMetadataList") == Shape::partial_list);
  CHECK(negotiate("application/vnd.kubernetes.protobuf, */*").value().format == Format::protobuf);
  CHECK(negotiate("application/json;q=0.1, application/yaml;q=0.9").value().format == Format::yaml);
  CHECK(negotiate("text/html").error().is(Code::not_acceptable));
}
