#include "core.h"

#include <string.h>

bool sh_is_utf8(const uint8_t *s, int64_t n) {
  int64_t i = 0;
  while (i < n) {
    uint64_t eight;
    while (i + 8 <= n && (memcpy(&eight, s + i, 8), (eight & 0x8080808080808080u) == 0)) i += 8;
    if (i >= n) break;
    uint8_t a = s[i];
    if (a < 0x80) {
      i++;
      continue;
    }
    int more = a >= 0xc2 && a < 0xe0 ? 1 : (a & 0xf0) == 0xe0 ? 2 : a >= 0xf0 && a < 0xf5 ? 3 : 0;
    if (more == 0 || n - i <= more) return false;
    uint8_t b = s[i + 1];
    if ((b & 0xc0) != 0x80 || (a == 0xe0 && b < 0xa0) || (a == 0xed && b > 0x9f) || (a == 0xf0 && b < 0x90) || (a == 0xf4 && b > 0x8f)) return false;
    for (int k = 2; k <= more; k++) {
      if ((s[i + k] & 0xc0) != 0x80) return false;
    }
    i += more + 1;
  }
  return true;
}
