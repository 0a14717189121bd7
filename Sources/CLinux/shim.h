#ifndef S3GW_CLINUX_SHIM_H
#define S3GW_CLINUX_SHIM_H

#include <pthread.h>
#include <sys/types.h>
#include <time.h>

/* glibc declares it for GNU programs only (copy_file_range(2)). */
extern ssize_t copy_file_range(int from, long *from_offset, int to, long *to_offset, size_t count, unsigned flags);

/* The same (pthread_clockjoin_np(3)). */
extern int pthread_clockjoin_np(pthread_t thread, void **result, clockid_t clock, const struct timespec *deadline);

#endif
