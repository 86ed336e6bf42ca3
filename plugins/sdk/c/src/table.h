/** What a table has beside its arrays. */
#ifndef STREAMHOST_TABLE_WITHIN_H
#define STREAMHOST_TABLE_WITHIN_H

#include "core.h"

typedef enum staged_kind {
  STAGED_NULL,
  STAGED_INT,
  STAGED_DOUBLE,
  STAGED_TEXT,
  STAGED_DECIMAL,
  STAGED_VALUE,
  STAGED_DECIMAL256,
  STAGED_INTERVAL
} staged_kind;

/** A value of the row that is being put together. */
typedef struct staged_value {
  staged_kind kind;
  union {
    int64_t whole;
    double fraction;
    sh_decimal decimal;
    /** Where it is in the scratch buffer, which may move. What is wider than these is there too. */
    struct {
      size_t at, size;
    } text;
    struct {
      const sh_column *from;
      int64_t row;
    } value;
  } as;
} staged_value;

typedef struct sh_staged {
  staged_value *values;
  sh_buffer scratch;
  /** Whether a column's array is one that came in. */
  bool *foreign;
} sh_staged;

/* Not inlined, as these are rare. */
int sh_append_decimal256(struct ArrowArray *builder, const void *value);
int sh_append_interval(struct ArrowArray *builder, struct ArrowInterval value);

#endif
