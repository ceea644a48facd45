"""What can be counted of a running service, for Prometheus.

No label ever holds a code, a client or a name: routes are templates, methods and statuses are few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from threading import Thread
from typing import Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_wsgi_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

# Seconds. Most answers take milliseconds; 5 s is the longest statement.
_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_REFUSALS: Final = frozenset({"overloaded", "rate-limited"})


class Metrics:
    """The metrics of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "ntm_requests_total",
            "Requests answered; status 499: the caller hung up.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "ntm_request_seconds",
            "How long requests took.",
            ("route",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._refused = Counter(
            "ntm_refused_total",
            "Requests refused for lack of room.",
            ("reason",),
            registry=self.registry,
        )
        for reason in sorted(_REFUSALS):
            self._refused.labels(reason)  # what never happened reads 0, not nothing

    def ended(
        self, method: str, route: str, status: int, seconds: float, problem: str | None
    ) -> None:
        """Count a request that has ended."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        if problem in _REFUSALS:
            self._refused.labels(problem).inc()

    def serve(self, host: str, port: int) -> tuple[WSGIServer, Thread]:
        """Answer at a port of its own, in a thread; raise OSError when it cannot be opened."""
        return start_wsgi_server(port, host, self.registry)

    def gauge(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Show a number that is read whenever somebody looks; `read` runs in another thread."""
        Gauge(name, meaning, registry=self.registry).set_function(read)

    def gauges(
        self,
        name: str,
        meaning: str,
        labels: Iterable[str],
        read: Callable[[], Mapping[tuple[str, ...], float]],
    ) -> None:
        """Show numbers by label values that are read whenever somebody looks."""
        self.registry.register(_Read(name, meaning, list(labels), read))


class _Read(Collector):
    """Numbers that are read when they are asked for."""

    def __init__(
        self,
        name: str,
        meaning: str,
        labels: list[str],
        read: Callable[[], Mapping[tuple[str, ...], float]],
    ) -> None:
        self._name, self._meaning, self._labels, self._read = name, meaning, labels, read

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return the name, so that nothing is read when it is registered."""
        return [GaugeMetricFamily(self._name, self._meaning, labels=self._labels)]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Read the numbers."""
        family = GaugeMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, number in self._read().items():
            family.add_metric(list(values), number)
        return [family]
