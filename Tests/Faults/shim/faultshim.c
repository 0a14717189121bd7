// Loaded into the programs under test by LD_PRELOAD: a clock that can be stepped, and a disk that can lose what was not
// synced. Nothing of the programs is changed for it.
//
//   FAULT_CLOCK=FILE   FILE holds one int64: milliseconds that are added to the wall clock. It may change at any moment.
//   FAULT_DISK=FILE    FILE and FILE-wal are tracked: FILE.synced and FILE-wal.synced hold what would survive a power cut.
//   FAULT_TREE=DIR     a file system of its own: what changes in it is written to the log FAULT_TREE_LOG, from which
//                      treedisk.py knows what a power cut takes; what is removed keeps a name in FAULT_TREE_SAVED.
//
// What is lost of FAULT_DISK at a cut: every write since the last fsync or fdatasync of that file, by whichever process. A write is noted
// in PATH.dirty (offset and length, 16 bytes) after it was made; a sync copies the noted ranges from the file into
// PATH.synced, gives that the file's length, and forgets the notes. Both hold flock(PATH.dirty). A range that another process
// writes meanwhile may be copied too: a disk may write early, never late.

#define _GNU_SOURCE
#include <dirent.h>
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
#include <sys/sendfile.h>
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

static void start_tree(void);

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
    start_tree();
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

// MARK: The tree

// One line of the log, followed by the two names. A change and its line are one step for all processes (flock), so that
// nothing that a sync made durable is written down after it.
struct event {
    uint32_t size;
    char kind;  // a: a name came, r: went, m: moved; w: an inode's bytes changed; s: an inode was synced
    char unused[3];
    uint64_t directory, inode, saved_directory;  // the last one: under which a removed inode was saved, 0 when it was not
    uint32_t process, number;                    // and as which name
    uint64_t to_directory;
    uint16_t name_bytes, to_name_bytes;
    uint32_t unused_too;
};

static dev_t tree_device;
static const char *tree_saved;
static int tree_log = -1;
static uint32_t saved_count;

static void start_tree(void) {
    const char *tree = getenv("FAULT_TREE"), *log = getenv("FAULT_TREE_LOG");
    struct stat status;
    tree_saved = getenv("FAULT_TREE_SAVED");
    if (!tree || !log || !tree_saved || stat(tree, &status) != 0) return;
    tree_device = status.st_dev;
    tree_log = raw_open(log, O_RDWR | O_CREAT | O_APPEND, 0600);
    if (tree_log < 0) abort();
}

static int in_tree(int file, struct stat *status) {
    return tree_log >= 0 && file >= 0 && fstat(file, status) == 0 && status->st_dev == tree_device;
}

static void tell(struct event event, const char *name, const char *to_name) {
    char line[sizeof event + 2 * NAME_MAX + 2];
    event.name_bytes = name ? strlen(name) : 0;
    event.to_name_bytes = to_name ? strlen(to_name) : 0;
    event.size = sizeof event + event.name_bytes + event.to_name_bytes;
    if (event.size > sizeof line) abort();
    memcpy(line, &event, sizeof event);
    memcpy(line + sizeof event, name ? name : "", event.name_bytes);
    memcpy(line + sizeof event + event.name_bytes, to_name ? to_name : "", event.to_name_bytes);
    if (syscall(SYS_write, tree_log, line, event.size) != event.size) abort();
}

// Gives what is about to lose its name another one; a directory has no bytes to be kept.
static void save(int directory, const char *name, uint64_t inode, struct event *event) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%lu", tree_saved, (unsigned long)inode);
    mkdir(path, 0700);
    event->process = getpid();
    event->number = __atomic_add_fetch(&saved_count, 1, __ATOMIC_RELAXED);
    snprintf(path, sizeof path, "%s/%lu/%u-%u", tree_saved, (unsigned long)inode, event->process, event->number);
    if (linkat(directory, name, AT_FDCWD, path, 0) == 0) event->saved_directory = inode;
}

// What was removed from a directory that is durable now is gone for good.
static void drop_saved(uint64_t inode) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%lu", tree_saved, (unsigned long)inode);
    DIR *names = opendir(path);
    if (!names) return;
    for (struct dirent *entry; (entry = readdir(names));) syscall(SYS_unlinkat, dirfd(names), entry->d_name, 0);
    closedir(names);
}

static int sync_in_tree(int file, const struct stat *status, int (*real)(int)) {
    lock(tree_log);
    int code = real(file), saved = errno;
    if (code == 0) {
        tell((struct event){.kind = 's', .inode = status->st_ino}, NULL, NULL);
        if (S_ISDIR(status->st_mode)) drop_saved(status->st_ino);
    }
    unlock(tree_log);
    errno = saved;
    return code;
}

static void note_in_tree(int file) {
    int saved = errno;
    struct stat status;
    if (in_tree(file, &status) && S_ISREG(status.st_mode)) {
        lock(tree_log);
        tell((struct event){.kind = 'w', .inode = status.st_ino}, NULL, NULL);
        unlock(tree_log);
    }
    errno = saved;
}

