#include <streamhost/testing.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[2], "--batch-rows") == 0)
    sh_batch_rows(atoll(argv[3]));
  else if (argc != 2) {
    fprintf(stderr, "usage: %s FOLDER [--batch-rows N]: the folder of a plugin, with its cases in tests/*.toml\n", argv[0]);
    return 2;
  }
  return sh_run_cases(argv[1]) != 0;
}
