"""The most that one model call can have of anything: what says more is wrong, and counts as not said.

    2^20 calls of one request  x  2^43 nanoseconds or 10^-9 USD  =  2^63, where sums of 64 bits end

Each request is far below that (see `max_request_elements` of the receiver), and so are years of rollups: 2^63
nanoseconds are 292 years of calls, 2^63 of 10^-9 USD are 9.2 billion USD.
"""

MOST_TOKENS = 2**30
"""Times the dearest price they still fit 64 bits."""
MOST_NANOSECONDS = 2**43 - 1
"""2 hours and 26 minutes."""
MOST_NANODOLLARS = 2**43 - 1
"""8,796 USD."""
