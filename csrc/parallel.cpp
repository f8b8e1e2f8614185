#include "parallel.h"

#include <omp.h>
#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace tamis {
namespace {

struct Scratch {
  void* data = nullptr;
  int64_t bytes = 0;
  ~Scratch() { std::free(data); }
};

// libgomp keeps the threads of the calling thread's last team, and would wait for ever for them in a forked child, where
// they are gone.
bool forked = false;
[[maybe_unused]] const int watching_forks = pthread_atfork(nullptr, nullptr, [] { forked = true; });

}  // namespace

void parallel_units(int64_t units, int threads, void* context, UnitBody body) {
  if (units < threads) threads = static_cast<int>(units);
  if (threads <= 1 || forked || omp_in_parallel()) {
    for (int64_t unit = 0; unit < units; ++unit) body(context, unit, 0);
    return;
  }
  std::atomic<int64_t> next{0};
#pragma omp parallel num_threads(threads)
  {
    const int worker = omp_get_thread_num();
    for (int64_t unit; (unit = next.fetch_add(1, std::memory_order_relaxed)) < units;) body(context, unit, worker);
  }
}

void* thread_scratch(int64_t bytes) {
  thread_local Scratch scratch;
  if (bytes > scratch.bytes) {
    std::free(scratch.data);
    scratch.bytes = 0;
    scratch.data = std::aligned_alloc(64, static_cast<size_t>((bytes + 63) / 64 * 64));
    if (!scratch.data) throw std::bad_alloc();
    scratch.bytes = bytes;
  }
  return scratch.data;
}

}  // namespace tamis
