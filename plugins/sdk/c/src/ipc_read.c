#include "flat.h"
#include "ipc.h"

#include <string.h>

// Slots and values of Message.fbs.
enum { HEADER_TYPE = 1, HEADER = 2, BODY_LENGTH = 3, RECORD_BATCH = 3 };
// Slots of RecordBatch.
enum { LENGTH = 0, NODES = 1, BUFFERS = 2, COMPRESSION = 3 };

/** Rows of a batch. */
#define MOST_ROWS (1 << 24)

/** What is left of a message: pairs of longs of its two vectors, in the order of the fields, depth first. */
typedef struct parts {
  sh_call *call;
  sh_bytes nodes, buffers, body;
  /** Of an empty batch: every part is empty. */
  bool none;
} parts;

static sh_status cut(sh_call *call, const char *what) { return sh_permanent(call, "the host's message is malformed or cut off: %s", what); }

static bool next_pair(sh_bytes *pairs, int64_t *one, int64_t *other) {
  if (pairs->size < 16) return false;
  *one = whole(pairs->data);
  *other = whole(pairs->data + 8);
  pairs->data += 16;
  pairs->size -= 16;
  return *one >= 0 && *other >= 0;
}

static sh_status next_node(parts *p, int64_t *length, int64_t *nulls) {
  *length = *nulls = 0;
  if (p->none) return SH_OK;
  if (!next_pair(&p->nodes, length, nulls) || *nulls > *length) return cut(p->call, "nodes");
  return SH_OK;
}

/** The next buffer, at least so long, and aligned as its values need it. */
static sh_status next_buffer(parts *p, uint64_t least, size_t align, sh_bytes *buffer) {
  static const int64_t zeros[2] = {0, 0};
  *buffer = (sh_bytes){(const uint8_t *)zeros, 0};
  if (p->none) return SH_OK;
  int64_t offset, length;
  if (!next_pair(&p->buffers, &offset, &length)) return cut(p->call, "buffers");
  if (!has(p->body, (uint64_t)offset, (uint64_t)length)) return cut(p->call, "body");
  if ((uint64_t)length < least) return sh_permanent(p->call, "the host's message has a buffer that is too short for its rows");
  if (length == 0) return SH_OK;
  *buffer = (sh_bytes){p->body.data + offset, (size_t)length};
  if ((uintptr_t)buffer->data % align != 0) {
    void *copy = sh_alloc(p->call, (size_t)length);
    memcpy(copy, buffer->data, (size_t)length);
    buffer->data = (const uint8_t *)copy;
  }
  return SH_OK;
}

static bool ascending32(const int32_t *offsets, int64_t n, int64_t most) {
  bool good = offsets[0] >= 0 && offsets[n] <= most;
  for (int64_t i = 0; i < n; i++) good &= offsets[i] <= offsets[i + 1];
  return good;
}

static bool ascending64(const int64_t *offsets, int64_t n, int64_t most) {
  bool good = offsets[0] >= 0 && offsets[n] <= most;
  for (int64_t i = 0; i < n; i++) good &= offsets[i] <= offsets[i + 1];
  return good;
}

/** Offsets; whether they point into so many values is checked when these are known. */
static sh_status read_offsets(parts *p, sh_column *c, bool large) {
  static const int64_t none[1] = {0};
  sh_bytes buffer;
  uint64_t width = large ? 8 : 4;
  uint64_t least = c->length ? ((uint64_t)c->length + 1) * width : 0;
  SH_TRY(next_buffer(p, least, width, &buffer));
  const void *offsets = c->length ? (const void *)buffer.data : (const void *)none;
  if (large)
    c->large_offsets = (const int64_t *)offsets;
  else
    c->offsets = (const int32_t *)offsets;
  return SH_OK;
}

static sh_status check_offsets(parts *p, const sh_column *c, int64_t most) {
  bool good = c->large_offsets ? ascending64(c->large_offsets, c->length, most) : ascending32(c->offsets, c->length, most);
  return good ? SH_OK : cut(p->call, "offsets");
}

static sh_status check_text(parts *p, const sh_column *c) {
  if (c->length == 0) return SH_OK;
  int64_t from = c->large_offsets ? c->large_offsets[0] : c->offsets[0];
  int64_t to = c->large_offsets ? c->large_offsets[c->length] : c->offsets[c->length];
  const uint8_t *bytes = (const uint8_t *)c->values;
  if (!sh_is_utf8(bytes + from, to - from)) return cut(p->call, "a STRING is no UTF-8");
  // No value begins in the middle of a letter.
  bool good = true;
  for (int64_t i = 1; i < c->length; i++) {
    int64_t at = c->large_offsets ? c->large_offsets[i] : c->offsets[i];
    if (at < to) good &= (bytes[at] & 0xc0) != 0x80;
  }
  return good ? SH_OK : cut(p->call, "a STRING is no UTF-8");
}

