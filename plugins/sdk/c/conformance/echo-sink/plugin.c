// Stores each row that comes in, made anew from its values.

#include "values.h"

static const sh_output outputs[] = {{"rows", NULL}, SH_END_OUTPUTS};

static sh_status store(sh_call *call) {
  sh_batch batch;
  sh_table *rows;
  SH_TRY(sh_output_table(call, "rows", &rows));
  while (sh_next(call, &batch)) {
    SH_TRY(append_rows(call, rows, 0, &batch));
    SH_TRY(sh_write(call, "rows", rows));
  }
  return sh_done(call);
}

STREAMHOST_BATCH_SINK(store, .outputs = outputs);
