/** The configuration of a step: JSON, read into a struct. */
#ifndef STREAMHOST_CONFIG_H
#define STREAMHOST_CONFIG_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a field of the struct is. */
typedef enum sh_field_type {
  /** bool */
  SH_BOOL,
  /** int64_t */
  SH_INT,
  /** double; NAN if it is optional and not there */
  SH_DOUBLE,
  /** sh_number */
  SH_NUMBER,
  /** const char *; NULL if it is optional and not there */
  SH_STRING,
  /** int: the place among `names` */
  SH_ENUM,
  /** int64_t, microseconds: written `90s` or `10 minutes` */
  SH_INTERVAL,
  /** sh_strings */
  SH_STRINGS,
  /** sh_objects: structs that `fields` describes */
  SH_OBJECTS
} sh_field_type;

/** A whole number, exactly, or a fraction. */
typedef struct sh_number {
  bool is_whole;
  int64_t whole;
  /** Of a whole number too. */
  double value;
} sh_number;

typedef struct sh_strings {
  int64_t n;
  const char *const *items;
} sh_strings;

typedef struct sh_objects {
  int64_t n;
  /** An array of structs. */
  const void *items;
} sh_objects;

/** A key of the configuration. An array of them ends with SH_END_FIELDS. */
typedef struct sh_field {
  /** The key; NULL ends the array. */
  const char *name;
  sh_field_type type;
  /** Where it is in the struct: offsetof. */
  size_t offset;
  /** One line, for the JSON Schema. */
  const char *doc;
  /** The default as JSON, such as `10` or `"value"`. Without one the key has to be there, unless it is optional. */
  const char *otherwise;
  bool optional;
  /** Of SH_ENUM: the values, then NULL. */
  const char *const *names;
  /** Of SH_OBJECTS: the keys of an object, and the size of its struct. */
  const struct sh_field *fields;
  size_t size;
} sh_field;

#define SH_END_FIELDS {NULL, SH_BOOL, 0, NULL, NULL, false, NULL, NULL, 0}

#ifdef __cplusplus
}
#endif
#endif
