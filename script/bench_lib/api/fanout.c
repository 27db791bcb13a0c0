#define _GNU_SOURCE
/* The floor of a fan-out, and its reader.
 *
 *   fanout floor N BYTES          listen, print the port, take N connections; at each line on standard
 *                                 input send BYTES bytes to every one of them in one loop
 *   fanout read PORT N FILE...    open N connections, send them the requests in FILE... in turn, print
 *                                 `ready`; at each line drain what is there, print `armed`, wait until
 *                                 an empty line came on each, and print when the last came, in
 *                                 seconds of CLOCK_MONOTONIC
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BACKLOG = 4096, BATCH = 512, BUFFER = 65536, PATIENCE_MS = 60000 };

static void fail(const char *what) {
    perror(what);
    exit(3);
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static struct sockaddr_in loopback(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int next_line(void) {
    char line[64];
    return fgets(line, sizeof line, stdin) != NULL;
}

static int run_floor(int count, int bytes) {
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) || listen(listener, BACKLOG))
        fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    int *peers = calloc(count, sizeof *peers);
    for (int i = 0; i < count; i++) {
        peers[i] = accept(listener, NULL, NULL);
        if (peers[i] < 0) fail("accept");
        int on = 1;
        setsockopt(peers[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    char *message = malloc(bytes);
    memset(message, 'x', bytes);
    message[bytes - 2] = message[bytes - 1] = '\n';
    while (next_line())
        for (int i = 0; i < count; i++)
            if (send(peers[i], message, bytes, MSG_NOSIGNAL) != bytes) fail("send");
    return 0;
}

struct stream {
    int socket;
    int ended_by_newline;
    int done;
};

/* Whether an empty line came; chunked transfer puts CR LF around what is sent, never a bare LF LF. */
static int has_empty_line(struct stream *stream, const char *data, ssize_t length) {
    if (stream->ended_by_newline && data[0] == '\n') return 1;
    stream->ended_by_newline = data[length - 1] == '\n';
    return memmem(data, length, "\n\n", 2) != NULL;
}

/* Read until every stream has had an empty line or, with nobody awaited, until all is quiet. */
static void collect(int poll, int awaited, int quiet_ms) {
    static char buffer[BUFFER];
    struct epoll_event events[BATCH];
    int finished = 0;
    while (!awaited || finished < awaited) {
        int ready = epoll_wait(poll, events, BATCH, awaited ? PATIENCE_MS : quiet_ms);
        if (ready < 0) fail("epoll_wait");
        if (ready == 0) {
            if (!awaited) return;
            fprintf(stderr, "%d of %d streams never got the event\n", awaited - finished, awaited);
            exit(1);
        }
        for (int i = 0; i < ready; i++) {
            struct stream *stream = events[i].data.ptr;
            ssize_t length = recv(stream->socket, buffer, BUFFER, MSG_DONTWAIT);
            if (length == 0 || (length < 0 && errno != EAGAIN)) {
                fprintf(stderr, "a stream was closed\n");
                exit(1);
            }
            if (length > 0 && has_empty_line(stream, buffer, length) && awaited && !stream->done) {
                stream->done = 1;
                finished++;
            }
        }
    }
}

static size_t read_file(const char *name, char *into, size_t room) {
    FILE *file = fopen(name, "rb");
    if (!file) fail(name);
    size_t length = fread(into, 1, room, file);
    fclose(file);
    return length;
}

static int run_reader(int port, int count, int files, char **names) {
    struct sockaddr_in address = loopback(port);
    struct stream *streams = calloc(count, sizeof *streams);
    int poll = epoll_create1(0);
    static char request[BUFFER];
    for (int i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
        if (files) {
            size_t length = read_file(names[i % files], request, sizeof request);
            if (send(fd, request, length, MSG_NOSIGNAL) != (ssize_t)length) fail("send");
        }
        streams[i].socket = fd;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &streams[i]};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
    }
    collect(poll, 0, 2000);
    printf("ready\n");
    while (next_line()) {
        collect(poll, 0, 200);
        for (int i = 0; i < count; i++) streams[i].done = streams[i].ended_by_newline = 0;
        printf("armed\n");
        collect(poll, count, 0);
        printf("%.6f\n", now());
    }
    return 0;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 4 && !strcmp(argv[1], "floor")) return run_floor(atoi(argv[2]), atoi(argv[3]));
    if (argc >= 4 && !strcmp(argv[1], "read"))
        return run_reader(atoi(argv[2]), atoi(argv[3]), argc - 4, argv + 4);
    fprintf(stderr, "usage: fanout floor N BYTES | fanout read PORT N FILE...\n");
    return 2;
}
