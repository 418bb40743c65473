"""Python's driver: runs one piece of code after the other in one namespace, and says how each ended.

Descriptor 3 brings requests, descriptor 4 takes answers (see the supervisor's workers.py).
"""

import ast
import builtins
import io
import linecache
import os
import signal
import sys
import traceback
import types

HERE = os.path.dirname(os.path.abspath(__file__))
FONTS = "/opt/sandbox/matplotlib"
sys.path[0] = ""
sys.path.append(os.path.join(HERE, "lib"))

import sandbox_plotly  # noqa: E402
import sandbox_show  # noqa: E402


class Driver:
    """The namespace that lives between runs."""

    def __init__(self):
        self.pid = os.getpid()
        self.requests = open(3, "rb", closefd=False)
        self.count = 0
        self.running = False
        self.kept = [os.dup(1), os.dup(2)]
        self.module = types.ModuleType("__main__")
        self.module.__dict__["__builtins__"] = builtins
        sys.modules["__main__"] = self.module
        sys.argv = [""]
        builtins.display = sandbox_show.display
        self.builtins = dict(builtins.__dict__)
        os.environ["PYTHONUNBUFFERED"] = "1"  # what the code starts shall be heard as it speaks, too
        font_cache()
        sys.meta_path.insert(0, sandbox_plotly.AfterImport())
        for fd in (3, 4):
            os.set_inheritable(fd, False)

    def serve(self):
        """Until the supervisor lets go of us."""
        self.prepare()
        sandbox_show.answer(b"ready\n")
        while header := self.requests.readline():
            _, nonce, length = header.split()
            code = self.requests.read(int(length))
            self.prepare()
            sandbox_show.nonce = nonce
            status = self.run(code)
            if os.getpid() != self.pid:  # the code forked, and this is the child at the end of the code
                os._exit(status)
            sandbox_show.answer(b"done %s %d\n" % (nonce, status))

    def prepare(self):
        """Mend what the last run may have broken: builtins, streams, folder, signal handlers."""
        builtins.__dict__.update(self.builtins)
        for target, kept in enumerate(self.kept, start=1):
            os.dup2(kept, target, inheritable=True)
        for name, fd in (("stdout", 1), ("stderr", 2)):
            stream = getattr(sys, "__" + name + "__")
            if stream is None or stream.closed:
                stream = open(fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
            elif isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True, errors="backslashreplace")
            setattr(sys, "__" + name + "__", stream)
            setattr(sys, name, stream)
        try:
            os.getcwd()
        except OSError:
            os.chdir(os.environ["HOME"])
        signal.signal(signal.SIGINT, self.interrupted)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def interrupted(self, *_):
        if self.running:
            raise KeyboardInterrupt

    def run(self, code):
        self.count += 1
        name = f"<run {self.count}>"
        try:
            try:
                self.running = True
                return self.execute(code, name)
            finally:
                self.running = False
                sandbox_show.figures()
                self.flush()
        except KeyboardInterrupt:
            return 130
        except BaseException as error:  # nothing that the code does to its streams may end the driver
            return self.report(error)

    def execute(self, code, name):
        try:
            text = code.decode("utf-8")
            linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
            tree = ast.parse(text, name)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, name, "exec"), self.module.__dict__)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), name, "eval"), self.module.__dict__)
                if value is not None:
                    self.module.__dict__["_"] = value
                    sandbox_show.display(value)
        except SystemExit as stop:
            return self.exit_code(stop)
        except BaseException as error:
            self.running = False
            return self.report(error)
        return 0

    def exit_code(self, stop):
        if stop.code is None:
            return 0
        if isinstance(stop.code, int):
            return stop.code & 0xFF
        print(stop.code, file=sys.stderr)
        return 1

    def report(self, error):
        """The traceback without the driver's own frames."""
        try:
            told = traceback.TracebackException(type(error), error, error.__traceback__)
            told.stack = traceback.StackSummary.from_list([f for f in told.stack if not f.filename.startswith(HERE)])
            print("".join(told.format()), end="", file=sys.stderr)
            self.flush()
        except BaseException:  # the code closed its streams, or printing itself fails: the exit code still tells
            pass
        return 130 if isinstance(error, KeyboardInterrupt) else 1

    def flush(self):
        for stream in (sys.stdout, sys.stderr):
            if not getattr(stream, "closed", True):
                stream.flush()


def font_cache():
    """Matplotlib looks for its list of fonts where it may write; the image has one where it may not."""
    folder = os.environ.get("MPLCONFIGDIR")
    try:
        os.makedirs(folder, exist_ok=True)
        for name in os.listdir(FONTS):
            os.symlink(os.path.join(FONTS, name), os.path.join(folder, name))
    except OSError:
        return  # it is there already, or matplotlib makes its own


if __name__ == "__main__":
    Driver().serve()
