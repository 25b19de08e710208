"""The service tiers that calls name: many words mean the standard one."""

ANSWERED_TIER = "openai.response.service_tier"
ASKED_TIER = "openai.request.service_tier"
"""Where calls name their tier; the one asked for counts where the answer names none."""

_STANDARD = frozenset({"", "auto", "default", "standard", "standard_only", "on_demand"})


def is_standard(tier: str) -> bool:
    """Tell whether *tier* is a word for the standard service tier, which has no name of its own."""
    return tier.lower() in _STANDARD
