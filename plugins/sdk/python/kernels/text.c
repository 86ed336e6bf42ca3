/* Text and bytes: offsets into data. */
#include "kernels.h"

/* Offsets, data and number of rows, checked: every range is within the data. */
typedef struct {
  int wide;
  const uint8_t *offsets;
  const uint8_t *data;
  Py_ssize_t n;
} Texts;

static inline uint64_t offset(const Texts *t, Py_ssize_t i) {
  if (t->wide) {
    uint64_t value;
    memcpy(&value, t->offsets + 8 * i, 8);
    return value;
  }
  uint32_t value;
  memcpy(&value, t->offsets + 4 * i, 4);
  return value;
}

static int rising(const Texts *t, uint64_t limit) {
  uint64_t before = offset(t, 0);
  /* As unsigned numbers, negative ones are beyond every limit. */
  int wrong = before > limit;
  for (Py_ssize_t i = 1; i <= t->n; i++) {
    uint64_t here = offset(t, i);
    wrong |= here < before;
    before = here;
  }
  return !wrong && before <= limit;
}

static Texts texts(Call *c) {
  Texts t = {0};
  t.wide = c->failed ? 0 : PyObject_IsTrue(call_object(c)) > 0;
  t.offsets = call_buffer(c, 0, NULL);
  t.data = call_buffer(c, 0, NULL);
  t.n = call_length(c);
  if (c->failed) return t;
  uint64_t least = ((uint64_t)t.n + 1) * (t.wide ? 8 : 4);
  if ((uint64_t)c->buffers[0].len < least) fail(c, PyExc_ValueError, "a buffer is too short for its rows");
  else if (!rising(&t, (uint64_t)c->buffers[1].len)) fail(c, PyExc_ValueError, "offsets do not fit their data");
  return t;
}

KERNEL(kernel_check_offsets) {
  Call c = call(args, given, 4);
  if (c.failed) return NULL;
  Texts t = {0};
  t.wide = PyObject_IsTrue(call_object(&c)) > 0;
  t.offsets = call_buffer(&c, 0, NULL);
  t.n = call_length(&c);
  Py_ssize_t limit = call_length(&c);
  if (c.failed) return done(&c, NULL);
  int fits = (uint64_t)c.buffers[0].len >= ((uint64_t)t.n + 1) * (t.wide ? 8 : 4) && rising(&t, (uint64_t)limit);
  return done(&c, PyBool_FromLong(fits));
}

static uint64_t size_of_rows(const Texts *t, const uint8_t *rows, Py_ssize_t count) {
  uint64_t size = 0;
  for (Py_ssize_t i = 0; i < count; i++) size += offset(t, row_at(rows, i) + 1) - offset(t, row_at(rows, i));
  return size;
}

static void put_offset(const Texts *t, uint8_t *out, Py_ssize_t i, uint64_t value) {
  uint32_t narrow = (uint32_t)value;
  if (t->wide) memcpy(out + 8 * i, &value, 8);
  else memcpy(out + 4 * i, &narrow, 4);
}

KERNEL(kernel_take_bytes) {
  Call c = call(args, given, 5);
  if (c.failed) return NULL;
  Texts t = texts(&c);
  Py_ssize_t length = 0;
  const uint8_t *rows = c.failed ? NULL : call_buffer(&c, 0, &length);
  Py_ssize_t count = length / 4;
  if (c.failed || !rows_fit(&c, rows, count, t.n)) return done(&c, NULL);
  uint8_t *places, *data;
  PyObject *offsets = new_bytes(&c, ((uint64_t)count + 1) * (t.wide ? 8 : 4), &places);
  PyObject *bytes = offsets ? new_bytes(&c, size_of_rows(&t, rows, count), &data) : NULL;
  uint64_t end = 0;
  if (bytes) put_offset(&t, places, 0, 0);
  for (Py_ssize_t i = 0; bytes && i < count; i++) {
    uint32_t row = row_at(rows, i);
    uint64_t start = offset(&t, row), size = offset(&t, row + 1) - start;
    memcpy(data + end, t.data + start, (size_t)size);
    end += size;
    put_offset(&t, places, i + 1, end);
  }
  return done(&c, pair(offsets, bytes));
}

