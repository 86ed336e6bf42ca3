/* Values of a fixed width: picked, compared, converted. */
#include "kernels.h"

/* One loop for each width, so that each is a load and a store. */
#define PICK(type)                                                                                                     \
  for (Py_ssize_t i = 0; i < count; i++) memcpy(out + sizeof(type) * i, values + sizeof(type) * row_at(rows, i), sizeof(type))

static void pick(long width, uint8_t *out, const uint8_t *values, const uint8_t *rows, Py_ssize_t count) {
  switch (width) {
  case 1: PICK(uint8_t); break;
  case 2: PICK(uint16_t); break;
  case 4: PICK(uint32_t); break;
  case 8: PICK(uint64_t); break;
  default:
    for (Py_ssize_t i = 0; i < count; i++)
      memcpy(out + (size_t)width * i, values + (size_t)width * row_at(rows, i), (size_t)width);
  }
}

KERNEL(kernel_take_fixed) {
  Call c = call(args, given, 4);
  if (c.failed) return NULL;
  Py_ssize_t width = call_length(&c), length = 0;
  const uint8_t *values = call_buffer(&c, 0, NULL);
  Py_ssize_t n = call_length(&c);
  const uint8_t *rows = call_buffer(&c, 0, &length);
  if (!c.failed && (uint64_t)c.buffers[0].len < (uint64_t)n * (uint64_t)width)
    fail(&c, PyExc_ValueError, "a buffer is too short for its rows");
  Py_ssize_t count = length / 4;
  if (c.failed || !rows_fit(&c, rows, count, n)) return done(&c, NULL);
  uint8_t *out;
  PyObject *result = new_bytes(&c, (uint64_t)width * (uint64_t)count, &out);
  if (result) pick(width, out, values, rows, count);
  return done(&c, result);
}

/* Every value is written where the next one that is kept belongs: no branch on the bits. */
#define KEEP(type)                                                                                                     \
  do {                                                                                                                 \
    const uint8_t *from = values;                                                                                      \
    for (Py_ssize_t i = 0; i < n && kept < count; i++) {                                                               \
      memcpy(out + sizeof(type) * kept, from + sizeof(type) * i, sizeof(type));                                        \
      kept += bit(bits, i);                                                                                            \
    }                                                                                                                  \
  } while (0)

static void keep(long width, uint8_t *out, const uint8_t *values, const uint8_t *bits, Py_ssize_t n, Py_ssize_t count) {
  Py_ssize_t kept = 0;
  switch (width) {
  case 1: KEEP(uint8_t); break;
  case 2: KEEP(uint16_t); break;
  case 4: KEEP(uint32_t); break;
  case 8: KEEP(uint64_t); break;
  default:
    for (Py_ssize_t i = 0; i < n; i++)
      if (bit(bits, i)) memcpy(out + (size_t)width * kept++, values + (size_t)width * i, (size_t)width);
  }
}

KERNEL(kernel_filter_fixed) {
  Call c = call(args, given, 4);
  if (c.failed) return NULL;
  Py_ssize_t width = call_length(&c);
  const uint8_t *values = call_buffer(&c, 0, NULL);
  Py_ssize_t n = call_length(&c);
  const uint8_t *bits = c.failed ? NULL : call_bits(&c, n);
  if (!c.failed && (uint64_t)c.buffers[0].len < (uint64_t)n * (uint64_t)width)
    fail(&c, PyExc_ValueError, "a buffer is too short for its rows");
  if (c.failed) return done(&c, NULL);
  Py_ssize_t count = count_bits(bits, n);
  uint8_t *out;
  PyObject *result = new_bytes(&c, (uint64_t)width * (uint64_t)count, &out);
  if (result) keep(width, out, values, bits, n, count);
  return done(&c, result);
}

enum { GREATER, GREATER_EQUAL, LESS, LESS_EQUAL, EQUAL, UNEQUAL };

