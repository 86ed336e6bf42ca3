/* Sums, differences, products and quotients, of columns or of a column and a number. */
#include "kernels.h"

enum { ADD, SUBTRACT, MULTIPLY, DIVIDE };

/* A column, or one number for every row. */
typedef struct {
  const uint8_t *values;
  int64_t whole;
  double fraction;
} Operand;

static Operand operand(Call *c, char code) {
  Operand side = {0};
  PyObject *object = c->failed || c->next >= c->count ? NULL : c->args[c->next];
  if (object && PyObject_CheckBuffer(object)) {
    side.values = call_buffer(c, 0, NULL);
    return side;
  }
  if (!call_object(c)) return side;
  if (code == 'q') side.whole = PyLong_AsLongLong(object);
  else side.fraction = PyFloat_AsDouble(object);
  if (PyErr_Occurred()) c->failed = 1;
  return side;
}

static inline double fraction_at(const Operand *side, Py_ssize_t i) {
  double value = side->fraction;
  if (side->values) memcpy(&value, side->values + 8 * i, 8);
  return value;
}

static inline int64_t whole_at(const Operand *side, Py_ssize_t i) {
  int64_t value = side->whole;
  if (side->values) memcpy(&value, side->values + 8 * i, 8);
  return value;
}

/* Every NaN is the same one: which bits a machine gives it must not be seen. */
#define LOOP(op)                                                                                                       \
  for (Py_ssize_t i = 0; i < n; i++) {                                                                                 \
    double value = fraction_at(a, i) op fraction_at(b, i);                                                             \
    value = value != value ? __builtin_nan("") : value;                                                                \
    memcpy(out + 8 * i, &value, 8);                                                                                    \
  }

static void fractions(long op, uint8_t *out, const Operand *a, const Operand *b, Py_ssize_t n) {
  switch (op) {
  case ADD: LOOP(+); break;
  case SUBTRACT: LOOP(-); break;
  case MULTIPLY: LOOP(*); break;
  default: LOOP(/);
  }
}

static uint64_t magnitude(int64_t value) { return value < 0 ? 0 - (uint64_t)value : (uint64_t)value; }

/* A product by halves of 32 bits, which needs no helper of the compiler's library; true if it does not fit. */
static int multiplied(int64_t a, int64_t b, int64_t *product) {
  *product = (int64_t)((uint64_t)a * (uint64_t)b);
  uint64_t x = magnitude(a), y = magnitude(b);
  uint64_t high = x >> 32, other = y >> 32;
  if (high && other) return 1;
  uint64_t middle = high * (uint32_t)y + other * (uint32_t)x;
  if (middle >> 32) return 1;
  uint64_t low = (uint64_t)(uint32_t)x * (uint32_t)y, size;
  if (__builtin_add_overflow(low, middle << 32, &size)) return 1;
  return size > (uint64_t)INT64_MAX + ((a < 0) != (b < 0));
}

static int wholes(long op, uint8_t *out, const Operand *a, const Operand *b, Py_ssize_t n) {
  int over = 0;
  for (Py_ssize_t i = 0; i < n; i++) {
    int64_t value, x = whole_at(a, i), y = whole_at(b, i);
    if (op == ADD) over |= __builtin_add_overflow(x, y, &value);
    else if (op == SUBTRACT) over |= __builtin_sub_overflow(x, y, &value);
    else over |= multiplied(x, y, &value);
    memcpy(out + 8 * i, &value, 8);
  }
  return over;
}

KERNEL(kernel_arith) {
  Call c = call(args, given, 5);
  if (c.failed) return NULL;
  char code = call_code(&c);
  long op = call_int(&c);
  Operand a = operand(&c, code), b = operand(&c, code);
  Py_ssize_t n = call_length(&c);
  for (int i = 0; i < c.taken; i++)
    if ((uint64_t)c.buffers[i].len < 8 * (uint64_t)n) fail(&c, PyExc_ValueError, "a buffer is too short for its rows");
  uint8_t *out;
  PyObject *result = c.failed ? NULL : new_bytes(&c, 8 * (uint64_t)n, &out);
  if (!result) return done(&c, NULL);
  if (code == 'd') fractions(op, out, &a, &b, n);
  else if (code != 'q' || op == DIVIDE) fail(&c, PyExc_TypeError, "whole numbers are added, subtracted and multiplied");
  else if (wholes(op, out, &a, &b, n)) fail(&c, PyExc_OverflowError, "a result is too large for a BIGINT");
  return done(&c, result);
}
