/* The module `_streamhost_kernels`: what streamhost/kernels/pure.py has, compiled, and `Handed`. */
#include "kernels.h"

#define METHOD(name) {#name, kernel_##name, METH_FASTCALL, NULL}

static PyMethodDef methods[] = {
    METHOD(arith),       METHOD(blobs),      METHOD(both),       METHOD(check_offsets), METHOD(compare),
    METHOD(compare_columns), METHOD(convert), METHOD(count),     METHOD(either),        METHOD(filter_fixed),
    METHOD(hash_bytes),  METHOD(hash_fixed), METHOD(indices),    METHOD(join),          METHOD(nulls_into),
    METHOD(pack),        METHOD(search),     METHOD(take_bits),  METHOD(take_bytes),    METHOD(take_fixed),
    METHOD(texts),       METHOD(toggled),    METHOD(unpack),     METHOD(values),
    METHOD(reclaim),     {0},
};

static PyModuleDef module = {.ob_base = {1, NULL}, .m_name = "_streamhost_kernels", .m_size = -1, .m_methods = methods};

__attribute__((visibility("default"))) PyObject *PyInit__streamhost_kernels(void) {
  PyObject *made = PyModule_Create2(&module, PYTHON_ABI_VERSION);
  PyObject *type = made ? handed_type() : NULL;
  if (type && PyModule_AddObjectRef(made, "Handed", type) == 0) {
    Py_DecRef(type);
    return made;
  }
  if (type) Py_DecRef(type);
  if (made) Py_DecRef(made);
  return NULL;
}
