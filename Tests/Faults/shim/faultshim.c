// Loaded into the programs under test by LD_PRELOAD: a clock that can be stepped, and a disk that can lose what was not
// synced. Nothing of the programs is changed for it.
//
//   FAULT_CLOCK=FILE   FILE holds one int64: milliseconds that are added to the wall clock. It may change at any moment.
//   FAULT_DISK=FILE    FILE and FILE-wal are tracked: FILE.synced and FILE-wal.synced hold what would survive a power cut.
//
// What is lost at a cut: every write since the last fsync or fdatasync of that file, by whichever process. A write is noted
// in PATH.dirty (offset and length, 16 bytes) after it was made; a sync copies the noted ranges from the file into
// PATH.synced, gives that the file's length, and forgets the notes. Both hold flock(PATH.dirty). A range that another process
// writes meanwhile may be copied too: a disk may write early, never late.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS 65536
#define PATH_BYTES 4096
#define PIECE_BYTES 65536

struct note { int64_t offset, length; };

static const volatile int64_t *clock_offset_ms;
static char tracked_path[2][PATH_BYTES];  // the database and its WAL; empty when nothing is tracked
static int dirty_file[2] = {-1, -1};
static volatile signed char tracked[DESCRIPTORS];  // 1 + index into tracked_path, 0 for other files

static void *next_symbol(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

// What the shim itself does goes to the kernel directly, past its own wrappers.
static int raw_open(const char *path, int flags, int mode) {
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode);
}

__attribute__((constructor)) static void start(void) {
    const char *clock_file = getenv("FAULT_CLOCK");
    if (clock_file) {
        int file = raw_open(clock_file, O_RDONLY, 0);
        if (file >= 0) {
            void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
            if (page != MAP_FAILED) clock_offset_ms = page;
            syscall(SYS_close, file);
        }
    }
    const char *disk = getenv("FAULT_DISK");
    if (disk && strlen(disk) < PATH_BYTES - 16) {
        strcpy(tracked_path[0], disk);
        snprintf(tracked_path[1], PATH_BYTES, "%s-wal", disk);
    }
}

// MARK: The clock

static int64_t clock_offset(void) { return clock_offset_ms ? *clock_offset_ms : 0; }

