/* A sink that runs statements. */
#include <streamhost.h>

static const sh_output outputs[] = {{"latest", "id INT"}, SH_END_OUTPUTS};

static sh_status store(sh_call *call) {
  sh_batch batch;
  sh_table *ids;
  uint64_t changed;
  SH_TRY(sh_table_new(call, "id INT, name STRING", &ids));
  while (sh_next(call, &batch)) {
    for (int64_t row = 0; row < batch.rows; row++) {
      sh_put_value(ids, 0, &batch.columns[0], row);
      sh_put_string(ids, 1, "n");
      sh_end_row(ids);
    }
    SH_TRY(sh_execute(call, "latest", "INSERT INTO t VALUES ($1, $2)", ids, &changed));
    if (changed != (uint64_t)batch.rows) return sh_permanent(call, "%llu rows were changed", (unsigned long long)changed);
  }
  return sh_done(call);
}

STREAMHOST_BATCH_SINK(store, .reads = "id INT", .outputs = outputs);
