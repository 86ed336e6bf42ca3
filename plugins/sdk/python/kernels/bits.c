/* Bitmaps. */
#include "kernels.h"

Py_ssize_t count_bits(const uint8_t *bits, Py_ssize_t n) {
  Py_ssize_t count = 0, whole = n / 64;
  for (Py_ssize_t i = 0; i < whole; i++) {
    uint64_t word;
    memcpy(&word, bits + 8 * i, 8);
    count += __builtin_popcountll(word);
  }
  for (Py_ssize_t i = whole * 64; i < n; i++) count += bit(bits, i);
  return count;
}

KERNEL(kernel_count) {
  Call c = call(args, given, 2);
  if (c.failed) return NULL;
  /* The length stands behind the bitmap. */
  const uint8_t *bits = call_buffer(&c, 0, NULL);
  Py_ssize_t n = call_length(&c);
  if (!c.failed && c.buffers[0].len < bitmap_size(n)) fail(&c, PyExc_ValueError, "a bitmap is too short for its rows");
  return done(&c, c.failed ? NULL : PyLong_FromSsize_t(count_bits(bits, n)));
}

KERNEL(kernel_pack) {
  Call c = call(args, given, 1);
  PyObject *flags = c.failed ? NULL : PySequence_List(c.args[0]);
  if (!flags) return NULL;
  Py_ssize_t n = PyList_Size(flags);
  uint8_t *out;
  PyObject *result = new_bytes(&c, (uint64_t)bitmap_size(n), &out);
  if (result) {
    memset(out, 0, (size_t)bitmap_size(n));
    for (Py_ssize_t i = 0; i < n && !c.failed; i++) {
      int flag = PyObject_IsTrue(PyList_GetItem(flags, i));
      if (flag < 0) c.failed = 1;
      out[i >> 3] |= (uint8_t)((flag > 0) << (i & 7));
    }
  }
  Py_DecRef(flags);
  return done(&c, result);
}

KERNEL(kernel_unpack) {
  Call c = call(args, given, 2);
  if (c.failed) return NULL;
  const uint8_t *bits = call_buffer(&c, 0, NULL);
  Py_ssize_t n = call_length(&c);
  if (!c.failed && c.buffers[0].len < bitmap_size(n)) fail(&c, PyExc_ValueError, "a bitmap is too short for its rows");
  PyObject *list = c.failed ? NULL : PyList_New(n);
  for (Py_ssize_t i = 0; list && i < n; i++) PyList_SetItem(list, i, PyBool_FromLong(bit(bits, i)));
  return done(&c, list);
}

KERNEL(kernel_indices) {
  Call c = call(args, given, 2);
  if (c.failed) return NULL;
  const uint8_t *bits = call_buffer(&c, 0, NULL);
  Py_ssize_t n = call_length(&c);
  if (!c.failed && c.buffers[0].len < bitmap_size(n)) fail(&c, PyExc_ValueError, "a bitmap is too short for its rows");
  if (c.failed) return done(&c, NULL);
  uint8_t *out;
  PyObject *result = new_bytes(&c, 4 * (uint64_t)count_bits(bits, n), &out);
  for (Py_ssize_t i = 0; result && i < n; i++) {
    if (!bit(bits, i)) continue;
    uint32_t row = (uint32_t)i;
    memcpy(out, &row, 4);
    out += 4;
  }
  return done(&c, result);
}

enum { BOTH, EITHER, TOGGLED };

/* Clears what is behind the last row. */
static void trim(uint8_t *bits, Py_ssize_t n) {
  if (n % 8) bits[n / 8] &= (uint8_t)((1 << n % 8) - 1);
}

static PyObject *combined(PyObject *const *args, Py_ssize_t given, int how) {
  Call c = call(args, given, how == TOGGLED ? 2 : 3);
  if (c.failed) return NULL;
  const uint8_t *one = call_buffer(&c, 0, NULL);
  const uint8_t *other = how == TOGGLED ? one : call_buffer(&c, 0, NULL);
  Py_ssize_t n = call_length(&c), size = bitmap_size(n);
  for (int i = 0; i < c.taken; i++)
    if (c.buffers[i].len < size) fail(&c, PyExc_ValueError, "a bitmap is too short for its rows");
  uint8_t *out;
  PyObject *result = c.failed ? NULL : new_bytes(&c, (uint64_t)size, &out);
  if (!result) return done(&c, NULL);
  for (Py_ssize_t i = 0; i < size; i++)
    out[i] = how == BOTH ? one[i] & other[i] : how == EITHER ? one[i] | other[i] : (uint8_t)~one[i];
  trim(out, n);
  return done(&c, result);
}

KERNEL(kernel_both) { return combined(args, given, BOTH); }
KERNEL(kernel_either) { return combined(args, given, EITHER); }
KERNEL(kernel_toggled) { return combined(args, given, TOGGLED); }

KERNEL(kernel_take_bits) {
  Call c = call(args, given, 3);
  if (c.failed) return NULL;
  Py_ssize_t length = 0;
  const uint8_t *bits = call_buffer(&c, 0, NULL);
  Py_ssize_t n = call_length(&c);
  const uint8_t *rows = call_buffer(&c, 0, &length);
  if (!c.failed && c.buffers[0].len < bitmap_size(n)) fail(&c, PyExc_ValueError, "a bitmap is too short for its rows");
  Py_ssize_t count = length / 4;
  if (c.failed || !rows_fit(&c, rows, count, n)) return done(&c, NULL);
  uint8_t *out;
  PyObject *result = new_bytes(&c, (uint64_t)bitmap_size(count), &out);
  if (!result) return done(&c, NULL);
  memset(out, 0, (size_t)bitmap_size(count));
  for (Py_ssize_t i = 0; i < count; i++) out[i >> 3] |= (uint8_t)(bit(bits, row_at(rows, i)) << (i & 7));
  return done(&c, result);
}
