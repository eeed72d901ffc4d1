/* How a call waits: Open MPI's functions under other names, pauses, and notes of the waits (waiting.c). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <mpi.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SPIN 100e-6        /* s without a pause: longer than a message from node to node */
#define MOVING 8e-6        /* s of CPU; a test takes longer only if it moves data: then more will come at once */
#define MOVING_FIRST 12e-6 /* the same for the first test after a pause, when the CPU's caches are cold */
#define SHARE (1.0 / 16)   /* a pause, as a share of the time since the last spin: a call may end that much later */
#define LONGEST 2e-3       /* s, of a pause; on a virtual machine each pause costs 20 us of CPU */
#define TESTS 8            /* after a pause: Open MPI checks some connections only at every eighth test */

/* Open MPI is looked up at the first call: if this were linked to it, each process of a program would load it. */
#define USED(X)                                                                                                     \
    X(Comm_group) X(Comm_rank) X(Comm_spawn) X(Comm_spawn_multiple) X(Info_create) X(Info_dup) X(Info_free)         \
    X(Info_get_string) X(Info_set) X(Comm_remote_group) X(Comm_test_inter) X(Send_init) X(Start) X(Request_free)    \
    X(Group_free) X(Group_translate_ranks) X(Initialized) X(Isend) X(Issend) X(Irsend) X(Irecv) X(Iprobe)           \
    X(Improbe) X(Imrecv) X(Pack) X(Pack_size) X(Test) X(Testall) X(Testany) X(Testsome) X(Barrier) X(Ibarrier)      \
    X(Bcast) X(Ibcast) X(Gather) X(Igather) X(Gatherv) X(Igatherv) X(Scatter) X(Iscatter) X(Scatterv)               \
    X(Iscatterv) X(Allgather) X(Iallgather) X(Allgatherv) X(Iallgatherv) X(Alltoall) X(Ialltoall) X(Alltoallv)      \
    X(Ialltoallv) X(Alltoallw) X(Ialltoallw) X(Reduce) X(Ireduce) X(Allreduce) X(Iallreduce) X(Reduce_scatter)      \
    X(Ireduce_scatter) X(Reduce_scatter_block) X(Ireduce_scatter_block) X(Scan) X(Iscan) X(Exscan) X(Iexscan)       \
    X(Neighbor_allgather) X(Ineighbor_allgather) X(Neighbor_allgatherv) X(Ineighbor_allgatherv)

static struct {
#define FIELD(name) __typeof__(&PMPI_##name) name;
    USED(FIELD)
} mpi;
static MPI_Comm world;
static MPI_Datatype packed;
static MPI_Info no_info;

/* The wait of one thread. `peer` is a rank of MPI_COMM_WORLD; `peer` and `tag` may be one of the constants below. */
struct note {
    uint64_t thread; /* pthread_self, as faulthandler prints it; 0: this note is unused */
    double since;    /* CLOCK_MONOTONIC, s */
    int32_t peer, tag;
    char call[24];
};
enum { NONE = -1, ANY = -2, ELSEWHERE = -3 };
#define NOTES 64 /* threads that wait at a time; the waits of further ones are not noted */
static struct note *notes;

static void open_notes(void)
{
    const char *folder = getenv("PARLAB_STACKS");
    char path[4096];
    if (folder == NULL || snprintf(path, sizeof path, "%s/%d.mpi", folder, getpid()) >= (int)sizeof path)
        return;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (posix_fallocate(fd, 0, NOTES * sizeof *notes) == 0) { /* else a full /tmp would cause a SIGBUS later */
        void *at = mmap(NULL, NOTES * sizeof *notes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        notes = at == MAP_FAILED ? NULL : at;
    }
    close(fd);
}

static void *looked_up(void *library, const char *name)
{
    void *found = library == NULL ? NULL : dlsym(library, name);
    if (found == NULL) {
        fprintf(stderr, "parlab: Open MPI has no %s here: run with --spin\n", name);
        abort();
    }
    return found;
}

static void look_up(void)
{
    void *library = dlopen("libmpi.so.40", RTLD_LAZY | RTLD_NOLOAD);
#define LOOK_UP(name) mpi.name = (__typeof__(mpi.name))looked_up(library, "PMPI_" #name);
    USED(LOOK_UP)
    world = looked_up(library, "ompi_mpi_comm_world");
    packed = looked_up(library, "ompi_mpi_packed");
    no_info = looked_up(library, "ompi_mpi_info_null");
    open_notes();
}

static void be_ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look_up);
}

