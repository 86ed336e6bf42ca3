/** State, key by key: read in one crossing for all keys of a call, and written in one. */
#ifndef STREAMHOST_KEYS_H
#define STREAMHOST_KEYS_H

#include "keyed.h"

/** Entries, without their keys, that are to be put, added or removed. */
typedef struct pending {
  sh_table *rows;
  /** The key of each row that stays. */
  uint32_t *keys;
  int64_t n, most;
  /** The rows before those of the key that is being worked on. */
  int64_t before;
  sh_drops drops;
} pending;

/** Numbers that grow. */
typedef struct key_list {
  uint32_t *keys;
  int64_t n, most;
} key_list;

typedef struct timer_list {
  sh_timer *timers;
  int64_t n, most;
} timer_list;

/** A table in a call. */
typedef struct held {
  const sh_bound_table *table;
  bool read;
  sh_entries entries;
  /** Where the entries of the last key began. */
  int64_t next;
  pending put, append, found;
  key_list removed;
  /** Keys removed before the one that is being worked on. */
  int64_t removed_before;
} held;

/** Timers of one clock. What belongs to the key that is being worked on is behind the marks. */
typedef struct clocked {
  timer_list set, cleared;
  key_list all;
  int64_t set_before, cleared_before, all_before;
} clocked;

typedef struct sh_keys {
  sh_call *call;
  held *held;
  int32_t n_held;
  clocked clocks[2];
} sh_keys;

sh_keys *sh_keys_new(sh_call *call);
/** Begins with a key; keeps or forgets what was done for it. */
void sh_keys_begin(sh_keys *keys);
void sh_keys_keep(sh_keys *keys, uint32_t key);
void sh_keys_forget(sh_keys *keys);
/** Tells the host. */
sh_status sh_keys_flush(sh_keys *keys);
sh_status sh_timers_flush(sh_keys *keys);
void sh_key_list_add(sh_call *call, key_list *list, uint32_t key);

#endif