static sh_status read_column(parts *p, const struct ArrowSchema *schema, const sh_type **type, sh_column *c);

static sh_status read_children(parts *p, const struct ArrowSchema *schema, const sh_type **type, sh_column *c) {
  sh_column *children = (sh_column *)sh_alloc(p->call, (size_t)schema->n_children * sizeof *children);
  c->n_children = (int32_t)schema->n_children;
  c->children = children;
  for (int64_t i = 0; i < schema->n_children; i++) SH_TRY(read_column(p, schema->children[i], type, &children[i]));
  return SH_OK;
}

static sh_status read_lists(parts *p, const struct ArrowSchema *schema, const sh_type **type, sh_column *c) {
  if (schema->n_children != 1) return cut(p->call, "a list without items");
  if (c->type != NANOARROW_TYPE_FIXED_SIZE_LIST) SH_TRY(read_offsets(p, c, c->type == NANOARROW_TYPE_LARGE_LIST));
  SH_TRY(read_children(p, schema, type, c));
  int64_t items = c->children[0].length;
  if (c->type != NANOARROW_TYPE_FIXED_SIZE_LIST) return check_offsets(p, c, items);
  return c->width == 0 || c->length <= items / c->width ? SH_OK : cut(p->call, "items");
}

static sh_status read_bytes(parts *p, sh_column *c, bool large) {
  sh_bytes values;
  SH_TRY(read_offsets(p, c, large));
  SH_TRY(next_buffer(p, 0, 1, &values));
  c->values = values.data;
  SH_TRY(check_offsets(p, c, (int64_t)values.size));
  bool text = c->type == NANOARROW_TYPE_STRING || c->type == NANOARROW_TYPE_LARGE_STRING;
  return text ? check_text(p, c) : SH_OK;
}

static sh_status read_values(parts *p, const struct ArrowSchema *schema, const sh_type **type, sh_column *c) {
  sh_bytes values;
  switch (c->type) {
    case NANOARROW_TYPE_STRING:
    case NANOARROW_TYPE_BINARY: return read_bytes(p, c, false);
    case NANOARROW_TYPE_LARGE_STRING:
    case NANOARROW_TYPE_LARGE_BINARY: return read_bytes(p, c, true);
    case NANOARROW_TYPE_LIST:
    case NANOARROW_TYPE_LARGE_LIST:
    case NANOARROW_TYPE_FIXED_SIZE_LIST:
    case NANOARROW_TYPE_MAP: return read_lists(p, schema, type, c);
    case NANOARROW_TYPE_STRUCT:
      SH_TRY(read_children(p, schema, type, c));
      for (int32_t i = 0; i < c->n_children; i++) {
        if (c->children[i].length != c->length) return cut(p->call, "fields of a struct");
      }
      return SH_OK;
    case NANOARROW_TYPE_BOOL: SH_TRY(next_buffer(p, ((uint64_t)c->length + 7) / 8, 1, &values)); break;
    default:
      // Of a length that no message has, nothing is multiplied.
      if (c->width && (uint64_t)c->length > p->body.size / (uint64_t)c->width && !p->none) return cut(p->call, "rows");
      size_t align = c->type == NANOARROW_TYPE_FIXED_SIZE_BINARY ? 1 : c->width > 8 ? 8 : (size_t)c->width;
      SH_TRY(next_buffer(p, (uint64_t)c->length * (uint64_t)c->width, align, &values));
  }
  c->values = values.data;
  return SH_OK;
}

static void no_release(struct ArrowArray *array) { array->release = NULL; }

/** The same in the C data interface. */
static const struct ArrowArray *array_of(sh_call *call, const sh_column *c) {
  struct ArrowArray *array = (struct ArrowArray *)sh_alloc(call, sizeof *array);
  const void **buffers = (const void **)sh_alloc(call, 3 * sizeof *buffers);
  const void *offsets = c->offsets ? (const void *)c->offsets : (const void *)c->large_offsets;
  int64_t n = c->type == NANOARROW_TYPE_NA ? 0 : 1;
  buffers[0] = c->valid;
  if (offsets) buffers[n++] = offsets;
  if (c->values) buffers[n++] = c->values;
  *array = (struct ArrowArray){
      .length = c->length, .null_count = c->nulls, .n_buffers = n, .buffers = buffers, .n_children = c->n_children, .release = no_release};
  array->children = (struct ArrowArray **)sh_alloc(call, (size_t)c->n_children * sizeof *array->children);
  for (int32_t i = 0; i < c->n_children; i++) array->children[i] = (struct ArrowArray *)c->children[i].array;
  return array;
}