/* A call that waits: its arguments, and its progress. */
struct wait {
    const char *call;
    MPI_Comm comm; /* of `peer` */
    int peer, tag; /* as the program gave them, or MPI_UNDEFINED */
    double began, spin; /* s, when it began to wait, and to spin */
    double used;        /* s of this thread's CPU time, before the last test */
    int tests;          /* until the next pause */
    struct note *note;
};

static double clock_s(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static int in_world(MPI_Comm comm, int rank)
{
    int started = 0, inter = 0, found = MPI_UNDEFINED;
    MPI_Group members, all;
    mpi.Initialized(&started); /* not if there are only sessions */
    if (!started || mpi.Comm_test_inter(comm, &inter) != MPI_SUCCESS)
        return ELSEWHERE;
    if ((inter ? mpi.Comm_remote_group : mpi.Comm_group)(comm, &members) != MPI_SUCCESS)
        return ELSEWHERE;
    mpi.Comm_group(world, &all);
    mpi.Group_translate_ranks(members, 1, &rank, all, &found);
    mpi.Group_free(&members);
    mpi.Group_free(&all);
    return found == MPI_UNDEFINED ? ELSEWHERE : found;
}

static void take_note(struct wait *wait)
{
    for (int i = 0; notes != NULL && i < NOTES && wait->note == NULL; i++) {
        uint64_t free = 0;
        if (__atomic_compare_exchange_n(&notes[i].thread, &free, UINT64_MAX, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            wait->note = &notes[i];
    }
    if (wait->note == NULL)
        return;
    wait->note->peer = wait->peer >= 0 ? in_world(wait->comm, wait->peer) : wait->peer == MPI_ANY_SOURCE ? ANY : NONE;
    wait->note->tag = wait->tag >= 0 ? wait->tag : wait->tag == MPI_ANY_TAG ? ANY : NONE;
    wait->note->since = wait->began;
    strncpy(wait->note->call, wait->call, sizeof wait->note->call - 1);
    __atomic_store_n(&wait->note->thread, (uint64_t)pthread_self(), __ATOMIC_RELEASE);
}

/* Let time pass until the next test. */
static void rest(struct wait *wait)
{
    double at = clock_s(CLOCK_MONOTONIC), used = clock_s(CLOCK_THREAD_CPUTIME_ID);
    if (wait->began == 0.0)
        wait->began = wait->spin = at;
    else if (used > wait->used + (wait->tests == TESTS - 1 ? MOVING_FIRST : MOVING)) {
        wait->spin = at;
        wait->tests = 0;
    }
    if (at > wait->spin + SPIN && wait->tests-- == 0) {
        double pause = (at - wait->spin) * SHARE;
        struct timespec time = {.tv_nsec = (pause < LONGEST ? pause : LONGEST) * 1e9};
        if (wait->note == NULL)
            take_note(wait);
        nanosleep(&time, NULL);
        wait->tests = TESTS - 1;
        used = clock_s(CLOCK_THREAD_CPUTIME_ID);
    }
    wait->used = used;
}

static int end(struct wait *wait, int error)
{
    if (wait->note != NULL)
        __atomic_store_n(&wait->note->thread, 0, __ATOMIC_RELEASE);
    return error;
}

#define WAITING(name, of, with, tagged) struct wait wait = {.call = name, .comm = of, .peer = with, .tag = tagged}

/* The rest of a function: test until `done` is true, or the test fails, and return its result. */
#define UNTIL(done, test)                                                                                           \
    int error;                                                                                                      \
    while ((error = (test)) == MPI_SUCCESS && !(done))                                                              \
        rest(&wait);                                                                                                \
    return end(&wait, error)

static int until_over(struct wait wait, MPI_Request *request, MPI_Status *status)
{
    int done = 0;
    UNTIL(done, mpi.Test(request, &done, status));
}
