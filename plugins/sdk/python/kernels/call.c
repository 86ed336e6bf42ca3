/* Arguments and answers. */
#include "kernels.h"

Call call(PyObject *const *args, Py_ssize_t given, Py_ssize_t wanted) {
  Call c = {.args = args, .count = given};
  if (given != wanted) fail(&c, PyExc_TypeError, "a kernel got another number of arguments");
  return c;
}

PyObject *fail(Call *c, PyObject *kind, const char *why) {
  if (!c->failed && !PyErr_Occurred()) PyErr_SetString(kind, why);
  c->failed = 1;
  return NULL;
}

PyObject *call_object(Call *c) {
  if (c->failed || c->next >= c->count) return fail(c, PyExc_TypeError, "a kernel got too few arguments");
  return c->args[c->next++];
}

long call_int(Call *c) {
  PyObject *object = call_object(c);
  if (!object) return 0;
  long value = PyLong_AsLong(object);
  if (value == -1 && PyErr_Occurred()) c->failed = 1;
  return value;
}

Py_ssize_t call_length(Call *c) {
  PyObject *object = call_object(c);
  if (!object) return 0;
  Py_ssize_t value = PyLong_AsSsize_t(object);
  if (value == -1 && PyErr_Occurred()) c->failed = 1;
  if (value < 0 || value > 0x7ffffff0) fail(c, PyExc_ValueError, "a number of rows that cannot be");
  return c->failed ? 0 : value;
}

const uint8_t *call_buffer(Call *c, uint64_t least, Py_ssize_t *length) {
  PyObject *object = call_object(c);
  if (!object) return NULL;
  Py_buffer *buffer = &c->buffers[c->taken];
  if (PyObject_GetBuffer(object, buffer, 0)) {
    c->failed = 1;
    return NULL;
  }
  c->taken++;
  if (length) *length = buffer->len;
  if ((uint64_t)buffer->len < least) {
    fail(c, PyExc_ValueError, "a buffer is too short for its rows");
    return NULL;
  }
  return buffer->buf;
}

const uint8_t *call_bits(Call *c, Py_ssize_t n) { return call_buffer(c, (uint64_t)bitmap_size(n), NULL); }

char call_code(Call *c) {
  PyObject *object = call_object(c);
  if (!object) return 0;
  Py_ssize_t length = 0;
  const char *text = PyUnicode_AsUTF8AndSize(object, &length);
  if (!text || length != 1 || !code_width(text[0])) {
    fail(c, PyExc_ValueError, "no code of a number");
    return 0;
  }
  return text[0];
}

PyObject *done(Call *c, PyObject *result) {
  for (int i = 0; i < c->taken; i++) PyBuffer_Release(&c->buffers[i]);
  if (c->failed && result) {
    Py_DecRef(result);
    return NULL;
  }
  return result;
}

PyObject *new_bytes(Call *c, uint64_t size, uint8_t **data) {
  if (size > 0x7ffffff0) return fail(c, PyExc_OverflowError, "the values of a column are more than 2 GiB");
  PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
  if (!bytes) {
    c->failed = 1;
    return NULL;
  }
  *data = (uint8_t *)PyBytes_AsString(bytes);
  return bytes;
}

PyObject *pair(PyObject *one, PyObject *other) {
  PyObject *both = one && other ? PyTuple_New(2) : NULL;
  if (!both) {
    if (one) Py_DecRef(one);
    if (other) Py_DecRef(other);
    return NULL;
  }
  PyTuple_SetItem(both, 0, one);
  PyTuple_SetItem(both, 1, other);
  return both;
}

int code_width(char code) {
  switch (code) {
  case 'b': case 'B': return 1;
  case 'h': case 'H': return 2;
  case 'i': case 'I': case 'f': return 4;
  case 'q': case 'Q': case 'd': return 8;
  default: return 0;
  }
}

Py_ssize_t bitmap_size(Py_ssize_t n) { return n / 8 + (n % 8 != 0); }

int rows_fit(Call *c, const uint8_t *rows, Py_ssize_t count, Py_ssize_t n) {
  uint32_t most = 0;
  for (Py_ssize_t i = 0; i < count; i++) {
    uint32_t row = row_at(rows, i);
    most = row > most ? row : most;
  }
  if (count && most >= (uint32_t)n) {
    if (!c->failed) PyErr_Format(PyExc_IndexError, "there is no row %u among %zd", most, n);
    c->failed = 1;
    return 0;
  }
  return 1;
}
