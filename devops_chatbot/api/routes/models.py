"""Routes of language models, their roles, embedding models and scenarios: what a question can name."""

import time
from typing import Any

from fastapi import APIRouter

from devops_chatbot.api.context import PrincipalDep, ProductDep
from devops_chatbot.bootstrap import Product
from devops_chatbot.chat import ScenarioState
from devops_chatbot.config.settings import RoleSettings
from devops_chatbot.errors import ChatbotError, NotFound
from devops_chatbot.i18n import Reason
from devops_chatbot.scheduler.scenarios import scenario_schema
from devops_chatbot.schemas import NATIVE
from devops_chatbot.schemas.models import RoleChange
from devops_chatbot.status import EmbeddingInfo, ModelList, Trial
from devops_chatbot.values import Page

router = APIRouter(prefix=NATIVE, tags=["models"])


@router.get("/models")
def list_models(product: ProductDep) -> ModelList:
    """Every model with its roles and state, the built-in extracts included, and who does which role."""
    return _models(product)


@router.put("/models/roles/{role}")
def assign_role(role: str, body: RoleChange, product: ProductDep) -> ModelList:
    """From now on this role is done by these models, the first reachable one first; survives a restart."""
    if role not in RoleSettings.model_fields:
        raise NotFound("role.not_found", role=role, known=list(RoleSettings.model_fields))
    product.models.assign(role, body.models)
    return _models(product)


@router.delete("/models/roles/{role}")
def reset_role(role: str, product: ProductDep) -> ModelList:
    """From now on this role is done as the settings say."""
    product.models.reset(role)
    return _models(product)


@router.post("/models/{name:path}/test")
async def test_model(name: str, product: ProductDep) -> Trial:
    """One real call of a model."""
    return await product.models.test(name)


@router.get("/embeddings")
def list_embeddings(product: ProductDep) -> Page[EmbeddingInfo]:
    """Every embedding model, the default marked, with its state."""
    return Page.of(product.embeddings.infos())


@router.post("/embeddings/{name:path}/test")
def test_embedding(name: str, product: ProductDep) -> Trial:
    """Embed one sentence."""
    begun = time.perf_counter()
    try:
        embedder = product.embeddings.of(name)
        embedder.embed_query("Which alert fires when the disk is full?")
    except NotFound:
        raise
    except ChatbotError as error:
        return Trial(ok=False, seconds=time.perf_counter() - begun, detail=error.reason)
    detail = Reason("check.dimensions", dimensions=embedder.dimension, tokens=embedder.max_tokens)
    return Trial(ok=True, seconds=time.perf_counter() - begun, detail=detail)


@router.get("/scenarios", tags=["scenarios"])
def list_scenarios(product: ProductDep, principal: PrincipalDep) -> Page[ScenarioState]:
    """The ways that a question can take, each ready, disabled or failed and why."""
    return Page.of(product.scheduler.scenarios(principal))


@router.get("/scenarios/schema", tags=["scenarios"])
def get_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario's file: an editor that is given it completes the keys and marks mistakes."""
    return scenario_schema()


def _models(product: Product) -> ModelList:
    return ModelList(
        models=tuple(product.models.names()),
        roles={role: tuple(product.models.assigned(role)) for role in RoleSettings.model_fields},
        switched=product.models.switched(),
    )