enum { CONTAINS, STARTS, ENDS, IS };

static int contains(const uint8_t *text, size_t size, const uint8_t *needle, size_t length) {
  if (length == 0) return 1;
  while (size >= length) {
    const uint8_t *found = memchr(text, needle[0], size - length + 1);
    if (!found) return 0;
    if (memcmp(found, needle, length) == 0) return 1;
    size -= (size_t)(found - text) + 1;
    text = found + 1;
  }
  return 0;
}

static int found(const uint8_t *text, size_t size, const uint8_t *needle, size_t length, long how) {
  if (how == CONTAINS) return contains(text, size, needle, length);
  if (size < length || (how == IS && size != length)) return 0;
  return memcmp(how == ENDS ? text + (size - length) : text, needle, length) == 0;
}

KERNEL(kernel_search) {
  Call c = call(args, given, 6);
  if (c.failed) return NULL;
  Texts t = texts(&c);
  Py_ssize_t length = 0;
  const uint8_t *needle = c.failed ? NULL : call_buffer(&c, 0, &length);
  long how = c.failed ? 0 : call_int(&c);
  uint8_t *out;
  PyObject *result = c.failed ? NULL : new_bytes(&c, (uint64_t)bitmap_size(t.n), &out);
  if (!result) return done(&c, NULL);
  memset(out, 0, (size_t)bitmap_size(t.n));
  for (Py_ssize_t i = 0; i < t.n; i++) {
    uint64_t start = offset(&t, i);
    size_t size = (size_t)(offset(&t, i + 1) - start);
    out[i >> 3] |= (uint8_t)(found(t.data + start, size, needle, (size_t)length, how) << (i & 7));
  }
  return done(&c, result);
}

static PyObject *listed(PyObject *const *args, Py_ssize_t given, int text) {
  Call c = call(args, given, 5);
  if (c.failed) return NULL;
  Texts t = texts(&c);
  PyObject *last = c.failed ? NULL : c.args[c.next];
  const uint8_t *valid = last && last != Py_None ? call_bits(&c, t.n) : NULL;
  PyObject *list = c.failed ? NULL : PyList_New(t.n);
  for (Py_ssize_t i = 0; list && i < t.n && !c.failed; i++) {
    const char *start = (const char *)t.data + offset(&t, i);
    Py_ssize_t size = (Py_ssize_t)(offset(&t, i + 1) - offset(&t, i));
    PyObject *item = Py_None;
    if (valid && !bit(valid, i)) Py_IncRef(item);
    else item = text ? PyUnicode_DecodeUTF8(start, size, NULL) : PyBytes_FromStringAndSize(start, size);
    if (!item) c.failed = 1;
    else PyList_SetItem(list, i, item);
  }
  return done(&c, list);
}

KERNEL(kernel_texts) { return listed(args, given, 1); }
KERNEL(kernel_blobs) { return listed(args, given, 0); }

KERNEL(kernel_hash_bytes) {
  Call c = call(args, given, 5);
  if (c.failed) return NULL;
  Texts t = texts(&c);
  uint64_t seed = c.failed ? 0 : call_seed(&c);
  uint8_t *out;
  PyObject *result = c.failed ? NULL : new_bytes(&c, 8 * (uint64_t)t.n, &out);
  for (Py_ssize_t i = 0; result && i < t.n; i++) {
    uint64_t start = offset(&t, i);
    uint64_t value = hash64(t.data + start, (size_t)(offset(&t, i + 1) - start), seed);
    memcpy(out + 8 * i, &value, 8);
  }
  return done(&c, result);
}
