#include "ipc.h"

#include <string.h>

/** Bytes of the header before the nodes. */
#define FIXED 72

typedef struct node {
  int64_t length, nulls;
} node;

/** The nodes and buffers of a batch, in the order of its fields, depth first. */
typedef struct body {
  sh_call *call;
  node *nodes;
  int64_t n_nodes, most_nodes;
  sh_bytes *buffers;
  int64_t n_buffers, most_buffers;
} body;

static void *grown(sh_call *call, void *items, int64_t n, int64_t *most, size_t size) {
  if (n < *most) return items;
  *most = *most ? 2 * *most : 32;
  void *more = sh_alloc(call, (size_t)*most * size);
  if (n) memcpy(more, items, (size_t)n * size);
  return more;
}

static void add_node(body *b, int64_t length, int64_t nulls) {
  b->nodes = (node *)grown(b->call, b->nodes, b->n_nodes, &b->most_nodes, sizeof *b->nodes);
  b->nodes[b->n_nodes++] = (node){length, nulls};
}

static void add_buffer(body *b, const void *data, int64_t size) {
  b->buffers = (sh_bytes *)grown(b->call, b->buffers, b->n_buffers, &b->most_buffers, sizeof *b->buffers);
  b->buffers[b->n_buffers++] = (sh_bytes){(const uint8_t *)data, (size_t)size};
}

/** Bits from `from` on, at the start of a byte. */
static const uint8_t *bits_from(sh_call *call, const uint8_t *bits, int64_t from, int64_t n) {
  if (from % 8 == 0) return bits + from / 8;
  uint8_t *moved = (uint8_t *)sh_alloc(call, (size_t)(n + 7) / 8);
  memset(moved, 0, (size_t)(n + 7) / 8);
  for (int64_t i = 0; i < n; i++) {
    if (sh_bit(bits, from + i)) sh_set_bit(moved, i);
  }
  return moved;
}

static sh_status add_array(body *b, const struct ArrowArray *array, const sh_type **type, int64_t from, int64_t n);

static sh_status misfit(body *b) { return sh_permanent(b->call, "an array has not the buffers or children that its type has"); }

/** Passes the types of an array over that is not written as it has no rows. */
static sh_status add_children(body *b, const struct ArrowArray *array, const sh_type **type, int64_t from, int64_t n) {
  for (int64_t i = 0; i < array->n_children; i++) SH_TRY(add_array(b, array->children[i], type, from, n));
  return SH_OK;
}

/** Writes offsets from zero on; answers the range of values that they point to. */
static void add_offsets(body *b, const void *given, bool large, int64_t from, int64_t n, int64_t *start, int64_t *end) {
  *start = *end = 0;
  if (!given || n == 0) {
    add_buffer(b, NULL, 0);
    return;
  }
  int64_t width = large ? 8 : 4;
  const uint8_t *data = (const uint8_t *)given + from * width;
  const int32_t *small = (const int32_t *)data;
  const int64_t *big = (const int64_t *)data;
  *start = large ? big[0] : small[0];
  *end = large ? big[n] : small[n];
  if (*start != 0) {
    uint8_t *moved = (uint8_t *)sh_alloc(b->call, (size_t)((n + 1) * width));
    for (int64_t i = 0; i <= n; i++) {
      if (large)
        ((int64_t *)(void *)moved)[i] = big[i] - *start;
      else
        ((int32_t *)(void *)moved)[i] = (int32_t)(small[i] - *start);
    }
    data = moved;
  }
  add_buffer(b, data, (n + 1) * width);
}

static sh_status add_values(body *b, const struct ArrowArray *array, const sh_type *own, const sh_type **type, int64_t from, int64_t n) {
  const uint8_t *values = array->n_buffers > 1 ? (const uint8_t *)array->buffers[1] : NULL;
  int64_t start, end;
  bool large = own->type == NANOARROW_TYPE_LARGE_STRING || own->type == NANOARROW_TYPE_LARGE_BINARY || own->type == NANOARROW_TYPE_LARGE_LIST;
  switch (own->type) {
    case NANOARROW_TYPE_BOOL: add_buffer(b, n ? bits_from(b->call, values, from, n) : NULL, (n + 7) / 8); return SH_OK;
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_BINARY:
    case NANOARROW_TYPE_LARGE_STRING:
    case NANOARROW_TYPE_LARGE_BINARY:
      if (array->n_buffers < 3) return misfit(b);
      add_offsets(b, values, large, from, n, &start, &end);
      add_buffer(b, end > start ? (const uint8_t *)array->buffers[2] + start : NULL, end - start);
      return SH_OK;
    case NANOARROW_TYPE_LIST:
    case NANOARROW_TYPE_LARGE_LIST:
    case NANOARROW_TYPE_MAP:
      if (array->n_children != 1) return misfit(b);
      add_offsets(b, values, large, from, n, &start, &end);
      return add_children(b, array, type, start, end - start);
    case NANOARROW_TYPE_FIXED_SIZE_LIST: return add_children(b, array, type, from * own->width, n * own->width);
    case NANOARROW_TYPE_STRUCT: return add_children(b, array, type, from, n);
    default:
      if (n && !values) return misfit(b);
      add_buffer(b, n ? values + from * own->width : NULL, n * own->width);
      return SH_OK;
  }
}

