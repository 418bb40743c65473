"""The numbers behind `/metrics`."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """Counts of one server; every server has its own registry."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self._requests = Counter(
            "chatbot_http_requests", "Requests by route and status", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "chatbot_http_request_seconds", "Time to the end of the response", ["route"], registry=registry
        )
        self.questions = Counter("chatbot_questions", "Questions by how they ended", ["state"], registry=registry)
        self.first_event_seconds = Histogram(
            "chatbot_first_event_seconds",
            "Time from a question to its first event",
            buckets=(0.005, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
            registry=registry,
        )
        self.streams = Gauge("chatbot_streams", "Event streams that are open", registry=registry)
        self.knowledge = Gauge(
            "chatbot_knowledge", "Knowledge bases, documents, chunks and bytes", ["what"], registry=registry
        )
        self.runs = Gauge("chatbot_runs", "Runs by state", ["state"], registry=registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; `route` is the pattern, not the path, so that ids do not multiply the series."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self._registry)