/* The bits of one comparison, eight rows a byte. `GET(type, side, i)` is a value of either side. */
#define BITS(condition)                                                                                                \
  for (Py_ssize_t i = 0; i < n; i += 8) {                                                                              \
    uint8_t byte = 0;                                                                                                  \
    Py_ssize_t end = n - i < 8 ? n - i : 8;                                                                            \
    for (Py_ssize_t k = 0; k < end; k++) byte |= (uint8_t)((condition) << k);                                          \
    out[i / 8] = byte;                                                                                                 \
  }

#define BY_OP(a, b)                                                                                                    \
  switch (op) {                                                                                                        \
  case GREATER: BITS((a) > (b)); break;                                                                                \
  case GREATER_EQUAL: BITS((a) >= (b)); break;                                                                         \
  case LESS: BITS((a) < (b)); break;                                                                                   \
  case LESS_EQUAL: BITS((a) <= (b)); break;                                                                            \
  case EQUAL: BITS((a) == (b)); break;                                                                                 \
  default: BITS((a) != (b));                                                                                           \
  }

/* Loads may be misaligned: buffers lie in a message as they came. */
#define LOADER(type, name)                                                                                             \
  static inline type load_##name(const uint8_t *values, Py_ssize_t i) {                                                \
    type value;                                                                                                        \
    memcpy(&value, values + sizeof(type) * (size_t)i, sizeof(type));                                                   \
    return value;                                                                                                      \
  }
LOADER(int8_t, b)
LOADER(uint8_t, B)
LOADER(int16_t, h)
LOADER(uint16_t, H)
LOADER(int32_t, i)
LOADER(uint32_t, I)
LOADER(int64_t, q)
LOADER(uint64_t, Q)
LOADER(float, f)
LOADER(double, d)

/* A whole number that sorts as the fraction does in Spark: both zeros are the same, NaN is the largest. */
static inline int64_t order(double value) {
  value = value != value ? __builtin_nan("") : value + 0.0;
  int64_t bits;
  memcpy(&bits, &value, 8);
  return bits ^ (int64_t)((uint64_t)(bits >> 63) >> 1);
}

#define EACH_WHOLE(DO) DO(b, 'b') DO(B, 'B') DO(h, 'h') DO(H, 'H') DO(i, 'i') DO(I, 'I') DO(q, 'q')

