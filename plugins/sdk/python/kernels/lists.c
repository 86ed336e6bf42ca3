/* Lists of Python's values, to buffers and back. */
#include "kernels.h"

/* Writes a number; -1 and an exception if it does not fit. */
static int put_whole(char code, uint8_t *out, PyObject *item) {
  long long value = PyLong_AsLongLong(item);
  if (value == -1 && PyErr_Occurred()) return -1;
  long long low = 0, high = 0;
  switch (code) {
  case 'b': low = INT8_MIN, high = INT8_MAX; break;
  case 'B': high = UINT8_MAX; break;
  case 'h': low = INT16_MIN, high = INT16_MAX; break;
  case 'H': high = UINT16_MAX; break;
  case 'i': low = INT32_MIN, high = INT32_MAX; break;
  case 'I': high = UINT32_MAX; break;
  default: low = INT64_MIN, high = INT64_MAX;
  }
  if (value < low || value > high) {
    PyErr_Format(PyExc_OverflowError, "a number is not from %lld to %lld", low, high);
    return -1;
  }
  memcpy(out, &value, (size_t)code_width(code));
  return 0;
}

static int put(char code, uint8_t *out, PyObject *item) {
  if (code == 'Q') {
    unsigned long long value = PyLong_AsUnsignedLongLong(item);
    memcpy(out, &value, 8);
    return value == (unsigned long long)-1 && PyErr_Occurred() ? -1 : 0;
  }
  if (code != 'f' && code != 'd') return put_whole(code, out, item);
  double value = PyFloat_AsDouble(item);
  float narrow = (float)value;
  if (code == 'd') memcpy(out, &value, 8);
  else memcpy(out, &narrow, 4);
  return value == -1.0 && PyErr_Occurred() ? -1 : 0;
}

/* The bits of the items that are not None; nothing if none is. */
static PyObject *validity(Call *c, PyObject *list, Py_ssize_t n, Py_ssize_t nulls) {
  if (!nulls) {
    Py_IncRef(Py_None);
    return Py_None;
  }
  uint8_t *out;
  PyObject *bits = new_bytes(c, (uint64_t)bitmap_size(n), &out);
  if (!bits) return NULL;
  memset(out, 0, (size_t)bitmap_size(n));
  for (Py_ssize_t i = 0; i < n; i++) out[i >> 3] |= (uint8_t)((PyList_GetItem(list, i) != Py_None) << (i & 7));
  return bits;
}

/* A tuple of these, each of which is given away. */
static PyObject *tuple(Call *c, PyObject **items, Py_ssize_t count) {
  PyObject *all = PyTuple_New(count);
  for (Py_ssize_t i = 0; i < count; i++) {
    if (!items[i] || !all) c->failed = 1;
    if (all && items[i]) PyTuple_SetItem(all, i, items[i]);
    else if (items[i]) Py_DecRef(items[i]);
  }
  return all;
}

KERNEL(kernel_values) {
  Call c = call(args, given, 2);
  if (c.failed) return NULL;
  char code = call_code(&c);
  PyObject *list = c.failed ? NULL : PySequence_List(call_object(&c));
  if (!list) return NULL;
  Py_ssize_t n = PyList_Size(list), nulls = 0, width = code_width(code);
  uint8_t *out;
  PyObject *buffer = new_bytes(&c, (uint64_t)n * (uint64_t)width, &out);
  for (Py_ssize_t i = 0; buffer && i < n && !c.failed; i++) {
    PyObject *item = PyList_GetItem(list, i);
    if (item == Py_None) {
      nulls++;
      memset(out + width * i, 0, (size_t)width);
    } else if (put(code, out + width * i, item)) c.failed = 1;
  }
  PyObject *bits = c.failed ? NULL : validity(&c, list, n, nulls);
  Py_DecRef(list);
  if (c.failed) {
    if (buffer) Py_DecRef(buffer);
    return done(&c, NULL);
  }
  return done(&c, tuple(&c, (PyObject *[]){buffer, bits, PyLong_FromSsize_t(nulls)}, 3));
}

KERNEL(kernel_nulls_into) {
  Call c = call(args, given, 2);
  if (c.failed) return NULL;
  PyObject *list = call_object(&c);
  Py_ssize_t n = PyList_Size(list);
  if (n < 0) return NULL;
  const uint8_t *bits = call_bits(&c, n);
  for (Py_ssize_t i = 0; !c.failed && i < n; i++) {
    if (bit(bits, i)) continue;
    Py_IncRef(Py_None);
    PyList_SetItem(list, i, Py_None);
  }
  Py_IncRef(list);
  return done(&c, list);
}

/* The bytes of a text or of bytes, and how many there are; -1 and an exception if the item is neither. */
static Py_ssize_t bytes_of(Call *c, PyObject *item, int text, Py_buffer *buffer, const char **start) {
  Py_ssize_t size = -1;
  if (text) {
    *start = PyUnicode_AsUTF8AndSize(item, &size);
    return *start ? size : -1;
  }
  if (PyObject_GetBuffer(item, buffer, 0)) return -1;
  *start = buffer->buf;
  (void)c;
  return buffer->len;
}

/* Copies the items one after the other and writes where each ends; without `data` it only adds their sizes up. */
static int64_t copy(Call *c, PyObject *list, Py_ssize_t n, int text, uint8_t *places, uint8_t *data) {
  int64_t end = 0;
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject *item = PyList_GetItem(list, i);
    if (item != Py_None) {
      Py_buffer buffer;
      const char *start;
      Py_ssize_t size = bytes_of(c, item, text, &buffer, &start);
      if (size < 0) return -1;
      if (data) memcpy(data + end, start, (size_t)size);
      end += size;
      if (!text) PyBuffer_Release(&buffer);
    }
    uint32_t place = (uint32_t)end;
    if (data) memcpy(places + 4 * (i + 1), &place, 4);
  }
  return end;
}

KERNEL(kernel_join) {
  Call c = call(args, given, 2);
  if (c.failed) return NULL;
  PyObject *list = PySequence_List(call_object(&c));
  if (!list) return NULL;
  int text = PyObject_IsTrue(call_object(&c)) > 0;
  Py_ssize_t n = PyList_Size(list), nulls = 0;
  for (Py_ssize_t i = 0; i < n; i++) nulls += PyList_GetItem(list, i) == Py_None;
  int64_t size = copy(&c, list, n, text, NULL, NULL);
  uint8_t *places = NULL, *data = NULL;
  PyObject *offsets = size < 0 ? NULL : new_bytes(&c, 4 * ((uint64_t)n + 1), &places);
  PyObject *bytes = offsets ? new_bytes(&c, (uint64_t)size, &data) : NULL;
  if (bytes) {
    memset(places, 0, 4);
    copy(&c, list, n, text, places, data);
  }
  PyObject *bits = bytes ? validity(&c, list, n, nulls) : NULL;
  Py_DecRef(list);
  if (bits) return done(&c, tuple(&c, (PyObject *[]){offsets, bytes, bits, PyLong_FromSsize_t(nulls)}, 4));
  if (offsets) Py_DecRef(offsets);
  if (bytes) Py_DecRef(bytes);
  return done(&c, NULL);
}
