"""The route of the settings in force."""

import dataclasses

from fastapi import APIRouter

from devops_chatbot.api.context import ProductDep
from devops_chatbot.bootstrap import Product
from devops_chatbot.config.in_force import in_force
from devops_chatbot.config.settings import settings_file
from devops_chatbot.i18n import current_language
from devops_chatbot.i18n.settings import meaning
from devops_chatbot.schemas import NATIVE
from devops_chatbot.status import Setting, SettingsInForce

router = APIRouter(prefix=NATIVE + "/settings", tags=["settings"])


@router.get("")
def get_settings(product: ProductDep) -> SettingsInForce:
    """What is in force and where each value comes from; secrets are hidden."""
    file = settings_file()
    return SettingsInForce(
        file=str(file) if file else None,
        settings=tuple(_shown(setting, product) for setting in in_force(product.settings, product.toolbox.settings)),
    )


def _shown(setting: Setting, product: Product) -> Setting:
    words = meaning(setting.key, setting.description, current_language.get())
    section, _, role = setting.key.partition(".")
    if section != "roles" or role not in product.models.switched():
        return dataclasses.replace(setting, description=words)
    names = ", ".join(product.models.assigned(role))
    return dataclasses.replace(setting, description=words, value=names, origin="switched")
