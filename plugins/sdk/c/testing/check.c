/* What a case expects, and what came. */
#include "harness.h"

#include <string.h>

void sh_differs(sh_case *test, const char *what, const char *expected, const char *got) {
  if (strcmp(expected, got) == 0) return;
  sh_text_add(test->call, &test->differences,
              sh_format(test->call, "  %s: expected\n%s\n  got\n%s\n", what, *expected ? expected : "(nothing)", *got ? got : "(nothing)"));
}

const char *sh_case_text(const sh_json *table, const char *name) {
  const sh_json *member = table ? sh_json_member(table, name) : NULL;
  return member && member->kind == SH_JSON_TEXT ? member->text.data : "";
}

void sh_errors_print(sh_call *call, const sh_internal *internal, const char *what, sh_buffer *text) {
  for (int64_t i = 0; i < internal->n_errors; i++) {
    const sh_row_error *error = &internal->errors[i];
    sh_text_add(call, text, sh_format(call, "%s %u%s: %s\n", what, (unsigned)error->row, error->retry ? " (retry)" : "", error->message));
  }
}

void sh_check_errors(sh_case *test, const sh_json *table, const char *got) {
  const sh_json *errors = sh_json_member(table, "errors");
  sh_buffer expected = {0};
  for (const sh_json *error = errors ? errors->first : NULL; error; error = error->next) {
    sh_text_add(test->call, &expected, sh_format(test->call, "%s\n", error->text.data));
  }
  sh_differs(test, "errors", sh_text_end(test->call, &expected), got);
}

/** What came for one output, of several writes. */
static sh_status came(sh_case *test, const sh_named_schema *side, const sh_named_bytes *sides, int64_t n, sh_buffer *text) {
  for (int64_t i = 0; i < n; i++) {
    if (strcmp(sides[i].name, side->name) == 0) SH_TRY(sh_rows_print(test->call, side->schema.arrow, sides[i].bytes, text));
  }
  return SH_OK;
}

sh_status sh_check_outputs(sh_case *test, const sh_json *table, const sh_named_bytes *sides, int64_t n) {
  const sh_json *outputs = sh_json_member(table, "outputs");
  for (const sh_json *output = outputs ? outputs->first : NULL; output; output = output->next) {
    bool known = false;
    for (int32_t i = 0; i < sh_the_bound->n_sides; i++) known = known || strcmp(sh_the_bound->sides[i].name, output->name) == 0;
    if (!known) sh_differs(test, sh_format(test->call, "output `%s`", output->name), output->text.data, "no such output");
  }
  for (int32_t i = 0; i < sh_the_bound->n_sides; i++) {
    const sh_named_schema *side = &sh_the_bound->sides[i];
    sh_buffer expected = {0}, got = {0};
    const char *lines = outputs ? sh_case_text(outputs, side->name) : "";
    SH_TRY(sh_rows_expected(test->call, side->schema.arrow, lines, &expected));
    SH_TRY(came(test, side, sides, n, &got));
    sh_differs(test, sh_format(test->call, "output `%s`", side->name), sh_text_end(test->call, &expected), sh_text_end(test->call, &got));
  }
  return SH_OK;
}

bool sh_check_failure(sh_case *test, const sh_json *table, const sh_call *failed) {
  static const char *const kinds[] = {"none", "invalid", "transient", "permanent"};
  const char *expected = sh_case_text(table, "failure"), *got = "";
  const sh_internal *in = failed ? failed->internal : NULL;
  if (in && in->failure != SH_NONE) got = sh_format(test->call, "%s: %s", kinds[in->failure], in->message);
  sh_differs(test, "failure", expected, got);
  return *expected || *got;
}

void sh_case_call(sh_case *test, sh_call *call, sh_internal *internal) {
  memset(call, 0, sizeof *call);
  sh_call_begin(call, internal, test->call->internal->arena);
  call->query = "test";
}
