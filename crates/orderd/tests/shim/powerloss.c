/* A disk that forgets: preloaded into a process, it keeps in $POWERLOSS_SHADOW a copy of each file of
 * the (flat) directory $POWERLOSS_DIR, holding only what fsync or fdatasync has covered. Killing the
 * process and going on from the copy is what a power cut leaves behind at its worst.
 *
 * Not seen: mmap (SQLite maps only its -shm file, which nobody syncs), dup, copy_file_range. A new
 * file becomes durable with its first sync and a removed one is gone at once: names are not what is
 * tested here. A kill in the middle of a sync leaves part of it behind, as a real cut does. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FDS = 65536, FILES = 256, RANGES = 4096 };

struct range {
    off_t from, to;
};

/* What was written to a file since its last sync. */
struct file {
    char name[NAME_MAX + 1]; /* "" where the slot is free */
    off_t cut_to;            /* the least size it was truncated to, or -1 */
    int count;
    struct range ranges[RANGES];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file files[FILES];
static struct file *by_fd[FDS];

#define REAL(result, name, ...)                                 \
    static result (*real_##name)(__VA_ARGS__);                  \
    static void find_##name(void) {                             \
        if (!real_##name) real_##name = dlsym(RTLD_NEXT, #name); \
    }

REAL(int, open64, const char *, int, ...)
REAL(int, openat64, int, const char *, int, ...)
REAL(int, close, int)
REAL(ssize_t, write, int, const void *, size_t)
REAL(ssize_t, writev, int, const struct iovec *, int)
REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t)
REAL(ssize_t, pwritev64, int, const struct iovec *, int, off64_t)
REAL(int, ftruncate64, int, off64_t)
REAL(int, fsync, int)
REAL(int, fdatasync, int)
REAL(int, unlink, const char *)
REAL(int, rename, const char *, const char *)

/* The name of `path` inside the watched directory, or NULL. */
static const char *watched(const char *path) {
    const char *directory = getenv("POWERLOSS_DIR");
    size_t length = directory ? strlen(directory) : 0;
    if (!length || strncmp(path, directory, length) || path[length] != '/') return NULL;
    const char *name = path + length + 1;
    return *name && !strchr(name, '/') && strlen(name) <= NAME_MAX ? name : NULL;
}

static void shadow_path(char out[PATH_MAX], const char *name) {
    const char *directory = getenv("POWERLOSS_SHADOW");
    snprintf(out, PATH_MAX, "%s/%s", directory ? directory : "/nonexistent", name);
}

static void give_up(const char *what) {
    fprintf(stderr, "powerloss: %s\n", what);
    abort();
}

static struct file *find(const char *name) {
    for (int i = 0; i < FILES; i++)
        if (!strcmp(files[i].name, name)) return &files[i];
    return NULL;
}

static struct file *find_or_add(const char *name) {
    struct file *file = find(name);
    if (file) return file;
    file = find("");
    if (!file) give_up("too many files");
    strcpy(file->name, name);
    file->count = 0;
    file->cut_to = -1;
    return file;
}

static void forget(struct file *file) {
    file->name[0] = 0;
    for (int fd = 0; fd < FDS; fd++)
        if (by_fd[fd] == file) by_fd[fd] = NULL;
}

static int opened(int fd, int flags) {
    if (fd < 0 || fd >= FDS) return fd;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return fd;
    path[length] = 0;
    const char *name = watched(path);
    pthread_mutex_lock(&lock);
    by_fd[fd] = name ? find_or_add(name) : NULL;
    if (by_fd[fd] && (flags & O_TRUNC)) {
        by_fd[fd]->cut_to = 0;
        by_fd[fd]->count = 0;
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

static struct file *file_of(int fd) { return fd >= 0 && fd < FDS ? by_fd[fd] : NULL; }

/* Remembers that [from, to) was written; where there are too many ranges, one takes them all in. */
static void wrote(struct file *file, off_t from, off_t to) {
    struct range *last = file->count ? &file->ranges[file->count - 1] : NULL;
    if (last && from <= last->to && to >= last->from) {
        if (from < last->from) last->from = from;
        if (to > last->to) last->to = to;
        return;
    }
    if (file->count == RANGES) {
        for (int i = 0; i < RANGES; i++) {
            if (file->ranges[i].from < from) from = file->ranges[i].from;
            if (file->ranges[i].to > to) to = file->ranges[i].to;
        }
        file->count = 0;
    }
    file->ranges[file->count++] = (struct range){from, to};
}

static void wrote_at(int fd, off_t from, ssize_t length) {
    if (length <= 0 || !file_of(fd)) return;
    pthread_mutex_lock(&lock);
    if (by_fd[fd]) wrote(by_fd[fd], from, from + length);
    pthread_mutex_unlock(&lock);
}

static void wrote_here(int fd, ssize_t length) {
    if (length <= 0 || !file_of(fd)) return;
    wrote_at(fd, lseek(fd, 0, SEEK_CUR) - length, length);
}

static void copy_range(int from, int to, struct range range) {
    char buffer[65536];
    find_pwrite64();
    while (range.from < range.to) {
        size_t want = range.to - range.from;
        ssize_t got = pread(from, buffer, want < sizeof buffer ? want : sizeof buffer, range.from);
        if (got < 0) give_up("cannot read what is to be synced");
        if (got == 0) return; /* truncated since */
        if (real_pwrite64(to, buffer, got, range.from) != got) give_up("cannot write the shadow");
        range.from += got;
    }
}

/* The disk has it now. */
static void synced(int fd) {
    if (!file_of(fd)) return;
    pthread_mutex_lock(&lock);
    struct file *file = by_fd[fd];
    if (file) {
        char path[PATH_MAX];
        struct stat status;
        find_open64();
        find_ftruncate64();
        find_close();
        shadow_path(path, file->name);
        int shadow = real_open64(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (shadow < 0) give_up("cannot open the shadow");
        if (file->cut_to >= 0 && !fstat(shadow, &status) && status.st_size > file->cut_to &&
            real_ftruncate64(shadow, file->cut_to))
            give_up("cannot cut the shadow");
        for (int i = 0; i < file->count; i++) copy_range(fd, shadow, file->ranges[i]);
        if (fstat(fd, &status) || real_ftruncate64(shadow, status.st_size))
            give_up("cannot size the shadow");
        file->count = 0;
        file->cut_to = -1;
        real_close(shadow);
    }
    pthread_mutex_unlock(&lock);
}

#define MODE(flags, mode)                    \
    mode_t mode = 0;                         \
    if ((flags) & (O_CREAT | O_TMPFILE)) {   \
        va_list list;                        \
        va_start(list, flags);               \
        mode = va_arg(list, mode_t);         \
        va_end(list);                        \
    }

int open64(const char *path, int flags, ...) {
    MODE(flags, mode)
    find_open64();
    return opened(real_open64(path, flags, mode), flags);
}

int open(const char *path, int flags, ...) {
    MODE(flags, mode)
    find_open64();
    return opened(real_open64(path, flags, mode), flags);
}

int openat64(int directory, const char *path, int flags, ...) {
    MODE(flags, mode)
    find_openat64();
    return opened(real_openat64(directory, path, flags, mode), flags);
}

int openat(int directory, const char *path, int flags, ...) {
    MODE(flags, mode)
    find_openat64();
    return opened(real_openat64(directory, path, flags, mode), flags);
}

int creat(const char *path, mode_t mode) { return open64(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int fd) {
    find_close();
    if (file_of(fd)) {
        pthread_mutex_lock(&lock);
        by_fd[fd] = NULL;
        pthread_mutex_unlock(&lock);
    }
    return real_close(fd);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    find_write();
    ssize_t length = real_write(fd, bytes, count);
    wrote_here(fd, length);
    return length;
}

ssize_t writev(int fd, const struct iovec *vector, int count) {
    find_writev();
    ssize_t length = real_writev(fd, vector, count);
    wrote_here(fd, length);
    return length;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    find_pwrite64();
    ssize_t length = real_pwrite64(fd, bytes, count, offset);
    wrote_at(fd, offset, length);
    return length;
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return pwrite64(fd, bytes, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *vector, int count, off64_t offset) {
    find_pwritev64();
    ssize_t length = real_pwritev64(fd, vector, count, offset);
    wrote_at(fd, offset, length);
    return length;
}

ssize_t pwritev(int fd, const struct iovec *vector, int count, off_t offset) {
    return pwritev64(fd, vector, count, offset);
}

int ftruncate64(int fd, off64_t size) {
    find_ftruncate64();
    int result = real_ftruncate64(fd, size);
    if (!result && file_of(fd)) {
        pthread_mutex_lock(&lock);
        struct file *file = by_fd[fd];
        if (file && (file->cut_to < 0 || size < file->cut_to)) file->cut_to = size;
        pthread_mutex_unlock(&lock);
    }
    return result;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int fsync(int fd) {
    find_fsync();
    int result = real_fsync(fd);
    if (!result) synced(fd);
    return result;
}

int fdatasync(int fd) {
    find_fdatasync();
    int result = real_fdatasync(fd);
    if (!result) synced(fd);
    return result;
}

int unlink(const char *path) {
    find_unlink();
    int result = real_unlink(path);
    const char *name = result ? NULL : watched(path);
    if (name) {
        char shadow[PATH_MAX];
        pthread_mutex_lock(&lock);
        struct file *file = find(name);
        if (file) forget(file);
        shadow_path(shadow, name);
        real_unlink(shadow);
        pthread_mutex_unlock(&lock);
    }
    return result;
}

int rename(const char *from, const char *to) {
    find_rename();
    int result = real_rename(from, to);
    const char *old_name = result ? NULL : watched(from), *new_name = result ? NULL : watched(to);
    if (old_name && new_name) {
        char old_shadow[PATH_MAX], new_shadow[PATH_MAX];
        pthread_mutex_lock(&lock);
        struct file *file = find(new_name);
        if (file) forget(file);
        file = find(old_name);
        if (file) strcpy(file->name, new_name);
        shadow_path(old_shadow, old_name);
        shadow_path(new_shadow, new_name);
        real_rename(old_shadow, new_shadow);
        pthread_mutex_unlock(&lock);
    }
    return result;
}
