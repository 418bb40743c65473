"""Routes of tools: what there is, how it is, and a call to try one."""

import uuid

from fastapi import APIRouter

from devops_chatbot.api.context import PrincipalDep, ProductDep
from devops_chatbot.calls import ToolCall
from devops_chatbot.errors import NotAllowed
from devops_chatbot.schemas import NATIVE
from devops_chatbot.schemas.tools import ToolTest
from devops_chatbot.tools import Caller, ToolsetInfo
from devops_chatbot.values import Page

router = APIRouter(prefix=NATIVE + "/tools", tags=["tools"])


@router.get("")
async def list_tools(product: ProductDep) -> Page[ToolsetInfo]:
    """Every toolset, ready, disabled or failed and why, with its tools: what they do, what they change, what they take."""
    return Page.of(await product.toolbox.infos())


@router.post("/{name}/test")
async def test_tool(name: str, body: ToolTest, product: ProductDep, principal: PrincipalDep) -> ToolCall:
    """Call a tool that only reads, as an agent would; what it says, or why it failed."""
    tool = product.toolbox.tool(name)
    if tool.effect != "read":
        raise NotAllowed("tool.test_changes", name=name)
    call = ToolCall(id=f"c{uuid.uuid4().hex[:16]}", tool=name, arguments=body.arguments, agent="test")
    return await product.dispatch.run(tool, call, Caller(principal=principal, sources=product.ids_of(())))
