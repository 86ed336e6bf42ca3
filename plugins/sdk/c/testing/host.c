/* The host of a native test: lines go to standard error, numbers nowhere, and what a sink writes is kept. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sh_host_log(sh_level level, sh_text message) {
  static const char *const names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};
  fprintf(stderr, "%s %.*s\n", names[level], (int)message.size, message.data);
}

void sh_host_counter(sh_text name, uint64_t add) { (void)name, (void)add; }

void sh_host_gauge(sh_text name, double value) { (void)name, (void)value; }

void sh_host_panic(sh_text message) {
  fprintf(stderr, "%.*s", (int)message.size, message.data);
  abort();
}

/** Of one epoch. */
static struct {
  sh_call *call;
  sh_bytes rows;
  bool given;
  sh_named_bytes *written;
  sh_executed *executed;
  int64_t n_written, n_executed, most_written, most_executed;
} epoch;

void sh_outputs_begin(sh_call *call, sh_bytes rows) {
  memset(&epoch, 0, sizeof epoch);
  epoch.call = call;
  epoch.rows = rows;
}

const sh_named_bytes *sh_outputs_written(int64_t *n) {
  *n = epoch.n_written;
  return epoch.written;
}

const sh_executed *sh_outputs_executed(int64_t *n) {
  *n = epoch.n_executed;
  return epoch.executed;
}

static sh_bytes copied(sh_call *call, sh_bytes bytes) {
  uint8_t *copy = (uint8_t *)sh_alloc(call, bytes.size);
  if (bytes.size) memcpy(copy, bytes.data, bytes.size);
  return (sh_bytes){copy, bytes.size};
}

sh_bytes sh_host_next(sh_call *call) {
  if (epoch.given) return (sh_bytes){NULL, 0};
  epoch.given = true;
  return copied(call, epoch.rows);
}

static void *grown(void *items, int64_t n, int64_t *most, size_t size) {
  if (n < *most) return items;
  *most = *most ? 2 * *most : 8;
  void *more = sh_alloc(epoch.call, (size_t)*most * size);
  if (n) memcpy(more, items, (size_t)n * size);
  return more;
}

sh_status sh_host_write(sh_call *call, const char *output, sh_bytes rows) {
  (void)call;
  epoch.written = (sh_named_bytes *)grown(epoch.written, epoch.n_written, &epoch.most_written, sizeof *epoch.written);
  epoch.written[epoch.n_written++] = (sh_named_bytes){sh_format(epoch.call, "%s", output), copied(epoch.call, rows)};
  return SH_OK;
}

/** As if each row of the parameters changed one row. */
sh_status sh_host_execute(sh_call *call, const char *output, const char *statement, sh_bytes schema, sh_bytes rows, uint64_t *changed) {
  struct ArrowSchema columns;
  sh_buffer text = {0};
  SH_TRY(sh_schema_read(epoch.call, schema, &columns));
  sh_status status = sh_rows_print(epoch.call, &columns, rows, &text);
  ArrowSchemaRelease(&columns);
  if (status != SH_OK) return sh_permanent(call, "%s", epoch.call->internal->message);
  for (size_t i = 0; i < text.size; i++) *changed += text.data[i] == '\n';
  epoch.executed = (sh_executed *)grown(epoch.executed, epoch.n_executed, &epoch.most_executed, sizeof *epoch.executed);
  sh_executed executed = {sh_format(epoch.call, "%s", output), sh_format(epoch.call, "%s", statement), sh_text_end(epoch.call, &text),
                          copied(epoch.call, schema)};
  epoch.executed[epoch.n_executed++] = executed;
  return SH_OK;
}
