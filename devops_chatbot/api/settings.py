"""The route of the settings in force."""

from fastapi import APIRouter

from devops_chatbot.api.context import Of, given
from devops_chatbot.settings import in_force, settings_file
from devops_chatbot.wire import Setting, SettingsInForce

router = APIRouter(prefix="/v1/settings", tags=["settings"])


@router.get("")
def get_settings(product: Of) -> SettingsInForce:
    """What is in force and where each value comes from; secrets are hidden."""
    file = settings_file()
    return SettingsInForce(
        file=str(file) if file else None,
        settings=tuple(given(Setting, setting) for setting in in_force(product.settings)),
    )
