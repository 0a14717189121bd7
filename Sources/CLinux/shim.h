#ifndef S3GW_CLINUX_SHIM_H
#define S3GW_CLINUX_SHIM_H

#include <sys/types.h>

/* glibc declares it for GNU programs only (copy_file_range(2)). */
extern ssize_t copy_file_range(int from, long *from_offset, int to, long *to_offset, size_t count, unsigned flags);

#endif
