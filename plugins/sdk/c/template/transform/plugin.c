// Splits a text into a row for each of its words.

#include <streamhost.h>

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Adds the rows that a row becomes.
static sh_status words(const sh_row *line, sh_table *out) {
  if (sh_get_null(line, 0)) return SH_OK;
  sh_text text = sh_get_text(line, 0);
  for (int64_t at = 0; at < text.size;) {
    int64_t start = at;
    while (at < text.size && !is_space(text.data[at])) at++;
    if (at > start) {
      sh_put_text(out, 0, (sh_text){text.data + start, at - start});
      sh_end_row(out);
    }
    at++;
  }
  return SH_OK;
}

STREAMHOST_TRANSFORM(words, .reads = "text STRING", .columns = "word STRING");
