/* A load generator for packets that dnsperf cannot send: some are malformed, or each asks for the
 * client of another network.
 *
 *   mixed ADDRESS PORT NAME SECONDS RATE PART|subnets
 *
 * Sends RATE packets a second (0: as many as are answered), of which PART, from 0 to 1, are
 * malformed: queries cut short, a name that points to itself, a count that lies, options past the
 * end, noise; an even mixture in a fixed order. The others ask for the address of NAME with EDNS.
 * No more than WINDOW and a batch are under way, as with dnsperf: what a usual socket buffer holds.
 * Prints how many well-formed queries were answered, how many were sent, and the seconds it took.
 * Even message ids are those of well-formed queries, so that nothing else counts as an answer.
 * With `subnets` all are well-formed, each with EDNS Client Subnet (RFC 7871) of an IPv4 /24, drawn
 * from those of ordinary addresses in an order that is always the same.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 32, LENGTH = 512, WINDOW = 192, QUEUE = 4 << 20, HEADER = 12 };

struct state {
    int fd;
    unsigned char query[LENGTH];
    size_t length, question;
    size_t subnet; /* where the network of the client stands in the query, or 0 */
    double malformed;
    uint64_t sent, sent_well, answered;
    uint32_t noise;
};

static void fail(const char *what) {
    fprintf(stderr, "mixed: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static int connect_to(const char *address, const char *port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    int fd = socket(AF_INET, SOCK_DGRAM, 0), queue = QUEUE;
    if (fd < 0 || inet_pton(AF_INET, address, &at.sin_addr) != 1) fail(address);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof queue);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &queue, sizeof queue);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0) fail("connect");
    return fd;
}

/* Writes the well-formed query for `name`; the malformed ones are made of it. */
static void write_query(struct state *state, const char *name) {
    static const unsigned char tail[] = {0, 0, 1, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};
    unsigned char *at = state->query;
    memset(at, 0, HEADER);
    at[5] = at[11] = 1;
    at += HEADER;
    while (*name) {
        size_t label = strcspn(name, ".");
        if (label == 0 || label > 63 || at + label + 32 > state->query + LENGTH) fail("the name");
        *at++ = label;
        memcpy(at, name, label);
        at += label;
        name += label + (name[label] == '.');
    }
    memcpy(at, tail, sizeof tail);
    state->question = at + 5 - state->query;
    state->length = at + sizeof tail - state->query;
}

/* Adds Client Subnet to the query, whose last field is the length of its options. */
static void add_subnet(struct state *state) {
    static const unsigned char option[] = {0, 8, 0, 7, 0, 1, 24, 0, 0, 0, 0};
    if (state->length + sizeof option > LENGTH) fail("the name");
    memcpy(state->query + state->length, option, sizeof option);
    state->query[state->length - 1] = sizeof option;
    state->length += sizeof option;
    state->subnet = state->length - 3;
}

static uint32_t draw(struct state *state) {
    return state->noise = state->noise * 1664525 + 1013904223;
}

/* A network of 1.0.0.0 to 223.255.255.0 without those of loopback. */
static void write_subnet(struct state *state, unsigned char *at) {
    uint32_t drawn = draw(state);
    at[0] = 1 + (drawn >> 24) * 222 / 256;
    at[0] += at[0] >= 127;
    at[1] = drawn >> 16, at[2] = drawn >> 8;
}

/* Makes a packet malformed; returns its length. */
static size_t spoil(struct state *state, unsigned char *packet, unsigned way) {
    switch (way % 5) {
    case 0: /* cut within the question */
        return state->question - 3;
    case 1: /* a name that points to itself */
        packet[HEADER] = 0xc0, packet[HEADER + 1] = HEADER;
        return state->length;
    case 2: /* more questions than there are */
        packet[5] = 3;
        return state->length;
    case 3: /* options past the end */
        packet[state->length - 1] = 40;
        return state->length;
    default: /* noise behind a header that asks */
        for (size_t i = HEADER; i < state->length; i++)
            packet[i] = draw(state) >> 24 | 0x40; /* no label is so long */
        return state->length;
    }
}

static void send_batch(struct state *state) {
    static unsigned char packets[BATCH][LENGTH];
    struct iovec vectors[BATCH];
    struct mmsghdr headers[BATCH] = {0};
    for (int i = 0; i < BATCH; i++, state->sent++) {
        /* Even proportions over any run: the next one is malformed when their part lags. */
        uint64_t spoiled = state->sent - state->sent_well;
        int bad = spoiled < state->malformed * (state->sent + 1) - 0.5;
        uint16_t id = (uint16_t)(state->sent << 1 | bad);
        memcpy(packets[i], state->query, state->length);
        packets[i][0] = id >> 8, packets[i][1] = id & 0xff;
        if (state->subnet) write_subnet(state, packets[i] + state->subnet);
        size_t length = bad ? spoil(state, packets[i], spoiled) : state->length;
        state->sent_well += !bad;
        vectors[i] = (struct iovec){packets[i], length};
        headers[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    for (int sent = 0; sent < BATCH;) {
        int taken = sendmmsg(state->fd, headers + sent, BATCH - sent, 0);
        if (taken < 0 && errno != EINTR) fail("sendmmsg");
        sent += taken > 0 ? taken : 0;
    }
}

/* Takes what has come; returns how many packets it was. */
static int take(struct state *state, int wait) {
    static unsigned char packets[BATCH][LENGTH];
    struct iovec vectors[BATCH];
    struct mmsghdr headers[BATCH] = {0};
    for (int i = 0; i < BATCH; i++) {
        vectors[i] = (struct iovec){packets[i], LENGTH};
        headers[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    struct timeval limit = {.tv_usec = wait};
    setsockopt(state->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    int flags = wait ? MSG_WAITFORONE : MSG_DONTWAIT;
    int received = recvmmsg(state->fd, headers, BATCH, flags, NULL);
    for (int i = 0; i < received; i++)
        state->answered += headers[i].msg_len >= HEADER && (packets[i][1] & 1) == 0;
    return received;
}

int main(int argc, char **argv) {
    if (argc != 7)
        return fputs("usage: mixed ADDRESS PORT NAME SECONDS RATE PART|subnets\n", stderr), 2;
    static struct state state = {.noise = 1};
    state.fd = connect_to(argv[1], argv[2]);
    write_query(&state, argv[3]);
    double seconds = atof(argv[4]), rate = atof(argv[5]), begin = now(), time;
    if (strcmp(argv[6], "subnets") == 0)
        add_subnet(&state);
    else
        state.malformed = atof(argv[6]);
    uint64_t lost = 0;
    while ((time = now() - begin) < seconds) {
        uint64_t under_way = state.sent_well - state.answered - lost;
        int room = under_way < WINDOW;
        if (room && (rate == 0 || state.sent < time * rate)) send_batch(&state);
        /* With the window full and nothing coming, what is under way counts as lost. */
        if (take(&state, room ? 0 : 20000) <= 0 && !room) lost += under_way;
    }
    while (take(&state, 50000) > 0) {
    }
    printf("%lu %lu %.6f\n", state.answered, state.sent_well, now() - begin);
}
