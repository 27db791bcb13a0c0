/*
 * A disk that forgets. Preloaded before libc, it watches the files of one folder whose names begin
 * with a prefix, and remembers how to undo every write since the file's last fsync or fdatasync.
 * At the chosen operation the power goes: of the unsynced 4 KiB pages each is kept or undone by a
 * coin (a write in progress may be torn), directory entries not synced are kept or undone, and the
 * process ends without a further word. What was synced is never touched.
 *
 * powercut_arm(folder, prefix, at, seed, report) starts watching; before that nothing is recorded.
 * A fork goes on counting by itself, and its power cut is also the end of the process that armed.
 * powercut_fail(from, until, permille, how) then lets that share of the operations between two
 * numbers fail with EIO: reads, writes (after a part of them), truncations and syncs. A sync that
 * failed made nothing safe. `how` is 0 for all of them, 1 for syncs only, 2 for syncs that fail and
 * say that all is well, 3 for a full disk (ENOSPC, only where a file would grow), 4 for a full
 * disk that says that all was written, and 5 for writes and truncations only.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096
#define FDS 1024
#define FILES 256

enum { ANY, SYNCS, LYING, FULL, FULL_LYING, WRITES };

struct undo {
    struct undo *before;
    off_t at;        /* where the change began */
    off_t old_size;  /* the file's size before it */
    size_t length;   /* bytes of `old` that were there */
    size_t touched;  /* bytes that the change covered */
    unsigned char old[];
};