int clock_gettime(clockid_t which, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = next_symbol("clock_gettime");
    int code = real(which, time);
    if (code == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        int64_t sum = time->tv_nsec + (clock_offset() % 1000) * 1000000;
        int64_t carry = sum < 0 ? -1 : sum >= 1000000000 ? 1 : 0;
        time->tv_sec += clock_offset() / 1000 + carry;
        time->tv_nsec = sum - carry * 1000000000;
    }
    return code;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

// MARK: The disk

static int index_of(const char *path) {
    if (!tracked_path[0][0] || !path) return -1;
    for (int index = 0; index < 2; index++)
        if (strcmp(path, tracked_path[index]) == 0) return index;
    return -1;
}

static int dirty(int index) {
    if (dirty_file[index] < 0) {
        char path[PATH_BYTES + 16];
        snprintf(path, sizeof path, "%s.dirty", tracked_path[index]);
        int file = raw_open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
        if (file < 0) abort();
        int expected = -1;
        if (!__atomic_compare_exchange_n(&dirty_file[index], &expected, file, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            syscall(SYS_close, file);
    }
    return dirty_file[index];
}

static int index_of_descriptor(int file) {
    return file >= 0 && file < DESCRIPTORS ? tracked[file] - 1 : -1;
}

// flock is held by the open file, which threads of one process share: a mutex keeps those apart.
static volatile char own_lock;

static void lock(int file) {
    while (__atomic_test_and_set(&own_lock, __ATOMIC_ACQUIRE)) usleep(50);
    while (flock(file, LOCK_EX) != 0)
        if (errno != EINTR) abort();
}

static void unlock(int file) {
    flock(file, LOCK_UN);
    __atomic_clear(&own_lock, __ATOMIC_RELEASE);
}

static void note(int index, int64_t offset, int64_t length) {
    int saved = errno;
    struct note made = {offset, length};
    int file = dirty(index);
    lock(file);
    if (syscall(SYS_write, file, &made, sizeof made) != sizeof made) abort();
    unlock(file);
    errno = saved;
}

static void copy_range(int from, int to, struct note range, int64_t size) {
    static __thread char piece[PIECE_BYTES];
    int64_t end = range.offset + range.length < size ? range.offset + range.length : size;
    for (int64_t at = range.offset; at < end;) {
        int64_t wanted = end - at < PIECE_BYTES ? end - at : PIECE_BYTES;
        int64_t count = pread64(from, piece, wanted, at);
        if (count <= 0) return;
        if (syscall(SYS_pwrite64, to, piece, count, at) != count) abort();
        at += count;
    }
}

static void make_durable(int index, int file) {
    int saved = errno;
    char path[PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s.synced", tracked_path[index]);
    int notes = dirty(index);
    lock(notes);
    int shadow = raw_open(path, O_RDWR | O_CREAT, 0600);
    struct stat status;
    if (shadow < 0 || fstat(file, &status) != 0) abort();
    struct note one;
    for (int64_t at = 0; pread64(notes, &one, sizeof one, at) == sizeof one; at += sizeof one)
        copy_range(file, shadow, one, status.st_size);
    if (syscall(SYS_ftruncate, shadow, status.st_size) != 0) abort();
    if (syscall(SYS_ftruncate, notes, 0) != 0) abort();
    syscall(SYS_close, shadow);
    unlock(notes);
    errno = saved;
}

static int opened(int file, const char *path) {
    if (file >= 0 && file < DESCRIPTORS) tracked[file] = (signed char)(index_of(path) + 1);
    return file;
}

#define OPEN(name)                                                                \
    int name(const char *path, int flags, ...) {                                  \
        static int (*real)(const char *, int, ...);                               \
        if (!real) real = next_symbol(#name);                                     \
        va_list arguments;                                                        \
        va_start(arguments, flags);                                               \
        int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, int) : 0;    \
        va_end(arguments);                                                        \
        return opened(real(path, flags, mode), path);                             \
    }
OPEN(open)
OPEN(open64)

int close(int file) {
    static int (*real)(int);
    if (!real) real = next_symbol("close");
    if (file >= 0 && file < DESCRIPTORS) tracked[file] = 0;
    return real(file);
}

#define PWRITE(name)                                                              \
    ssize_t name(int file, const void *bytes, size_t count, off_t offset) {       \
        static ssize_t (*real)(int, const void *, size_t, off_t);                 \
        if (!real) real = next_symbol(#name);                                     \
        ssize_t written = real(file, bytes, count, offset);                       \
        int index = index_of_descriptor(file);                                    \
        if (index >= 0 && written > 0) note(index, offset, written);              \
        return written;                                                           \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

#define SYNC(name)                                                                \
    int name(int file) {                                                          \
        static int (*real)(int);                                                  \
        if (!real) real = next_symbol(#name);                                     \
        int code = real(file);                                                    \
        int index = index_of_descriptor(file);                                    \
        if (index >= 0 && code == 0) make_durable(index, file);                   \
        return code;                                                              \
    }
SYNC(fsync)
SYNC(fdatasync)

int unlink(const char *path) {
    static int (*real)(const char *);
    if (!real) real = next_symbol("unlink");
    int code = real(path);
    int index = index_of(path);
    if (code == 0 && index >= 0) {
        char shadow[PATH_BYTES + 16];
        snprintf(shadow, sizeof shadow, "%s.synced", path);
        real(shadow);
        int notes = dirty(index);
        lock(notes);
        if (syscall(SYS_ftruncate, notes, 0) != 0) abort();
        unlock(notes);
    }
    return code;
}
