#define _GNU_SOURCE
/* Prepared requests over kept connections, each sent when the answer before it is whole.
 *
 *   load PORT FILE    FILE holds 32-bit numbers of this machine and bytes: the number of connections,
 *                     then for each the number of its requests, then for each its length and it.
 *                     Prints the seconds from the first request to the last answer, then a line per
 *                     answer: its status and how many seconds it took.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, BUFFER = 65536, PATIENCE_MS = 60000, STATUS_AT = 9 };

struct request {
    uint32_t length;
    char *bytes;
};

struct answer {
    int status;
    double took_s;
};

struct client {
    int socket;
    uint32_t count, sent;
    struct request *requests;
    struct answer *answers;
    double sent_at;
    size_t held;
    char buffer[BUFFER];
};

static void fail(const char *what) {
    perror(what);
    exit(3);
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static uint32_t number(FILE *file) {
    uint32_t value;
    if (fread(&value, sizeof value, 1, file) != 1) fail("the requests end early");
    return value;
}

static void read_requests(FILE *file, struct client *client) {
    client->count = number(file);
    client->requests = calloc(client->count, sizeof *client->requests);
    client->answers = calloc(client->count, sizeof *client->answers);
    for (uint32_t i = 0; i < client->count; i++) {
        struct request *request = &client->requests[i];
        request->length = number(file);
        request->bytes = malloc(request->length);
        if (fread(request->bytes, 1, request->length, file) != request->length) fail("a request");
    }
}

static void open_connection(struct client *client, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (client->socket < 0 || connect(client->socket, (struct sockaddr *)&address, sizeof address))
        fail("connect");
    int on = 1;
    setsockopt(client->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void send_next(struct client *client) {
    struct request *request = &client->requests[client->sent++];
    client->sent_at = now();
    if (send(client->socket, request->bytes, request->length, MSG_NOSIGNAL) != request->length)
        fail("send");
}

/* The length of a whole answer at the buffer's begin, or 0 while something of it is missing. */
static size_t whole(struct client *client) {
    char *end = memmem(client->buffer, client->held, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t body = 0;
    for (char *line = client->buffer; line < end;) {
        if (!strncasecmp(line, "content-length:", 15)) body = strtoul(line + 15, NULL, 10);
        line = (char *)memmem(line, end + 2 - line, "\r\n", 2) + 2;
    }
    size_t length = end + 4 - client->buffer + body;
    return client->held < length ? 0 : length;
}

/* Read what came; return whether it was the client's last answer. */
static int read_answer(struct client *client) {
    ssize_t length = recv(client->socket, client->buffer + client->held, BUFFER - 1 - client->held, 0);
    if (length <= 0) {
        fprintf(stderr, "the server closed a connection\n");
        exit(1);
    }
    client->held += length;
    client->buffer[client->held] = 0;
    if (!whole(client)) return 0;
    struct answer *answer = &client->answers[client->sent - 1];
    *answer = (struct answer){atoi(client->buffer + STATUS_AT), now() - client->sent_at};
    client->held = 0;
    if (client->sent == client->count) return 1;
    send_next(client);
    return 0;
}

int main(int argc, char **argv) {
    FILE *file = argc == 3 ? fopen(argv[2], "rb") : NULL;
    if (!file) {
        fprintf(stderr, "usage: load PORT FILE\n");
        return 2;
    }
    uint32_t count = number(file);
    struct client *clients = calloc(count, sizeof *clients);
    struct epoll_event events[BATCH];
    int poll = epoll_create1(0);
    for (uint32_t i = 0; i < count; i++) {
        read_requests(file, &clients[i]);
        open_connection(&clients[i], atoi(argv[1]));
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, clients[i].socket, &event)) fail("epoll_ctl");
    }
    double begun = now();
    uint32_t busy = 0;
    for (uint32_t i = 0; i < count; i++)
        if (clients[i].count) {
            send_next(&clients[i]);
            busy++;
        }
    while (busy) {
        int ready = epoll_wait(poll, events, BATCH, PATIENCE_MS);
        if (ready <= 0) fail("no answer came");
        for (int i = 0; i < ready; i++) busy -= read_answer(events[i].data.ptr);
    }
    printf("%.9f\n", now() - begun);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < clients[i].count; j++)
            printf("%d %.9f\n", clients[i].answers[j].status, clients[i].answers[j].took_s);
    return 0;
}
