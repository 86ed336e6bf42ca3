/* Bytes that are handed to the host, and the copies of them that componentize-py 0.25.1 makes for it and never gives back.

   It asks for the length of the bytes, allocates as much, and copies them there. So the type's length allocates as much itself, notes
   where, and gives that back at once: the allocation that follows gets the same place. `reclaim` gives the copies back once the host has
   read them. A place is only given back if all of the bytes are in it, and what was written there before was their complement: so where
   componentize-py works in another way nothing is given back, and nothing else happens. */
#include "kernels.h"

void *malloc(size_t);
void free(void *);

enum { MOST = 256 };
typedef struct {
  PyObject *bytes;
  uint8_t *copy;
} Pending;
static Pending pending[MOST];
static int count;

static Pending *place_of(PyObject *bytes) {
  for (int i = 0; i < count; i++)
    if (pending[i].bytes == bytes) return &pending[i];
  if (count == MOST) return NULL;
  Py_IncRef(bytes);
  pending[count] = (Pending){bytes, NULL};
  return &pending[count++];
}

static Py_ssize_t handed_length(PyObject *bytes) {
  Py_ssize_t size = PyBytes_Size(bytes);
  Pending *place = size ? place_of(bytes) : NULL;
  if (!place) return size;
  const uint8_t *data = (const uint8_t *)PyBytes_AsString(bytes);
  place->copy = malloc((size_t)size);
  for (Py_ssize_t i = 0; place->copy && i < size; i++) place->copy[i] = (uint8_t)~data[i];
  /* What is written to memory that is given back is written all the same. */
  __asm__ volatile("" : : "r"(place->copy) : "memory");
  free(place->copy);
  return size;
}

KERNEL(kernel_reclaim) {
  Call c = call(args, given, 0);
  if (c.failed) return NULL;
  Py_ssize_t back = 0;
  for (int i = 0; i < count; i++) {
    Pending *place = &pending[i];
    Py_ssize_t size = PyBytes_Size(place->bytes);
    if (place->copy && memcmp(place->copy, PyBytes_AsString(place->bytes), (size_t)size) == 0) {
      free(place->copy);
      back += size;
    }
  }
  int before = count;
  count = 0;
  for (int i = 0; i < before; i++) Py_DecRef(pending[i].bytes);
  return PyLong_FromSsize_t(back);
}

static PyType_Slot slots[] = {{Py_sq_length, (void *)handed_length}, {Py_mp_length, (void *)handed_length}, {0, NULL}};
static PyType_Spec spec = {.name = "_streamhost_kernels.Handed", .flags = Py_TPFLAGS_DEFAULT, .slots = slots};

PyObject *handed_type(void) {
  PyObject *bases = PyTuple_New(1);
  if (!bases) return NULL;
  Py_IncRef((PyObject *)&PyBytes_Type);
  PyTuple_SetItem(bases, 0, (PyObject *)&PyBytes_Type);
  PyObject *type = PyType_FromSpecWithBases(&spec, bases);
  Py_DecRef(bases);
  return type;
}
