/* Opens connections and sends a request on each with the system calls that the engine makes, and no others.
 *
 *     open_10k ADDRESS PORT COUNT
 *
 * Per connection: socket, connect, send, epoll_ctl; the sockets do not block, and over loopback a connection is there
 * when connect returns. Prints when it began and when the last request was sent, in seconds of CLOCK_MONOTONIC, and
 * holds everything until it is killed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void end_with(const char *what)
{
    perror(what);
    exit(1);
}

static void open_one(int epoll, const struct sockaddr_in *server, int number)
{
    char request[256];
    int size = snprintf(request, sizeof request,
                        "GET /?id=%d&hold=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: floodmark-bench\r\n"
                        "Accept: */*\r\nConnection: close\r\n\r\n",
                        number);
    int opened = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (opened < 0)
        end_with("socket");
    if (connect(opened, (const struct sockaddr *)server, sizeof *server) && errno != EINPROGRESS)
        end_with("connect");
    if (send(opened, request, (size_t)size, 0) != size)
        end_with("send");
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = opened};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, opened, &event))
        end_with("epoll_ctl");
}

int main(int count_of_words, char **words)
{
    if (count_of_words != 4)
        return 2;
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(words[2]))};
    inet_pton(AF_INET, words[1], &server.sin_addr);
    int count = atoi(words[3]), epoll = epoll_create1(EPOLL_CLOEXEC);
    double began = now();
    for (int number = 1; number <= count; number++)
        open_one(epoll, &server, number);
    printf("%.6f %.6f\n", began, now());
    fflush(stdout);
    for (;;)
        pause();
}
