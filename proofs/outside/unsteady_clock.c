/* Clocks that are set back again and again, as those of some virtual machines are: `make unsteady` preloads this.

   Three of ten readings of the wall clock and of the monotonic clock are up to 8 ms early. A test that compares two
   moments exactly, or code that relies on time to go on, fails now and then on such a machine, and soon with this. */

#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST_STEP_NS = 8000000, EARLY_OF_TEN = 3 };

/* A xorshift generator for each thread: Marsaglia, "Xorshift RNGs", 2003. */
static uint64_t drawn(void) {
    static __thread uint64_t state;
    if (state == 0)
        state = (uint64_t)getpid() << 32 ^ (uintptr_t)&state;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state >> 20;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (failed || (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) || drawn() % 10 >= EARLY_OF_TEN)
        return failed;
    now->tv_nsec -= (long)(drawn() % LONGEST_STEP_NS);
    if (now->tv_nsec < 0) {
        now->tv_nsec += 1000000000;
        now->tv_sec--;
    }
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    int failed = clock_gettime(CLOCK_REALTIME, &exact);
    (void)zone;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return failed;
}