#define OPENAT(name)                                                                                \
    int name(int directory, const char *path, int flags, ...) {                                     \
        static int (*real)(int, const char *, int, ...);                                            \
        if (!real) real = next_symbol(#name);                                                       \
        va_list arguments;                                                                          \
        va_start(arguments, flags);                                                                 \
        int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, int) : 0;                      \
        va_end(arguments);                                                                          \
        struct stat status, made;                                                                   \
        if (!(flags & O_CREAT) || !in_tree(directory, &status))                                     \
            return opened(real(directory, path, flags, mode), path);                                \
        lock(tree_log);                                                                             \
        int file = real(directory, path, flags, mode), saved = errno;                               \
        if (file >= 0 && fstat(file, &made) == 0)                                                   \
            tell((struct event){.kind = 'a', .directory = status.st_ino, .inode = made.st_ino}, path, NULL); \
        unlock(tree_log);                                                                           \
        errno = saved;                                                                              \
        return opened(file, path);                                                                  \
    }
OPENAT(openat)
OPENAT(openat64)

int mkdirat(int directory, const char *path, mode_t mode) {
    static int (*real)(int, const char *, mode_t);
    if (!real) real = next_symbol("mkdirat");
    struct stat status, made;
    if (!in_tree(directory, &status)) return real(directory, path, mode);
    lock(tree_log);
    int code = real(directory, path, mode), saved = errno;
    if (code == 0 && fstatat(directory, path, &made, AT_SYMLINK_NOFOLLOW) == 0)
        tell((struct event){.kind = 'a', .directory = status.st_ino, .inode = made.st_ino}, path, NULL);
    unlock(tree_log);
    errno = saved;
    return code;
}

int unlinkat(int directory, const char *path, int flags) {
    static int (*real)(int, const char *, int);
    if (!real) real = next_symbol("unlinkat");
    struct stat status, old;
    if (!in_tree(directory, &status)) return real(directory, path, flags);
    lock(tree_log);
    struct event event = {.kind = 'r', .directory = status.st_ino};
    int is_there = fstatat(directory, path, &old, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_there && !(flags & AT_REMOVEDIR)) save(directory, path, status.st_ino, &event);
    int code = real(directory, path, flags), saved = errno;
    if (code == 0 && is_there) {
        event.inode = old.st_ino;
        tell(event, path, NULL);
    }
    unlock(tree_log);
    errno = saved;
    return code;
}

int renameat(int directory, const char *path, int to_directory, const char *to_path) {
    static int (*real)(int, const char *, int, const char *);
    if (!real) real = next_symbol("renameat");
    struct stat from, to, old;
    if (!in_tree(directory, &from) || !in_tree(to_directory, &to)) return real(directory, path, to_directory, to_path);
    lock(tree_log);
    struct event event = {.kind = 'm', .directory = from.st_ino, .to_directory = to.st_ino};
    if (fstatat(to_directory, to_path, &old, AT_SYMLINK_NOFOLLOW) == 0) save(to_directory, to_path, to.st_ino, &event);
    int code = real(directory, path, to_directory, to_path), saved = errno;
    if (code == 0 && fstatat(to_directory, to_path, &old, AT_SYMLINK_NOFOLLOW) == 0) {
        event.inode = old.st_ino;
        tell(event, path, to_path);
    }
    unlock(tree_log);
    errno = saved;
    return code;
}

ssize_t write(int file, const void *bytes, size_t count) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = next_symbol("write");
    ssize_t written = real(file, bytes, count);
    if (written > 0) note_in_tree(file);
    return written;
}

ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *to_at, size_t count, unsigned flags) {
    static ssize_t (*real)(int, off64_t *, int, off64_t *, size_t, unsigned);
    if (!real) real = next_symbol("copy_file_range");
    ssize_t written = real(from, at, to, to_at, count, flags);
    if (written > 0) note_in_tree(to);
    return written;
}

#define SENDFILE(name, offset)                                      \
    ssize_t name(int to, int from, offset *at, size_t count) {      \
        static ssize_t (*real)(int, int, offset *, size_t);         \
        if (!real) real = next_symbol(#name);                       \
        ssize_t written = real(to, from, at, count);                \
        if (written > 0) note_in_tree(to);                          \
        return written;                                             \
    }
SENDFILE(sendfile, off_t)
SENDFILE(sendfile64, off64_t)

// MARK: What both are told of

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
        else if (written > 0) note_in_tree(file);                                 \
        return written;                                                           \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

#define SYNC(name)                                                                \
    int name(int file) {                                                          \
        static int (*real)(int);                                                  \
        if (!real) real = next_symbol(#name);                                     \
        struct stat status;                                                       \
        if (index_of_descriptor(file) < 0 && in_tree(file, &status))              \
            return sync_in_tree(file, &status, real);                             \
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
