"""One target after another: target up, cluster up, load, all down again. Hosts are known as a `Shell` only."""
