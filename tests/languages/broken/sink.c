#include <assert.h>
#include <streamhost.h>

static void look(const sh_batch *batch) {
  const int64_t *ids = sh_int64s(sh_find(batch, "id"));
  for (int64_t row = 0; row < batch->rows; row++) assert(ids[row] != 2 && "no such id: 2");
}

static sh_status store(sh_call *call) {
  sh_batch batch;
  while (sh_next(call, &batch)) look(&batch);
  return sh_done(call);
}

STREAMHOST_BATCH_SINK(store, .outputs = NULL);
