"""A server that other machines can reach: the pages ask for its key, in a real browser."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from served_pages import product

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.service

RIGHT = "a long random text"


def test_the_pages_ask_for_the_key_and_keep_it_in_this_tab_only(
    tmp_path: Path, embedding_cache: Path, page: "Page"
) -> None:
    open_door = {"server__host": "0.0.0.0", "server__key": RIGHT}
    with product(tmp_path, embedding_cache, model=None, **open_door) as running:
        field, welcome = page.locator("input[type=password]"), page.get_by_role("heading", name="Ask your own runbooks")

        def give(key: str) -> None:
            field.fill(key)
            page.keyboard.press("Enter")

        page.goto(running.ui)
        give("wrong")
        page.get_by_text("The server does not accept this key.").wait_for()
        assert "Bearer" not in page.locator("body").inner_text(), "a person types a key, not a header"
        give(RIGHT)
        welcome.wait_for()
        page.reload()
        welcome.wait_for()
        assert field.count() == 0
        assert RIGHT not in str(page.context.cookies()), "a cookie would be sent to every port of the host"

        other = page.context.new_page()
        other.goto(running.ui)
        other.get_by_role("heading", name="This server asks for a key").wait_for()
        assert other.get_by_role("link", name="Knowledge").count() == 0
