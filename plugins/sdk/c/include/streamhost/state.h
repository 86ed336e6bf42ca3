/** State for each key, which the host keeps: tables and timers. */
#ifndef STREAMHOST_STATE_H
#define STREAMHOST_STATE_H

#include "row.h"
#include "table.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sh_table_kind {
  /** One value a key. */
  SH_VALUE,
  /** A list of values a key. */
  SH_SEQUENCE,
  /** Values by a second key. */
  SH_MAPPING
} sh_table_kind;

/** A table that a keyed plugin keeps. An array of them ends with SH_END_TABLES. */
typedef struct sh_state_table {
  /** Letters, digits, `-` and `_`. */
  const char *name;
  sh_table_kind kind;
  /** The columns of the value: `start TIMESTAMP, events BIGINT`. */
  const char *value;
  /** Of SH_MAPPING: the columns of the second key. */
  const char *second;
  /** Milliseconds by the epoch's time after which what was not put again is removed; 0: never. */
  int64_t ttl_ms;
  /** To be raised when columns change; 0 is 1. */
  uint32_t version;
} sh_state_table;

#define SH_END_TABLES {NULL, SH_VALUE, NULL, NULL, 0, 0}

/** Event time is the watermark, processing time `call->now`. */
typedef enum sh_clock { SH_EVENT_TIME, SH_PROCESSING_TIME } sh_clock;

/** A timer: its key by the row in the call's keys, and microseconds since 1970. */
typedef struct sh_timer {
  uint32_t key;
  int64_t at;
} sh_timer;

/* Key by key: the easy path. */

struct sh_keys;

/** A key with its rows, or with a timer that has fired. */
typedef struct sh_group {
  sh_call *call;
  /** The key's columns, in the order of the step's `keys`. */
  sh_row key;
  /** The key's rows are `first` to `first + count` of this batch. */
  const sh_batch *rows;
  int64_t first;
  int64_t count;
  /** More rows of the key follow in a later call of the same epoch. */
  bool more;
  /** Of a timer that has fired: which, and of which clock. */
  int64_t at;
  sh_clock clock;
  /** The SDK's own. */
  int64_t next;
  struct sh_keys *keys;
} sh_group;

/** The key's next row: true, or false after the last. Rows with NULL in a NOT NULL column are in error, and left out. */
bool sh_next_row(sh_group *group, sh_row *row);
/** The value of the key in an SH_VALUE table as it was before the call, or false. Tables count from 0 in the order of `tables`. */
bool sh_state_get(sh_group *group, int32_t table, sh_row *value);
/** The entries of the key in any table: their number, and a row that stands at the first of them. Add to its index for the others. */
int64_t sh_state_entries(sh_group *group, int32_t table, sh_row *first);
/** Where the key's new value goes, the second key before it in a mapping: sh_put_…, and sh_end_row. In a sequence the rows are the whole new list. */
sh_table *sh_state_put(sh_group *group, int32_t table);
/** Where values go that are added to the end of a sequence. */
sh_table *sh_state_append(sh_group *group, int32_t table);
/** Removes all of the key's entries. What is removed goes before what is put. */
void sh_state_remove(sh_group *group, int32_t table);
/** Where second keys go whose entries are removed from a mapping. */
sh_table *sh_state_remove_entry(sh_group *group, int32_t table);

/** Sets a timer. Fails if the clock has reached it: see sh_timer_earliest. */
sh_status sh_timer_set(sh_group *group, sh_clock clock, int64_t at);
/** Sets a timer in the place of all that the key has on the clock. */
sh_status sh_timer_replace(sh_group *group, sh_clock clock, int64_t at);
void sh_timer_clear(sh_group *group, sh_clock clock, int64_t at);
void sh_timer_clear_all(sh_group *group, sh_clock clock);
/** The first time that a timer can be set to. */
int64_t sh_timer_earliest(const sh_call *call, sh_clock clock);

/* All keys of a call: the fast path. */

/** Keys and their rows. */
typedef struct sh_groups {
  /** A row for each key. */
  sh_batch keys;
  /** Rows by key. */
  sh_batch rows;
  /** Key i has the rows starts[i] to starts[i + 1]; there is one more of these than keys. */
  const uint32_t *starts;
  /** More rows of the last key follow in the next call. */
  bool more;
} sh_groups;

/** Timers that have fired, by time and then by key. */
typedef struct sh_fired {
  sh_clock clock;
  sh_batch keys;
  const sh_timer *timers;
  int64_t n;
} sh_fired;

/** Entries of a table, by key. */
typedef struct sh_entries {
  /** The key of each row: its row in the call's keys, ascending. */
  const uint32_t *keys;
  /** The second key's columns if there is one, then the value's. */
  sh_batch columns;
} sh_entries;

/** Entries of an older version. */
typedef struct sh_before {
  const char *table;
  uint32_t version;
  /** The columns of the second key, then of the value, as they were. */
  sh_batch entries;
} sh_before;

/** The entries of so many keys, or of all keys of the call if `keys` is NULL. */
sh_status sh_get(sh_call *call, const char *table, const uint32_t *keys, int64_t n, sh_entries *entries);
/** Where new entries of a table are made: column 0 is the row of the key, then come the second key and the value. */
sh_status sh_entries_new(sh_call *call, const char *table, sh_table **entries);
/** The same without the value, for sh_find_entries and sh_remove_entries. */
sh_status sh_places_new(sh_call *call, const char *table, sh_table **places);
/** The entries of a mapping that are there of these places. */
sh_status sh_find_entries(sh_call *call, const char *table, sh_table *places, sh_entries *entries);
sh_status sh_put(sh_call *call, const char *table, sh_table *entries);
sh_status sh_append(sh_call *call, const char *table, sh_table *entries);
sh_status sh_remove(sh_call *call, const char *table, const uint32_t *keys, int64_t n);
sh_status sh_remove_entries(sh_call *call, const char *table, sh_table *places);
/** The row of `entries` of a key, of a table with one value a key; -1 if there is none. */
int64_t sh_entry_of(const sh_entries *entries, uint32_t key);
sh_status sh_set_timers(sh_call *call, sh_clock clock, const sh_timer *timers, int64_t n);
sh_status sh_clear_timers(sh_call *call, sh_clock clock, const sh_timer *timers, int64_t n);
sh_status sh_clear_all_timers(sh_call *call, sh_clock clock, const uint32_t *keys, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
