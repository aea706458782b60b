/* Stands between a program and libc (LD_PRELOAD): counts the calls that change files under a folder, and at one of them
 * ends the process, ends it when half is written, lets the disk be full from there on, or sends the process a signal.
 * The program asks by zoo_arm.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, KILL, TEAR, FILL, SIGNAL = 100 }; /* SIGNAL + its number */

static char folder[PATH_MAX];
static size_t length;
static atomic_long seen;
static long chosen;
static int action;

void zoo_arm(const char *under, long number, int what) {
    length = strlen(under);
    memcpy(folder, under, length + 1);
    atomic_store(&seen, 0);
    chosen = number;
    action = what;
}

long zoo_seen(void) { return atomic_load(&seen); }

static int within(const char *path) {
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int of_descriptor(int descriptor, char *found) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, found, PATH_MAX - 1);
    if (size < 0)
        return 0;
    found[size] = 0;
    return 1;
}

static int under(int at, const char *path) {
    char start[PATH_MAX], whole[2 * PATH_MAX];
    if (!length)
        return 0;
    if (path && path[0] == '/')
        return within(path);
    if (at == AT_FDCWD ? !getcwd(start, sizeof start) : !of_descriptor(at, start))
        return 0;
    if (!path)
        return within(start);
    snprintf(whole, sizeof whole, "%s/%s", start, path);
    return within(whole);
}

static void end(void) { kill(getpid(), SIGKILL); }

/* Whether the call is to be refused, as by a full disk; `tear` is set where it is to do half of its work and end. */
static int due(int at, const char *path, int grows, int *tear) {
    if (!under(at, path))
        return 0;
    long number = atomic_fetch_add(&seen, 1) + 1;
    if (action == FILL)
        return grows && number >= chosen;
    if (number != chosen)
        return 0;
    if (action == TEAR && tear)
        *tear = 1;
    else if (action == KILL || action == TEAR)
        end();
    else if (action > SIGNAL)
        kill(getpid(), action - SIGNAL);
    return 0;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define FULL return errno = ENOSPC, -1

ssize_t write(int file, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    int tear = 0;
    if (!real)
        real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (due(file, NULL, 1, &tear))
        FULL;
    if (tear) {
        real(file, data, size / 2);
        end();
    }
    return real(file, data, size);
}

#define PWRITE(name, offset_type)                                              \
    ssize_t name(int file, const void *data, size_t size, offset_type offset) { \
        REAL(name);                                                            \
        int tear = 0;                                                          \
        if (due(file, NULL, 1, &tear))                                         \
            FULL;                                                              \
        if (tear) {                                                            \
            real(file, data, size / 2, offset);                                \
            end();                                                             \
        }                                                                      \
        return real(file, data, size, offset);                                 \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int file, const struct iovec *parts, int count) {
    REAL(writev);
    int tear = 0;
    if (due(file, NULL, 1, &tear))
        FULL;
    if (tear) {
        real(file, parts, count > 1 ? count / 2 : 1);
        end();
    }
    return real(file, parts, count);
}

ssize_t sendfile(int to, int from, off_t *offset, size_t size) {
    ssize_t (*real)(int, int, off_t *, size_t) = (ssize_t(*)(int, int, off_t *, size_t))dlsym(RTLD_NEXT, "sendfile");
    if (due(to, NULL, 1, NULL))
        FULL;
    return real(to, from, offset, size);
}

#define WRITES (O_CREAT | O_TRUNC)
#define MODE(last)                                       \
    mode_t mode = 0;                                     \
    if (flags & (O_CREAT | __O_TMPFILE)) {               \
        va_list rest;                                    \
        va_start(rest, last);                            \
        mode = va_arg(rest, mode_t);                     \
        va_end(rest);                                    \
    }
#define OPEN(name)                                                             \
    int name(const char *path, int flags, ...) {                               \
        int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        MODE(flags)                                                            \
        if ((flags & WRITES) && due(AT_FDCWD, path, flags & O_CREAT, NULL))    \
            FULL;                                                              \
        return real(path, flags, mode);                                        \
    }
#define OPENAT(name)                                                           \
    int name(int at, const char *path, int flags, ...) {                       \
        int (*real)(int, const char *, int, ...) = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, #name); \
        MODE(flags)                                                            \
        if ((flags & WRITES) && due(at, path, flags & O_CREAT, NULL))          \
            FULL;                                                              \
        return real(at, path, flags, mode);                                    \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

#define ONE(name, grows)                                \
    int name(const char *path) {                        \
        REAL(name);                                     \
        if (due(AT_FDCWD, path, grows, NULL))           \
            FULL;                                       \
        return real(path);                              \
    }
ONE(unlink, 0)
ONE(rmdir, 0)

int unlinkat(int at, const char *path, int flags) {
    REAL(unlinkat);
    due(at, path, 0, NULL);
    return real(at, path, flags);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    if (due(AT_FDCWD, path, 1, NULL))
        FULL;
    return real(path, mode);
}

int mkdirat(int at, const char *path, mode_t mode) {
    REAL(mkdirat);
    if (due(at, path, 1, NULL))
        FULL;
    return real(at, path, mode);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    due(AT_FDCWD, to, 0, NULL);
    return real(from, to);
}

int renameat(int from_at, const char *from, int to_at, const char *to) {
    REAL(renameat);
    due(to_at, to, 0, NULL);
    return real(from_at, from, to_at, to);
}

int link(const char *from, const char *to) {
    REAL(link);
    if (due(AT_FDCWD, to, 1, NULL))
        FULL;
    return real(from, to);
}

int symlink(const char *from, const char *to) {
    REAL(symlink);
    if (due(AT_FDCWD, to, 1, NULL))
        FULL;
    return real(from, to);
}

#define SIZED(name, offset_type)                        \
    int name(int file, offset_type size) {              \
        REAL(name);                                     \
        due(file, NULL, 0, NULL);                       \
        return real(file, size);                        \
    }
SIZED(ftruncate, off_t)
SIZED(ftruncate64, off64_t)

#define SYNC(name)                                      \
    int name(int file) {                                \
        REAL(name);                                     \
        due(file, NULL, 0, NULL);                       \
        return real(file);                              \
    }
SYNC(fsync)
SYNC(fdatasync)
