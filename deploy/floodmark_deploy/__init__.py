"""Puts processes on hosts and takes them away again: the target, the agent, the Locust cluster."""
