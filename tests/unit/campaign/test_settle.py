"""The quiet between two runs: bounded, and only where something is gained by it."""

from floodmark.campaign.settle import LONGEST_S, settle


class Kernel:
    """Sockets in TIME_WAIT, of which each second of sleep takes some away."""

    def __init__(self, kept, per_s=0.0):
        self.kept, self.per_s, self.now_s, self.said = kept, per_s, 0.0, []

    def sleep(self, seconds):
        self.now_s += seconds
        self.kept -= self.per_s * seconds

    def settle(self, connections, ports=1_000):
        return settle(
            connections,
            say=self.said.append,
            time_wait=lambda: None if self.kept is None else round(self.kept),
            ports=ports,
            clock=lambda: self.now_s,
            sleep=self.sleep,
        )


def test_nothing_is_waited_for_where_ports_are_free():
    assert Kernel(100).settle(500) == 0
    assert Kernel(None).settle(500) == 0


def test_ports_in_time_wait_are_waited_for_until_the_next_load_has_room():
    kernel = Kernel(900, per_s=100)
    assert kernel.settle(300) == 4.0
    assert kernel.said[0] == "900 closed connections are giving their ports back"


def test_the_wait_has_an_end_where_others_keep_the_ports_in_use():
    assert Kernel(900).settle(300) == LONGEST_S


def test_a_load_that_would_not_fit_on_an_idle_machine_is_not_waited_for():
    assert Kernel(900).settle(5_000) == 0
