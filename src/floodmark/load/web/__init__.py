"""Floodmark in the web UI of Locust's master: pages, their data, the tables they show. It starts no load by itself."""
