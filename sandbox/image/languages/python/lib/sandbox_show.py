"""What code shows besides text: figures, tables, and anything that can draw itself."""

import io
import json
import os
import sys

MAX_ROWS = 1000
MAX_COLUMNS = 100
MAX_VECTOR_BYTES = 1 << 20
nonce = b""
_numbers = {}


def answer(data):
    """Write to the supervisor, whole."""
    view = memoryview(data)
    while view:
        view = view[os.write(4, view) :]


def show(kind, name, mime, data, **more):
    """Hand one artifact to whoever reads the run."""
    meta = json.dumps({"kind": kind, "name": name, "mime": mime, **more}).encode()
    answer(b"show %s %d %d\n" % (nonce, len(meta), len(data)) + meta + data)


def number(kind):
    """The next number of its kind in this run."""
    if _numbers.get("nonce") != nonce:
        _numbers.clear()
        _numbers["nonce"] = nonce
    _numbers[kind] = _numbers.get(kind, 0) + 1
    return _numbers[kind]


def display(*values):
    """Show values as a notebook would: figures drawn, data frames as tables, the rest as text."""
    for value in values:
        if not _rich(value):
            print(value if isinstance(value, str) and len(values) > 1 else repr(value))


def _rich(value):
    family = type(value).__module__.partition(".")[0]
    if family == "matplotlib":
        figure = getattr(value, "figure", None)
        if figure is not None and hasattr(figure, "savefig"):
            from matplotlib import pyplot

            draw(figure)
            pyplot.close(figure)
            return True
    if family == "pandas" and hasattr(value, "to_frame"):
        value = value.to_frame()
    if family == "pandas" and hasattr(value, "iloc") and hasattr(value, "columns"):
        table(value)
        return True
    if family == "plotly" and hasattr(value, "to_plotly_json"):
        from sandbox_plotly import draw as draw_plotly

        draw_plotly(value)
        return True
    if isinstance(value, type):
        return False
    for method, mime, ending in (("_repr_png_", "image/png", "png"), ("_repr_svg_", "image/svg+xml", "svg")):
        if hasattr(value, method) and (data := getattr(value, method)()):
            data = data.encode() if isinstance(data, str) else data
            show("figure", f"figure-{number('figure')}.{ending}", mime, data)
            return True
    return False


def draw(figure):
    """A matplotlib figure as PNG, and as SVG where that is not huge."""
    name = f"figure-{number('figure')}"
    for ending, mime in (("png", "image/png"), ("svg", "image/svg+xml")):
        data = io.BytesIO()
        figure.savefig(data, format=ending)
        if ending == "png" or data.tell() <= MAX_VECTOR_BYTES:
            show("figure", f"{name}.{ending}", mime, data.getvalue())


def figures():
    """Draw what the code left open."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    for number_of_figure in pyplot.get_fignums():
        draw(pyplot.figure(number_of_figure))
    pyplot.close("all")


def table(frame):
    """A data frame's first rows as JSON: columns, index, rows, and how many there are in all."""
    part = frame.iloc[:MAX_ROWS, :MAX_COLUMNS]
    try:
        text = part.to_json(orient="split", date_format="iso", default_handler=str)
    except (UnicodeError, OverflowError):  # bytes, or names of files that are no text
        cells = getattr(type(part), "map", None) or type(part).applymap
        part = cells(part.astype(object), _readable).rename(index=_readable, columns=_readable)
        text = part.to_json(orient="split", date_format="iso", default_handler=str)
    split = json.loads(text)
    data = {
        "columns": [_text(column) for column in split["columns"]],
        "index": [_text(label) for label in split["index"]],
        "rows": split["data"],
        "total_rows": len(frame),
        "total_columns": len(frame.columns),
    }
    name = f"table-{number('table')}.json"
    show("table", name, "application/vnd.devops-chatbot.table+json", json.dumps(data, ensure_ascii=False).encode())


def _readable(value):
    if isinstance(value, bytes):
        return repr(value)
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _text(label):
    return (
        label
        if isinstance(label, (str, int, float))
        else " ".join(map(str, label))
        if isinstance(label, list)
        else str(label)
    )
