#include "core.h"

#include <stdlib.h>
#include <string.h>

/** What a block has that is kept between calls, at most. */
#define KEPT (4u << 20)
#define SMALLEST (64u << 10)

struct sh_block {
  struct sh_block *next;
  size_t capacity;
  _Alignas(16) uint8_t bytes[];
};

static struct sh_block *new_block(size_t capacity) {
  struct sh_block *block = (struct sh_block *)malloc(sizeof(struct sh_block) + capacity);
  if (!block) sh_panic(__FILE__, __LINE__, "there is no memory for %zu bytes", capacity);
  block->capacity = capacity;
  return block;
}

void *sh_arena_alloc(sh_arena *arena, size_t size) {
  if (size > (size_t)PTRDIFF_MAX - 4096) sh_panic(__FILE__, __LINE__, "there is no memory for %zu bytes", size);
  size = (size + 15) & ~(size_t)15;
  if (!arena->blocks || arena->blocks->capacity - arena->used < size) {
    struct sh_block *block = new_block(size > SMALLEST ? size : SMALLEST);
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used = 0;
  }
  void *given = arena->blocks->bytes + arena->used;
  arena->used += size;
  return given;
}

void sh_arena_reset(sh_arena *arena) {
  struct sh_block *kept = NULL;
  for (struct sh_block *block = arena->blocks, *next; block; block = next) {
    next = block->next;
    if (block->capacity <= KEPT && (!kept || block->capacity > kept->capacity)) {
      free(kept);
      kept = block;
      kept->next = NULL;
    } else {
      free(block);
    }
  }
  arena->blocks = kept;
  arena->used = 0;
}

void sh_arena_free(sh_arena *arena) {
  for (struct sh_block *block = arena->blocks, *next; block; block = next) {
    next = block->next;
    free(block);
  }
  arena->blocks = NULL;
  arena->used = 0;
}

uint8_t *sh_buffer_grow(sh_arena *arena, sh_buffer *buffer, size_t size) {
  if (buffer->capacity - buffer->size < size) {
    size_t capacity = buffer->size + size;
    if (capacity < 2 * buffer->capacity) capacity = 2 * buffer->capacity;
    uint8_t *data = (uint8_t *)sh_arena_alloc(arena, capacity);
    if (buffer->size) memcpy(data, buffer->data, buffer->size);
    buffer->data = data;
    buffer->capacity = capacity;
  }
  uint8_t *room = buffer->data + buffer->size;
  buffer->size += size;
  return room;
}
