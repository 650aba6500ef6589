"""Locust's bus, guarded: who may come in, what is a message, what is kept from whom. It knows no load."""
