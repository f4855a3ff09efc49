/* Memory for a candidate under test: it ends against a page that may not be touched, and is filled
 * with a pattern, so that writing beyond it or reading what was never written shows. Linked in place
 * of the allocator (-Wl,--wrap). */
#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
    size_t bytes;
} Mapping;

static void *guarded(size_t bytes, size_t align, int fill) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t held = (bytes + page - 1) / page * page;
    /* a page that remembers the size, the memory, the page that may not be touched */
    uint8_t *start = mmap(NULL, held + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    ((Mapping *)start)->bytes = held + 2 * page;
    mprotect(start + page + held, page, PROT_NONE);
    memset(start + page, fill, held);
    return start + page + (held - (bytes + align - 1) / align * align);
}

void *__wrap_malloc(size_t bytes) { return guarded(bytes, 16, 0xA5); }
void *__wrap_calloc(size_t n, size_t size) { return guarded(n * size, 16, 0); }
void *__wrap_aligned_alloc(size_t align, size_t bytes) { return guarded(bytes, align, 0xA5); }

void __wrap_free(void *memory) {
    if (!memory)
        return;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *start = (uint8_t *)((uintptr_t)memory / page * page) - page;
    munmap(start, ((Mapping *)start)->bytes);
}
