/** The little of FlatBuffers that the header of a record batch needs: tables, longs and vectors. */
#ifndef STREAMHOST_FLAT_H
#define STREAMHOST_FLAT_H

#include "core.h"

#include <string.h>

static inline uint16_t word(const uint8_t *at) {
  uint16_t v;
  memcpy(&v, at, sizeof v);
  return v;
}
static inline uint32_t half(const uint8_t *at) {
  uint32_t v;
  memcpy(&v, at, sizeof v);
  return v;
}
static inline int64_t whole(const uint8_t *at) {
  int64_t v;
  memcpy(&v, at, sizeof v);
  return v;
}

static inline bool has(sh_bytes b, uint64_t at, uint64_t size) { return at <= b.size && size <= b.size - at; }

/** Where a table's field is; 0 if it is not there, and -1 if the table is none. */
static inline int64_t field(sh_bytes b, uint64_t table, int slot) {
  if (!has(b, table, 4)) return -1;
  int64_t vtable = (int64_t)table - (int32_t)half(b.data + table);
  if (vtable < 0 || !has(b, (uint64_t)vtable, 4)) return -1;
  uint64_t entry = 4 + 2 * (uint64_t)slot;
  if (word(b.data + vtable) < entry + 2) return 0;
  if (!has(b, (uint64_t)vtable + entry, 2)) return -1;
  uint16_t offset = word(b.data + vtable + entry);
  return offset ? (int64_t)(table + offset) : 0;
}

/** Where the reference at `at` points to; -1 if outside. */
static inline int64_t follow(sh_bytes b, int64_t at) {
  if (at < 0 || !has(b, (uint64_t)at, 4)) return -1;
  uint64_t to = (uint64_t)at + half(b.data + at);
  return has(b, to, 4) ? (int64_t)to : -1;
}

/** A field that is a long; -1 if it is none, or negative. */
static inline int64_t long_of(sh_bytes b, uint64_t table, int slot) {
  int64_t at = field(b, table, slot);
  if (at == 0) return 0;
  if (at < 0 || !has(b, (uint64_t)at, 8)) return -1;
  int64_t value = whole(b.data + at);
  return value < 0 ? -1 : value;
}

/** A field that is a vector of pairs of longs. */
static inline bool pairs_of(sh_bytes b, uint64_t table, int slot, sh_bytes *pairs) {
  int64_t at = field(b, table, slot);
  *pairs = (sh_bytes){b.data, 0};
  if (at == 0) return true;
  int64_t vector = at < 0 ? -1 : follow(b, at);
  if (vector < 0) return false;
  uint64_t size = 16 * (uint64_t)half(b.data + vector);
  if (!has(b, (uint64_t)vector + 4, size)) return false;
  *pairs = (sh_bytes){b.data + vector + 4, (size_t)size};
  return true;
}

#endif
