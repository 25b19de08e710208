"""What a span's ``tracestate`` says of sampling, ``ot=th:THRESHOLD;rv:RANDOMNESS``, and how it is said anew."""

from functools import lru_cache
from typing import NamedTuple

from processors.probabilistic_sampler.threshold import read, read_randomness, spelled


class State(NamedTuple):
    """Is a tracestate taken apart; *rest* is what OpenTelemetry's own part says besides, *others* the other parts."""

    threshold: int | None = None
    randomness: int | None = None
    rest: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    broken: bool = False


@lru_cache(maxsize=4096)
def parsed(text: str) -> State:
    """Return what *text* says."""
    members = [member.strip() for member in text.split(",") if member.strip()]
    own = [member[3:] for member in members if member.startswith("ot=")]
    others = tuple(member for member in members if not member.startswith("ot="))
    if len(own) > 1 or any("=" not in member for member in others):
        return State(broken=True)
    fields = [field for field in ";".join(own).split(";") if field]
    told = dict(field.split(":", 1) for field in fields if ":" in field)
    threshold, randomness = told.get("th"), told.get("rv")
    state = State(
        None if threshold is None else read(threshold),
        None if randomness is None else read_randomness(randomness),
        tuple(field for field in fields if not field.startswith(("th:", "rv:"))),
        others,
    )
    bad = (threshold is not None and state.threshold is None) or (randomness is not None and state.randomness is None)
    return state._replace(broken=bad)


def written(state: State) -> str:
    """Return the tracestate, OpenTelemetry's part first, as who changed it comes first."""
    fields = [] if state.threshold is None else [f"th:{spelled(state.threshold)}"]
    fields += [] if state.randomness is None else [f"rv:{state.randomness:014x}"]
    fields += state.rest
    return ",".join([*([f"ot={';'.join(fields)}"] if fields else []), *state.others])
