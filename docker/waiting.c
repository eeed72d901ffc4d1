/*
 * Waiting that leaves the CPU to others, for ranks under a limit: parlab/node/supervisor.py preloads it.
 *
 * A rank in a blocking call of Open MPI checks again and again whether it is done. If a node has half a core for four
 * ranks, three that check use the time that the fourth needs to get there. Here each blocking call is replaced by its
 * non-blocking twin (MPI-4.1, chapters 3 and 6), checked with MPI_Test: without a pause at first, since most calls end
 * soon, then with growing pauses. The profiling interface (chapter 15) is made for this: programs call our MPI_Send,
 * and we call PMPI_Isend.
 *
 * A collective's twin never meets a blocking one: all ranks of a program have this library, or none. Reductions may
 * add in another order. Calls that are not here wait as usual: one-sided calls, files, making and leaving
 * communicators, MPI_Buffer_detach, MPI_Init and MPI_Finalize have no twin. The twins of Neighbor_alltoall, -v and -w
 * mix up the two neighbours along a periodic dimension of one or two ranks (Open MPI 5.0; open-mpi/ompi issue 14430).
 *
 * PARLAB_STACKS/PID.mpi, an array of struct note, records the waits of paused calls; parlab/node/waits.py reads it.
 */
#include "waiting.h"

/* ---- One message ---- */

#define SEND(name, twin)                                                                                            \
    int MPI_##name(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm)                 \
    {                                                                                                               \
        MPI_Request request;                                                                                        \
        be_ready();                                                                                                 \
        WAITING(#name, comm, dest, tag);                                                                            \
        int failed = mpi.twin(buf, count, type, dest, tag, comm, &request);                                         \
        return failed ? failed : until_over(wait, &request, MPI_STATUS_IGNORE);                                     \
    }
SEND(Send, Isend)
SEND(Ssend, Issend)
SEND(Rsend, Irsend)

int MPI_Recv(void *buf, int count, MPI_Datatype type, int source, int tag, MPI_Comm comm, MPI_Status *status)
{
    MPI_Request request;
    be_ready();
    WAITING("Recv", comm, source, tag);
    int failed = mpi.Irecv(buf, count, type, source, tag, comm, &request);
    return failed ? failed : until_over(wait, &request, status);
}

int MPI_Mrecv(void *buf, int count, MPI_Datatype type, MPI_Message *message, MPI_Status *status)
{
    MPI_Request request;
    be_ready();
    WAITING("Mrecv", NULL, MPI_UNDEFINED, MPI_UNDEFINED);
    int failed = mpi.Imrecv(buf, count, type, message, &request);
    return failed ? failed : until_over(wait, &request, status);
}

int MPI_Probe(int source, int tag, MPI_Comm comm, MPI_Status *status)
{
    int found = 0;
    be_ready();
    WAITING("Probe", comm, source, tag);
    UNTIL(found, mpi.Iprobe(source, tag, comm, &found, status));
}

int MPI_Mprobe(int source, int tag, MPI_Comm comm, MPI_Message *message, MPI_Status *status)
{
    int found = 0;
    be_ready();
    WAITING("Mprobe", comm, source, tag);
    UNTIL(found, mpi.Improbe(source, tag, comm, &found, message, status));
}

/* A pair: `send` is ready but not started, so that both are known to be valid before either starts. Both are completed,
 * whatever the first of them returns: after that their buffers belong to the program again. */
static int pair(struct wait wait, MPI_Request *send, int dest, int sendtag, void *into, int count, MPI_Datatype type,
                int source, int recvtag, MPI_Status *status)
{
    MPI_Request receive;
    int received = 0, sent = 0;
    int failed = mpi.Irecv(into, count, type, source, recvtag, wait.comm, &receive);
    if (failed)
        mpi.Request_free(send);
    if (failed || (failed = mpi.Start(send)))
        return failed;
    for (;;) {
        if (!received) {
            failed = mpi.Test(&receive, &received, status);
            received = received || failed;
            if (received) { /* now wait for the other */
                end(&wait, MPI_SUCCESS);
                wait.note = NULL;
                wait.call = "Send of Sendrecv";
                wait.peer = dest;
                wait.tag = sendtag;
            }
        }
        if (!sent) {
            int error = mpi.Test(send, &sent, MPI_STATUS_IGNORE);
            sent = sent || error;
            failed = failed ? failed : error;
        }
        if (received && sent)
            break;
        rest(&wait);
    }
    mpi.Request_free(send);
    return end(&wait, failed);
}

int MPI_Sendrecv(const void *sendbuf, int sendcount, MPI_Datatype sendtype, int dest, int sendtag, void *recvbuf,
                 int recvcount, MPI_Datatype recvtype, int source, int recvtag, MPI_Comm comm, MPI_Status *status)
{
    MPI_Request send;
    be_ready();
    WAITING("Sendrecv", comm, source, recvtag);
    int failed = mpi.Send_init(sendbuf, sendcount, sendtype, dest, sendtag, comm, &send);
    return failed ? failed : pair(wait, &send, dest, sendtag, recvbuf, recvcount, recvtype, source, recvtag, status);
}

int MPI_Sendrecv_replace(void *buf, int count, MPI_Datatype type, int dest, int sendtag, int source, int recvtag,
                         MPI_Comm comm, MPI_Status *status)
{
    MPI_Request send;
    int size, length = 0, failed;
    be_ready();
    WAITING("Sendrecv_replace", comm, source, recvtag);
    if ((failed = mpi.Pack_size(count, type, comm, &size)))
        return failed;
    void *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL)
        return MPI_ERR_NO_MEM;
    failed = mpi.Pack(buf, count, type, copy, size, &length, comm);
    if (!failed && !(failed = mpi.Send_init(copy, length, packed, dest, sendtag, comm, &send)))
        failed = pair(wait, &send, dest, sendtag, buf, count, type, source, recvtag, status);
    free(copy);
    return failed;
}

