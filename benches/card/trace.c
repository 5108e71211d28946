// Writes what a CUDA program does on the card to the file that CUDA_TRACE names, one line an activity:
//
//     n INDEX NAME                     a kernel's name (mangled), before the first kernel that has it
//     k START END INDEX                a kernel
//     c START END BYTES KIND FROM TO   a copy: CUpti_ActivityMemcpyKind, memory kinds of its source and target
//     m START END BYTES                a memset
//     w START END TYPE                 the host waited: CUpti_ActivitySynchronizationType
//     d COUNT                          activities that CUPTI had to drop
//     ! TEXT                           what went wrong
//
// Times are CUPTI's, ns. The driver loads it where CUDA_INJECTION64_PATH names it; activities.py reads the file.
#include <cupti.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BUFFER (4u << 20)
#define NAMES 8192u // a power of two, above the number of different kernels

static FILE *out;
static const char *names[NAMES]; // by address: CUPTI keeps one string for each kernel
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int said(CUptiResult result, const char *what) {
    if (result == CUPTI_SUCCESS) return 0;
    const char *text = NULL;
    cuptiGetResultString(result, &text);
    fprintf(out, "! %s: %s\n", what, text ? text : "an unknown error");
    return 1;
}

// The place of a name in the table; where it is new, its line is written. NAMES where the table is full.
static unsigned place(const char *name) {
    if (!name) name = "?";
    unsigned at = (unsigned)((uintptr_t)name >> 4) & (NAMES - 1);
    for (unsigned tried = 0; tried < NAMES; tried++, at = (at + 1) & (NAMES - 1)) {
        if (names[at] == name) return at;
        if (!names[at]) {
            names[at] = name;
            fprintf(out, "n %u %s\n", at, name);
            return at;
        }
    }
    return NAMES;
}

static void write_record(const CUpti_Activity *record) {
    switch (record->kind) {
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL: {
        const CUpti_ActivityKernel10 *k = (const void *)record;
        unsigned index = place(k->name);
        fprintf(out, "k %llu %llu %u\n", (unsigned long long)k->start, (unsigned long long)k->end, index);
        break;
    }
    case CUPTI_ACTIVITY_KIND_MEMCPY: {
        const CUpti_ActivityMemcpy6 *c = (const void *)record;
        fprintf(out, "c %llu %llu %llu %u %u %u\n", (unsigned long long)c->start, (unsigned long long)c->end,
                (unsigned long long)c->bytes, c->copyKind, c->srcKind, c->dstKind);
        break;
    }
    case CUPTI_ACTIVITY_KIND_MEMSET: {
        const CUpti_ActivityMemset4 *m = (const void *)record;
        fprintf(out, "m %llu %llu %llu\n", (unsigned long long)m->start, (unsigned long long)m->end, (unsigned long long)m->bytes);
        break;
    }
    case CUPTI_ACTIVITY_KIND_SYNCHRONIZATION: {
        const CUpti_ActivitySynchronization2 *w = (const void *)record;
        fprintf(out, "w %llu %llu %u\n", (unsigned long long)w->start, (unsigned long long)w->end, (unsigned)w->type);
        break;
    }
    default:
        break;
    }
}

static void CUPTIAPI requested(uint8_t **buffer, size_t *size, size_t *most) {
    *buffer = aligned_alloc(8, BUFFER);
    *size = *buffer ? BUFFER : 0;
    *most = 0;
}

static void CUPTIAPI completed(CUcontext context, uint32_t stream, uint8_t *buffer, size_t size, size_t valid) {
    (void)size;
    pthread_mutex_lock(&lock);
    CUpti_Activity *record = NULL;
    while (valid && cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS) write_record(record);
    size_t dropped = 0;
    if (cuptiActivityGetNumDroppedRecords(context, stream, &dropped) == CUPTI_SUCCESS && dropped) fprintf(out, "d %zu\n", dropped);
    pthread_mutex_unlock(&lock);
    free(buffer);
}

static void finish(void) {
    said(cuptiActivityFlushAll(1), "the last activities");
    fflush(out);
}

// Called by the driver when the program first uses CUDA. Whatever fails here, the program goes on.
int InitializeInjection(void) {
    const char *path = getenv("CUDA_TRACE");
    if (out || !path || !(out = fopen(path, "w"))) return 1;
    static const struct {
        CUpti_ActivityKind kind;
        const char *what;
    } wanted[] = {
        {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, "kernels"},
        {CUPTI_ACTIVITY_KIND_MEMCPY, "copies"},
        {CUPTI_ACTIVITY_KIND_MEMSET, "memsets"},
        {CUPTI_ACTIVITY_KIND_SYNCHRONIZATION, "waits"},
    };
    if (!said(cuptiActivityRegisterCallbacks(requested, completed), "buffers")) {
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) said(cuptiActivityEnable(wanted[i].kind), wanted[i].what);
        atexit(finish);
    }
    fflush(out);
    return 1;
}
