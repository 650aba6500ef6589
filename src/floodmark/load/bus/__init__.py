"""Locust's bus, guarded: who may come in, what is a message, who is handed it. It knows no load."""
