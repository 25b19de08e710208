"""What a token costs: public prices that come with the package, and the user's own over them."""

from collector.prices.book import PriceBook, Rates
from collector.prices.cost import Quantities, nanodollars
from collector.prices.own import OwnPrices, read_own

__all__ = ["OwnPrices", "PriceBook", "Quantities", "Rates", "nanodollars", "read_own"]
