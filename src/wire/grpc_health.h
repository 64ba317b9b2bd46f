#pragma once
// One question of gRPC's health checking protocol (grpc.health.v1.Health/Check) over clear-text HTTP/2, as kubelet's
// grpc probes ask it. https://github.com/grpc/grpc/blob/master/doc/health-checking.md

#include <memory>
#include <string>

#include "loop/loop.h"
#include "loop/stream.h"

namespace orch::wire {

struct GrpcHealth {
  int grpc_status = 0;        // 0: the call itself succeeded
  std::string grpc_message;
  int serving = 0;            // HealthCheckResponse.ServingStatus: 1 is SERVING
};

std::string_view serving_text(int serving);      // "NOT_SERVING"
std::string_view grpc_status_text(int status);   // "Unimplemented"

// `authority`: "10.42.0.7:9090". Takes the connection. Code::parse where the other side does not speak HTTP/2.
loop::Task<GrpcHealth> check_grpc_health(std::unique_ptr<loop::Stream> stream, std::string authority, std::string service,
                                         std::string user_agent);

// The protobuf messages, with gRPC's five bytes in front. Pure.
std::string encode_health_request(std::string_view service);
Result<int> decode_health_response(std::string_view bytes);

}  // namespace orch::wire