/** Adds the rows from `from` on, so many, which count from the array's own offset. */
static sh_status add_array(body *b, const struct ArrowArray *array, const sh_type **type, int64_t from, int64_t n) {
  const sh_type *own = (*type)++;
  if (from + n > array->length) return misfit(b);
  from += array->offset;
  if (own->type == NANOARROW_TYPE_NA) {
    add_node(b, n, n);
    return SH_OK;
  }
  if (array->n_buffers < 1) return misfit(b);
  const uint8_t *valid = array->null_count != 0 && n ? (const uint8_t *)array->buffers[0] : NULL;
  int64_t nulls = 0;
  if (valid) {
    valid = bits_from(b->call, valid, from, n);
    nulls = n - sh_count_bits(valid, n);
  }
  add_node(b, n, nulls);
  add_buffer(b, nulls ? valid : NULL, nulls ? (n + 7) / 8 : 0);
  return add_values(b, array, own, type, from, n);
}

static uint8_t *put_words(uint8_t *at, const uint16_t *words, int n) {
  memcpy(at, words, 2 * (size_t)n);
  return at + 2 * n;
}

static uint8_t *put_half(uint8_t *at, uint32_t value) {
  memcpy(at, &value, 4);
  return at + 4;
}

static uint8_t *put_long(uint8_t *at, int64_t value) {
  memcpy(at, &value, 8);
  return at + 8;
}

/** The FlatBuffers header. Its tables always have the same fields, so their places are constants; only the two vectors at its end vary.
 * Positions in the comments count from its start. */
static void put_header(uint8_t *at, const body *b, int64_t rows, size_t size) {
  // 0: the message's table is at 16
  at = put_half(at, 16);
  // 4: its vtable: 12 bytes of 20, version at +16, header type at +18, header at +4, body length at +8
  at = put_words(at, (const uint16_t[]){12, 20, 16, 18, 4, 8}, 6);
  // 16: its table: vtable, record batch's table at 48, body length, version 5, header type 3
  at = put_half(at, 12);
  at = put_half(at, 28);
  at = put_long(at, (int64_t)size);
  at = put_words(at, (const uint16_t[]){4, 3}, 2);
  // 36: the record batch's vtable: 10 bytes of 20, length at +8, nodes at +4, buffers at +16
  at = put_words(at, (const uint16_t[]){10, 20, 8, 4, 16, 0}, 6);
  // 48: its table: vtable, nodes' vector at 68, rows, buffers' vector past the nodes
  at = put_half(at, 12);
  at = put_half(at, 16);
  at = put_long(at, rows);
  at = put_half(at, (uint32_t)(12 + 16 * b->n_nodes));
  // 68: the nodes
  at = put_half(at, (uint32_t)b->n_nodes);
  memcpy(at, b->nodes, 16 * (size_t)b->n_nodes);
  at += 16 * b->n_nodes;
  // 72 + 16 × nodes: padding, so that the buffers' longs are aligned; the buffers
  at = put_half(at, 0);
  at = put_half(at, (uint32_t)b->n_buffers);
  int64_t offset = 0;
  for (int64_t i = 0; i < b->n_buffers; i++) {
    at = put_long(at, offset);
    at = put_long(at, (int64_t)b->buffers[i].size);
    offset += (int64_t)sh_padded(b->buffers[i].size);
  }
}

/** Prefix, header and body, with one allocation. */
static void put_message(const body *b, int64_t rows, sh_buffer *out) {
  size_t size = 0;
  for (int64_t i = 0; i < b->n_buffers; i++) size += sh_padded(b->buffers[i].size);
  size_t used = 8 + FIXED + 16 * (size_t)b->n_nodes + 8 + 16 * (size_t)b->n_buffers;
  size_t header = sh_padded(used);
  uint8_t *at = sh_buffer_grow(b->call->internal->arena, out, header + size);
  put_half(at, SH_CONTINUATION);
  put_half(at + 4, (uint32_t)(header - 8));
  put_header(at + 8, b, rows, size);
  memset(at + used, 0, header - used);
  at += header;
  for (int64_t i = 0; i < b->n_buffers; i++) {
    size_t length = b->buffers[i].size, whole = sh_padded(length);
    if (length) memcpy(at, b->buffers[i].data, length);
    memset(at + length, 0, whole - length);
    at += whole;
  }
}

sh_status sh_ipc_write(sh_call *call, const sh_schema *schema, const struct ArrowArray *array, int64_t rows, sh_buffer *out) {
  body b = {.call = call};
  const sh_type *type = schema->types + 1;
  // Without columns there is no node, and memcpy is not given NULL.
  add_node(&b, 0, 0);
  b.n_nodes = 0;
  if (array->n_children != schema->arrow->n_children) return misfit(&b);
  for (int64_t i = 0; i < array->n_children; i++) {
    if (add_array(&b, array->children[i], &type, array->offset, rows) != SH_OK)
      return sh_while(call, "column `%s`", schema->arrow->children[i]->name);
  }
  put_message(&b, rows, out);
  return SH_OK;
}
