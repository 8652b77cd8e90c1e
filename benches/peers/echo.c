/* The floor: what a server cannot do without. Receives queries and sends each back as a response,
 * without looking at more than the length, in batches like those of src/transport/udp.
 *
 *   echo ADDRESS PORT [OCTETS]
 *
 * One blocking thread, 64 datagrams a call, the socket options of src/transport/udp/socket.rs.
 * QR is set, or the load generator would not take it for a response. With OCTETS, every response
 * is padded with zeros, or cut, to this length: an echo that carries as much as a real answer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { BATCH = 64, LENGTH = 4096, HEADER = 12, QUEUE = 4 << 20 };

static unsigned char packets[BATCH][LENGTH];
static struct sockaddr_in6 peers[BATCH]; /* the longer of the two families */
static struct iovec vectors[BATCH];
static struct mmsghdr headers[BATCH];

static void fail(const char *what) {
    fprintf(stderr, "echo: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void option(int fd, int level, int name, const void *value, socklen_t length) {
    if (setsockopt(fd, level, name, value, length) != 0) fail("setsockopt");
}

static int open_socket(const char *address, const char *port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    struct timeval block = {.tv_usec = 200000};
    int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1, queue = QUEUE, discover = IP_PMTUDISC_OMIT;
    if (fd < 0 || inet_pton(AF_INET, address, &at.sin_addr) != 1) fail(address);
    option(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    option(fd, SOL_SOCKET, SO_RCVTIMEO, &block, sizeof block);
    option(fd, SOL_SOCKET, SO_SNDTIMEO, &block, sizeof block);
    option(fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof queue);
    option(fd, SOL_SOCKET, SO_SNDBUF, &queue, sizeof queue);
    option(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof discover);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0) fail("bind");
    return fd;
}

static void prepare(void) {
    for (int i = 0; i < BATCH; i++) {
        vectors[i].iov_base = packets[i];
        vectors[i].iov_len = LENGTH;
        memset(&headers[i], 0, sizeof headers[i]);
        headers[i].msg_hdr.msg_name = &peers[i];
        headers[i].msg_hdr.msg_namelen = sizeof peers[i];
        headers[i].msg_hdr.msg_iov = &vectors[i];
        headers[i].msg_hdr.msg_iovlen = 1;
    }
}

/* Makes a response of a query of `length` octets; returns how long it is. */
static size_t turn_round(unsigned char *packet, size_t length, size_t octets) {
    if (length < HEADER) return length;
    packet[2] |= 0x80;
    if (octets <= length) return octets > HEADER ? octets : length;
    memset(packet + length, 0, octets - length);
    return octets;
}

int main(int argc, char **argv) {
    if (argc < 3 || argc > 4) return fputs("usage: echo ADDRESS PORT [OCTETS]\n", stderr), 2;
    size_t octets = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    if (octets > LENGTH) return fputs("echo: more octets than a packet holds\n", stderr), 2;
    int fd = open_socket(argv[1], argv[2]);
    for (;;) {
        prepare();
        int received = recvmmsg(fd, headers, BATCH, MSG_WAITFORONE, NULL);
        if (received < 0 && errno != EAGAIN && errno != EINTR) fail("recvmmsg");
        for (int i = 0; i < received; i++)
            vectors[i].iov_len = turn_round(packets[i], headers[i].msg_len, octets);
        for (int sent = 0; sent < received;) {
            int taken = sendmmsg(fd, headers + sent, received - sent, 0);
            if (taken < 0) break; /* as a server does: the client asks again */
            sent += taken;
        }
    }
}