/* ---- Requests ---- */

int MPI_Wait(MPI_Request *request, MPI_Status *status)
{
    be_ready();
    WAITING("Wait", NULL, MPI_UNDEFINED, MPI_UNDEFINED);
    return until_over(wait, request, status);
}

int MPI_Waitall(int count, MPI_Request requests[], MPI_Status statuses[])
{
    int done = 0;
    be_ready();
    WAITING("Waitall", NULL, MPI_UNDEFINED, MPI_UNDEFINED);
    UNTIL(done, mpi.Testall(count, requests, &done, statuses));
}

int MPI_Waitany(int count, MPI_Request requests[], int *index, MPI_Status *status)
{
    int done = 0;
    be_ready();
    WAITING("Waitany", NULL, MPI_UNDEFINED, MPI_UNDEFINED);
    UNTIL(done, mpi.Testany(count, requests, index, &done, status));
}

int MPI_Waitsome(int count, MPI_Request requests[], int *finished, int indices[], MPI_Status statuses[])
{
    be_ready();
    WAITING("Waitsome", NULL, MPI_UNDEFINED, MPI_UNDEFINED);
    UNTIL(*finished != 0, mpi.Testsome(count, requests, finished, indices, statuses));
}

/* ---- Collectives: name, twin, root or MPI_UNDEFINED, parameters, arguments ---- */

/* On an intercommunicator they wait as usual. There, with Open MPI 5.0, the twins of Bcasts from several roots in a
 * row take each other's messages (mpi4py's TestCCOBufInter), since a root's own group counts no call of its other
 * ranks. */
