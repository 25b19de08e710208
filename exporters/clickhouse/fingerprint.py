"""The resource fingerprint: one text per resource that joins spans to SigNoz's resource table.

service.name=chat-svc;deployment.environment=prod;hash=879575039285807044
^ identity: one part per level of the hierarchy   ^ FNV-1a over all attributes
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from exporters.clickhouse.texts import go_string_verb, go_text
from exporters.clickhouse.values import Value

_OFFSET = 14695981039346656037
_PRIME = 1099511628211
_MASK = 2**64 - 1
_SEPARATOR = b"\xff"


@dataclass(frozen=True, slots=True)
class _Level:
    """One level of the hierarchy: the first of its labels that a resource has names it; the first child that fits."""

    labels: tuple[str, ...]
    children: "tuple[_Level, ...]" = ()


def _chain(levels: Iterable[str], *below: _Level) -> _Level:
    """Return levels that stand one below the other, each written as labels with spaces between."""
    first, *rest = levels
    return _Level(tuple(first.split()), (_chain(rest, *below),) if rest else below)


_WORKLOAD = (
    "service.name cloudwatch.log.group.name k8s.deployment.name k8s.deployment.uid k8s.statefulset.name "
    "k8s.statefulset.uid k8s.daemonset.name k8s.daemonset.uid k8s.job.name k8s.job.uid k8s.cronjob.name "
    "k8s.cronjob.uid faas.name ec2.tag.service"
)
_HOST = "host.id host.name host.ip host"
_POD = "k8s.pod.name k8s.pod.uid"
_TASK = "aws.ecs.task.id aws.ecs.task.arn"

_LOGICAL_VIEW = _chain(
    [
        "service.namespace k8s.namespace.name ec2.tag.service-group",
        _WORKLOAD,
        "deployment.environment ec2.tag.env-short ec2.tag.env env",
        f"service.instance.id {_POD} {_TASK} cloudwatch.log.stream cloud.resource_id faas.instance {_HOST}",
        "k8s.container.name container.name container_name",
        "component",
    ]
)
_NODE_VIEW = _chain(
    [
        "cloud.availability_zone",
        f"k8s.node.name k8s.node.uid {_HOST}",
        f"{_POD} {_TASK}",
        "k8s.container.name container.name",
    ]
)
_HIERARCHY = _chain(
    [
        "cloud.provider",
        "cloud.account.id",
        "gcp.project",
        "cloud.region aws.region",
        "cloud.platform source_type",
        "k8s.cluster.name k8s.cluster.uid aws.ecs.cluster.arn",
    ],
    _LOGICAL_VIEW,
    _NODE_VIEW,
)


def resource_fingerprint(attributes: Mapping[str, Value]) -> str:
    """Return the fingerprint of a resource with these attributes, not flattened."""
    parts = [f"{label}={go_string_verb(attributes[label])}" for label in _identity(_HIERARCHY, attributes)]
    return ";".join([*parts, f"hash={_hash(attributes)}"])


def _identity(level: _Level, attributes: Mapping[str, Value]) -> Iterator[str]:
    """Yield the labels that identify the resource, from the top of the hierarchy down."""
    found = next((label for label in level.labels if label in attributes), None)
    if found is not None:
        yield found
    for child in level.children:
        below = list(_identity(child, attributes))
        if below:
            yield from below
            return


def _hash(attributes: Mapping[str, Value]) -> int:
    """Return the 64-bit FNV-1a hash over the sorted keys and the texts of their values."""
    result = _OFFSET
    for key in sorted(attributes, key=str.encode):
        for byte in b"".join((key.encode(), _SEPARATOR, go_text(attributes[key]).encode(), _SEPARATOR)):
            result = ((result ^ byte) * _PRIME) & _MASK
    return result
