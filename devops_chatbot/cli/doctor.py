"""What `doctor` looks at: the server's own checks with each store really used, and one real call of each model."""

from devops_chatbot.client.client import Client
from devops_chatbot.config.settings import BUNDLED
from devops_chatbot.i18n import Reason
from devops_chatbot.status import Check, Readiness


def examine(client: Client) -> Readiness:
    """The server's checks, with each store, each configured model and each embedding model tried for real.

    Not ready when a necessary thing has failed, or an embedding model, or every model of a role that has any.
    """
    readiness = client.readiness()
    checks: list[Check] = []
    ready = readiness.ready
    for check in readiness.checks:
        if check.state == "ready" and not check.name.startswith(("model ", "embedding ")):
            test = client.test_check(check.name)
            ready = ready and test.ok
            checks.append(_check(check.name, ok=test.ok, detail=test.detail, seconds=test.seconds))
        elif not check.name.startswith(("model ", "embedding ")):
            checks.append(check)
    models = client.models()
    works: dict[str, bool] = {}
    for model in models.models:
        if not model.extractive:
            test = client.test_model(model.name)
            works[model.name] = test.ok
            checks.append(_check(f"model {model.name}", ok=test.ok, detail=test.detail, seconds=test.seconds))
        else:
            works[model.name] = True
    for role, names in models.roles.items():
        if names and not any(works.get(name, False) for name in names):
            ready = False
            checks.append(Check(name=f"role {role}", state="failed", why=Reason("check.no_model_answers", names=names)))
    for embedding in client.embeddings():
        if embedding.state == "disabled":
            checks.append(Check(name=f"embedding {embedding.name}", state="disabled", why=embedding.why))
            continue
        test = client.test_embedding(embedding.name)
        ready = ready and (test.ok or not (embedding.default or embedding.name == BUNDLED))
        checks.append(_check(f"embedding {embedding.name}", ok=test.ok, detail=test.detail, seconds=test.seconds))
    return Readiness(ready=ready, version=readiness.version, checks=tuple(checks))


def _check(name: str, *, ok: bool, detail: Reason | None, seconds: float) -> Check:
    timed = Reason("check.seconds", seconds=seconds)
    why = Reason("check.timed", what=detail, timed=timed) if detail else timed
    return Check(name=name, state="ready" if ok else "failed", why=why)
