#pragma once
// Cluster addresses and node ports of Services: allocated here, unique, kept until the Service lets
// go. What is taken is derived from the stored Services, so nothing can leak or be lost.

#include <memory>

#include "api/admission.h"

namespace orch::api {

// Errors: Code::usage for a service CIDR that is none.
Result<std::unique_ptr<AdmissionPlugin>> make_service_address_plugin(const store::Store& store,
                                                                     const AdmissionOptions& options);

}  // namespace orch::api
