#include "memory.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

// A worker is young when its statement comes: nearly every page that it writes to must be given by the kernel first, which takes half a microsecond, and ten in a virtual machine whose
// host has taken free memory back. For some statements that came to a sixth of all they did. So a worker that waits for its statement asks for some memory
// ahead, in large pages where the system has them. Of DuckDB's two allocators the C library's holds the small things, and jemalloc the buffers that columns are unpacked into, in one
// arena or more, which threads take in turn.
enum {
	SMALL = 2 << 20,    // of the C library's
	BUFFERS = 20 << 20, // of each of jemalloc's arenas
	ARENAS = 4,         // that get them, at most
	PAGE = 4 << 10,
	HUGE_PAGE = 2 << 20,
};

#ifdef __linux__

// jemalloc as DuckDB brings it: on Linux alone, and not for every processor.
extern void *duckdb_je_mallocx(size_t size, int flags) __attribute__((weak));
extern void duckdb_je_dallocx(void *block, int flags) __attribute__((weak));
extern int duckdb_je_mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size) __attribute__((weak));

// in_arena are the flags of an allocation from one arena that no thread's cache keeps: MALLOCX_ARENA and MALLOCX_TCACHE_NONE of jemalloc(3).
static int in_arena(unsigned arena) { return (int)((arena + 1) << 20) | 1 << 8; }

static struct {
	char *block;
	unsigned arena;
} buffers[ARENAS];
static unsigned held;

#endif

// touch has the kernel give the pages of a block.
static void touch(char *block, size_t size) {
#ifdef MADV_HUGEPAGE
	uintptr_t from = ((uintptr_t)block + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1), to = ((uintptr_t)block + size) & ~(uintptr_t)(HUGE_PAGE - 1);
	if (from < to) (void)madvise((void *)from, to - from, MADV_HUGEPAGE); // a system without them gives small ones
#endif
	for (size_t i = 0; i < size; i += PAGE) ((volatile char *)block)[i] = 0;
}

void loch_memory_reserve(void) {
#ifdef __GLIBC__
	// Blocks up to this size come from the heap and stay there when they are freed, where each would be a mapping of its own, and given anew.
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
	mallopt(M_TOP_PAD, 1 << 20);
	char *small = malloc(SMALL);
	if (small != NULL) touch(small, SMALL);
	free(small);
#endif
#ifdef __linux__
	if (duckdb_je_mallocx == NULL || duckdb_je_dallocx == NULL || duckdb_je_mallctl == NULL) return;
	unsigned arenas = 0;
	size_t size = sizeof arenas;
	if (duckdb_je_mallctl("opt.narenas", &arenas, &size, NULL, 0) != 0 || arenas == 0) return;
	if (arenas > ARENAS) arenas = ARENAS;
	for (unsigned i = 0; i < arenas; i++) {
		char *block = duckdb_je_mallocx(BUFFERS, in_arena(i));
		if (block == NULL) return;
		touch(block, BUFFERS);
		buffers[held].block = block;
		buffers[held++].arena = i;
	}
#endif
}

void loch_memory_release(void) {
#ifdef __linux__
	while (held > 0) {
		held--;
		duckdb_je_dallocx(buffers[held].block, in_arena(buffers[held].arena));
	}
#endif
}
