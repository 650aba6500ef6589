"""One run from its plan to its end, here or on a cluster, and many in a suite. Hosts are `floodmark_deploy`'s."""
