"""Where spans and log records say how they were sampled: ``tracestate`` here, attributes there."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes, attributes_of, with_attributes
from collector.batch import Batch
from collector.rewrite import Addition, Replacement, rewritten
from collector.rows import Mask, with_column
from collector.values import as_texts, each_distinct
from processors.probabilistic_sampler.decide import Decision, Said
from processors.probabilistic_sampler.randomness import Numbers, from_hash, from_trace_ids, is_valid
from processors.probabilistic_sampler.threshold import ALL, read, read_randomness, spelled
from processors.probabilistic_sampler.tracestate import parsed, written

_HASHED, _W3C, _SAID, _ATTRIBUTE = range(4)
_THRESHOLD, _RANDOMNESS = "sampling.threshold", "sampling.randomness"


POLICIES = (
    "missing_randomness",
    "trace_id_hash",
    "trace_id_w3c",
    "sampling_randomness",
    "attribute",
    "sampling_priority",
)
"""The names of the sources in the metrics, the number of the first being -1."""


class Sources(NamedTuple):
    """Says where random numbers come from."""

    mode: str
    seed: int
    by_trace_id: bool
    attribute: str

    def of_trace_ids(self, batch: Batch) -> tuple[Numbers, npt.NDArray[np.int64]]:
        """Return random numbers by the trace ids of the items, and which source that is, -1 without a valid id."""
        ids = batch.main.column("trace_id")
        hashed = self.mode == "hash_seed"
        numbers = from_hash(ids, self.seed) if hashed else from_trace_ids(ids)
        return numbers, np.where(is_valid(ids), _HASHED if hashed else _W3C, -1)


class Carrier(ABC):
    """Reads what the items of a batch say of their sampling, and makes them say it anew."""

    @abstractmethod
    def said(self) -> Said:
        """Return what the items say."""

    @abstractmethod
    def telling(self, said: Said, decision: Decision) -> Batch:
        """Return the batch with items that tell of the decision; those that do not stay may say anything."""


class SpanCarrier(Carrier):
    """Reads ``tracestate`` and the attribute ``sampling.priority``."""

    def __init__(self, batch: Batch, sources: Sources) -> None:
        self.batch = batch
        self.sources = sources
        states = batch.main.column("trace_state").dictionary_encode()
        self.states = [parsed(text) for text in states.dictionary.to_pylist()]
        self.codes = np.asarray(states.indices)

    def said(self) -> Said:
        """Return what the spans say; a priority above 0 is as good as 100 %."""
        attributes = attributes_of(self.batch)
        [places] = attributes.locate(["sampling.priority"])
        priority = np.full(len(places), np.nan)
        if (places >= 0).any():
            told = np.asarray(attributes.numbers(places).fill_null(np.nan))
            priority = np.where(told > 0, 100.0, np.where(told == 0, 0.0, np.nan))
        numbers, source = self.sources.of_trace_ids(self.batch)
        randomness = self._each([state.randomness or 0 for state in self.states])
        explicit = self._flags([state.randomness is not None for state in self.states])
        if self.sources.mode != "hash_seed":
            numbers, source = np.where(explicit, randomness, numbers), np.where(explicit, _SAID, source)
        threshold = self._each([ALL if state.threshold is None else state.threshold for state in self.states])
        broken = self._flags([state.broken for state in self.states])
        return Said(threshold, numbers, source, broken, explicit | (threshold < ALL), priority)

    def telling(self, said: Said, decision: Decision) -> Batch:
        """Return the batch with the threshold, and a random number that is not the trace id's, in ``tracestate``."""
        keep = decision.keep & ~said.broken
        tell = keep & (~decision.failed | ~np.isnan(said.priority))
        clear = keep & ~tell & (said.threshold < ALL)
        own = (self.sources.mode == "hash_seed") & (said.source >= 0) & ~said.explicit
        thresholds, threshold = np.unique(np.where(tell, decision.threshold, ALL), return_inverse=True)
        numbers, number = np.unique(np.where(own & tell, said.randomness, ALL), return_inverse=True)
        both = (number * len(thresholds) + threshold) * len(self.states) + self.codes
        distinct, choice = np.unique(both[tell | clear], return_inverse=True)
        words = [self._word(each, numbers, thresholds) for each in distinct.tolist()]
        main = self.batch.main
        told = pc.replace_with_mask(
            main.column("trace_state"), pa.array(tell | clear), pa.array(words, pa.string()).take(pa.array(choice))
        )
        return self.batch.with_main(with_column(main, "trace_state", told))

    def _word(self, each: int, numbers: Numbers, thresholds: Numbers) -> str:
        """Return the tracestate for one combination of random number, threshold and state."""
        rest, code = divmod(each, len(self.states))
        number, threshold = divmod(rest, len(thresholds))
        state = self.states[code]
        said, drawn = int(thresholds[threshold]), int(numbers[number])
        return written(
            state._replace(
                threshold=None if said == ALL else said, randomness=state.randomness if drawn == ALL else drawn
            )
        )

    def _each(self, values: list[int]) -> Numbers:
        told: Numbers = np.array(values, dtype=np.uint64)[self.codes]
        return told

    def _flags(self, values: list[bool]) -> Mask:
        told: Mask = np.array(values, dtype=bool)[self.codes]
        return told


