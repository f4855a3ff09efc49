// Threads of a threadgroup as fibers, so that barriers and simd operations really wait.
//
// A fiber runs until it waits or ends; who runs next is the schedule's choice. What Metal leaves
// undefined ends the program: barriers that not all threads reach, simd operations that not all
// lanes reach.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

#include "metal_types.h"

namespace cpu {

constexpr uint LANES = 32;
constexpr uint MOST_THREADS = 1024;
constexpr size_t STACK_BYTES = 64 * 1024;
constexpr size_t PAGE_BYTES = 4096;

[[noreturn]] inline void fault(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  _exit(80);
}

enum class State { ready, at_barrier, at_simd, ended };

struct Fiber {
  ucontext_t context;
  char* stack = nullptr;
  State state;
  int line;  // of the kernel, where it waits
};

// 0: in order; 1: in reverse; others: shuffled anew at every turn. 2, 5, ...: a simdgroup that is let
// go runs as far as it can alone, so that the others may be any way behind.
struct Group {
  std::vector<Fiber> fibers;
  ucontext_t scheduler;
  std::function<void(uint)> body;
  std::mt19937_64 random;
  uint running = 0;
  alignas(16) unsigned char exchanged[MOST_THREADS][16];

  uint size() const { return uint(fibers.size()); }
  uint lane() const { return running % LANES; }
  uint first_lane() const { return running - lane(); }
  uint lanes() const { return std::min(LANES, size() - first_lane()); }
};
inline Group group;

// Opaque to the optimiser: what other threads write must be read again afterwards.
__attribute__((noinline, noipa)) inline void wait(State state, int line) {
  Fiber& self = group.fibers[group.running];
  self.state = state;
  self.line = line;
  swapcontext(&self.context, &group.scheduler);
}

inline void start() {
  group.body(group.running);
  group.fibers[group.running].state = State::ended;
}

// Lets [first, last) go on if all of them wait for the same; true if they do.
inline bool release(uint first, uint last, State state, const char* partly, const char* apart) {
  uint waiting = 0, ended = 0;
  int line = 0;
  bool same = true;
  for (uint i = first; i < last; ++i) {
    const Fiber& fiber = group.fibers[i];
    ended += fiber.state == State::ended;
    if (fiber.state != state) continue;
    same &= !waiting || fiber.line == line;
    line = fiber.line;
    ++waiting;
  }
  if (!waiting || waiting + ended < last - first) return false;
  if (ended) fault(partly);
  if (!same) fault(apart);
  for (uint i = first; i < last; ++i) group.fibers[i].state = State::ready;
  return true;
}

inline bool release_lanes(uint first, uint last) {
  return release(first, last, State::at_simd, "simd operation not reached by all lanes",
                 "lanes of a simdgroup wait at different simd operations");
}

inline void run_alone(uint first, uint last) {
  do {
    for (uint i = first; i < last; ++i) {
      if (group.fibers[i].state != State::ready) continue;
      group.running = i;
      swapcontext(&group.scheduler, &group.fibers[i].context);
    }
  } while (release_lanes(first, last));
}

inline void run_group(uint n, uint64_t schedule, uint64_t salt, std::function<void(uint)> body) {
  static std::vector<char*> stacks;
  while (stacks.size() < n) {
    char* memory = (char*)mmap(nullptr, STACK_BYTES + PAGE_BYTES, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(memory, PAGE_BYTES, PROT_NONE);
    stacks.push_back(memory + PAGE_BYTES);
  }
  group.fibers.assign(n, Fiber{});
  group.body = std::move(body);
  group.random.seed(schedule * 0x9E3779B97F4A7C15u + salt);
  std::memset(group.exchanged, 0xA5, sizeof group.exchanged);
  std::vector<uint> order(n);
  for (uint i = 0; i < n; ++i) {
    order[i] = schedule == 1 ? n - 1 - i : i;
    Fiber& fiber = group.fibers[i];
    fiber.state = State::ready;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = stacks[i];
    fiber.context.uc_stack.ss_size = STACK_BYTES;
    fiber.context.uc_link = &group.scheduler;
    makecontext(&fiber.context, start, 0);
  }
  for (;;) {
    if (schedule > 1) std::shuffle(order.begin(), order.end(), group.random);
    bool moved = false, open = false;
    for (uint i : order) {
      if (group.fibers[i].state != State::ready) continue;
      group.running = i;
      swapcontext(&group.scheduler, &group.fibers[i].context);
      moved = true;
      if (schedule % 3 == 2) run_alone(i / LANES * LANES, std::min(n, i / LANES * LANES + LANES));
    }
    for (uint first = 0; first < n; first += LANES)
      moved |= release_lanes(first, std::min(n, first + LANES));
    moved |= release(0, n, State::at_barrier, "barrier not reached by all threads",
                     "threads wait at different barriers");
    for (const Fiber& fiber : group.fibers) open |= fiber.state != State::ended;
    if (!open) return;
    if (!moved) fault("deadlock of barriers and simd operations");
  }
}

// Every lane gives a value and takes that of lane `from`; undefined, so poison, beyond the lanes.
template <class T> T exchange(T value, uint from, int line) {
  static_assert(sizeof(T) <= 16 && std::is_trivially_copyable_v<T>);
  std::memcpy(group.exchanged[group.running], &value, sizeof(T));
  wait(State::at_simd, line);
  T taken;
  std::memset(&taken, 0xA5, sizeof(T));
  if (from < group.lanes()) std::memcpy(&taken, group.exchanged[group.first_lane() + from], sizeof(T));
  wait(State::at_simd, line);
  return taken;
}

// Metal leaves the order open in which lanes are combined; here it is that of the lanes.
template <class T, class Op> T combine(T value, Op op, int line) {
  T result = exchange(value, 0, line);
  for (uint i = 1; i < group.lanes(); ++i) result = op(result, exchange(value, i, line));
  return result;
}

}  // namespace cpu

namespace metal {

enum class mem_flags { mem_none = 0, mem_device = 1, mem_threadgroup = 2, mem_texture = 4 };
inline mem_flags operator|(mem_flags a, mem_flags b) { return mem_flags(int(a) | int(b)); }
inline void threadgroup_barrier(mem_flags, int line = __builtin_LINE()) { cpu::wait(cpu::State::at_barrier, line); }
inline void simdgroup_barrier(mem_flags, int line = __builtin_LINE()) { cpu::wait(cpu::State::at_simd, line); }

#define METAL_REDUCE(name, op) \
  template <class T> T name(T value, int line = __builtin_LINE()) { return cpu::combine(value, [](T a, T b) { return T(op); }, line); }
METAL_REDUCE(simd_sum, a + b)
METAL_REDUCE(simd_product, a * b)
METAL_REDUCE(simd_max, b > a ? b : a)
METAL_REDUCE(simd_min, b < a ? b : a)
METAL_REDUCE(simd_and, a & b)
METAL_REDUCE(simd_or, a | b)
inline bool simd_any(bool p, int line = __builtin_LINE()) { return simd_or(int(p), line) != 0; }
inline bool simd_all(bool p, int line = __builtin_LINE()) { return simd_and(int(p), line) != 0; }

#define METAL_SHUFFLE(name, from) \
  template <class T> T name(T value, uint by, int line = __builtin_LINE()) { return cpu::exchange(value, from, line); }
METAL_SHUFFLE(simd_shuffle, by)
METAL_SHUFFLE(simd_broadcast, by)
METAL_SHUFFLE(simd_shuffle_xor, cpu::group.lane() ^ by)
METAL_SHUFFLE(simd_shuffle_down, cpu::group.lane() + by)
METAL_SHUFFLE(simd_shuffle_up, cpu::group.lane() - by)

// Fibers give way at waits only, so a plain operation is atomic.
template <class T> using atomic = T;
enum memory_order { memory_order_relaxed };
template <class T> T atomic_fetch_add_explicit(T* at, std::type_identity_t<T> by, memory_order) { T old = *at; *at = old + by; return old; }
template <class T> T atomic_fetch_max_explicit(T* at, std::type_identity_t<T> by, memory_order) { T old = *at; *at = max(old, by); return old; }

}  // namespace metal
