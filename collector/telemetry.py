"""The collector's own metrics, under the OpenTelemetry Collector's names so that its dashboards work."""

from collections.abc import Iterable
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

_Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Holds every counter and gauge of one service.

    Names carry no ``_total``, as the OpenTelemetry Collector's own metrics do not by default.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        self._values: dict[str, dict[_Labels, float]] = {}
        self._lock = Lock()

    def count(self, name: str, amount: float, **labels: str) -> None:
        """Add *amount* to the counter *name*."""
        key = tuple(sorted(labels.items()))
        with self._lock:
            series = self._values.setdefault(name, {})
            series[key] = series.get(key, 0.0) + amount

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set the gauge *name* to *value*."""
        with self._lock:
            self._values.setdefault(name, {})[tuple(sorted(labels.items()))] = value

    def value(self, name: str, **labels: str) -> float:
        """Return what stands under *name* and exactly these labels, 0 where nothing was counted."""
        return self._values.get(name, {}).get(tuple(sorted(labels.items())), 0.0)

    def collect(self) -> Iterable[Metric]:
        """Return everything in the form the Prometheus client library prints."""
        with self._lock:
            snapshot = {name: dict(series) for name, series in self._values.items()}
        for name, series in sorted(snapshot.items()):
            metric = Metric(name, name.replace("_", " "), "unknown")
            for labels, value in series.items():
                metric.add_sample(name, dict(labels), value)
            yield metric
