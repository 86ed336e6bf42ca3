/** Sinks of epochs. */
#ifndef STREAMHOST_SINK_H
#define STREAMHOST_SINK_H

#include "table.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An output by name, and its columns. An array of them ends with SH_END_OUTPUTS. */
typedef struct sh_output {
  /** Letters, digits, `-` and `_`; not `dead-letter` or `late`. */
  const char *name;
  /** `user STRING, total DOUBLE`; NULL: those of the input. */
  const char *columns;
} sh_output;

#define SH_END_OUTPUTS {NULL, NULL}

/** The epoch's next batch: true, or false at its end or if the call failed: after the loop, return sh_done(call). What sh_alloc gave before
 * is gone with the batch before; tables stay. */
bool sh_next(sh_call *call, sh_batch *batch);
/** SH_OK, or SH_FAILED if the call has failed meanwhile. */
sh_status sh_done(const sh_call *call);
/** A table for rows of an output, of the columns that it was named with. */
sh_status sh_output_table(sh_call *call, const char *output, sh_table **table);
/** Writes the rows, and empties the table. What was written is stored once the plugin has returned SH_OK. */
sh_status sh_write(sh_call *call, const char *output, sh_table *rows);
/** Writes a batch as it is. */
sh_status sh_write_batch(sh_call *call, const char *output, const sh_batch *batch);
/** Runs a statement on an SQL output for each row of a table, whose first column is `$1`. `changed` may be NULL. */
sh_status sh_execute(sh_call *call, const char *output, const char *statement, sh_table *parameters, uint64_t *changed);

#ifdef __cplusplus
}
#endif
#endif