static sh_status read_column(parts *p, const struct ArrowSchema *schema, const sh_type **type, sh_column *c) {
  const sh_type *own = (*type)++;
  *c = (sh_column){.name = schema->name ? schema->name : "", .type = own->type, .width = own->width, .schema = schema};
  SH_TRY(next_node(p, &c->length, &c->nulls));
  // Each row has a bit somewhere, but for rows without anything in them.
  if (c->length > MOST_ROWS && (uint64_t)c->length / 8 > p->body.size) return cut(p->call, "rows");
  if (c->type == NANOARROW_TYPE_NA) {
    c->nulls = c->length;
  } else {
    sh_bytes valid;
    SH_TRY(next_buffer(p, c->nulls ? ((uint64_t)c->length + 7) / 8 : 0, 1, &valid));
    c->valid = c->nulls ? valid.data : NULL;
    SH_TRY(read_values(p, schema, type, c));
  }
  c->array = array_of(p->call, c);
  return SH_OK;
}

static sh_status read_batch(parts *p, const sh_schema *schema, int64_t rows, sh_batch *batch) {
  const sh_type *type = schema->types + 1;
  sh_column root = {.name = "", .type = NANOARROW_TYPE_STRUCT, .length = rows, .schema = schema->arrow};
  sh_column *columns = (sh_column *)sh_alloc(p->call, (size_t)schema->arrow->n_children * sizeof *columns);
  for (int64_t i = 0; i < schema->arrow->n_children; i++) {
    SH_TRY(read_column(p, schema->arrow->children[i], &type, &columns[i]));
    if (columns[i].length != rows) return cut(p->call, "columns of different lengths");
  }
  root.children = columns;
  root.n_children = (int32_t)schema->arrow->n_children;
  *batch = (sh_batch){rows, root.n_children, columns, schema->arrow, array_of(p->call, &root)};
  return SH_OK;
}

sh_status sh_ipc_empty(sh_call *call, const sh_schema *schema, sh_batch *batch) {
  parts p = {.call = call, .none = true};
  return read_batch(&p, schema, 0, batch);
}

sh_status sh_ipc_read(sh_call *call, const sh_schema *schema, sh_bytes *messages, sh_batch *batch) {
  sh_bytes b = *messages;
  if (b.size < 8 || half(b.data) != SH_CONTINUATION) return cut(call, "prefix");
  uint32_t size = half(b.data + 4);
  if (!has(b, 8, size)) return cut(call, "header");
  sh_bytes header = {b.data + 8, size};
  int64_t message = follow(header, 0);
  int64_t kind = message < 0 ? -1 : field(header, (uint64_t)message, HEADER_TYPE);
  if (kind < 0 || (uint64_t)kind >= header.size) return cut(call, "header");
  if (kind == 0 || header.data[kind] != RECORD_BATCH) return sh_permanent(call, "the host sent a message that is no record batch");
  int64_t length = long_of(header, (uint64_t)message, BODY_LENGTH);
  if (length < 0 || !has(b, 8 + (uint64_t)size, (uint64_t)length)) return cut(call, "body");
  int64_t at = field(header, (uint64_t)message, HEADER);
  int64_t table = at <= 0 ? -1 : follow(header, at);
  if (table < 0) return cut(call, "record batch");
  if (field(header, (uint64_t)table, COMPRESSION) != 0) return sh_permanent(call, "the host sent a compressed batch");
  parts p = {.call = call, .body = {b.data + 8 + size, (size_t)length}};
  int64_t rows = long_of(header, (uint64_t)table, LENGTH);
  if (rows < 0 || rows > MOST_ROWS) return cut(call, "row count");
  if (!pairs_of(header, (uint64_t)table, NODES, &p.nodes) || !pairs_of(header, (uint64_t)table, BUFFERS, &p.buffers)) return cut(call, "nodes");
  SH_TRY(read_batch(&p, schema, rows, batch));
  size_t read = 8 + (size_t)size + (size_t)length;
  *messages = (sh_bytes){b.data + read, b.size - read};
  return SH_OK;
}

sh_status sh_ipc_read_one(sh_call *call, const sh_schema *schema, sh_bytes messages, sh_batch *batch) {
  if (messages.size == 0) return sh_ipc_empty(call, schema, batch);
  SH_TRY(sh_ipc_read(call, schema, &messages, batch));
  return messages.size == 0 ? SH_OK : sh_permanent(call, "the host sent several batches where one is due");
}
