import pytest

from exporters.clickhouse.fingerprint import resource_fingerprint
from tests.exporters.clickhouse.trace_batches import EXPECTED

MIXED = {
    "service.name": "svc", "i": 5, "f": 1.5, "f2": 1e21, "f3": 1e-7, "f4": 1e8, "b": True,
    "l": ["a", 1, True], "m": {"k": "v", "a": 2}, "by": b"\x01\x02", "e": None,
}  # fmt: skip
CLOUD = {
    "cloud.provider": "aws", "aws.region": "us-east-1", "cloud.region": "eu", "k8s.cluster.name": "c",
    "k8s.namespace.name": "ns", "k8s.deployment.name": "d", "service.name": "s", "k8s.pod.name": "p",
    "host.name": "h", "k8s.container.name": "kc", "component": "x",
}  # fmt: skip
CHAT = {
    "service.name": "chat-svc", "telemetry.sdk.language": "python", "deployment.environment": "prod",
    "service.instance.id": "i-1",
}  # fmt: skip
VECTORS = [
    {"a": "b"},
    {},
    CHAT,
    MIXED,
    {"service.name": 5, "k8s.pod.name": 1.5},
    {"host.name": "h1", "k8s.node.name": "n1"},
    CLOUD,
    {"service.name": "сервис<>&", "x": "é"},
]
PUBLISHED = [
    ({"ec2.tag.env": "fn-prod", "host.image.id": "ami-fce3c696"}, "ec2.tag.env=fn-prod;hash=5580615729524003981"),
    (
        {"ec2.tag.env": "fn-prod", "host.image.id": "ami-fce3c696", "cloudwatch.log.stream": "mystr"},
        "ec2.tag.env=fn-prod;cloudwatch.log.stream=mystr;hash=10649409385811604510",
    ),
    (
        {"gcp.project": "myproject", "source_type": "gcp", "random_key": "val"},
        "gcp.project=myproject;source_type=gcp;hash=11162778839006855273",
    ),
    (
        {"service.name": "service", "env": "prod", "component": "service-component"},
        "service.name=service;env=prod;component=service-component;hash=18170521368096690780",
    ),
]


@pytest.mark.parametrize(("attributes", "expected"), list(zip(VECTORS, EXPECTED["fp"], strict=True)))
def test_fingerprints_are_signoz_s(attributes, expected) -> None:
    assert resource_fingerprint(attributes) == expected["fp"]


@pytest.mark.parametrize(("attributes", "expected"), PUBLISHED)
def test_published_fingerprints(attributes, expected) -> None:
    assert resource_fingerprint(attributes) == expected


def test_the_node_view_serves_where_the_logical_view_finds_nothing() -> None:
    found = resource_fingerprint({"cloud.availability_zone": "z", "k8s.node.name": "n"})
    assert found.startswith("cloud.availability_zone=z;k8s.node.name=n;hash=")


def test_the_order_of_attributes_does_not_matter() -> None:
    assert resource_fingerprint(dict(reversed(CLOUD.items()))) == resource_fingerprint(CLOUD)
