/* A key's state in each kind of table: a list of what was bought, pieces by item, and how often; with timers, and with errors that undo. */
#include <streamhost.h>
#include <string.h>

enum { BOUGHT, PIECES, TIMES };

static const sh_state_table tables[] = {{"bought", SH_SEQUENCE, .value = "item STRING"},
                                        {"pieces", SH_MAPPING, .value = "pieces BIGINT", .second = "item STRING"},
                                        {"times", SH_VALUE, .value = "n BIGINT", .ttl_ms = 60000},
                                        SH_END_TABLES};

static int64_t pieces_of(sh_group *shop, sh_text item) {
  sh_row entry;
  int64_t n = sh_state_entries(shop, PIECES, &entry);
  for (; n > 0; n--, entry.index++) {
    sh_text known = sh_get_text(&entry, 0);
    if (known.size == item.size && memcmp(known.data, item.data, (size_t)item.size) == 0) return sh_get_int(&entry, 1);
  }
  return 0;
}

static sh_status buy(sh_group *shop, const sh_row *sale) {
  sh_text item = sh_get_text(sale, 0);
  int64_t pieces = sh_get_int(sale, 1), left = pieces_of(shop, item) + pieces;
  sh_table *bought = sh_state_append(shop, BOUGHT);
  sh_put_text(bought, 0, item);
  sh_end_row(bought);
  if (left < 0) return sh_permanent(shop->call, "there are no %lld of `%.*s`", (long long)-pieces, (int)item.size, item.data);
  sh_table *changed = left ? sh_state_put(shop, PIECES) : sh_state_remove_entry(shop, PIECES);
  sh_put_text(changed, 0, item);
  if (left) sh_put_int(changed, 1, left);
  sh_end_row(changed);
  return SH_OK;
}

static sh_status baskets(sh_group *shop, sh_table *out) {
  sh_row sale, entry, times;
  // It leaves with whatever was there before this call.
  sh_put_int(out, 0, sh_get_int(&shop->key, 0));
  sh_put_int(out, 1, sh_state_entries(shop, BOUGHT, &entry));
  sh_put_int(out, 2, sh_state_entries(shop, PIECES, &entry));
  sh_put_int(out, 3, sh_state_get(shop, TIMES, &times) ? sh_get_int(&times, 0) : 0);
  sh_end_row(out);
  sh_table *put = sh_state_put(shop, TIMES);
  sh_put_int(put, 0, 1 + (sh_state_get(shop, TIMES, &times) ? sh_get_int(&times, 0) : 0));
  sh_end_row(put);
  while (sh_next_row(shop, &sale)) SH_TRY(buy(shop, &sale));
  SH_TRY(sh_timer_set(shop, SH_PROCESSING_TIME, shop->call->now + 10 * 1000000));
  return sh_timer_set(shop, SH_PROCESSING_TIME, shop->call->now + 20 * 1000000);
}

static sh_status closed(sh_group *shop, sh_table *out) {
  sh_row entry;
  sh_put_int(out, 0, sh_get_int(&shop->key, 0));
  sh_put_int(out, 1, -sh_state_entries(shop, BOUGHT, &entry));
  sh_end_row(out);
  // The second timer of a key finds what the first one left.
  sh_state_remove(shop, BOUGHT);
  return sh_get_int(&shop->key, 0) == 13 ? sh_transient(shop->call, "shop 13 is not open yet") : SH_OK;
}

STREAMHOST_KEYED(baskets, .reads = "item STRING NOT NULL, pieces INT", .columns = "shop INT, bought BIGINT, items BIGINT, times BIGINT",
                 .tables = tables, .key_fired = closed);
