"""The page on which people see, steer and approve what is remembered: sessions, its files, and routes behind them."""

from litellm_memory.page.doors import Claims
from litellm_memory.page.mount import with_page

__all__ = ["Claims", "with_page"]