#define COLLECTIVE(name, twin, root, parameters, ...)                                                               \
    int MPI_##name parameters                                                                                       \
    {                                                                                                               \
        MPI_Request request;                                                                                        \
        int inter = 0;                                                                                              \
        be_ready();                                                                                                 \
        WAITING(#name, comm, root, MPI_UNDEFINED);                                                                  \
        int failed = mpi.Comm_test_inter(comm, &inter);                                                             \
        if (!failed && inter)                                                                                       \
            return mpi.name(__VA_ARGS__);                                                                           \
        if (!failed)                                                                                                \
            failed = mpi.twin(__VA_ARGS__, &request);                                                               \
        return failed ? failed : until_over(wait, &request, MPI_STATUS_IGNORE);                                     \
    }

#define COUNTS const int counts[]
#define FROM const void *from, int sends, MPI_Datatype send
#define FROM_EACH const void *from, const int sends[], const int offsets[]
#define INTO void *into, int receives, MPI_Datatype receive

COLLECTIVE(Barrier, Ibarrier, MPI_UNDEFINED, (MPI_Comm comm), comm)
COLLECTIVE(Bcast, Ibcast, root, (void *buf, int count, MPI_Datatype type, int root, MPI_Comm comm),
           buf, count, type, root, comm)
COLLECTIVE(Gather, Igather, root, (FROM, INTO, int root, MPI_Comm comm),
           from, sends, send, into, receives, receive, root, comm)
COLLECTIVE(Gatherv, Igatherv, root,
           (FROM, void *into, COUNTS, const int offsets[], MPI_Datatype receive, int root, MPI_Comm comm),
           from, sends, send, into, counts, offsets, receive, root, comm)
COLLECTIVE(Scatter, Iscatter, root, (FROM, INTO, int root, MPI_Comm comm),
           from, sends, send, into, receives, receive, root, comm)
COLLECTIVE(Scatterv, Iscatterv, root, (FROM_EACH, MPI_Datatype send, INTO, int root, MPI_Comm comm),
           from, sends, offsets, send, into, receives, receive, root, comm)
COLLECTIVE(Reduce, Ireduce, root,
           (const void *from, void *into, int count, MPI_Datatype type, MPI_Op op, int root, MPI_Comm comm),
           from, into, count, type, op, root, comm)

#define TO_ALL(name, twin)                                                                                          \
    COLLECTIVE(name, twin, MPI_UNDEFINED, (FROM, INTO, MPI_Comm comm), from, sends, send, into, receives, receive, comm)
TO_ALL(Allgather, Iallgather)
TO_ALL(Alltoall, Ialltoall)
TO_ALL(Neighbor_allgather, Ineighbor_allgather)

#define TO_ALL_V(name, twin)                                                                                        \
    COLLECTIVE(name, twin, MPI_UNDEFINED,                                                                           \
               (FROM, void *into, COUNTS, const int offsets[], MPI_Datatype receive, MPI_Comm comm),                \
               from, sends, send, into, counts, offsets, receive, comm)
TO_ALL_V(Allgatherv, Iallgatherv)
TO_ALL_V(Neighbor_allgatherv, Ineighbor_allgatherv)

#define EACH_TO_EACH(name, twin, types)                                                                             \
    COLLECTIVE(name, twin, MPI_UNDEFINED,                                                                           \
               (FROM_EACH, const MPI_Datatype send types, void *into, COUNTS, const int places[],                   \
                const MPI_Datatype receive types, MPI_Comm comm),                                                   \
               from, sends, offsets, send, into, counts, places, receive, comm)
EACH_TO_EACH(Alltoallv, Ialltoallv, )
EACH_TO_EACH(Alltoallw, Ialltoallw, [])

#define REDUCE(name, twin, counted)                                                                                 \
    COLLECTIVE(name, twin, MPI_UNDEFINED,                                                                           \
               (const void *from, void *into, counted, MPI_Datatype type, MPI_Op op, MPI_Comm comm),                \
               from, into, counts, type, op, comm)
REDUCE(Allreduce, Iallreduce, int counts)
REDUCE(Scan, Iscan, int counts)
REDUCE(Exscan, Iexscan, int counts)
REDUCE(Reduce_scatter, Ireduce_scatter, COUNTS)
REDUCE(Reduce_scatter_block, Ireduce_scatter_block, int counts)

/* ---- Ranks that a program spawns: they wait like their parents ---- */

/* A copy of `info` that gives them this library, too. */
static MPI_Info with_library(MPI_Info info)
{
    MPI_Info more = no_info;
    Dl_info us;
    char env[MPI_MAX_INFO_VAL] = "", theirs[MPI_MAX_INFO_VAL + 1] = "";
    int size = sizeof theirs, given = 0;
    if ((info == no_info ? mpi.Info_create(&more) : mpi.Info_dup(info, &more)) != MPI_SUCCESS)
        return no_info;
    mpi.Info_get_string(more, "env", &size, theirs, &given);
    if (dladdr(with_library, &us) != 0 &&
        snprintf(env, sizeof env, "LD_PRELOAD=%s%s%s", us.dli_fname, given ? "\n" : "", theirs) < (int)sizeof env)
        mpi.Info_set(more, "env", env);
    else
        fprintf(stderr, "parlab: no room for one more variable in the info for MPI_Comm_spawn: run with --spin\n");
    return more;
}

int MPI_Comm_spawn(const char *command, char *argv[], int most, MPI_Info info, int root, MPI_Comm comm,
                   MPI_Comm *spawned, int errors[])
{
    int rank = MPI_UNDEFINED;
    be_ready();
    mpi.Comm_rank(comm, &rank);
    MPI_Info more = rank == root ? with_library(info) : no_info;
    int failed = mpi.Comm_spawn(command, argv, most, more, root, comm, spawned, errors);
    if (more != no_info)
        mpi.Info_free(&more);
    return failed;
}

int MPI_Comm_spawn_multiple(int count, char *commands[], char **argvs[], const int most[], const MPI_Info infos[],
                            int root, MPI_Comm comm, MPI_Comm *spawned, int errors[])
{
    int rank = MPI_UNDEFINED;
    MPI_Info *more = NULL;
    be_ready();
    mpi.Comm_rank(comm, &rank);
    if (rank == root && count > 0 && (more = malloc(count * sizeof *more)) != NULL)
        for (int i = 0; i < count; i++)
            more[i] = with_library(infos[i]);
    int failed = mpi.Comm_spawn_multiple(count, commands, argvs, most, more == NULL ? infos : more, root, comm, spawned,
                                         errors);
    for (int i = 0; more != NULL && i < count; i++)
        if (more[i] != no_info)
            mpi.Info_free(&more[i]);
    free(more);
    return failed;
}
