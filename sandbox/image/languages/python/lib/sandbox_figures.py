"""The matplotlib backend of the sandbox: draws with Agg; `show()` hands every open figure to the reader of the run."""

import sandbox_show
from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureManagerBase, _Backend
from matplotlib.backends.backend_agg import FigureCanvasAgg


@_Backend.export
class _BackendSandbox(_Backend):
    FigureCanvas = FigureCanvasAgg
    FigureManager = FigureManagerBase

    @staticmethod
    def show(*_args, **_options):
        for manager in Gcf.get_all_fig_managers():
            sandbox_show.draw(manager.canvas.figure)
        Gcf.destroy_all()
