// A function for SQL: how many words a text has.

#include <streamhost.h>

// What the pipeline may set.
struct config {
  int64_t letters;
};

static const sh_field config[] = {
    {"letters", SH_INT, offsetof(struct config, letters), .doc = "The fewest letters of a word that counts.", .otherwise = "1"}, SH_END_FIELDS};

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// The words of a text that are long enough. Of NULL the result is NULL; without NOT NULL it could be another.
static sh_status words(const sh_row *arguments, sh_table *result) {
  const struct config *config = arguments->call->config;
  sh_text text = sh_get_text(arguments, 0);
  int64_t words = 0, letters = 0;
  for (int64_t at = 0; at <= text.size; at++) {
    if (at < text.size && !is_space(text.data[at])) {
      // Every letter has one byte that does not continue another one.
      letters += (text.data[at] & 0xc0) != 0x80;
      continue;
    }
    words += letters > 0 && letters >= config->letters;
    letters = 0;
  }
  if (words > INT32_MAX) return sh_permanent(arguments->call, "there are %lld words", (long long)words);
  sh_put_int(result, 0, words);
  return SH_OK;
}

static const sh_function functions[] = {{"words", "text STRING NOT NULL", "INT", .row = words}, SH_END_FUNCTIONS};

STREAMHOST_FUNCTIONS(functions, .config = config, .config_size = sizeof(struct config));
