"""Write the report of a search: one page, ``report.html``, that opens in any browser without a network."""

from .examples import Example, draw_examples
from .facts import Facts, read_warnings
from .page import write_report

__all__ = ['Example', 'Facts', 'draw_examples', 'read_warnings', 'write_report']
