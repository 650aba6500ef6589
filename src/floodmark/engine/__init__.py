"""The load engine: non-blocking HTTP/1.1 on epoll. Standard library only; it knows no gevent and no Locust."""
