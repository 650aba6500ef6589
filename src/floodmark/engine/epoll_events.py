"""What epoll tells and is told, as numbers of the kernel's (include/uapi/linux/eventpoll.h), the same on every machine.

``select`` has them on Linux only; who steers a load from another system imports the engine, too, and runs none.
"""

EPOLLIN = 0x1
EPOLLOUT = 0x4
EPOLLERR = 0x8
EPOLLHUP = 0x10
EPOLLRDHUP = 0x2000
EPOLLET = 1 << 31
