// primes book|wheel N…: prints how many of the numbers are primes.
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// The book's loop. It divides by every odd number up to the root, in 64-bit integers.
static bool book(uint64_t n) {
  if (n < 2) return false;
  if (n % 2 == 0) return n == 2;
  uint64_t root = sqrtl(n);
  for (uint64_t d = 3; d <= root; d += 2) {
    if (n % d == 0) return false;
  }
  return true;
}

// The loop of primes.ts. A cast replaces floor(), because -O3 alone does not inline floor().
static inline bool divides(double half, double d) {
  double quotient = (half - (d - 1) / 2) / d;
  return quotient == (double)(int64_t)quotient;
}

static bool wheel(uint64_t n) {
  if (n < 2) return false;
  if (n % 2 == 0) return n == 2;
  if (n % 3 == 0) return n == 3;
  if (n % 5 == 0) return n == 5;
  double half = n / 2;
  double last = sqrt(n) + 1;
  for (double d = 7; d <= last; d += 30) {
    if (divides(half, d) || divides(half, d + 4) || divides(half, d + 6)) return false;
    if (divides(half, d + 10) || divides(half, d + 12) || divides(half, d + 16)) return false;
    if (divides(half, d + 22) || divides(half, d + 24)) return false;
  }
  return true;
}

int main(int argc, char** argv) {
  bool (*is_prime)(uint64_t) = argv[1][0] == 'b' ? book : wheel;
  int primes = 0;
  for (int i = 2; i < argc; i++) primes += is_prime(strtoull(argv[i], NULL, 10));
  printf("%d\n", primes);
}
