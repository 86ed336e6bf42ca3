// Keeps the rows whose value of the first column is not null.

#include <streamhost.h>

static sh_status keep_values(sh_call *call, const sh_batch *batch, uint8_t *keep) {
  if (batch->n_columns == 0) return sh_invalid(call, "there is no column");
  for (int64_t row = 0; row < batch->rows; row++) {
    if (!sh_is_null(&batch->columns[0], row)) sh_set_bit(keep, row);
  }
  return SH_OK;
}

STREAMHOST_FILTER_COLUMNS(keep_values, .reads = NULL);
