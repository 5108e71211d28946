/* Laid under a program by LD_PRELOAD: what its files and its clock do to it.
 *
 *   SHIM_UNDER    files below this folder, all others are left alone
 *   SHIM_RATE     of a million calls so many fail, with an error that a disk or a system may give
 *   SHIM_SEED     which ones
 *   SHIM_CLOCK    the time of day jumps by up to ten years either way, anew at each look
 *   SHIM_JOURNAL  a file to which each change of a file is told, one a line:
 *                 W inode                 written to, not yet on the disk
 *                 S inode size            on the disk up to this size
 *                 R inode folder old new  renamed; `old` is 1 where a file was there before, `folder` the inode of its folder
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *under, *journal;
static long rate, jumps;
static uint64_t state;
static int book = -1;

/* What the environment says: once, before the first look at it. */
static void begin(void) {
    static int begun;
    if (begun) return;
    begun = 1;
    const char *text;
    under = getenv("SHIM_UNDER");
    if (!under) under = "/nowhere";
    journal = getenv("SHIM_JOURNAL");
    rate = (text = getenv("SHIM_RATE")) ? atol(text) : 0;
    jumps = getenv("SHIM_CLOCK") != NULL;
    state = ((text = getenv("SHIM_SEED")) ? strtoull(text, 0, 10) : 1) * 0x9E3779B97F4A7C15ULL + (uint64_t)getpid();
    if (journal) book = (int)syscall(SYS_openat, AT_FDCWD, journal, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static uint64_t draw(void) {
    uint64_t x = __atomic_add_fetch(&state, 0x9E3779B97F4A7C15ULL, __ATOMIC_RELAXED);
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
}

static int ours(const char *path) {
    begin();
    char whole[PATH_MAX];
    if (path[0] == '/') return strncmp(path, under, strlen(under)) == 0;
    if (!getcwd(whole, sizeof whole)) return 0;
    size_t length = strlen(whole);
    snprintf(whole + length, sizeof whole - length, "/%s", path);
    return strncmp(whole, under, strlen(under)) == 0;
}

static int ours_open(int file) {
    begin();
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return ours(path);
}

/* Whether this call fails, and how. */
static int fails(int opens) {
    static const int errors[] = {ENOSPC, EIO, EDQUOT, EROFS};
    if (rate == 0 || draw() % 1000000 >= (uint64_t)rate) return 0;
    errno = opens && draw() % 2 ? EMFILE : errors[draw() % 4];
    return 1;
}

static void tell(const char *line, size_t length) {
    if (book >= 0) syscall(SYS_write, book, line, length);
}

static uint64_t inode(int file, off_t *size) {
    struct stat facts;
    if (fstat(file, &facts)) return 0;
    if (size) *size = facts.st_size;
    return facts.st_ino;
}

static void written(int file) {
    char line[64];
    if (book >= 0) tell(line, snprintf(line, sizeof line, "W %lu\n", (unsigned long)inode(file, 0)));
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

ssize_t write(int file, const void *bytes, size_t count) {
    REAL(write);
    if (!ours_open(file)) return real(file, bytes, count);
    if (fails(0)) return -1;
    /* A full disk takes a part now and then. */
    if (rate && count > 1 && draw() % 1000000 < (uint64_t)rate) count /= 2;
    ssize_t done = real(file, bytes, count);
    if (done > 0) written(file);
    return done;
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    REAL(writev);
    if (!ours_open(file)) return real(file, parts, count);
    if (fails(0)) return -1;
    ssize_t done = real(file, parts, count);
    if (done > 0) written(file);
    return done;
}

static int synced(int file, int (*real)(int)) {
    if (!ours_open(file)) return real(file);
    if (fails(0)) return -1;
    off_t size = 0;
    uint64_t which = inode(file, &size);
    char line[96];
    int done = real(file);
    if (!done) tell(line, snprintf(line, sizeof line, "S %lu %ld\n", (unsigned long)which, (long)size));
    return done;
}

int fsync(int file) { REAL(fsync); return synced(file, real); }
int fdatasync(int file) { REAL(fdatasync); return synced(file, real); }

int ftruncate64(int file, off64_t size) {
    REAL(ftruncate64);
    if (!ours_open(file)) return real(file, size);
    if (fails(0)) return -1;
    int done = real(file, size);
    if (!done) written(file);
    return done;
}

int rename(const char *from, const char *to) {
    REAL(rename);
    if (!ours(to)) return real(from, to);
    if (fails(0)) return -1;
    struct stat facts, folder;
    int there = lstat(to, &facts) == 0;
    char line[PATH_MAX + 96], parent[PATH_MAX];
    snprintf(parent, sizeof parent, "%s", to);
    char *slash = strrchr(parent, '/');
    if (slash) *slash = 0; else strcpy(parent, ".");
    int known = lstat(from, &facts) == 0 && stat(parent, &folder) == 0;
    int done = real(from, to);
    if (!done && known)
        tell(line, snprintf(line, sizeof line, "R %lu %lu %d %s\n", (unsigned long)facts.st_ino, (unsigned long)folder.st_ino, there, to));
    return done;
}

int unlink(const char *path) {
    REAL(unlink);
    return ours(path) && fails(0) ? -1 : real(path);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    return ours(path) && fails(0) ? -1 : real(path, mode);
}

static int opened(const char *path, int flags) { return (flags & (O_WRONLY | O_RDWR | O_CREAT)) && ours(path) && fails(1); }

int open64(const char *path, int flags, ...) {
    REAL(open64);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return opened(path, flags) ? -1 : real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    REAL(open);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return opened(path, flags) ? -1 : real(path, flags, mode);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int done = (int)syscall(SYS_clock_gettime, clock, time);
    begin();
    if (!done && jumps && clock == CLOCK_REALTIME) {
        const long years = 10L * 365 * 86400;
        time->tv_sec += (long)(draw() % (2 * years)) - years;
    }
    return done;
}