static void against_whole(char code, uint8_t *out, const uint8_t *v, long op, Py_ssize_t n, int64_t with) {
#define DO(c, letter)                                                                                                          \
  case letter: BY_OP((int64_t)load_##c(v, i + k), with); break;
  switch (code) {
    EACH_WHOLE(DO)
  case 'Q':
    /* What a signed number does not hold is greater than it. */
    BY_OP((__int128)load_Q(v, i + k), (__int128)with);
  }
#undef DO
}

static void against_fraction(char code, uint8_t *out, const uint8_t *v, long op, Py_ssize_t n, double with) {
#define DO(c, letter)                                                                                                          \
  case letter: BY_OP((double)load_##c(v, i + k), with); break;
  switch (code) { EACH_WHOLE(DO) DO(Q, 'Q') DO(f, 'f') DO(d, 'd') }
#undef DO
}

static void against_ordered(char code, uint8_t *out, const uint8_t *v, long op, Py_ssize_t n, int64_t with) {
  switch (code) {
  case 'f': BY_OP(order(load_f(v, i + k)), with); break;
  case 'd': BY_OP(order(load_d(v, i + k)), with);
  }
}

static int is_fraction(char code) { return code == 'f' || code == 'd'; }

KERNEL(kernel_compare) {
  Call c = call(args, given, 6);
  if (c.failed) return NULL;
  char code = call_code(&c);
  const uint8_t *values = call_buffer(&c, 0, NULL);
  long op = call_int(&c);
  Py_ssize_t n = call_length(&c);
  PyObject *scalar = call_object(&c);
  int nan_largest = c.failed ? 0 : PyObject_IsTrue(call_object(&c));
  if (!c.failed && (uint64_t)c.buffers[0].len < (uint64_t)n * (uint64_t)code_width(code))
    fail(&c, PyExc_ValueError, "a buffer is too short for its rows");
  uint8_t *out;
  PyObject *result = c.failed ? NULL : new_bytes(&c, (uint64_t)bitmap_size(n), &out);
  if (!result) return done(&c, NULL);
  int64_t whole = is_fraction(code) ? -1 : PyLong_AsLongLong(scalar);
  if (!is_fraction(code) && !(whole == -1 && PyErr_Occurred())) {
    against_whole(code, out, values, op, n, whole);
    return done(&c, result);
  }
  /* A fraction, or a whole number of more than 64 bits. */
  if (PyErr_Occurred()) PyErr_Clear();
  double with = PyFloat_AsDouble(scalar);
  if (with == -1.0 && PyErr_Occurred()) c.failed = 1;
  else if (nan_largest && is_fraction(code)) against_ordered(code, out, values, op, n, order(with));
  else against_fraction(code, out, values, op, n, with);
  return done(&c, result);
}

KERNEL(kernel_compare_columns) {
  Call c = call(args, given, 6);
  if (c.failed) return NULL;
  char code = call_code(&c);
  const uint8_t *a = call_buffer(&c, 0, NULL), *b = call_buffer(&c, 0, NULL);
  long op = call_int(&c);
  Py_ssize_t n = call_length(&c);
  int nan_largest = c.failed ? 0 : PyObject_IsTrue(call_object(&c));
  uint64_t size = (uint64_t)n * (uint64_t)code_width(code);
  if (!c.failed && ((uint64_t)c.buffers[0].len < size || (uint64_t)c.buffers[1].len < size))
    fail(&c, PyExc_ValueError, "a buffer is too short for its rows");
  uint8_t *out;
  PyObject *result = c.failed ? NULL : new_bytes(&c, (uint64_t)bitmap_size(n), &out);
  if (!result) return done(&c, NULL);
  if (nan_largest && code == 'f') {
    BY_OP(order(load_f(a, i + k)), order(load_f(b, i + k)));
  } else if (nan_largest && code == 'd') {
    BY_OP(order(load_d(a, i + k)), order(load_d(b, i + k)));
  } else {
#define DO(c, letter)                                                                                                          \
  case letter: BY_OP(load_##c(a, i + k), load_##c(b, i + k)); break;
    switch (code) { EACH_WHOLE(DO) DO(Q, 'Q') DO(f, 'f') DO(d, 'd') }
#undef DO
  }
  return done(&c, result);
}

static int convert(char code, char to, uint8_t *out, const uint8_t *v, Py_ssize_t n) {
#define DO(c, letter)                                                                                                          \
  case letter:                                                                                                          \
    for (Py_ssize_t i = 0; i < n; i++) {                                                                               \
      if (to == 'd') {                                                                                                 \
        double value = (double)load_##c(v, i);                                                                         \
        memcpy(out + 8 * i, &value, 8);                                                                                \
      } else {                                                                                                         \
        int64_t value = (int64_t)load_##c(v, i);                                                                       \
        if (letter == 'Q' && value < 0) return 0;                                                                       \
        memcpy(out + 8 * i, &value, 8);                                                                                \
      }                                                                                                                \
    }                                                                                                                  \
    return 1;
  switch (code) { EACH_WHOLE(DO) DO(Q, 'Q') }
  if (to != 'd') return -1;
  switch (code) { DO(f, 'f') DO(d, 'd') }
#undef DO
  return 1;
}

KERNEL(kernel_convert) {
  Call c = call(args, given, 4);
  if (c.failed) return NULL;
  char code = call_code(&c), to = call_code(&c);
  const uint8_t *values = call_buffer(&c, 0, NULL);
  Py_ssize_t n = call_length(&c);
  if (!c.failed && (uint64_t)c.buffers[0].len < (uint64_t)n * (uint64_t)code_width(code))
    fail(&c, PyExc_ValueError, "a buffer is too short for its rows");
  uint8_t *out;
  PyObject *result = c.failed ? NULL : new_bytes(&c, 8 * (uint64_t)n, &out);
  if (!result) return done(&c, NULL);
  int fits = convert(code, to, out, values, n);
  if (fits == 0) fail(&c, PyExc_OverflowError, "a number is too large for a BIGINT");
  if (fits < 0) fail(&c, PyExc_TypeError, "fractions are no whole numbers");
  return done(&c, result);
}