class LogCarrier(Carrier):
    """Reads the attributes ``sampling.threshold`` and ``sampling.randomness``, and those the configuration names."""

    def __init__(self, batch: Batch, sources: Sources, priority: str) -> None:
        self.batch = batch
        self.sources = sources
        self.attributes: Attributes = attributes_of(batch)
        wanted = [_THRESHOLD, _RANDOMNESS, sources.attribute, priority]
        self.places = self.attributes.locate(wanted)
        self.has_priority = bool(priority)

    def said(self) -> Said:
        """Return what the records say."""
        attributes = self.attributes
        thresholds, had_threshold = self._hex(0, read)
        randoms, had_random = self._hex(1, read_randomness)
        numbers, source = self.sources.of_trace_ids(self.batch)
        if not self.sources.by_trace_id:
            source[:] = -1
        if self.sources.attribute:
            texts = as_texts({name: attributes.member(name, self.places[2]) for name in attributes.members})
            by_attribute = (
                (source < 0) & np.asarray(texts.is_valid()) & (np.asarray(pc.binary_length(texts).fill_null(0)) > 0)
            )
            hashed = from_hash(texts.fill_null("").cast(pa.binary()), self.sources.seed)
            numbers, source = np.where(by_attribute, hashed, numbers), np.where(by_attribute, _ATTRIBUTE, source)
        explicit = had_random & (randoms < ALL)
        if self.sources.mode != "hash_seed":
            numbers, source = np.where(explicit, randoms, numbers), np.where(explicit, _SAID, source)
        broken = (had_threshold & (thresholds == ALL)) | (had_random & (randoms == ALL))
        return Said(thresholds, numbers, source, broken, explicit | (thresholds < ALL), self._priorities())

    def telling(self, said: Said, decision: Decision) -> Batch:
        """Return the batch with the threshold, and a random number that is not the trace id's, as attributes."""
        tell = decision.keep & ~said.broken & (~decision.failed | ~np.isnan(said.priority))
        distinct, choice = np.unique(decision.threshold, return_inverse=True)
        thresholds = [spelled(one) if one < ALL else "" for one in distinct.tolist()]
        odd = tell & ~said.explicit & ((said.source == _HASHED) | (said.source == _ATTRIBUTE))
        rows = np.flatnonzero(odd)
        drawn, draw = np.unique(said.randomness[rows], return_inverse=True)
        numbers = [f"{one:014x}" for one in drawn.tolist()]
        there = self.places[0] >= 0
        fresh, known = np.flatnonzero(tell & ~there), np.flatnonzero(tell & there)
        stale = np.flatnonzero(decision.keep & decision.failed & ~tell & there)
        new = rewritten(
            self.attributes,
            additions=[
                Addition(_THRESHOLD, fresh, "string_value", thresholds, choice[fresh]),
                Addition(_RANDOMNESS, rows, "string_value", numbers, draw),
            ],
            replacements=[Replacement(self.places[0][known], "string_value", thresholds, choice[known])],
            dropped=self.places[0][stale],
        )
        return with_attributes(self.batch, new)

    def _hex(self, line: int, read_one: Callable[[str], int | None]) -> tuple[Numbers, Mask]:
        texts = self.attributes.strings(self.places[line])
        told = each_distinct(texts, lambda text: _or_all(read_one(text)), pa.uint64()).fill_null(ALL)
        return np.asarray(told), np.asarray(texts.is_valid())

    def _priorities(self) -> npt.NDArray[np.float64]:
        if not self.has_priority or (self.places[3] < 0).all():
            return np.full(self.batch.rows, np.nan)
        return np.asarray(self.attributes.numbers(self.places[3]).fill_null(np.nan))


def _or_all(number: int | None) -> int:
    return ALL if number is None else number
