/* Shared by the kernels: arguments, buffers, answers. kernels/pure.py says what each kernel does. */
#ifndef STREAMHOST_KERNELS_H
#define STREAMHOST_KERNELS_H

#include "python_abi.h"

#define KERNEL(name) PyObject *name(PyObject *self, PyObject *const *args, Py_ssize_t given)

KERNEL(kernel_pack);
KERNEL(kernel_unpack);
KERNEL(kernel_count);
KERNEL(kernel_indices);
KERNEL(kernel_both);
KERNEL(kernel_either);
KERNEL(kernel_toggled);
KERNEL(kernel_take_bits);
KERNEL(kernel_take_fixed);
KERNEL(kernel_filter_fixed);
KERNEL(kernel_compare);
KERNEL(kernel_compare_columns);
KERNEL(kernel_convert);
KERNEL(kernel_arith);
KERNEL(kernel_check_offsets);
KERNEL(kernel_take_bytes);
KERNEL(kernel_search);
KERNEL(kernel_texts);
KERNEL(kernel_blobs);
KERNEL(kernel_join);
KERNEL(kernel_hash_bytes);
KERNEL(kernel_hash_fixed);
KERNEL(kernel_values);
KERNEL(kernel_nulls_into);
KERNEL(kernel_reclaim);
PyObject *handed_type(void);

/* The arguments of one call. Buffers that were taken are given back by `done`. */
typedef struct {
  PyObject *const *args;
  Py_ssize_t count;
  Py_ssize_t next;
  Py_buffer buffers[4];
  int taken;
  int failed;
} Call;

Call call(PyObject *const *args, Py_ssize_t given, Py_ssize_t wanted);
long call_int(Call *);
Py_ssize_t call_length(Call *);
PyObject *call_object(Call *);
/* A buffer of at least so many bytes. */
const uint8_t *call_buffer(Call *, uint64_t least, Py_ssize_t *length);
/* A bitmap of at least so many bits. */
const uint8_t *call_bits(Call *, Py_ssize_t n);
/* The struct code of a value: its letter. */
char call_code(Call *);
/* A number of 64 bits, or what is left of a larger one. */
uint64_t call_seed(Call *);
/* Gives the buffers back; answers the result, or nothing if something failed. */
PyObject *done(Call *, PyObject *result);

PyObject *fail(Call *, PyObject *kind, const char *why);
PyObject *new_bytes(Call *, uint64_t size, uint8_t **data);
PyObject *pair(PyObject *, PyObject *);

int code_width(char code);
Py_ssize_t bitmap_size(Py_ssize_t n);
Py_ssize_t count_bits(const uint8_t *bits, Py_ssize_t n);
static inline int bit(const uint8_t *bits, Py_ssize_t i) { return bits[i >> 3] >> (i & 7) & 1; }
static inline uint32_t row_at(const uint8_t *rows, Py_ssize_t i) {
  uint32_t row;
  memcpy(&row, rows + 4 * i, 4);
  return row;
}
uint64_t hash64(const uint8_t *bytes, size_t size, uint64_t seed);
/* Whether every row is less than n. */
int rows_fit(Call *, const uint8_t *rows, Py_ssize_t count, Py_ssize_t n);

#endif