struct file {
    char name[NAME_MAX + 1];
    struct undo *newest;
    int entry_unsynced; /* created since the folder's last sync */
    char hidden[NAME_MAX + 8]; /* what an unsynced unlink or rename took away */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int armed;
static char folder[PATH_MAX], prefix[NAME_MAX + 1];
static long countdown;
static uint64_t dice;
static int report_fd = -1;
static pid_t armed_by; /* a fork of it that cuts the power takes it along */
static int file_of[FDS]; /* index + 1, or 0, or -1 for the folder itself */
static struct file files[FILES];
static int file_count;
static long kept, dropped, torn, entries, syncs, writes;
static long operations, fail_from, fail_until, fail_permille, fail_how;
static long failed_reads, failed_writes, failed_syncs;

#define REAL(type, name, ...) \
    static type (*real_##name)(__VA_ARGS__); \
    if (!real_##name) real_##name = dlsym(RTLD_NEXT, #name)

static uint64_t roll(void) { /* xorshift64 */
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return dice;
}

static off_t size_of(int fd) {
    struct stat status;
    return fstat(fd, &status) ? 0 : status.st_size;
}

static int path_of(char *out, const char *name) {
    return snprintf(out, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

static const char *watched(const char *path) {
    size_t length = strlen(folder);
    if (!armed || strncmp(path, folder, length) || path[length] != '/') return NULL;
    const char *name = path + length + 1;
    size_t size = strlen(name);
    if (strchr(name, '/') || strncmp(name, prefix, strlen(prefix))) return NULL;
    /* The index beside the log is memory, not disk; a lock file holds nothing. */
    if (size > 4 && !strcmp(name + size - 4, "-shm")) return NULL;
    return name;
}

static int index_of(const char *name) {
    for (int i = 0; i < file_count; i++)
        if (!strcmp(files[i].name, name)) return i;
    if (file_count == FILES) abort();
    strcpy(files[file_count].name, name);
    return file_count++;
}

static void forget(struct file *file) {
    while (file->newest) {
        struct undo *gone = file->newest;
        file->newest = gone->before;
        free(gone);
    }
}

static void note(int fd, struct file *file, off_t at, size_t touched) {
    off_t size = size_of(fd);
    size_t there = at < size ? (size_t)(size - at) : 0;
    if (there > touched) there = touched;
    struct undo *undo = malloc(sizeof *undo + there);
    if (!undo) abort();
    undo->at = at;
    undo->old_size = size;
    undo->touched = touched;
    undo->length = there;
    if (there && syscall(SYS_pread64, fd, undo->old, there, at) != (long)there) abort();
    undo->before = file->newest;
    file->newest = undo;
}

static unsigned char coin(uint64_t salt, off_t page) {
    uint64_t x = salt ^ ((uint64_t)page * 0x9E3779B97F4A7C15ULL);
    x ^= x >> 31;
    x *= 0xBF58476D1CE4E5B9ULL;
    x ^= x >> 29;
    return x & 1;
}

/* Undo, newest first, every change of a page whose coin says so; a file's growth goes with it. */
static void lose(struct file *file) {
    char path[PATH_MAX];
    if (!file->newest || !path_of(path, file->name)) return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) return;
    uint64_t salt = roll(), mood = roll() % 3; /* a third of the cuts lose everything unsynced */
    off_t size = -1;
    for (struct undo *undo = file->newest; undo; undo = undo->before) {
        size = undo->old_size;
        for (size_t done = 0; done < undo->touched;) {
            off_t at = undo->at + (off_t)done;
            size_t step = PAGE - (size_t)(at % PAGE);
            if (step > undo->touched - done) step = undo->touched - done;
            if (mood != 0 && coin(salt, at / PAGE)) {
                kept++;
            } else {
                unsigned char blank[PAGE] = {0};
                size_t known = done < undo->length ? undo->length - done : 0;
                if (known > step) known = step;
                memcpy(blank, undo->old + done, known);
                if (syscall(SYS_pwrite64, fd, blank, step, at) < 0) abort();
                dropped++;
            }
            done += step;
        }
    }
    if (mood == 0 && size >= 0 && syscall(SYS_ftruncate, fd, size)) abort();
    syscall(SYS_close, fd);
}

static void lose_entries(void) {
    char path[PATH_MAX], hidden[PATH_MAX];
    for (int i = 0; i < file_count; i++) {
        struct file *file = &files[i];
        if (!path_of(path, file->name)) continue;
        if (file->hidden[0] && path_of(hidden, file->hidden)) {
            if (roll() & 1) {
                syscall(SYS_renameat, AT_FDCWD, hidden, AT_FDCWD, path);
                entries++;
            } else {
                syscall(SYS_unlinkat, AT_FDCWD, hidden, 0);
            }
        } else if (file->entry_unsynced && (roll() & 1)) {
            syscall(SYS_unlinkat, AT_FDCWD, path, 0);
            entries++;
        }
    }
}

static void cut(void) {
    char line[320];
    pid_t other = armed_by == getpid() ? 0 : armed_by;
    if (other) kill(other, SIGSTOP);
    lose_entries();
    for (int i = 0; i < file_count; i++) lose(&files[i]);
    int size = snprintf(line, sizeof line,
        "{\"kept\":%ld,\"dropped\":%ld,\"torn\":%ld,\"entries\":%ld,\"syncs\":%ld,\"writes\":%ld,"
        "\"failed_reads\":%ld,\"failed_writes\":%ld,\"failed_syncs\":%ld}\n",
        kept, dropped, torn, entries, syncs, writes, failed_reads, failed_writes, failed_syncs);
    syscall(SYS_write, report_fd, line, size);
    if (other) kill(other, SIGKILL);
    syscall(SYS_exit_group, 87);
}

/* Count one operation; true when the power goes at it. */
static int due(void) {
    operations += armed;
    return armed && --countdown <= 0;
}

/* True when the operation that was just counted is to fail. */
static int failing(void) {
    return operations >= fail_from && operations < fail_until
        && (long)(roll() % 1000) < fail_permille;
}

int powercut_fail(long from, long until, long permille, long how) {
    pthread_mutex_lock(&lock);
    fail_from = from;
    fail_until = until;
    fail_permille = permille;
    fail_how = how;
    pthread_mutex_unlock(&lock);
    return 1;
}

int powercut_arm(const char *at_folder, const char *with, long at, uint64_t seed, int report) {
    pthread_mutex_lock(&lock);
    snprintf(folder, sizeof folder, "%s", at_folder);
    snprintf(prefix, sizeof prefix, "%s", with);
    countdown = at;
    dice = seed | 1;
    for (int i = 0; i < 8; i++) roll();
    report_fd = report;
    armed_by = getpid();
    armed = 1;
    pthread_mutex_unlock(&lock);
    return 1;
}

static void opened(int fd, const char *path, int flags, int was_there) {
    if (!armed || fd < 0 || fd >= FDS) return;
    pthread_mutex_lock(&lock);
    const char *name = watched(path);
    if (name) {
        int i = index_of(name);
        file_of[fd] = i + 1;
        if ((flags & O_CREAT) && !was_there) files[i].entry_unsynced = 1;
    } else {
        file_of[fd] = strcmp(path, folder) ? 0 : -1;
    }
    pthread_mutex_unlock(&lock);
}

static int exists(const char *path) {
    return armed && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(int, name, const char *, int, ...); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | __O_TMPFILE)) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = va_arg(rest, mode_t); \
            va_end(rest); \
        } \
        int was_there = exists(path); \
        int fd = real_##name(path, flags, mode); \
        opened(fd, path, flags, was_there); \
        return fd; \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    REAL(int, close, int);
    if (armed && fd >= 0 && fd < FDS) file_of[fd] = 0;
    return real_close(fd);
}

static struct file *file_at(int fd) {
    return armed && fd >= 0 && fd < FDS && file_of[fd] > 0 ? &files[file_of[fd] - 1] : NULL;
}

static ssize_t write_at(int fd, const void *bytes, size_t count, off_t at) {
    struct file *file = file_at(fd);
    pthread_mutex_lock(&lock);
    writes++;
    note(fd, file, at, count);
    if (due()) {
        size_t part = count ? roll() % (count + 1) : 0;
        if (part) syscall(SYS_pwrite64, fd, bytes, part, at);
        torn += part && part < count;
        cut();
    }
    int grows = at + (off_t)count > size_of(fd);
    int full = fail_how == FULL || fail_how == FULL_LYING;
    int touched = fail_how == ANY || fail_how == WRITES || (full && grows);
    if (touched && failing()) {
        failed_writes++;
        int lies = fail_how == FULL_LYING;
        if (count && !lies && syscall(SYS_pwrite64, fd, bytes, roll() % count, at) < 0) abort();
        pthread_mutex_unlock(&lock);
        errno = fail_how == FULL ? ENOSPC : EIO;
        return lies ? (ssize_t)count : -1;
    }
    ssize_t done = syscall(SYS_pwrite64, fd, bytes, count, at);
    pthread_mutex_unlock(&lock);
    return done;
}

#define PWRITE(name, offset) \
    ssize_t name(int fd, const void *bytes, size_t count, offset at) { \
        REAL(ssize_t, name, int, const void *, size_t, offset); \
        return file_at(fd) ? write_at(fd, bytes, count, at) : real_##name(fd, bytes, count, at); \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(ssize_t, write, int, const void *, size_t);
    if (!file_at(fd)) return real_write(fd, bytes, count);
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t done = write_at(fd, bytes, count, at);
    if (done > 0) lseek(fd, at + done, SEEK_SET);
    return done;
}

#define PREAD(name, offset) \
    ssize_t name(int fd, void *bytes, size_t count, offset at) { \
        REAL(ssize_t, name, int, void *, size_t, offset); \
        if (file_at(fd) && fail_until) { \
            pthread_mutex_lock(&lock); \
            /* Once it has begun, a time of failing also passes for who only reads. */ \
            operations += operations >= fail_from; \
            int fails = fail_how == ANY && failing(); \
            failed_reads += fails; \
            pthread_mutex_unlock(&lock); \
            if (fails) { errno = EIO; return -1; } \
        } \
        return real_##name(fd, bytes, count, at); \
    }
PREAD(pread, off_t)
PREAD(pread64, off64_t)

#define TRUNCATE(name, offset) \
    int name(int fd, offset size) { \
        REAL(int, name, int, offset); \
        struct file *file = file_at(fd); \
        if (!file) return real_##name(fd, size); \
        pthread_mutex_lock(&lock); \
        off_t old = size_of(fd); \
        off_t low = size < old ? size : old, high = size < old ? old : size; \
        note(fd, file, low, (size_t)(high - low)); \
        if (due()) cut(); \
        int touched = fail_how == ANY || fail_how == WRITES || (fail_how == FULL && size > old); \
        int fails = touched && failing(); \
        failed_writes += fails; \
        int done = fails ? -1 : real_##name(fd, size); \
        pthread_mutex_unlock(&lock); \
        if (fails) errno = fail_how == FULL ? ENOSPC : EIO; \
        return done; \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

static void folder_synced(void) {
    char hidden[PATH_MAX];
    for (int i = 0; i < file_count; i++) {
        files[i].entry_unsynced = 0;
        if (files[i].hidden[0] && path_of(hidden, files[i].hidden)) {
            syscall(SYS_unlinkat, AT_FDCWD, hidden, 0);
            files[i].hidden[0] = 0;
        }
    }
}

#define SYNC(name) \
    int name(int fd) { \
        REAL(int, name, int); \
        struct file *file = file_at(fd); \
        int at_folder = armed && fd >= 0 && fd < FDS && file_of[fd] == -1; \
        if (!file && !at_folder) return real_##name(fd); \
        pthread_mutex_lock(&lock); \
        syncs++; \
        if (due()) cut(); \
        int fails = fail_how < FULL && failing(); \
        failed_syncs += fails; \
        /* The simulated disk is the page cache: what is told to be safe is safe from the shim. */ \
        if (file && !fails) forget(file); \
        else if (!fails) folder_synced(); \
        pthread_mutex_unlock(&lock); \
        if (!fails || fail_how == LYING) return 0; \
        errno = EIO; \
        return -1; \
    }
SYNC(fsync)
SYNC(fdatasync)

static void hide(struct file *file, const char *path) {
    char hidden[PATH_MAX];
    if (file->hidden[0]) return;
    snprintf(file->hidden, sizeof file->hidden, ".cut-%s", file->name);
    if (!path_of(hidden, file->hidden)) abort();
    syscall(SYS_unlinkat, AT_FDCWD, hidden, 0);
    if (syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, hidden, 0)) file->hidden[0] = 0;
}

int unlink(const char *path) {
    REAL(int, unlink, const char *);
    const char *name = watched(path);
    if (!name) return real_unlink(path);
    pthread_mutex_lock(&lock);
    if (due()) cut();
    hide(&files[index_of(name)], path);
    int done = real_unlink(path);
    pthread_mutex_unlock(&lock);
    return done;
}

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    const char *name = watched(to);
    if (!name) return real_rename(from, to);
    pthread_mutex_lock(&lock);
    if (due()) cut();
    hide(&files[index_of(name)], to);
    int done = real_rename(from, to);
    pthread_mutex_unlock(&lock);
    return done;
}
