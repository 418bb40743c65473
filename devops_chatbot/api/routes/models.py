"""Routes of language models, their roles, embedding models and scenarios: what a question can name."""

import time

from fastapi import APIRouter

from devops_chatbot.api.context import Of, given, page
from devops_chatbot.bootstrap import Product
from devops_chatbot.config.settings import RoleSettings
from devops_chatbot.errors import ChatbotError, NotFound
from devops_chatbot.i18n import Reason
from devops_chatbot.schemas import NATIVE
from devops_chatbot.schemas.wire import EmbeddingInfo, ModelInfo, Models, Page, RoleChange, Scenario, Test

router = APIRouter(prefix=NATIVE, tags=["models"])


@router.get("/models")
def list_models(product: Of) -> Models:
    """Every model with its roles and state, the built-in extracts included, and who does which role."""
    return _models(product)


@router.put("/models/roles/{role}")
def assign_role(role: str, body: RoleChange, product: Of) -> Models:
    """From now on this role is done by these models, the first reachable one first; survives a restart."""
    if role not in RoleSettings.model_fields:
        raise NotFound("role.not_found", role=role, known=list(RoleSettings.model_fields))
    product.models.assign(role, body.models)
    return _models(product)


@router.delete("/models/roles/{role}")
def reset_role(role: str, product: Of) -> Models:
    """From now on this role is done as the settings say."""
    product.models.reset(role)
    return _models(product)


@router.post("/models/{name}/test")
async def test_model(name: str, product: Of) -> Test:
    """One real call of a model."""
    return given(Test, await product.models.test(name))


@router.get("/embeddings")
def list_embeddings(product: Of) -> Page[EmbeddingInfo]:
    """Every embedding model, the default marked, with its state."""
    return page(EmbeddingInfo, product.embeddings.infos())


@router.post("/embeddings/{name}/test")
def test_embedding(name: str, product: Of) -> Test:
    """Embed one sentence."""
    begun = time.perf_counter()
    try:
        embedder = product.embeddings.of(name)
        embedder.embed_query("Which alert fires when the disk is full?")
    except NotFound:
        raise
    except ChatbotError as error:
        return Test(ok=False, seconds=time.perf_counter() - begun, detail=error.reason)
    detail = Reason("check.dimensions", dimensions=embedder.dimension, tokens=embedder.max_tokens)
    return Test(ok=True, seconds=time.perf_counter() - begun, detail=detail)


@router.get("/scenarios", tags=["scenarios"])
def list_scenarios(product: Of) -> Page[Scenario]:
    """The ways that a question can take, each ready, disabled or failed and why."""
    return page(Scenario, product.scheduler.scenarios())


def _models(product: Product) -> Models:
    infos = product.models.names()
    return Models(
        models=tuple(given(ModelInfo, info) for info in infos),
        roles={role: tuple(product.models.assigned(role)) for role in RoleSettings.model_fields},
        switched=product.models.switched(),
    )
