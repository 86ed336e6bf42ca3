/* What the kernels use of Python: its stable ABI (https://docs.python.org/3/c-api/stable.html), declared here so that no headers
   of a Python for WebAssembly are needed to build. Names and layouts are Python's. */
#ifndef STREAMHOST_PYTHON_ABI_H
#define STREAMHOST_PYTHON_ABI_H

#include <stddef.h>
#include <stdint.h>

typedef ptrdiff_t Py_ssize_t;
typedef struct {
  Py_ssize_t ob_refcnt;
  void *ob_type;
} PyObject;

typedef struct {
  void *buf;
  PyObject *obj;
  Py_ssize_t len;
  Py_ssize_t itemsize;
  int readonly;
  int ndim;
  char *format;
  Py_ssize_t *shape;
  Py_ssize_t *strides;
  Py_ssize_t *suboffsets;
  void *internal;
} Py_buffer;

typedef PyObject *(*PyCFunctionFast)(PyObject *, PyObject *const *, Py_ssize_t);
typedef struct {
  const char *ml_name;
  PyCFunctionFast ml_meth;
  int ml_flags;
  const char *ml_doc;
} PyMethodDef;
#define METH_FASTCALL 0x0080

typedef struct {
  PyObject ob_base;
  void *m_init;
  Py_ssize_t m_index;
  PyObject *m_copy;
  const char *m_name;
  const char *m_doc;
  Py_ssize_t m_size;
  PyMethodDef *m_methods;
  void *m_slots;
  void *m_traverse;
  void *m_clear;
  void *m_free;
} PyModuleDef;
#define PYTHON_ABI_VERSION 3

typedef struct {
  int slot;
  void *pfunc;
} PyType_Slot;
typedef struct {
  const char *name;
  int basicsize;
  int itemsize;
  unsigned int flags;
  PyType_Slot *slots;
} PyType_Spec;
#define Py_TPFLAGS_DEFAULT (1u << 18)
#define Py_mp_length 4
#define Py_sq_length 45
extern PyObject PyBytes_Type;
PyObject *PyType_FromSpecWithBases(PyType_Spec *, PyObject *);
int PyModule_AddObjectRef(PyObject *, const char *, PyObject *);

extern PyObject *PyExc_ValueError, *PyExc_IndexError, *PyExc_OverflowError, *PyExc_TypeError;
extern PyObject _Py_NoneStruct;
#define Py_None (&_Py_NoneStruct)

PyObject *PyModule_Create2(PyModuleDef *, int);
int PyObject_GetBuffer(PyObject *, Py_buffer *, int);
int PyObject_CheckBuffer(PyObject *);
void PyBuffer_Release(Py_buffer *);
int PyObject_IsTrue(PyObject *);
void Py_IncRef(PyObject *);
void Py_DecRef(PyObject *);

PyObject *PyBytes_FromStringAndSize(const char *, Py_ssize_t);
char *PyBytes_AsString(PyObject *);
Py_ssize_t PyBytes_Size(PyObject *);
PyObject *PyUnicode_DecodeUTF8(const char *, Py_ssize_t, const char *);
const char *PyUnicode_AsUTF8AndSize(PyObject *, Py_ssize_t *);
PyObject *PyBool_FromLong(long);
PyObject *PyLong_FromSsize_t(Py_ssize_t);
long PyLong_AsLong(PyObject *);
Py_ssize_t PyLong_AsSsize_t(PyObject *);
long long PyLong_AsLongLong(PyObject *);
unsigned long long PyLong_AsUnsignedLongLong(PyObject *);
unsigned long long PyLong_AsUnsignedLongLongMask(PyObject *);
double PyFloat_AsDouble(PyObject *);

PyObject *PyList_New(Py_ssize_t);
Py_ssize_t PyList_Size(PyObject *);
PyObject *PyList_GetItem(PyObject *, Py_ssize_t);
int PyList_SetItem(PyObject *, Py_ssize_t, PyObject *);
PyObject *PyTuple_New(Py_ssize_t);
int PyTuple_SetItem(PyObject *, Py_ssize_t, PyObject *);
PyObject *PySequence_List(PyObject *);

void PyErr_SetString(PyObject *, const char *);
PyObject *PyErr_Format(PyObject *, const char *, ...);
PyObject *PyErr_Occurred(void);
int PyErr_ExceptionMatches(PyObject *);
void PyErr_Clear(void);

void *memcpy(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);
void *memchr(const void *, int, size_t);

#endif
