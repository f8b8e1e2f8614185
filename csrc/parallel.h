// Threads: a thin layer on OpenMP, which in a Python process is torch's own libgomp (torch is always imported first).
#pragma once
#include <cstdint>

namespace tamis {

// Calls body(context, unit, worker) once for each unit in [0, units), units handed out one at a time in ascending
// order to at most `threads` workers. Which worker gets a unit is not determined, so a unit's result must not depend
// on it. worker < threads. In a forked child the calling thread does all.
using UnitBody = void (*)(void* context, int64_t unit, int worker);
void parallel_units(int64_t units, int threads, void* context, UnitBody body);

// `bytes` of 64-byte aligned scratch that belongs to the calling thread and lives until the thread ends; its contents
// survive only until the next call from the same thread.
void* thread_scratch(int64_t bytes);

template <class Body>
void parallel_for(int64_t units, int threads, Body&& body) {
  parallel_units(units, threads, &body, [](void* context, int64_t unit, int worker) {
    (*static_cast<Body*>(context))(unit, worker);
  });
}

}  // namespace tamis
