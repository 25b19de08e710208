"""What several spans say about one call: pure functions of facts, whatever the order they come in.

spans     wrapper ── leaf        leaf of another library
               report                   report               `report_of`: what one library says
                     same response id?                       `clusters_of`
                     inside each other?                      `distance_of`
                            call                             `joined`
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from processors.rollup.once.facts import EMBEDDINGS, PART, VIEW, Fact, Texts, Tokens, form_of

_CACHED = slice(2, 4)  # of the tokens: those read from a cache and those written to it
_OF_INPUT = (0, 2, 3, 4, 6)  # of the tokens: the input, what is part of it, and the cost that follows from them
_TOUCHING = 10**9  # nanoseconds between reports of one response
SLACK = 20 * 10**6  # nanoseconds by which what is inside may stick out
FARTHEST = 300 * 10**6  # nanoseconds between starts and ends of what is one call, taken together
_LOADING = 10 * 10**9  # nanoseconds a library may take until it begins its first call


class Report(NamedTuple):
    """Is what spans say about a call: *fact* is all they say, *rows* are theirs, *anchor* is the one that counts."""

    fact: Fact
    rows: tuple[int, ...]
    scopes: frozenset[int]
    responses: frozenset[int]

    @property
    def anchor(self) -> int:
        """The row that the call is counted by."""
        return self.fact.row

    @property
    def succeeded(self) -> bool:
        """Tell whether there is a sign of an answer that ended well."""
        return self.fact.error < 0 and (self.fact.finished or self.fact.tokens[1] >= 0)


class Record(NamedTuple):
    """Is what a call adds to sums."""

    texts: Texts
    embeddings: bool
    start: int
    duration: int
    tokens: Tokens
    first_chunk: float
    error: int


def report_of(leaf: Fact, outer: Sequence[Fact], parts: Sequence[Fact]) -> Report:
    """Return what *leaf*, the wrappers around it (inner ones first) and the later parts of its stream say.

    The leaf's word goes first. The place is the outermost wrapper's: it is the application.
    """
    facts = [leaf, *parts, *outer]
    if len(facts) == 1:
        return _report(leaf, facts)
    fact = _filled(leaf, facts[1:])
    sign = leaf.finished or leaf.tokens[1] >= 0
    error = leaf.error if leaf.error >= 0 or sign else fact.error
    place = next((each.texts for each in reversed(outer) if each.texts[0]), leaf.texts)
    texts = (*place[:3], *fact.texts[3:])
    duration = max([leaf.end, *(part.end for part in parts)]) - leaf.start if leaf.duration >= 0 else leaf.duration
    return _report(fact._replace(error=error, texts=texts, duration=duration), facts)


def joined(reports: Iterable[Report]) -> Report:
    """Return what *reports* of one call say together, those with usage first, then the inner ones.

    The call failed if any of them says so.
    """
    ordered = list(reports)
    if len(ordered) == 1:
        return ordered[0]
    ordered.sort(key=_precedence)
    fact = _filled(ordered[0].fact, [report.fact for report in ordered[1:]])
    return Report(
        fact,
        tuple(row for report in ordered for row in report.rows),
        frozenset().union(*(report.scopes for report in ordered)),
        frozenset().union(*(report.responses for report in ordered)),
    )


def record_of(report: Report) -> Record:
    """Return what *report* adds to sums: the usage of a call that failed before its answer ended is unknown."""
    fact = report.fact
    cut = fact.error >= 0 and not fact.finished
    tokens = (-1,) * len(fact.tokens) if cut else fact.tokens
    return Record(
        fact.texts, bool(fact.kind & EMBEDDINGS), fact.start, fact.duration, tokens, fact.first_chunk, fact.error
    )


def clusters_of(reports: Iterable[Report]) -> list[list[Report]]:
    """Return which reports tell of the same response: those of different libraries in one application, one of each.

    Who answered is not asked when who called tells.
    """
    every = list(reports)
    clusters: list[list[Report]] = []
    naming: dict[int, set[int]] = {}
    answered = [report for report in every if report.responses]
    for report in sorted(answered, key=lambda report: (report.fact.kind & VIEW, report.fact.start, report.fact.key)):
        near = [
            (_apart(report, clusters[number][0]), number)
            for number in set().union(*(naming.get(id, ()) for id in report.responses))
            if all(_same_response(report, other) for other in clusters[number])
        ]
        if near:
            number = min(near)[1]
            clusters[number].append(report)
        else:
            number = len(clusters)
            clusters.append([report])
        for id in report.responses:
            naming.setdefault(id, set()).add(number)
    return [*clusters, *([report] for report in every if not report.responses)]


def distance_of(one: Report, other: Report) -> int | None:
    """Return how far apart two reports of different libraries are that seem to tell of one call, None where not."""
    a, b = one.fact, other.fact
    if not one.scopes.isdisjoint(other.scopes):
        return None
    distance = abs(a.start - b.start) + abs(a.end - b.end)
    if a.process != b.process or (a.kind ^ b.kind) & EMBEDDINGS or (a.kind | b.kind) & VIEW:
        return None
    if distance > FARTHEST and (distance > _LOADING or not _end_alike(a, b)):
        return None
    if not _same_model(a, b) or not (_inside(a, b) or _inside(b, a)):
        return None
    read, others = inputs_of(a), inputs_of(b)
    if (read and others and read.isdisjoint(others)) or _differ(one.responses, other.responses):
        return None
    contrary = (a.error >= 0 and other.succeeded) or (b.error >= 0 and one.succeeded)
    return None if contrary else distance


def gap_of(request: Fact, part: Fact) -> int | None:
    """Return how far *part* is from where it would be if it told the rest of the stream that *request* began.

    It is None where it tells of something else. A part that is a child of the request tells of it.
    """
    if request.scope != part.scope or request.process != part.process or not _same_model(request, part):
        return None
    if part.parent == request.key:
        return 0
    same_prompt = bool(request.prompt) and request.prompt == part.prompt
    unlike = request.prompt and part.prompt and not same_prompt
    gap = part.start - max(part.told, 0) - request.end
    if unlike or gap < -SLACK or part.start < request.start:
        return None
    near = 5 * 10**9 if same_prompt else SLACK
    return abs(gap) if (part.told >= 0 or same_prompt) and abs(gap) <= near else None


def is_half(fact: Fact) -> bool:
    """Tell whether *fact* may be the request of a stream whose rest another span tells."""
    return not fact.kind and fact.error < 0 and fact.tokens[1] < 0 and fact.duration > 0


def _report(fact: Fact, facts: Sequence[Fact]) -> Report:
    return Report(
        fact,
        tuple(each.row for each in facts),
        frozenset(each.scope for each in facts),
        frozenset(each.response for each in facts) - {0},
    )


def input_of(fact: Fact) -> int:
    """Return the length of the input, -1 where it is unknown: no call is without, so who says 0 does not know."""
    return fact.tokens[0] or -1


def inputs_of(fact: Fact) -> frozenset[int]:
    """Return the lengths of the input others may report: with what the cache held, and without; none if unknown."""
    whole = input_of(fact)
    without = whole - sum(max(count, 0) for count in fact.tokens[_CACHED])
    return frozenset((whole, without)) - {-1, 0} if whole >= 0 else frozenset()


def _filled(first: Fact, others: Sequence[Fact]) -> Fact:
    """Return *first* with what it does not say taken from *others*, in their order."""
    if not others:
        return first
    facts = (first, *others)
    texts = zip(*(fact.texts for fact in facts), strict=True)
    return first._replace(
        requested=next((fact.requested for fact in facts if fact.requested), 0),
        answered=next((fact.answered for fact in facts if fact.answered), 0),
        tokens=_tokens_of(facts),
        first_chunk=next((fact.first_chunk for fact in facts if fact.first_chunk >= 0), -1.0),
        error=next((fact.error for fact in facts if fact.error >= 0), -1),
        finished=any(fact.finished for fact in facts),
        texts=tuple(next(filter(None, told), "") for told in texts),
    )


def _tokens_of(facts: Sequence[Fact]) -> Tokens:
    """Return what the first who knows says of each number; of the input, the first who counts cached tokens into it."""
    usages = [fact.tokens for fact in facts if not _is_empty(fact)] or [facts[0].tokens]
    told = [next((count for count in counts if count >= 0), -1) for counts in zip(*usages, strict=True)]
    told[0] = next((known for fact in facts if (known := input_of(fact)) >= 0), told[0])
    whole = next((fact.tokens for fact in facts if max(fact.tokens[_CACHED]) > 0), ())
    if whole and whole[0] - sum(max(count, 0) for count in whole[_CACHED]) == told[0]:
        for place in _OF_INPUT:
            told[place] = whole[place] if whole[place] >= 0 else told[place]
    return tuple(told)


def _precedence(report: Report) -> tuple[int, bool, int, int]:
    fact = report.fact
    silent = max(fact.tokens[:2]) < 0 or _is_empty(fact)
    return fact.kind & (VIEW | PART), silent, fact.duration if fact.duration >= 0 else 2**62, fact.key


def _is_empty(fact: Fact) -> bool:
    """Tell whether the usage of *fact* is all 0: who reads and writes nothing does not know what was."""
    return max(fact.tokens[:2]) == 0


def _same_response(one: Report, other: Report) -> bool:
    a, b = one.fact, other.fact
    if one.responses.isdisjoint(other.responses) or (a.kind ^ b.kind) & EMBEDDINGS:
        return False
    touching = a.start <= b.end + _TOUCHING and b.start <= a.end + _TOUCHING
    if (a.kind | b.kind) & VIEW:
        return touching
    return touching and a.texts[0] == b.texts[0] and not one.scopes & other.scopes


def _apart(one: Report, other: Report) -> tuple[int, int]:
    a, b = one.fact, other.fact
    return abs(a.start - b.start) + abs(a.end - b.end), b.key


def _same_model(a: Fact, b: Fact) -> bool:
    """Tell whether two facts name one model; who names none may mean any."""
    return bool(a.models & b.models) or not (a.models and b.models)


def _end_alike(a: Fact, b: Fact) -> bool:
    """Tell whether two facts say that as much was read and written until the same moment."""
    return abs(a.end - b.end) <= SLACK and a.tokens[:2] == b.tokens[:2] and min(a.tokens[:2]) > 0


def _inside(inner: Fact, outer: Fact) -> bool:
    return inner.start >= outer.start - SLACK and inner.end <= outer.end + SLACK


def _differ(some: frozenset[int], others: frozenset[int]) -> bool:
    """Tell whether two sets of ids name different responses: a form in common, but no id."""
    return not some & others and not {form_of(id) for id in some}.isdisjoint(form_of(id) for id in others)
