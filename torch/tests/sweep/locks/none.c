/* Preloaded: a file system without locks, as Lustre without the option flock. */
#include <errno.h>

int flock(int fd, int operation) {
    (void)fd;
    (void)operation;
    errno = ENOSYS;
    return -1;
}
