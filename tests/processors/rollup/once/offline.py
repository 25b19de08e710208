"""What a set of spans adds up to, worked out from the whole set at once: the plain way, for comparison."""

from collections import Counter, defaultdict
from collections.abc import Mapping

from processors.rollup.once.facts import PART, VIEW, Fact
from processors.rollup.once.merging import (
    Record,
    Report,
    clusters_of,
    distance_of,
    gap_of,
    is_half,
    joined,
    record_of,
    report_of,
)

MOST_SHARING = 64


def calls_in(facts: Mapping[int, Fact], links: Mapping[int, int]) -> Counter[Record]:
    """Return what counts of *facts* (by key), where *links* are the parents of all other spans."""
    parts = _nearest(
        (gap, request.key, part.key)
        for request in facts.values()
        for part in facts.values()
        if is_half(request) and part.kind == PART and (gap := gap_of(request, part)) is not None
    )
    above = {key: _above(key, facts, links) for key in facts}
    leaves: defaultdict[int, list[int]] = defaultdict(list)
    inner = set(facts) - set(above.values())
    for leaf in inner:
        for outer in _around(leaf, above):
            leaves[outer].append(leaf)
    callers = {(fact.trace, fact.kind & 1) for fact in facts.values() if not fact.kind & VIEW}
    counts = Counter(fact.response for fact in facts.values())
    reports = []
    for leaf in inner:
        fact = facts[leaf]
        if (fact.kind & VIEW and (fact.trace, fact.kind & 1) in callers) or (fact.kind == PART and leaf in parts):
            continue
        chain = [leaf, *(outer for outer in _around(leaf, above) if len(leaves[outer]) == 1)]
        mine = [facts[parts[key]] for key in chain if key in parts]
        report = report_of(fact, [facts[key] for key in chain[1:]], mine)
        told = frozenset(id for id in report.responses if counts[id] <= MOST_SHARING)
        reports.append(report._replace(responses=told))
    calls = [joined(pair) for pair in _overlapping(_responses(reports))]
    return Counter(record_of(joined(call)) for call in _overlapping(calls))


def _above(key: int, facts: Mapping[int, Fact], links: Mapping[int, int]) -> int | None:
    kind, at = facts[key].kind, facts[key].parent
    while at and kind != PART:
        if at in facts and facts[at].kind == kind:
            return at
        at = facts[at].parent if at in facts else links.get(at, 0)
    return None


def _around(key: int, above: Mapping[int, int | None]) -> list[int]:
    found = []
    outer = above[key]
    while outer is not None:
        found.append(outer)
        outer = above[outer]
    return found


def _responses(reports: list[Report]) -> list[Report]:
    """Return one report for each response."""
    groups: list[list[Report]] = []
    for report in reports:
        near = [group for group in groups if any(report.responses & other.responses for other in group)]
        groups = [group for group in groups if group not in near] + [
            [report, *(one for group in near for one in group)]
        ]
    clusters = [cluster for group in groups for cluster in clusters_of(group)]
    return [joined([report for report in cluster if not report.fact.kind & VIEW] or cluster) for cluster in clusters]


def _overlapping(reports: list[Report]) -> list[list[Report]]:
    by_key = {report.fact.key: report for report in reports}
    pairs = _nearest(
        (distance, one.fact.key, other.fact.key)
        for one in reports
        for other in reports
        if one.fact.key < other.fact.key and (distance := distance_of(one, other)) is not None
    )
    alone = [[report] for key, report in by_key.items() if key not in pairs]
    return alone + [[by_key[key], by_key[mate]] for key, mate in pairs.items() if key < mate]


def _nearest(edges):
    """Return who is whose, the nearest first."""
    mates: dict[int, int] = {}
    for _, _, _, one, other in sorted((gap, min(a, b), max(a, b), a, b) for gap, a, b in edges):
        if one not in mates and other not in mates:
            mates[one], mates[other] = other, one
    return mates
