// Stores the rows of each epoch in one output, and a row about the epoch in another.

#include <streamhost.h>

// `rows` gets the columns that come in.
static const sh_output outputs[] = {{"rows", NULL}, {"audit", "epoch BIGINT, rows BIGINT"}, SH_END_OUTPUTS};

// Stores an epoch.
static sh_status store(sh_call *call) {
  sh_batch batch;
  sh_table *audit;
  int64_t rows = 0;
  while (sh_next(call, &batch)) {
    rows += batch.rows;
    SH_TRY(sh_write_batch(call, "rows", &batch));
  }
  SH_TRY(sh_done(call));
  SH_TRY(sh_output_table(call, "audit", &audit));
  sh_put_int(audit, 0, (int64_t)call->epoch);
  sh_put_int(audit, 1, rows);
  sh_end_row(audit);
  return sh_write(call, "audit", audit);
}

STREAMHOST_BATCH_SINK(store, .outputs = outputs);
