"""Plotly figures: their specification, and a picture drawn by kaleido where the image has it, otherwise by matplotlib."""

import importlib
import importlib.abc
import importlib.util
import sys

import sandbox_show

MIME = "application/vnd.plotly.v1+json"


class AfterImport(importlib.abc.MetaPathFinder):
    """Lets `figure.show()` speak to the reader of the run; there is no browser here."""

    def find_spec(self, name, path=None, target=None):  # noqa: ARG002 - as importlib calls it
        if name != "plotly.io":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def load_and_change(module):
            load(module)
            module.show = lambda figure, *_, **__: draw(figure)

        spec.loader.exec_module = load_and_change
        return spec


def draw(figure):
    """Show a figure."""
    name = f"figure-{sandbox_show.number('figure')}"
    for ending, mime, data in _pictures(figure):
        sandbox_show.show("figure", f"{name}.{ending}", mime, data)
    sandbox_show.show("figure", f"{name}.plotly.json", MIME, figure.to_json().encode())


def _pictures(figure):
    if importlib.util.find_spec("kaleido") is not None:
        return [
            (ending, mime, figure.to_image(format=ending))
            for ending, mime in (("png", "image/png"), ("svg", "image/svg+xml"))
        ]
    return _drawn(figure.to_plotly_json())


def _drawn(figure):
    """The usual kinds of traces; a figure with none of them has no picture, only its specification."""
    import io

    from matplotlib.figure import Figure

    canvas = Figure(figsize=(7, 4.5), layout="constrained")
    axes = canvas.subplots()
    if not sum([_trace(axes, trace) for trace in figure["data"]]):
        return []
    layout = figure.get("layout", {})
    axes.set_title(_text(layout.get("title")))
    axes.set_xlabel(_text(layout.get("xaxis", {}).get("title")))
    axes.set_ylabel(_text(layout.get("yaxis", {}).get("title")))
    if any(trace.get("name") for trace in figure["data"]):
        axes.legend()
    pictures = []
    for ending, mime in (("png", "image/png"), ("svg", "image/svg+xml")):
        data = io.BytesIO()
        canvas.savefig(data, format=ending)
        pictures.append((ending, mime, data.getvalue()))
    return pictures


def _trace(axes, trace):
    kind, label = trace.get("type", "scatter"), trace.get("name") or None
    x, y = _values(trace.get("x")), _values(trace.get("y"))
    if kind in ("scatter", "scattergl"):
        x = list(range(len(y))) if x is None else x
        lines = "lines" in (trace.get("mode") or "lines")
        dots = not lines or "markers" in (trace.get("mode") or "")
        axes.plot(x, y, linestyle="-" if lines else "none", marker="o" if dots else None, label=label)
    elif kind == "bar" and trace.get("orientation") == "h":
        axes.barh(y, x, label=label)
    elif kind == "bar":
        axes.bar(list(range(len(y))) if x is None else x, y, label=label)
    elif kind == "histogram":
        axes.hist(y if x is None else x, bins=trace.get("nbinsx") or "auto", label=label)
    elif kind == "box":
        axes.boxplot(y if y is not None else x)
    elif kind == "pie":
        axes.pie(_values(trace["values"]), labels=_values(trace.get("labels")), autopct="%.0f%%")
    elif kind == "heatmap":
        axes.figure.colorbar(axes.pcolormesh(_values(trace["z"])))
    else:
        return False
    return True


def _values(values):
    return values if values is None else list(values)


def _text(title):
    return (title.get("text") if isinstance(title, dict) else title) or ""
