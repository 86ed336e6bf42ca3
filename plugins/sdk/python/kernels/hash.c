/* Hashes of 64 bits that are the same in every run and every version. */
#include "kernels.h"

static inline uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

uint64_t hash64(const uint8_t *bytes, size_t size, uint64_t seed) {
  uint64_t x = mixed(seed ^ (uint64_t)size * 0x100000001b3u), word;
  for (; size >= 8; size -= 8, bytes += 8) {
    memcpy(&word, bytes, 8);
    x = mixed(x ^ word);
  }
  if (size) {
    word = 0;
    memcpy(&word, bytes, size);
    x = mixed(x ^ word);
  }
  return x;
}

uint64_t call_seed(Call *c) {
  PyObject *seed = call_object(c);
  uint64_t value = seed ? PyLong_AsUnsignedLongLongMask(seed) : 0;
  if (PyErr_Occurred()) c->failed = 1;
  return value;
}

KERNEL(kernel_hash_fixed) {
  Call c = call(args, given, 4);
  if (c.failed) return NULL;
  Py_ssize_t width = call_length(&c);
  const uint8_t *values = call_buffer(&c, 0, NULL);
  Py_ssize_t n = call_length(&c);
  uint64_t seed = call_seed(&c);
  if (!c.failed && (uint64_t)c.buffers[0].len < (uint64_t)n * (uint64_t)width)
    fail(&c, PyExc_ValueError, "a buffer is too short for its rows");
  uint8_t *out;
  PyObject *result = c.failed ? NULL : new_bytes(&c, 8 * (uint64_t)n, &out);
  for (Py_ssize_t i = 0; result && i < n; i++) {
    uint64_t value = hash64(values + (size_t)width * i, (size_t)width, seed);
    memcpy(out + 8 * i, &value, 8);
  }
  return done(&c, result);
}
