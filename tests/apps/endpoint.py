"""A local endpoint that answers chat completions and embeddings as OpenAI does, and remembers what it served."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any


@dataclass
class Served:
    """Sums of what was answered; tokens only of answers that were no errors."""

    calls: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    lock: Lock = field(default_factory=Lock)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: Served
    chance: random.Random

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.served.lock:
            time.sleep(self.chance.uniform(0.001, 0.03))
            self.served.calls += 1
            if self.chance.random() < 0.2:
                self.served.errors += 1
                answer, status = {"error": {"message": "slow down", "type": "rate_limit_error", "code": None}}, 429
            else:
                answer, status = self._completion(asked), 200
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _completion(self, asked: dict[str, Any]) -> dict[str, Any]:
        prompt = self.chance.randrange(10, 3000)
        cached = self.chance.randrange(prompt)
        output = self.chance.randrange(1, 500)
        self.served.input_tokens += prompt
        self.served.output_tokens += output
        self.served.cached_tokens += cached
        return {
            "id": f"chatcmpl-{self.chance.getrandbits(64):x}",
            "object": "chat.completion",
            "created": 1795284060,
            "model": asked["model"] + "-2024-08-06",
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": "It is sunny."}, "finish_reason": "stop"}
            ],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": output,
                "total_tokens": prompt + output,
                "prompt_tokens_details": {"cached_tokens": cached},
                "completion_tokens_details": {"reasoning_tokens": 0},
            },
        }

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""


@contextmanager
def endpoint(seed: int) -> Iterator[tuple[str, Served]]:
    """Yield the base address of a running endpoint and what it served so far."""
    served = Served()
    handler = type("Handler", (_Handler,), {"served": served, "chance": random.Random(seed)})
    server = ThreadingHTTPServer(("localhost", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}/v1", served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
