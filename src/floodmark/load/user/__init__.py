"""FloodUser: a Locust user on the engine, with Locust's own interface. It knows no profile and no run folder."""
