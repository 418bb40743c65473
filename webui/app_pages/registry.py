"""Every page of the web pages; the first is home. A page is a file here and a line in this list."""

from webui.app_pages import approvals_page, chat_page, knowledge_page, status_page, tools_page
from webui.components.places import Place

PAGES = (
    Place("chat", ":material/forum:", chat_page.show),
    Place("knowledge", ":material/library_books:", knowledge_page.show),
    Place("approvals", ":material/approval_delegation:", approvals_page.show),
    Place("tools", ":material/build:", tools_page.show),
    Place("status", ":material/tune:", status_page.show),
)
