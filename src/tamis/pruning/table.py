"""Plain-text tables, as reports print them."""

from collections.abc import Sequence


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[str] = ()) -> str:
    """Lay out cells in columns, one line per row, the header underlined.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequences of str
        Each as long as the header.
    left : sequence of str
        Headers of the columns to align left; the others align right, as numbers do.
    """
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]

    def line(cells: Sequence[str]) -> str:
        pairs = zip(header, cells, widths, strict=True)
        return "  ".join(cell.ljust(w) if name in left else cell.rjust(w) for name, cell, w in pairs).rstrip()

    return "\n".join([line(header), "  ".join("-" * w for w in widths), *map(line, rows)])
