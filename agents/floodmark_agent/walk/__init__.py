"""Connections counted inside the kernel, by a program of ours that walks its table of TCP sockets."""
