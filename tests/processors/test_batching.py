from structlog.testing import capture_logs

from processors.batching import BatchProcessor
from tests.batches import spans
from tests.processors.items import made

KEYS = {
    "send_batch_size": 100,
    "timeout": "5s",
    "send_batch_max_size": 200,
    "metadata_keys": ["tenant"],
    "metadata_cardinality_limit": 10,
}


def test_the_collectors_keys_are_taken_and_everything_passes():
    batch = spans("a")
    processor = made(BatchProcessor, KEYS)
    with capture_logs() as logs:
        processor.start()

    assert list(processor.process(batch)) == [batch]
    assert len(logs) == 1
    assert "sending_queue.batch" in logs[0]["event"]
