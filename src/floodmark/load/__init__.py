"""The Locust side of Floodmark: the only importer of locust and gevent."""
