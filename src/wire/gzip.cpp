#include "wire/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>

namespace orch::wire {

namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib.h: plus 16 for the gzip wrapper
constexpr size_t kPiece = 64 * 1024;

Bytef* input_of(std::string_view view) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(view.data()));  // zlib reads only
}

}  // namespace

std::string gzip(const std::vector<loop::Chunk>& chunks, int level) {
  z_stream z{};
  ORCH_CHECK(deflateInit2(&z, level, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out;
  std::array<char, kPiece> piece;
  auto pump = [&](int flush) {
    do {
      z.next_out = reinterpret_cast<Bytef*>(piece.data());
      z.avail_out = piece.size();
      deflate(&z, flush);
      out.append(piece.data(), piece.size() - z.avail_out);
    } while (z.avail_out == 0);
  };
  for (const auto& chunk : chunks) {
    auto view = chunk.view();
    while (!view.empty()) {  // avail_in has 32 bits
      auto some = view.substr(0, size_t{1} << 30);
      z.next_in = input_of(some);
      z.avail_in = static_cast<uInt>(some.size());
      pump(Z_NO_FLUSH);
      view.remove_prefix(some.size());
    }
  }
  pump(Z_FINISH);
  deflateEnd(&z);
  return out;
}

Result<std::string> gunzip(std::string_view bytes, size_t limit) {
  if (bytes.size() > (size_t{1} << 30)) return Error::make(Code::too_large, "too much gzip at once");
  z_stream z{};
  ORCH_CHECK(inflateInit2(&z, kGzipWindow) == Z_OK);
  z.next_in = input_of(bytes);
  z.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  std::array<char, kPiece> piece;
  int status = Z_OK;
  while (status == Z_OK && out.size() <= limit) {
    z.next_out = reinterpret_cast<Bytef*>(piece.data());
    z.avail_out = piece.size();
    status = inflate(&z, Z_NO_FLUSH);
    out.append(piece.data(), piece.size() - z.avail_out);
  }
  inflateEnd(&z);
  if (out.size() > limit) return Error::make(Code::too_large, "more than " + std::to_string(limit) + " bytes");
  if (status != Z_STREAM_END) return Error::make(Code::parse, "not gzip");
  return out;
}

}  // namespace orch::wire
