"""A worker's side of a load: the engine inside Locust, and what it tells the master."""
