"""Routes of approvals: the inbox of calls that wait for a person."""

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from devops_chatbot.api.context import ContextDep, PrincipalDep, ProductDep
from devops_chatbot.calls import Approval, ApprovalState, Decision
from devops_chatbot.schemas import NATIVE
from devops_chatbot.schemas.tools import NewDecision
from devops_chatbot.values import Page

router = APIRouter(prefix=NATIVE + "/approvals", tags=["approvals"])


@router.get("")
def list_approvals(
    product: ProductDep, state: ApprovalState | None = None, thread: str | None = None
) -> Page[Approval]:
    """Calls that wait, or waited, for a person, the newest first."""
    return Page.of(product.approvals.find(state=state, thread=thread))


@router.get("/{approval_id}")
def get_approval(approval_id: str, product: ProductDep) -> Approval:
    """One call, with the evidence behind it and what became of it."""
    return product.approvals.get(approval_id)


@router.post("/{approval_id}")
async def decide(approval_id: str, body: NewDecision, context: ContextDep, principal: PrincipalDep) -> Approval:
    """Approve or deny, with other arguments if need be. The first who decides wins; the second one gets 409. The question goes
    on by itself; `GET /threads/{id}/events` follows it.
    """
    decision = Decision(approve=body.approve, scope=body.scope, arguments=body.arguments, note=body.note)
    decided = await run_in_threadpool(context.product.approvals.decide, approval_id, decision, principal)
    await context.continuations.start(decided.message)
    return decided
