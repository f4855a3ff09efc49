// Reads a launch from a file, runs every threadgroup on guarded buffers, writes what it wrote.
#pragma once
#include <csignal>
#include <fstream>

#include "metal_threads.h"

// Threadgroup memory is gathered in a section of its own, to be measured and poisoned.
#define device
#define constant
#define thread
#define threadgroup static __attribute__((used, section("threadgroup_memory")))
extern char __start_threadgroup_memory[] __attribute__((weak));
extern char __stop_threadgroup_memory[] __attribute__((weak));

namespace cpu {

constexpr size_t MOST_THREADGROUP_BYTES = 32 * 1024;

// The arguments that Metal fills in, under Metal's names.
struct Place {
  uint3 thread_position_in_grid, thread_position_in_threadgroup, threadgroup_position_in_grid;
  uint3 threads_per_grid, threads_per_threadgroup, threadgroups_per_grid, dispatch_threads_per_threadgroup;
  uint thread_index_in_threadgroup, thread_index_in_simdgroup, simdgroup_index_in_threadgroup;
  uint simdgroups_per_threadgroup, threads_per_simdgroup, thread_execution_width;
};

using Kernel = void (*)(void* const* buffers, const Place& place);

inline void on_signal(int signal, siginfo_t*, void*) {
  fault(signal == SIGILL || signal == SIGTRAP ? "index beyond a thread's or threadgroup's array"
                                              : "access outside a buffer");
}

// A buffer that ends where memory ends, or begins where it begins.
inline char* guarded(size_t bytes, bool at_end) {
  const size_t room = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
  char* memory = (char*)mmap(nullptr, room + 2 * PAGE_BYTES, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::memset(memory, 0xA5, room + 2 * PAGE_BYTES);
  mprotect(memory, PAGE_BYTES, PROT_NONE);
  mprotect(memory + PAGE_BYTES + room, PAGE_BYTES, PROT_NONE);
  return memory + PAGE_BYTES + (at_end ? room - bytes : 0);
}

inline int run(int argc, char** argv, Kernel kernel) {
  if (argc != 3) fault("usage: kernel launch result");
  // The signal may come from a fiber at the end of its stack.
  static char signal_stack[1 << 16];
  stack_t alternative{signal_stack, 0, sizeof signal_stack};
  sigaltstack(&alternative, nullptr);
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE}) sigaction(signal, &action, nullptr);

  std::ifstream in(argv[1], std::ios::binary);
  auto number = [&in] { uint64_t value = 0; in.read((char*)&value, sizeof value); return value; };
  const uint64_t schedule = number(), n_buffers = number(), n_written = number();
  // Braces: read from left to right.
  const uint3 grid{uint(number()), uint(number()), uint(number())};
  const uint3 asked{uint(number()), uint(number()), uint(number())};
  std::vector<size_t> sizes(n_buffers);
  for (size_t& size : sizes) size = number();
  std::vector<void*> buffers;
  for (size_t k = 0; k < n_buffers; ++k) {
    char* memory = guarded(sizes[k], schedule % 2 == 0);
    // Nothing written must look like a result: another poison at every schedule shows it.
    if (k + n_written >= n_buffers) std::memset(memory, schedule % 2 ? 0xA5 : 0xFF, sizes[k]);
    else in.read(memory, sizes[k]);
    buffers.push_back(memory);
  }
  if (!in) fault("launch file too short");

  const size_t shared = __stop_threadgroup_memory - __start_threadgroup_memory;
  if (shared > MOST_THREADGROUP_BYTES) fault("more than 32 KiB of threadgroup memory");
  const uint3 size(std::min(asked.x, grid.x), std::min(asked.y, grid.y), std::min(asked.z, grid.z));
  const uint3 groups((grid.x + size.x - 1) / size.x, (grid.y + size.y - 1) / size.y, (grid.z + size.z - 1) / size.z);
  const uint n_groups = groups.x * groups.y * groups.z;
  for (uint turn = 0; turn < n_groups; ++turn) {
    const uint g = schedule == 1 ? n_groups - 1 - turn : turn;
    const uint3 at(g % groups.x, g / groups.x % groups.y, g / (groups.x * groups.y));
    // Groups at the edge of the grid are smaller, as with Metal's dispatchThreads.
    const uint3 own(std::min(size.x, grid.x - at.x * size.x), std::min(size.y, grid.y - at.y * size.y),
                    std::min(size.z, grid.z - at.z * size.z));
    const uint n = own.x * own.y * own.z;
    if (shared) std::memset(__start_threadgroup_memory, schedule % 2 ? 0xA5 : 0xFF, shared);
    run_group(n, schedule, g, [&](uint i) {
      const uint3 local(i % own.x, i / own.x % own.y, i / (own.x * own.y));
      kernel(buffers.data(), Place{at * size + local, local, at, grid, own, groups, size, i, i % LANES,
                                   i / LANES, (n + LANES - 1) / LANES, LANES, LANES});
    });
  }
  std::ofstream out(argv[2], std::ios::binary);
  for (size_t k = n_buffers - n_written; k < n_buffers; ++k) out.write((char*)buffers[k], sizes[k]);
  return out ? 0 : 1;
}

}  // namespace cpu
using namespace metal;
