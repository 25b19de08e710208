"""The service tiers that calls name: many words mean the standard one."""

ANSWERED_TIER = "openai.response.service_tier"
ASKED_TIER = "openai.request.service_tier"
"""Where calls name their tier; the one asked for counts where the answer names none."""

_STANDARD = frozenset({"", "auto", "default", "standard", "standard_only", "on_demand"})


def tier_of(word: str) -> str:
    """Return the name of the service tier that *word* means: in small letters, '' for the standard one."""
    tier = word.strip().lower()
    return "" if tier in _STANDARD else tier
