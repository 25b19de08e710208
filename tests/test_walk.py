"""The walk of a span: which rooms of ours it passes between its arrival and its insert."""

import random
import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import grpc

from collector.component import Host
from collector.outbox import Outbox
from collector.pipeline import Pipeline
from collector.receivers.otlp import OtlpReceiver
from exporters.debug import DebugExporter
from processors.genai import GenaiProcessor
from processors.rollup import RollupProcessor
from tests.requests import request
from tests.running import EXPORT, ROOT

ROOMS = [
    "collector/receivers/otlp",
    "collector/otlp/decode.py:decode",
    "collector/pipeline.py:consume",
    "processors/genai:process",
    "processors/rollup:process",
    "collector/outbox.py:put",
    "collector/journal.py:seal",
    "exporters/debug/__init__.py:export",
]


class Footprints:
    """Remembers, in order, which functions of the rooms were entered, and by which thread."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT):
            place = f"{path.relative_to(ROOT)}:{frame.f_code.co_name}"
            for room in ROOMS:
                where, _, function = room.partition(":")
                if place.startswith(where) and frame.f_code.co_name == (function or frame.f_code.co_name):
                    self.seen.append((room, threading.current_thread().name))


def test_a_span_walks_through_eight_rooms_in_order_and_two_threads(tmp_path):
    exporter = DebugExporter(
        DebugExporter.Config.model_validate(
            {"sending_queue": {"directory": str(tmp_path), "storage": "disk", "batch": {"flush_timeout": "10ms"}}}
        ),
        Host("debug"),
    )
    outbox = Outbox(exporter)
    processors = [
        GenaiProcessor(GenaiProcessor.Config(), Host("genai")),
        RollupProcessor(RollupProcessor.Config(), Host("rollup")),
    ]
    pipeline = Pipeline(Host("traces"), processors, [outbox])
    config = OtlpReceiver.Config.model_validate({"protocols": {"grpc": {"endpoint": "localhost:0"}}})
    receiver = OtlpReceiver(config, Host("otlp"), pipeline.consume)
    footprints = Footprints()
    threading.setprofile_all_threads(footprints) if sys.version_info >= (3, 12) else threading.setprofile(footprints)
    try:
        outbox.start()
        receiver.start()
        with grpc.insecure_channel(f"localhost:{receiver.grpc_port}") as channel:
            channel.unary_unary(EXPORT)(request(1, random.Random(1))[0], timeout=10)
    finally:
        threading.setprofile(None)
        receiver.stop()
        outbox.stop(10)

    order = list(dict.fromkeys(room for room, _ in footprints.seen))
    threads = Counter(thread for _, thread in dict.fromkeys(footprints.seen))
    assert order == ROOMS
    assert len(threads) == 2
