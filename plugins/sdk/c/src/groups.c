#include "keys.h"

#include <string.h>

bool sh_next_row(sh_group *group, sh_row *row) {
  const bool *not_null = group->call->internal->bound->not_null;
  while (group->next < group->first + group->count) {
    int64_t index = group->next++;
    const char *null = sh_null_message(group->call, group->rows, not_null, index);
    if (!null) {
      *row = (sh_row){group->call, group->rows, index};
      return true;
    }
    sh_reject(group->call, index, "%s", null);
  }
  return false;
}

/** Calls a function for a key. What fails it is an error of these rows, or of this timer. */
static sh_status one(sh_group *group, sh_status (*work)(sh_group *, sh_table *), sh_table *out, sh_drops *drops, int64_t first, int64_t n) {
  sh_call *call = group->call;
  int64_t before = out->rows;
  sh_keys_begin(group->keys);
  if (work(group, out) != SH_OK && sh_done(call) == SH_OK) sh_permanent(call, "it failed without a message");
  if (!sh_rows_failed(call, first, n)) {
    sh_keys_keep(group->keys, (uint32_t)group->key.index);
    return SH_OK;
  }
  sh_drop(call, drops, before, out->rows);
  sh_table_forget_row(out);
  sh_keys_forget(group->keys);
  return sh_done(call);
}

sh_status sh_keys_process(sh_call *call, const sh_groups *groups, sh_table *out) {
  sh_keys *keys = sh_keys_new(call);
  sh_drops drops = {0};
  for (int64_t i = 0; i < groups->keys.rows; i++) {
    int64_t first = groups->starts[i], count = groups->starts[i + 1] - first;
    bool last = i + 1 == groups->keys.rows;
    sh_group group = {.call = call,
                      .key = {call, &groups->keys, i},
                      .rows = &groups->rows,
                      .first = first,
                      .count = count,
                      .more = last && groups->more,
                      .next = first,
                      .keys = keys};
    SH_TRY(one(&group, call->internal->bound->plugin->key, out, &drops, first, count));
  }
  SH_TRY(sh_drops_apply(out, &drops));
  return sh_keys_flush(keys);
}

sh_status sh_keys_fired(sh_call *call, const sh_fired *fired, sh_table *out) {
  sh_keys *keys = sh_keys_new(call);
  sh_drops drops = {0};
  sh_batch none = {0};
  bool *seen = (bool *)sh_alloc(call, (size_t)fired->keys.rows);
  memset(seen, 0, (size_t)fired->keys.rows);
  for (int64_t i = 0; i < fired->n; i++) {
    uint32_t key = fired->timers[i].key;
    // A key's second timer sees what its first one left.
    if (seen[key]) {
      SH_TRY(sh_keys_flush(keys));
      keys = sh_keys_new(call);
      memset(seen, 0, (size_t)fired->keys.rows);
    }
    seen[key] = true;
    sh_group group = {.call = call, .key = {call, &fired->keys, key}, .rows = &none, .at = fired->timers[i].at, .clock = fired->clock, .keys = keys};
    SH_TRY(one(&group, call->internal->bound->plugin->key_fired, out, &drops, i, 1));
  }
  SH_TRY(sh_drops_apply(out, &drops));
  return sh_keys_flush(keys);
}
